/** HTTP proxies behind TLS. @module */
import { isIP } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import {
  type BytePipe,
  type CallOptions,
  hostPort,
  onAbort,
  type ProxyOptions,
  type ProxyServer,
  parseProxy,
  httpConnect as plainHttpConnect,
} from "@postern/ssh";
import { describeType, SshError } from "@postern/wire";
import { ChannelSocket } from "./channel-socket.ts";
import { reasonOf } from "./dial.ts";
import { socketPipe } from "./socket.ts";

/** Options of {@link httpConnect}. */
export interface HttpConnectOptions extends ProxyOptions {
  /** default 80, with TLS 443 */
  readonly port?: number | undefined;
  /**
   * TLS to the proxy, with options of `tls.connect` such as `ca` or `servername`. Its certificate is verified unless
   * `rejectUnauthorized` is `false`. Default `true` for a URL of `https:`, otherwise `false`.
   */
  readonly tls?: boolean | ConnectionOptions | undefined;
}

/**
 * An HTTP proxy that supports CONNECT (RFC 9110 section 9.3.6), with basic authentication if a username is set (RFC
 * 7617). Without TLS the credentials cross the network in plain text.
 *
 * @throws SshError `misuse` for a URL or options that are malformed
 * @example
 * const proxy = httpConnect("http://proxy.example.com:3128");
 * @example
 * const proxy = httpConnect({ host: "proxy.example.com", username: "me", password: secret, tls: true });
 */
export function httpConnect(proxy: string | URL | HttpConnectOptions): ProxyServer {
  const isObject = typeof proxy === "object" && proxy !== null && !(proxy instanceof URL);
  const { tls, ...rest } = isObject ? proxy : { tls: undefined };
  if (!["boolean", "object", "undefined"].includes(typeof tls) || tls === null) {
    throw new SshError("misuse", `expected tls to be true or options of tls.connect, got ${describeType(tls)}`);
  }
  const ports = tls === undefined || tls === false ? { http: 80, https: 443 } : { https: 443 };
  const { scheme, credentials, ...at } = parseProxy("httpConnect", isObject ? (rest as ProxyOptions) : proxy, ports);
  const plain = plainHttpConnect({ ...at, ...credentials });
  if (scheme !== "https" && (tls === undefined || tls === false)) return plain;
  const options = typeof tls === "object" ? tls : {};
  return {
    ...at,
    open: async (pipe, target, call) => await plain.open(await tlsPipe(pipe, at, options, call), target, call),
  };
}

/** Starts TLS over a pipe (takes it). @throws SshError `connect`; the signal's reason. The pipe is aborted then. */
async function tlsPipe(
  pipe: BytePipe,
  at: { readonly host: string; readonly port: number },
  options: ConnectionOptions,
  { signal }: CallOptions = {},
): Promise<BytePipe> {
  const name = isIP(at.host) === 0 ? { servername: at.host } : { host: at.host };
  const socket = connectTls({ ...name, ...options, socket: new ChannelSocket(pipe, at) });
  let stopListening: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      stopListening = onAbort(signal, () => reject(signal?.reason));
      socket
        .once("secureConnect", resolve)
        .once("error", reject)
        .once("close", () => reject(new Error("closed")));
    });
  } catch (error) {
    socket.on("error", () => {}).destroy();
    pipe.abort();
    if (signal?.aborted) throw signal.reason;
    const got = `expected a TLS connection to the HTTP proxy ${hostPort(at)}, got ${reasonOf(error)}`;
    throw new SshError("connect", got, { cause: error });
  } finally {
    stopListening?.();
  }
  return socketPipe(socket);
}
