/** Functions that wrap a handler of `serve`: who may ask, and what the handler learns about the visitor. @module */
import { parseIp } from "@postern/ssh";
import { equal, fromBase64, fromUtf8, quote, SshError, utf8 } from "@postern/wire";
import type { HttpHandler } from "./serve.ts";
import { define } from "./web-request.ts";

/** Wraps a handler. */
export type Middleware = <Source>(handler: HttpHandler<Source>) => HttpHandler<Source>;

/** Decides about a name and a password. Only `true` accepts. */
export type VerifyPassword = (user: string, password: string) => boolean | Promise<boolean>;

/** Decides about a token. Only `true` accepts. */
export type VerifyToken = (token: string) => boolean | Promise<boolean>;

/**
 * Answers 401 unless the request has a name and a password that are right (RFC 7617). Neither reaches the handler. The
 * visitor sends them in plain text, so use it behind TLS.
 *
 * @param users passwords by name, or a function; a table is compared in constant time
 * @param realm what the browser shows
 * @example
 * serve(listener, basicAuth({ ada: process.env.ADA_PASSWORD })(handler));
 */
export function basicAuth(users: Readonly<Record<string, string>> | VerifyPassword, realm = "postern"): Middleware {
  const verify = typeof users === "function" ? users : tableOf(users);
  const challenge = `Basic realm="${quoted(realm)}", charset="UTF-8"`;
  return authenticated("Basic", challenge, async (credentials) => {
    const text = decoded(credentials);
    const colon = text?.indexOf(":") ?? -1;
    return text !== undefined && colon >= 0 && (await verify(text.slice(0, colon), text.slice(colon + 1))) === true;
  });
}

/**
 * Answers 401 unless the request has a token that is right (RFC 6750). The token does not reach the handler.
 *
 * @param tokens the accepted tokens, or a function; a list is compared in constant time
 * @example
 * serve(listener, bearerAuth([token])(handler));
 */
export function bearerAuth(tokens: readonly string[] | VerifyToken, realm = "postern"): Middleware {
  const verify = typeof tokens === "function" ? tokens : listOf(tokens);
  return authenticated("Bearer", `Bearer realm="${quoted(realm)}"`, async (token) => (await verify(token)) === true);
}

/**
 * Answers 403 unless the visitor's address is in the list. The SSH server reports the address: it is as trustworthy as
 * the server, and behind another proxy it is the proxy's.
 *
 * @param allowed addresses and networks, such as `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`
 * @throws SshError `misuse` for a text that is neither
 */
export function allowAddresses(allowed: readonly string[]): Middleware {
  const networks = allowed.map(parseNetwork);
  return (handler) => (request, info) => {
    const address = parseIp(info.origin.host);
    const isAllowed = address !== undefined && networks.some((network) => contains(network, address));
    return isAllowed ? handler(request, info) : new Response("forbidden\n", { status: 403 });
  };
}

/**
 * Replaces the host of the request, in `Host` and in its URL. Use it if the handler answers only one name.
 *
 * @param host name or address, with an optional port
 * @throws SshError `misuse` if it is neither
 */
export function rewriteHost(host: string): Middleware {
  if (!URL.canParse(`http://${host}`) || new URL(`http://${host}`).host !== host.toLowerCase().replace(/:80$/, ""))
    throw new SshError("misuse", `expected a host such as "localhost:3000", got ${quote(host, 64)}`);
  return (handler) => (request, info) => {
    const url = new URL(request.url);
    url.host = host;
    // `host` may name no port, and then the setter keeps the old one.
    if (!/:\d+$/.test(host)) url.port = "";
    define(request, "url", url.href);
    request.headers.set("host", host);
    return handler(request, info);
  };
}

/**
 * Describes the visitor and its request to the handler, in the fields `Forwarded` (RFC 7239), `X-Forwarded-For`,
 * `X-Forwarded-Proto` and `X-Forwarded-Host`. Those that the visitor sent are dropped, because anybody can write them.
 *
 * @param proto the scheme that visitors use, `https` if a proxy in front of the server speaks TLS
 */
