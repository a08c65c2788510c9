/** Checks of a tunnel that a schema cannot express. @module */
import { ConfigError } from "../../system/schema.ts";
import type { LoginConfig, Secret, TunnelConfig } from "./types.ts";

/** Services that log in without credentials. */
const open: readonly string[] = ["localhost.run", "pinggy", "serveo", "sish", "frp"];

/** @throws ConfigError */
export function checkTunnel(tunnel: TunnelConfig, path: string, env: NodeJS.ProcessEnv): void {
  const { host, user, ssh, service, via = [], forwards = [], local = [], dynamic = [] } = tunnel;
  if (host === "") throw new ConfigError(`expected ${path}.host to be a text that is not empty, got an empty one`);
  if (host !== undefined && !user) throw new ConfigError(`expected ${path}.user to be set, got nothing`);
  const serviceName = typeof service === "object" ? service.name : service;
  if (host !== undefined || (serviceName !== undefined && !open.includes(serviceName))) checkLogin(tunnel, path);
  if (ssh !== undefined) refuse(tunnel, path, "ssh", ["identity", "agent", "hostKey", "hostKeyAlias", "via", "proxy"]);
  if (service !== undefined) refuse(tunnel, path, "service", ["port"]);
  if (typeof service === "object" && service.name === "pinggy" && user !== undefined)
    throw new ConfigError(`expected ${path} without user, because pinggy has its own, got one`);
  for (const [index, hop] of via.entries()) checkLogin(hop, `${path}.via[${index}]`);
  checkSecrets(tunnel, path, env);
  if (ssh === undefined && forwards.length + local.length + dynamic.length === 0)
    throw new ConfigError(`expected ${path} to have forwards, local or dynamic, got none`);
  for (const [index, forward] of forwards.entries()) {
    const at = `${path}.forwards[${index}]`;
    if (forward.path !== undefined && (forward.port ?? forward.address) !== undefined)
      throw new ConfigError(`expected ${at} to have a path without address and port, got both`);
    if (forward.path === undefined && forward.port === undefined && service === undefined)
      throw new ConfigError(`expected ${at} to have a port or a path, got neither`);
    if ((forward.target === "socks") !== (forward.allow !== undefined))
      throw new ConfigError(`expected ${at}.allow with the target socks, and only with it`);
  }
}

function refuse(tunnel: TunnelConfig, path: string, by: string, names: readonly (keyof TunnelConfig)[]): void {
  const name = names.find((one) => tunnel[one] !== undefined);
  if (name !== undefined) throw new ConfigError(`expected ${path} with ${by} to have no ${name}, got one`);
}

function checkLogin({ identity, agent, password }: LoginConfig, path: string): void {
  if (identity === undefined && (agent ?? false) === false && password === undefined)
    throw new ConfigError(`expected ${path} to have identity, agent or password, got none`);
}

function checkSecrets(tunnel: TunnelConfig, path: string, env: NodeJS.ProcessEnv): void {
  const { service, via = [] } = tunnel;
  if (typeof service === "object" && service.name === "pinggy")
    checkSecret(service.token, `${path}.service.token`, env);
  const logins: readonly (readonly [LoginConfig, string])[] = [
    [tunnel, path],
    ...via.map((hop, index) => [hop, `${path}.via[${index}]`] as const),
  ];
  for (const [{ password, identity = [] }, at] of logins) {
    checkSecret(password, `${at}.password`, env);
    for (const [index, one] of [identity].flat().entries())
      if (typeof one === "object") checkSecret(one.passphrase, `${at}.identity[${index}].passphrase`, env);
  }
}

function checkSecret(secret: Secret | undefined, path: string, env: NodeJS.ProcessEnv): void {
  if (secret !== undefined && "env" in secret && !env[secret.env])
    throw new ConfigError(`expected ${path}.env to name a variable of the environment that is set, got ${secret.env}`);
}
