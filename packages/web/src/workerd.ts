/** TCP sockets of workerd, the runtime of Cloudflare Workers. @module */
import { type BytePipe, onAbort, pipeFromStreams } from "@postern/ssh";
import { type Bytes, expectPort, expectSignal, expectType, SshError } from "@postern/wire";

/** The part of a socket of `cloudflare:sockets` that this package uses. */
export interface WorkerdSocket {
  readonly readable: ReadableStream<Bytes>;
  readonly writable: WritableStream<Bytes>;
  readonly opened: Promise<unknown>;
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** `connect` of `cloudflare:sockets`. */
export type WorkerdConnect = (
  address: { readonly hostname: string; readonly port: number },
  options?: { secureTransport?: "off" | "on" | "starttls"; allowHalfOpen?: boolean; highWaterMark?: number },
) => WorkerdSocket;

/** Bytes that may be queued before `write` returns `false`. */
const highWaterMark = 256 * 1024;

/**
 * Connects to a TCP address with `connect` of `cloudflare:sockets`. The connection belongs to the request or the
 * Durable Object in which it was opened.
 *
 * @throws SshError `connect` with the runtime's error as the cause; the signal's reason if the signal aborts
 * @example
 * import { connect } from "cloudflare:sockets";
 * const tunnel = new ReverseTunnel({
 *   dial: ({ host, port }, { signal }) => workerdSocket(connect, { hostname: host, port }, { signal }),
 *   ...options,
 * });
 */
export async function workerdSocket(
  connect: WorkerdConnect,
  address: { readonly hostname: string; readonly port: number },
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<BytePipe> {
  expectType("an address", address, "object");
  const { hostname, port } = address;
  expectType("hostname", hostname, "string");
  expectPort("port", port, 1);
  const name = `${hostname}, port ${port}`;
  expectSignal(signal);
  signal?.throwIfAborted();
  const failed = (cause: unknown) => {
    const words = cause instanceof Error ? cause.message : String(cause);
    return new SshError("connect", `expected a connection to ${name}, got: ${words}`, { cause });
  };
  let socket: WorkerdSocket;
  try {
    socket = connect({ hostname, port }, { allowHalfOpen: true, secureTransport: "off", highWaterMark });
  } catch (cause) {
    throw failed(cause);
  }
  // Rejects together with `opened`. The streams report later errors to the pipe.
  socket.closed.catch(ignore);
  const stopListening = onAbort(signal, () => void socket.close().catch(ignore));
  try {
    await socket.opened;
  } catch (cause) {
    throw signal?.aborted ? signal.reason : failed(cause);
  } finally {
    stopListening();
  }
  return pipeFromStreams(socket);
}

function ignore(): void {}
