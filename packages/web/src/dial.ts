/** Connects with the program's own function, in bounded time. @module */
import type { BytePipe } from "@postern/ssh";
import type { Dial } from "@postern/tunnel";
import { describeType, maxTimerMs, SshError, toSshError } from "@postern/wire";

/**
 * Connects to an address. The signal fires when the pipe is no longer needed: the tunnel has ended, or a timeout has
 * passed.
 */
export type DialPipe<Address> = (
  address: Address,
  options: { readonly signal: AbortSignal },
) => BytePipe | Promise<BytePipe>;

/** Makes a platform's dialling of a program's function, which may take for ever and may not look at its signal. */
export function createDial<Address extends { readonly host: string; readonly port: number }>(
  what: "host" | "target",
  dial: DialPipe<Address>,
): Dial {
  return async (target, { signal, timeoutMs }) => {
    const name = `the ${what} ${target.host}, port ${target.port}`;
    const unwanted = new AbortController();
    const late = new Promise<never>((_, reject) => {
      unwanted.signal.addEventListener("abort", () => reject(unwanted.signal.reason), { once: true });
    });
    const aborted = (): void =>
      unwanted.abort(new SshError("aborted", `the connection to ${name} was aborted`, { cause: signal?.reason }));
    const timer = setTimeout(
      () => unwanted.abort(new SshError("timeout", `expected a pipe to ${name} within ${timeoutMs} ms, got none`)),
      Math.min(timeoutMs, maxTimerMs),
    );
    signal?.addEventListener("abort", aborted, { once: true });
    if (signal?.aborted) aborted();
    const dialled = call(dial, target as Address, unwanted.signal);
    try {
      return await Promise.race([dialled, late]);
    } catch (error) {
      unwanted.abort(error);
      dialled.then((pipe) => pipe.abort(), ignore);
      throw toSshError(error, "connect", `expected a pipe to ${name}, got: ${messageOf(error)}`);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      late.catch(ignore);
    }
  };
}

async function call<Address>(dial: DialPipe<Address>, address: Address, signal: AbortSignal): Promise<BytePipe> {
  const pipe = await dial(address, { signal });
  if (typeof pipe?.start === "function") return pipe;
  const hint = "for streams, use pipeFromStreams";
  throw new SshError("misuse", `expected dial to return a byte pipe, got ${describeType(pipe)}; ${hint}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function ignore(): void {}
