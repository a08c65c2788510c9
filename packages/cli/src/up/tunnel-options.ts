/** From the configuration of a tunnel to the options of a ReverseTunnel. @module */
import {
  type AuthEntry,
  agent,
  fingerprint,
  fromSshConfig,
  type HostKeyCheck,
  httpConnect,
  type InteractiveRequest,
  type JumpHost,
  keyboardInteractive,
  knownHosts,
  type NodeTunnelOptions,
  type ProxyServer,
  password,
  privateKeyFile,
  resolveSshConfig,
  type SshConfigForward,
  type SshConfigLogin,
  SshError,
  socks5,
} from "@postern/node";
import { frp, localhostRun, ngrok, pinggy, type ServicePreset, serveo, sish, srvUs } from "@postern/tunnel";
import { quote } from "@postern/wire";
import { readText } from "./config/read-config.ts";
import { readSecret } from "./config/secrets.ts";
import type {
  HostKeyConfig,
  IdentityConfig,
  LoginConfig,
  Secret,
  ServiceConfig,
  SshAliasConfig,
  TunnelConfig,
} from "./config/types.ts";

/** The options of a tunnel, and the forwardings of its alias. */
export interface PlannedTunnel {
  readonly options: NodeTunnelOptions;
  /** the server without credentials, for people */
  readonly server: string;
  /** two plans with the same key make the same connection */
  readonly key: string;
  /** of ssh_config(5); empty unless the tunnel is an alias without forwardings of its own */
  readonly forwards: readonly SshConfigForward[];
}

/**
 * Returns the options of a tunnel.
 *
 * @throws SshError, without secrets, for files that cannot be read and for values that are malformed
 */
export async function planTunnel(config: TunnelConfig, env: NodeJS.ProcessEnv): Promise<PlannedTunnel> {
  const { ssh, service } = config;
  const shared = sharedOptions(config);
  if (ssh !== undefined) return await planAlias(typeof ssh === "string" ? { host: ssh } : ssh, config, shared, env);
  const preset = service === undefined ? undefined : await presetOf(service, env);
  const auth = loginMethods(config, env);
  const { host = preset?.host ?? "", port = preset?.port ?? 22 } = config;
  const options = {
    ...preset,
    host,
    port,
    ...(config.user !== undefined && { user: config.user }),
    ...(auth.length > 0 && { auth }),
    ...(config.hostKey !== undefined && { hostKey: hostKeyCheck(config.hostKey) }),
    ...(config.hostKeyAlias !== undefined && { hostKeyAlias: config.hostKeyAlias }),
    ...(config.via !== undefined && { via: config.via.map((hop) => jumpHost(hop, env)) }),
    ...(config.proxy !== undefined && { proxy: proxyServer(config.proxy) }),
    ...shared,
  };
  return { options: options as NodeTunnelOptions, server: `${host}:${port}`, key: keyOf(config), forwards: [] };
}

async function planAlias(
  { host, file, allowExec }: SshAliasConfig,
  config: TunnelConfig,
  shared: Partial<NodeTunnelOptions>,
  env: NodeJS.ProcessEnv,
): Promise<PlannedTunnel> {
  const { user, port, password: secret, forwards = [], local = [], dynamic = [] } = config;
  const choices = {
    env,
    ...(file !== undefined && { file }),
    ...(allowExec !== undefined && { allowExec }),
    ...(user !== undefined && { user }),
    ...(port !== undefined && { port }),
  };
  const { options, forwards: own } = await fromSshConfig(host, {
    ...choices,
    ...(secret !== undefined && {
      password: (login) => readForServer(login, secret, env),
      keyboardInteractive: (request, login) => answerWith(() => readForServer(login, secret, env))(request),
    }),
  });
  // Positions of lines and forwardings do not change the connection.
  const resolved = await resolveSshConfig(host, choices);
  const { settings: _, localForward: _l, remoteForward: _r, dynamicForward: _d, ...connection } = resolved;
  const hasOwn = forwards.length + local.length + dynamic.length > 0;
  return {
    options: { ...options, ...shared },
    server: `${options.host}:${options.port}`,
    key: keyOf(config, connection),
    forwards: hasOwn ? [] : own,
  };
}

function keyOf({ forwards: _f, local: _l, dynamic: _d, ...connection }: TunnelConfig, more: unknown = {}): string {
  return JSON.stringify([connection, more], (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value));
}

