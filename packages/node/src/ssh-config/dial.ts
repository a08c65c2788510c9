/** Dials the first host of a route: AddressFamily, BindAddress, ConnectionAttempts, ProxyCommand. @module */
import type { BytePipe } from "@postern/ssh";
import { SshError } from "@postern/wire";
import { dialPipe, type HostAddress } from "../dial.ts";
import { configError } from "./config-line.ts";
import type { SshConfigParts } from "./parts.ts";
import type { Resolution } from "./resolve.ts";
import { expand } from "./tokens.ts";

/** The option `dial` of a tunnel. */
export type SshConfigDial = (
  server: { readonly host: string; readonly port: number },
  options: { readonly signal: AbortSignal },
) => Promise<BytePipe>;

/** Returns how to dial, or `undefined` for the usual way. @throws SshError `misuse` if a command may not run */
export function dialOf(
  { config, positionOf }: Pick<Resolution, "config" | "positionOf">,
  allowExec: boolean,
  parts: Pick<SshConfigParts, "commandPipe">,
  onStderr?: (text: string) => void,
): SshConfigDial | undefined {
  const { proxyCommand, addressFamily, bindAddress, bindInterface, connectionAttempts } = config;
  if (proxyCommand !== undefined && proxyCommand.toLowerCase() !== "none") {
    const at = positionOf("proxyCommand");
    if (!allowExec) throw configError(at, "ProxyCommand runs a command: set allowExec to permit that");
    const { h = "", k = "", n = "", p = "", r = "" } = config.tokens;
    const command = expand(proxyCommand, at, { h, k, n, p, r });
    return (_server, { signal }) => parts.commandPipe(command, signal, onStderr);
  }
  const isBound = bindAddress !== undefined || bindInterface !== undefined;
  if (addressFamily === "any" && !isBound && connectionAttempts === 1) return undefined;
  const family = ({ any: 0, inet: 4, inet6: 6 } as const)[addressFamily];
  const local = isBound ? () => localAddresses(bindAddress, bindInterface) : undefined;
  return async (server, { signal }) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await dialOnce(server, signal, family, local);
      } catch (error) {
        if (attempt >= connectionAttempts || signal.aborted) throw error;
      }
      await second(signal);
    }
  };
}

async function dialOnce(
  server: { readonly host: string; readonly port: number },
  signal: AbortSignal,
  family: 0 | 4 | 6,
  local: (() => Promise<readonly HostAddress[]>) | undefined,
): Promise<BytePipe> {
  const { lookup } = process.getBuiltinModule("node:dns/promises");
  const ownFamily = process.getBuiltinModule("node:net").isIP(server.host);
  const all = ownFamily === 0 ? await lookup(server.host, { all: true }).catch(noAddress(server.host)) : [];
  const found = ownFamily === 0 ? all : [{ address: server.host, family: ownFamily }];
  const remote = found.filter((one) => family === 0 || one.family === family);
  const ours = (await local?.()) ?? [];
  // Both ends have the same family: that of the best remote address for which there is a local one.
  const best = local && remote.find((one) => ours.some((own) => own.family === one.family));
  if (remote.length === 0 || (local && best === undefined)) {
    const of = family === 0 ? "with a local address of its family" : `of IPv${family}`;
    throw new SshError("connect", `expected an address of ${server.host} ${of}, got none`);
  }
  const addresses = best === undefined ? remote : remote.filter((one) => one.family === best.family);
  const localAddress = ours.find((own) => own.family === best?.family)?.address;
  return await dialPipe(server, { signal, lookup: async () => addresses, localAddress });
}

function noAddress(host: string): (cause: unknown) => never {
  return (cause) => {
    const got = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new SshError("connect", `expected an address to reach ${host}, got ${got}`, { cause });
  };
}

/** The addresses of BindAddress, or of BindInterface. As in OpenSSH, the address counts if both are set. */
async function localAddresses(
  bindAddress: string | undefined,
  bindInterface: string | undefined,
): Promise<readonly HostAddress[]> {
  if (bindAddress !== undefined) {
    const { lookup } = process.getBuiltinModule("node:dns/promises");
    return await lookup(bindAddress, { all: true }).catch(noAddress(bindAddress));
  }
  const addresses = process.getBuiltinModule("node:os").networkInterfaces()[bindInterface ?? ""];
  if (addresses === undefined) throw new SshError("connect", `expected a network interface ${bindInterface}, got none`);
  return addresses.map(({ address, family }) => ({ address, family: family === "IPv4" ? 4 : 6 }));
}

/** The pause between attempts, as in OpenSSH. */
async function second(signal: AbortSignal): Promise<void> {
  const { setTimeout } = process.getBuiltinModule("node:timers/promises");
  await setTimeout(1000, undefined, { signal });
}