export function forwardedHeaders({ proto = "http" }: { readonly proto?: "http" | "https" } = {}): Middleware {
  return (handler) => (request, info) => {
    const { headers } = request;
    const { host: address } = info.origin;
    const host = headers.get("host") ?? new URL(request.url).host;
    const isIp = parseIp(address) !== undefined;
    // RFC 7239 section 6: an IPv6 address is quoted, in brackets; an address that is none is `unknown`.
    const by = isIp ? (address.includes(":") ? `"[${address}]"` : address) : "unknown";
    headers.set("forwarded", `for=${by};host="${quoted(host)}";proto=${proto}`);
    headers.set("x-forwarded-for", isIp ? address : "unknown");
    headers.set("x-forwarded-proto", proto);
    headers.set("x-forwarded-host", host);
    return handler(request, info);
  };
}

function authenticated(
  scheme: string,
  challenge: string,
  isRight: (credentials: string) => Promise<boolean>,
): Middleware {
  return (handler) => async (request, info) => {
    const [, name = "", credentials = ""] = /^(\S+) +(\S+) *$/.exec(request.headers.get("authorization") ?? "") ?? [];
    // RFC 9110 section 11.1: the scheme is case-insensitive.
    if (name.toLowerCase() !== scheme.toLowerCase() || !(await isRight(credentials)))
      return new Response("unauthorized\n", { status: 401, headers: { "www-authenticate": challenge } });
    request.headers.delete("authorization");
    return await handler(request, info);
  };
}

/** Compares with every entry, so that the time does not depend on which one matched. */
function tableOf(users: Readonly<Record<string, string>>): VerifyPassword {
  const entries = Object.entries(users).map(([user, password]) => [utf8(user), utf8(password)] as const);
  if (entries.length === 0) throw new SshError("misuse", "expected at least one user, got none");
  if (entries.some(([, password]) => password.length === 0))
    throw new SshError("misuse", "expected a password for each user, got an empty one");
  return (user, password) => {
    const given = [utf8(user), utf8(password)] as const;
    return entries.filter(([name, secret]) => and(equal(name, given[0]), equal(secret, given[1]))).length > 0;
  };
}

function listOf(tokens: readonly string[]): VerifyToken {
  const accepted = tokens.map((token) => utf8(token));
  if (accepted.length === 0 || accepted.some((token) => token.length === 0))
    throw new SshError("misuse", "expected tokens that are not empty, got none or an empty one");
  return (token) => {
    const given = utf8(token);
    return accepted.filter((one) => equal(one, given)).length > 0;
  };
}

/** Both operands are evaluated, unlike those of `&&`. */
function and(a: boolean, b: boolean): boolean {
  return a && b;
}

function decoded(credentials: string): string | undefined {
  try {
    return fromUtf8(fromBase64(credentials));
  } catch {
    return undefined;
  }
}

/** RFC 9110 section 5.6.4. */
function quoted(text: string): string {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new SshError("misuse", `expected printable ASCII, got ${quote(text, 64)}`);
  return text.replace(/["\\]/g, "\\$&");
}

interface Network {
  readonly bytes: readonly number[];
  readonly bits: number;
}

function parseNetwork(text: string): Network {
  const [, address = "", mask] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bytes = parseIp(address);
  const bits = mask === undefined ? 8 * (bytes?.length ?? 0) : Number(mask);
  if (bytes === undefined || bits > 8 * bytes.length)
    throw new SshError("misuse", `expected an address or a network such as 10.0.0.0/8, got ${quote(text, 64)}`);
  return { bytes, bits };
}

function contains({ bytes, bits }: Network, address: readonly number[]): boolean {
  if (bytes.length !== address.length) return false;
  return bytes.every((byte, index) => {
    const mask = (0xff00 >> Math.min(8, Math.max(0, bits - 8 * index))) & 0xff;
    return ((byte ^ (address[index] ?? 0)) & mask) === 0;
  });
}