function sharedOptions({
  keepAlive,
  reconnect = {},
  loginTimeoutMs,
  targetTimeoutMs,
}: TunnelConfig): Partial<NodeTunnelOptions> {
  const { intervalMs = 1_000, maxRetries, factor = 2, maxIntervalMs = 60_000 } = reconnect;
  return {
    // A server may be down when the machine starts.
    reconnect: {
      mode: "always",
      intervalMs,
      ...(maxRetries !== undefined && { maxRetries }),
      backoff: { factor, maxIntervalMs },
    },
    ...(keepAlive !== undefined && { keepAlive }),
    ...(loginTimeoutMs !== undefined && { loginTimeoutMs }),
    ...(targetTimeoutMs !== undefined && { targetTimeoutMs }),
  };
}

function jumpHost(
  config: LoginConfig & { host: string; port?: number; user: string },
  env: NodeJS.ProcessEnv,
): JumpHost {
  const { host, port = 22, user, hostKey, hostKeyAlias } = config;
  return {
    host,
    port,
    user,
    auth: loginMethods(config, env),
    hostKey: hostKey === undefined ? knownHosts() : hostKeyCheck(hostKey),
    ...(hostKeyAlias !== undefined && { hostKeyAlias }),
  };
}

function loginMethods(
  { identity = [], agent: from = false, password: secret }: LoginConfig,
  env: NodeJS.ProcessEnv,
): readonly AuthEntry[] {
  return [
    ...[identity].flat().map((one) => identityMethod(typeof one === "string" ? { file: one } : one, env)),
    ...(from === false ? [] : [agent(from === true ? {} : { path: from })]),
    ...(secret === undefined ? [] : passwordMethods(() => readSecret(secret, env))),
  ];
}

function identityMethod({ file, certificate, passphrase }: IdentityConfig, env: NodeJS.ProcessEnv): AuthEntry {
  const options = passphrase === undefined ? {} : { passphrase: () => readSecret(passphrase, env) };
  if (certificate === undefined) return privateKeyFile(file, options);
  return async () => {
    const text = await readText(certificate).catch((cause: Error) => {
      throw new SshError("key", `the certificate ${quote(certificate, 400)}: ${cause.message}`, { cause });
    });
    return privateKeyFile(file, { ...options, certificate: text });
  };
}

/** Servers with PAM often ask for the password by keyboard-interactive alone. */
function passwordMethods(read: () => Promise<string>): readonly AuthEntry[] {
  return [password(read), keyboardInteractive(answerWith(read))];
}

/** Answers a single question whose answer is not shown, because that is the password. */
function answerWith(read: () => Promise<string>): (request: InteractiveRequest) => Promise<readonly string[]> {
  return async ({ prompts }) => {
    const [prompt, ...others] = prompts;
    if (prompt === undefined) return [];
    if (others.length > 0 || prompt.echo)
      throw new SshError("key", "expected the server to ask for a password alone, got other questions");
    return [await read()];
  };
}

async function readForServer({ isJumpHost }: SshConfigLogin, secret: Secret, env: NodeJS.ProcessEnv): Promise<string> {
  if (isJumpHost) throw new SshError("key", "expected a jump host of ssh_config to need no password");
  return await readSecret(secret, env);
}

function hostKeyCheck(config: HostKeyConfig): HostKeyCheck {
  if (typeof config === "string") return fingerprint(config);
  if (!("knownHosts" in config)) return fingerprint(...(config as [string, ...string[]]));
  return knownHosts({ files: config.knownHosts }, config.mode === undefined ? {} : { mode: config.mode });
}

/** @throws SshError `misuse`, without the URL, which may have a password */
function proxyServer(url: string): ProxyServer {
  return /^socks5h?:/i.test(url) ? socks5(url) : httpConnect(url);
}

async function presetOf(service: string | ServiceConfig, env: NodeJS.ProcessEnv): Promise<ServicePreset> {
  const config = (typeof service === "string" ? { name: service } : service) as ServiceConfig;
  switch (config.name) {
    case "localhost.run":
      return localhostRun();
    case "serveo":
      return serveo();
    case "srv.us":
      return srvUs();
    case "pinggy": {
      const { token, type } = config;
      return pinggy({
        ...(token !== undefined && { token: await readSecret(token, env) }),
        ...(type !== undefined && { type }),
      });
    }
    case "ngrok":
      return ngrok(config.exec === undefined ? {} : { exec: config.exec });
    case "sish":
      return sish({ host: config.host, ...(config.port !== undefined && { port: config.port }) });
    case "frp":
      return frp({ host: config.host, exec: config.exec, ...(config.port !== undefined && { port: config.port }) });
    default:
      return config satisfies never;
  }
}
