/** TCP in workerd: Cloudflare Workers and whatever else runs it. An entry of its own, for nobody else has `cloudflare:sockets`. @module */
import { connect } from "cloudflare:sockets";
import { type BytePipe, pipeFromStreams } from "@postern/ssh";
import { expectSignal, expectType, RfcLimits, SshError } from "@postern/wire";

/** What may be on its way out before `write` gives false. */
const highWaterMark = 256 * 1024;

/**
 * Connects to a TCP address through `cloudflare:sockets`. The connection belongs to the request, or the Durable Object, it was made in.
 *
 * @throws SshError `connect` with the runtime's words as the cause, `aborted`
 * @example
 * const tunnel = new ReverseTunnel({
 *   dial: ({ host, port }, { signal }) => workerdSocket({ hostname: host, port }, { signal }),
 *   ...options,
 * });
 */
export async function workerdSocket(
  address: { readonly hostname: string; readonly port: number },
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<BytePipe> {
  expectType("an address", address, "object");
  const { hostname, port } = address;
  expectType("hostname", hostname, "string");
  if (!Number.isInteger(port) || port < 1 || port > RfcLimits.maxPort) {
    throw new SshError("misuse", `expected a port from 1 to ${RfcLimits.maxPort}, got ${String(port)}`);
  }
  const name = `${hostname}, port ${port}`;
  expectSignal(signal);
  const aborted = () => new SshError("aborted", `the connection to ${name} was aborted`, { cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  const failed = (cause: unknown) => {
    const words = cause instanceof Error ? cause.message : String(cause);
    return new SshError("connect", `expected a connection to ${name}, got: ${words}`, { cause });
  };
  let socket: ReturnType<typeof connect>;
  try {
    socket = connect({ hostname, port }, { allowHalfOpen: true, secureTransport: "off", highWaterMark });
  } catch (cause) {
    throw failed(cause);
  }
  // It rejects with `opened`; the pipe learns of later errors from the streams.
  socket.closed.catch(ignore);
  const abort = (): void => void socket.close().catch(ignore);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await socket.opened;
  } catch (cause) {
    throw signal?.aborted ? aborted() : failed(cause);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  return pipeFromStreams(socket);
}

function ignore(): void {}
