/** SOCKS5: RFC 1928, with passwords of RFC 1929. @module */
import { type Bytes, concat, expectPort, quote, SshError, utf8 } from "@postern/wire";
import { type Address, hostPort } from "../address.ts";
import { type Dialog, holdDialog } from "./pipe-dialog.ts";
import {
  credentialBytes,
  ipv6Groups,
  type ProxyAddress,
  type ProxyOptions,
  type ProxyServer,
  parseProxy,
} from "./proxy-server.ts";

/** Options of {@link socks5}. The default port is 1080. */
export type Socks5Options = ProxyOptions;

const version = 5;
const noAuthentication = 0;
const usernamePassword = 2;

/** RFC 1928 section 5: IPv4 and IPv6. The length of a name (3) is its first byte. */
const addressSizes: Readonly<Record<number, number | undefined>> = { 1: 4, 4: 16 };

/** RFC 1928 section 6: the reply field. */
const replies: readonly string[] = [
  "succeeded",
  "general SOCKS server failure",
  "connection not allowed by ruleset",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported",
];

/**
 * A SOCKS5 proxy (RFC 1928), with a user name and password if they are set (RFC 1929), which cross the network in plain
 * text. The proxy resolves names, so `socks5:` and `socks5h:` mean the same.
 *
 * @throws SshError `misuse` for a URL or options that are malformed
 * @example
 * const proxy = socks5("socks5://127.0.0.1:1080");
 * @example
 * const proxy = socks5({ host: "proxy.example.com", username: "me", password: secret });
 */
export function socks5(proxy: string | URL | Socks5Options): ProxyServer {
  const { host, port, credentials } = parseProxy("socks5", proxy, { socks5: 1080, socks5h: 1080 });
  const login = credentials && loginRequest(credentials);
  const name = `the SOCKS proxy ${hostPort({ host, port })}`;
  return {
    host,
    port,
    open: (pipe, target, options = {}) =>
      holdDialog(name, pipe, options, async (dialog) => {
        const request = connectRequest(target);
        await authenticate(dialog, name, login);
        dialog.write(request);
        await readReply(dialog, name, target);
      }),
  };
}

/** RFC 1929 section 2. */
function loginRequest({ username, password }: NonNullable<ProxyAddress["credentials"]>): Bytes {
  const [name, secret] = [credentialBytes("username", username), credentialBytes("password", password)];
  return concat(Uint8Array.of(1, name.length), name, Uint8Array.of(secret.length), secret);
}

/** RFC 1928 section 3. */
async function authenticate(dialog: Dialog, name: string, login: Bytes | undefined): Promise<void> {
  const methods = login === undefined ? [noAuthentication] : [noAuthentication, usernamePassword];
  dialog.write(Uint8Array.of(version, methods.length, ...methods));
  const [spoken, method = -1] = await dialog.read(2);
  expectVersion(name, spoken, version);
  if (method === noAuthentication) return;
  if (login === undefined || method !== usernamePassword) {
    const got = method === 0xff ? "none of them" : `method ${method}`;
    const hint = login === undefined ? "; it may require a username and a password" : "";
    throw new SshError(
      "connect",
      `expected ${name} to choose one of the authentication methods ${methods.join(", ")}, got ${got}${hint}`,
    );
  }
  dialog.write(login.slice());
  const [subVersion, status] = await dialog.read(2);
  expectVersion(name, subVersion, 1);
  if (status !== 0) {
    throw new SshError("connect", `expected ${name} to accept the username and the password, got status ${status}`);
  }
}

/** RFC 1928 section 4: CONNECT. */
function connectRequest({ host, port }: Address): Bytes {
  expectPort("the port behind a proxy", port, 1);
  return concat(Uint8Array.of(version, 1, 0), address(host), Uint8Array.of(port >> 8, port & 0xff));
}

/** RFC 1928 section 5. */
function address(host: string): Bytes {
  const ipv4 = parseIpv4(host);
  if (ipv4 !== undefined) return Uint8Array.of(1, ...ipv4);
  if (host.includes(":")) {
    const groups = ipv6Groups(host);
    if (groups !== undefined) return Uint8Array.of(4, ...groups.flatMap((group) => [group >> 8, group & 0xff]));
    throw new SshError("misuse", `expected a name or an address that a proxy can reach, got ${quote(host)}`);
  }
  const name = utf8(host);
  // A proxy written in C would end the name at a NUL.
  if (name.length === 0 || /[\p{Cc}\s]/u.test(host))
    throw new SshError("misuse", `expected a host name without white space and controls, got ${quote(host)}`);
  if (name.length <= 255) return concat(Uint8Array.of(3, name.length), name);
  throw new SshError("misuse", `expected a host name of at most 255 bytes, got ${name.length}`);
}

/** RFC 1928 section 6. The bound address has no use for a client, but its length must be known. */
async function readReply(dialog: Dialog, name: string, target: Address): Promise<void> {
  const [spoken, reply = 1, , type = 0] = await dialog.read(4);
  expectVersion(name, spoken, version);
  if (reply !== 0) {
    const why = replies[reply] ?? "unassigned";
    throw new SshError("connect", `expected ${name} to connect to ${hostPort(target)}, got: ${why} (reply ${reply})`);
  }
  const size = type === 3 ? (await dialog.read(1))[0] : addressSizes[type];
  if (size === undefined) {
    throw new SshError("connect", `expected ${name} to reply with an address of type 1, 3 or 4, got type ${type}`);
  }
  await dialog.read(size + 2);
}

function expectVersion(name: string, got: number | undefined, expected: number): void {
  if (got === expected) return;
  throw new SshError("connect", `expected ${name} to speak version ${expected}, got ${got}; is it a SOCKS5 proxy?`);
}

/** Without leading zeros: some programs would read those as octal. Other texts are left to the proxy, as names. */
function parseIpv4(host: string): readonly number[] | undefined {
  const parts = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/.test(host) ? host.split(".").map(Number) : [];
  return parts.length === 4 && parts.every((part) => part < 256) ? parts : undefined;
}
