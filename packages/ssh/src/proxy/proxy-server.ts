/** A proxy on the way to a server: its interface, and its address and credentials. @module */
import { describeType, expectPort, expectText, expectType, quote, SshError, utf8 } from "@postern/wire";
import type { Address } from "../address.ts";
import type { BytePipe } from "../byte-pipe.ts";
import { checkOptions } from "../options.ts";
import type { CallOptions } from "../ssh-connection.ts";

/** A proxy that connects to TCP addresses; see `socks5` and `httpConnect`. */
export interface ProxyServer {
  /** the address of the proxy itself */
  readonly host: string;
  readonly port: number;
  /**
   * Asks the proxy at the other end of a pipe (takes it) to connect to an address. Resolves with the pipe to that
   * address. The proxy resolves names.
   *
   * @throws SshError `connect` with the proxy's reason; `misuse` if the proxy cannot take the address; the signal's
   * reason if the signal aborts. The pipe is aborted in each case.
   */
  open(pipe: BytePipe, target: Address, options?: CallOptions): Promise<BytePipe>;
}

/** The address of a proxy, and credentials that it may require. */
export interface ProxyOptions {
  readonly host: string;
  readonly port?: number | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** A proxy's address and credentials, checked. */
export interface ProxyAddress extends Address {
  /** the scheme of the URL, such as `socks5`; `undefined` if there was none */
  readonly scheme: string | undefined;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

/**
 * Returns the address and the credentials of a proxy, from a URL or an object. `ports` has the default port of each
 * scheme. Errors contain no part of a URL, because it may hold a password.
 *
 * @throws SshError `misuse`
 */
export function parseProxy(
  what: string,
  given: string | URL | ProxyOptions,
  ports: Readonly<Record<string, number>>,
): ProxyAddress {
  const schemes = Object.keys(ports);
  const isUrl = typeof given === "string" || given instanceof URL;
  const options = isUrl ? fromUrl(what, String(given), schemes) : { ...given, scheme: undefined };
  if (!isUrl) {
    if (typeof given !== "object" || given === null) {
      const example = `"${schemes[0]}://host:port" or { host, port }`;
      throw new SshError("misuse", `expected ${what} to get ${example}, got ${describeType(given)}`);
    }
    checkOptions(what, given, ["host", "port", "username", "password"]);
  }
  const { scheme, host, username, password = "" } = options;
  const { port = ports[scheme ?? schemes[0] ?? ""] } = options;
  expectText(`the host of ${what}`, host);
  expectPort(`the port of ${what}`, port, 1);
  if (username === undefined) {
    if (password !== "") throw new SshError("misuse", `expected a username with the password of ${what}, got none`);
    return { scheme, host, port: Number(port), credentials: undefined };
  }
  expectText(`the username of ${what}`, username);
  expectType(`the password of ${what}`, password, "string");
  return { scheme, host, port: Number(port), credentials: { username, password } };
}

/** Returns the bytes of a user name or password. @throws SshError `misuse` above 255 bytes, the most in RFC 1929 */
export function credentialBytes(name: string, text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length <= 255) return bytes;
  throw new SshError("misuse", `expected the ${name} of a proxy to have at most 255 bytes, got ${bytes.length}`);
}

/**
 * Returns the eight groups of an IPv6 address without a zone, or undefined for other texts. The URL parser accepts each
 * text form of RFC 4291 section 2.2, and returns hexadecimal groups.
 */
export function ipv6Groups(host: string): readonly number[] | undefined {
  const url = `http://[${host}]`;
  if (!/^[\da-f:.]+$/i.test(host) || !URL.canParse(url)) return undefined;
  const text = new URL(url).hostname.slice(1, -1);
  const [head = [], tail = []] = text.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}

type Parsed = Omit<ProxyOptions, "port"> & { readonly scheme: string; readonly port?: number };

function fromUrl(what: string, text: string, schemes: readonly string[]): Parsed {
  const expected = `expected ${what} to get a URL such as "${schemes[0]}://user:password@host:port"`;
  let url: URL;
  let username: string;
  let password: string;
  try {
    url = new URL(text);
    username = decodeURIComponent(url.username);
    password = decodeURIComponent(url.password);
  } catch {
    // The original error shows the URL.
    throw new SshError("misuse", `${expected}, got text that is not one`);
  }
  const scheme = url.protocol.slice(0, -1);
  if (!schemes.includes(scheme)) {
    throw new SshError("misuse", `expected ${what} to get a URL of ${schemes.join(" or ")}, got ${quote(scheme, 20)}`);
  }
  if (!["", "/"].includes(url.pathname) || url.search !== "" || url.hash !== "") {
    throw new SshError("misuse", `${expected}, got one with a path, a query or a fragment`);
  }
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...(username === "" && password === "" ? {} : { username, password }),
  };
}
