/** TunnelHost and its policy over any byte pipe, in pure JavaScript. @module */
import { webRandom } from "@postern/crypto";
import {
  type Address,
  type Authorize,
  createHashPassword,
  createPolicy,
  type HashPassword,
  type HostPlatform,
  type PasswordFunctions,
  TunnelHost as PortableHost,
  type TunnelHostOptions,
  type UserPolicy,
} from "@postern/host";
import {
  argon2id,
  certificateAlgorithms,
  compatibleAlgorithms,
  modernAlgorithms,
  scrypt,
  sha256,
  skEcdsaNistp256,
  skSshEd25519,
} from "@postern/noble";
import { SshError } from "@postern/wire";
import { prepareAlgorithms } from "./prepare.ts";

const passwordFunctions: PasswordFunctions = { sha256, scrypt, argon2id };

/**
 * Hashes a password for a policy: `$scrypt$ln=16,r=8,p=2$salt$hash`.
 *
 * @example
 * const authorize = policy({ test: { password: await hashPassword("secret") } });
 */
export const hashPassword: HashPassword = /* @__PURE__ */ createHashPassword(passwordFunctions);

/**
 * Creates a policy from a table of users. Passwords are accepted by the methods `password` and `keyboard-interactive`.
 * Refusing an unknown user takes as long as refusing a wrong password. The options of a key only restrict the user's
 * permissions: `permitopen` has no effect for a user without `permitOpen`.
 *
 * @throws SshError `misuse` for an unknown option, a user without a way to log in, a malformed hash, pattern or key
 *   file
 * @example
 * const authorize = policy({ test: { password: "secret", permitListen: ["localhost:*"] } });
 */
export const policy: (users: Readonly<Record<string, UserPolicy>>) => Authorize =
  /* @__PURE__ */ createPolicy(passwordFunctions);

/** Options of a TunnelHost that serves byte pipes. */
export interface WebTunnelHostOptions extends TunnelHostOptions {
  /** Opens a listening port for a client. Default: every request for a port is refused. */
  readonly listen?: HostPlatform["listen"];
  /** Connects to the target of a `direct-tcpip` channel. Default: every target is refused. */
  readonly dial?: HostPlatform["dial"];
}

/**
 * An SSH server over any byte pipe: pass each client's pipe to `serve`. It only forwards ports: it has no shell,
 * commands or files.
 *
 * @example
 * const host = new TunnelHost({ hostKeys, authorize: policy({ test: { password: "secret" } }), listen });
 * await host.serve(await webSocketPipe(url));
 */
export class TunnelHost extends PortableHost {
  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor({ listen = refuse, dial = refuse, ...options }: WebTunnelHostOptions) {
    const hostKeys = [...certificateAlgorithms, ...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256];
    const algorithms = { ...modernAlgorithms, hostKeys, ciphers: compatibleAlgorithms.ciphers };
    super(options, { listen, dial, algorithms, prepare: prepareAlgorithms, random: webRandom, sha256 });
  }
}

async function refuse(where: readonly string[] | Address): Promise<never> {
  const what = "host" in where ? `a connection to ${where.host}, port ${where.port}` : "a listening port";
  throw new SshError("connect", `expected ${what}, got a host without sockets: set the options listen and dial`);
}
