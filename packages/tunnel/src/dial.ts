/** Connects with the program's own function, in bounded time. @module */
import type { BytePipe } from "@postern/ssh";
import { describeType, maxTimerMs, SshError, toSshError } from "@postern/wire";
import type { Dial } from "./target.ts";

/**
 * Connects to an address. The signal fires when the pipe is no longer needed: the tunnel has ended, or a timeout has
 * passed.
 */
export type DialPipe<Address> = (
  address: Address,
  options: { readonly signal: AbortSignal },
) => BytePipe | Promise<BytePipe>;

/** @throws SshError `misuse` unless the value of an option is a function or undefined */
export function checkDial(option: "dial" | "dialTarget", value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  const example = '(server, { signal }) => webSocketPipe("wss://…", { signal })';
  throw new SshError("misuse", `expected ${option} to be a function such as ${example}, got ${describeType(value)}`);
}

/** Makes a platform's {@link Dial} of the program's function, which may never settle and may ignore its signal. */
export function createDial<Address extends { readonly host: string; readonly port: number }>(
  what: "host" | "target",
  dial: DialPipe<Address>,
): Dial {
  return (target, timeoutMs, connected, failed, preface) => {
    const name = `the ${what} ${target.host}, port ${target.port}`;
    const unwanted = new AbortController();
    let isOver = false;
    const fail = (error: unknown): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      unwanted.abort(error);
      failed(toSshError(error, "connect", `expected a pipe to ${name}, got: ${messageOf(error)}`));
    };
    const late = (): void =>
      fail(new SshError("timeout", `expected a pipe to ${name} within ${timeoutMs} ms, got none`));
    const timer = setTimeout(late, Math.min(timeoutMs, maxTimerMs));
    call(dial, target as unknown as Address, unwanted.signal).then((pipe) => {
      if (isOver) return pipe.abort();
      try {
        if (preface !== undefined) pipe.write(preface);
      } catch (error) {
        pipe.abort();
        return fail(error);
      }
      isOver = true;
      clearTimeout(timer);
      connected(pipe);
    }, fail);
    return {
      abort: (cause) => fail(new SshError("aborted", `the connection to ${name} was aborted`, { cause })),
    };
  };
}

async function call<Address>(dial: DialPipe<Address>, address: Address, signal: AbortSignal): Promise<BytePipe> {
  const pipe = await dial(address, { signal });
  expectPipe("dial", pipe);
  return pipe;
}

/** @throws SshError `misuse` unless the result of a program's function is a byte pipe */
export function expectPipe(name: string, pipe: Partial<BytePipe> | null | undefined): void {
  if (typeof pipe?.start === "function") return;
  const hint = "for streams, use pipeFromStreams";
  throw new SshError("misuse", `expected ${name} to return a byte pipe, got ${describeType(pipe)}; ${hint}`);
}

/** Returns the message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
