/** HTTP proxies: CONNECT (RFC 9110 section 9.3.6) with basic authentication (RFC 7617). @module */
import { type Bytes, expectPort, quote, SshError, toBase64, utf8 } from "@postern/wire";
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

/** Options of {@link httpConnect}. The default port is 80. */
export type HttpConnectOptions = ProxyOptions;

/** bytes of all responses to one request, interim ones included */
const maxHeadBytes = 16 * 1024;
const lf = 10;
const cr = 13;

/**
 * An HTTP proxy that supports CONNECT (RFC 9110 section 9.3.6), with basic authentication if a username is set (RFC
 * 7617). The credentials cross the network in plain text, unless TLS protects the connection to the proxy; see
 * `httpConnect` of `@postern/node`.
 *
 * @throws SshError `misuse` for a URL or options that are malformed
 * @example
 * const proxy = httpConnect("http://proxy.example.com:3128");
 */
export function httpConnect(proxy: string | URL | HttpConnectOptions): ProxyServer {
  const { host, port, credentials } = parseProxy("httpConnect", proxy, { http: 80 });
  const authorization = credentials === undefined ? "" : basic(credentials);
  const name = `the HTTP proxy ${hostPort({ host, port })}`;
  return {
    host,
    port,
    open: (pipe, target, options = {}) =>
      holdDialog(name, pipe, options, async (dialog) => {
        const authority = authorityOf(target);
        dialog.write(utf8(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`));
        await readResponse(dialog, `expected ${name} to connect to ${authority}`, authorization === "");
      }),
  };
}

/** RFC 7617 section 2: the user-id holds no colon, and neither part control characters. */
function basic({ username, password }: NonNullable<ProxyAddress["credentials"]>): string {
  if (username.includes(":") || /\p{Cc}/u.test(username + password)) {
    throw new SshError(
      "misuse",
      "expected a username without a colon, and no control characters in it and in the password (RFC 7617 section 2)",
    );
  }
  credentialBytes("username", username);
  return `Proxy-Authorization: Basic ${toBase64(utf8(`${username}:${password}`))}\r\n`;
}

/** The request target. Other characters could end the line, and so the request (RFC 9112 section 3.2.3). */
function authorityOf(target: Address): string {
  const { host, port } = target;
  expectPort("the port behind a proxy", port, 1);
  if (host.includes(":") ? ipv6Groups(host) !== undefined : /^[\w.-]+$/.test(host)) return hostPort(target);
  const hint = "write a name in its ASCII form";
  throw new SshError("misuse", `expected a host that an HTTP proxy can take, got ${quote(host)}: ${hint}`);
}

async function readResponse(dialog: Dialog, expected: string, isAnonymous: boolean): Promise<void> {
  let left = maxHeadBytes;
  for (;;) {
    const head = await readHead(dialog, expected, left);
    left -= head.length;
    const [line = ""] = new TextDecoder("latin1").decode(head).split("\n", 1);
    const [, code = ""] = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r?$)/.exec(line) ?? [];
    // RFC 9110 section 15.2: interim responses come before the final one. 101 answers an Upgrade, which we do not send.
    if (code.startsWith("1") && code !== "101") continue;
    // RFC 9110 section 9.3.6: after any 2xx the tunnel begins, and header fields about a body are ignored.
    if (code.startsWith("2")) return;
    const hint = code !== "407" ? "" : isAnonymous ? "; it requires a username and a password" : "; check the password";
    throw new SshError("connect", `${expected}, got ${quote(line.trim())}${hint}`);
  }
}

/** Reads up to the empty line that ends the header. A line may end with LF alone (RFC 9112 section 2.2). */
function readHead(dialog: Dialog, expected: string, limit: number): Promise<Bytes> {
  let at = 0;
  let isEmpty = false;
  return dialog.readUntil((held) => {
    for (; at < held.length && at < limit; at++) {
      if (held[at] === lf && isEmpty) return at + 1;
      if (held[at] === lf) isEmpty = true;
      else if (held[at] !== cr) isEmpty = false;
    }
    // Another protocol, such as SOCKS or SSH, may never send an empty line.
    const start = held.subarray(0, 5);
    if (!startsAlike(start)) throw new SshError("connect", `${expected}, got an answer that is not HTTP`);
    if (at < limit) return undefined;
    throw new SshError("connect", `${expected}, got more than ${maxHeadBytes} bytes of header`);
  });
}

function startsAlike(start: Bytes): boolean {
  return utf8("HTTP/").every((byte, index) => index >= start.length || start[index] === byte);
}
