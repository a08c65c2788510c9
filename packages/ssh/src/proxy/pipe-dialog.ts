/** Questions and answers on a byte pipe, before the pipe is handed on. @module */
import { type ArrayBufferBytes, type Bytes, concat, SshError } from "@postern/wire";
import type { BytePipe, PipeMemory, PipeSink } from "../byte-pipe.ts";
import { deferred, onAbort } from "../deferred.ts";
import type { CallOptions } from "../ssh-connection.ts";

const nothing: ArrayBufferBytes = /* @__PURE__ */ new Uint8Array(0);

/** Reads answers of limited length from a pipe, and writes to it. */
export interface Dialog {
  /** Sends bytes (takes). */
  write(bytes: Bytes): void;
  /** Resolves with the next `size` bytes. @throws SshError `connect` if the pipe ends before */
  read(size: number): Promise<Bytes>;
  /**
   * Calls `find` with the bytes that have arrived, until it returns the length of the answer. It must throw above a
   * limit.
   */
  readUntil(find: (held: Bytes) => number | undefined): Promise<Bytes>;
}

/**
 * Holds a dialog on a pipe (takes it), then returns the pipe. Bytes after the last answer belong to its next reader.
 * Reads only while an answer is expected. If `talk` fails or the signal aborts, the pipe is aborted.
 *
 * @param peer the name of the other side in errors
 * @throws what `talk` throws; the signal's reason
 */
export async function holdDialog(
  peer: string,
  pipe: BytePipe,
  { signal }: CallOptions,
  talk: (dialog: Dialog) => Promise<void>,
): Promise<BytePipe> {
  const dialog = new DialogPipe(peer, pipe);
  const aborted = deferred<never>();
  const stopListening = onAbort(signal, () => aborted.reject(signal?.reason));
  try {
    dialog.begin();
    await Promise.race([talk(dialog), aborted.promise]);
    return dialog;
  } catch (error) {
    dialog.abort(error instanceof Error ? error : undefined);
    throw error;
  } finally {
    stopListening();
  }
}

/** First the dialog, then the pipe. */
class DialogPipe implements Dialog, BytePipe {
  readonly #peer: string;
  readonly #pipe: BytePipe;
  /** bytes that have arrived and that no reader has taken */
  #held = nothing;
  /** what the dialog has sent: its memory is not the next writer's */
  readonly #ours = new Set<Bytes>();
  /** checks whether the answer is complete */
  #check: (() => void) | undefined;
  #sink: PipeSink | undefined;
  #paused = false;
  #end: "open" | "ended" | "reported" = "open";
  #closed: { readonly error: Error | undefined } | undefined;

  constructor(peer: string, pipe: BytePipe) {
    this.#peer = peer;
    this.#pipe = pipe;
  }

  get memory(): PipeMemory | undefined {
    return this.#pipe.memory;
  }

  begin(): void {
    this.#pipe.pause();
    this.#pipe.start(
      {
        memory: {
          borrows: true,
          written: (chunk) => {
            if (!this.#ours.delete(chunk)) this.#sink?.memory?.written?.(chunk);
          },
        },
        data: (chunk) => this.#data(chunk),
        end: () => {
          this.#end = "ended";
          this.#changed();
        },
        drain: () => this.#sink?.drain(),
        closed: (error) => {
          this.#closed = { error };
          this.#changed();
        },
      },
      { cork: false },
    );
  }

  async read(size: number): Promise<Bytes> {
    return await this.readUntil((held) => (held.length >= size ? size : undefined));
  }

  readUntil(find: (held: Bytes) => number | undefined): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#check = undefined;
        this.#pipe.pause();
      };
      this.#check = () => {
        try {
          const size = find(this.#held);
          if (size !== undefined) {
            const answer = this.#held.subarray(0, size);
            this.#held = this.#held.subarray(size);
            done();
            resolve(answer);
          } else if (this.#closed !== undefined || this.#end !== "open") throw this.#early();
        } catch (error) {
          done();
          reject(error);
        }
      };
      this.#check();
      if (this.#check !== undefined) this.#pipe.resume();
    });
  }

  start(sink: PipeSink): void {
    if (this.#sink !== undefined) throw new SshError("misuse", "expected one start, got another");
    this.#sink = sink;
    queueMicrotask(() => this.#deliver());
  }

  write(chunk: Bytes): boolean {
    if (this.#sink === undefined) this.#ours.add(chunk);
    return this.#pipe.write(chunk);
  }

  end(): void {
    this.#pipe.end();
  }

  pause(): void {
    this.#paused = true;
    this.#pipe.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#sink !== undefined) this.#deliver();
  }

  close(): void {
    this.#held = nothing;
    this.#pipe.close();
  }

  abort(reason?: Error): void {
    this.#held = nothing;
    this.#pipe.abort(reason);
  }

  ref(): void {
    this.#pipe.ref?.();
  }

  unref(): void {
    this.#pipe.unref?.();
  }

  #data(chunk: ArrayBufferBytes): void {
    if (this.#sink !== undefined && this.#held.length === 0) {
      return this.#sink.data(this.#sink.memory?.borrows === true ? chunk : chunk.slice());
    }
    this.#held = concat(this.#held, chunk);
    this.#changed();
  }

  #changed(): void {
    this.#check?.();
    this.#deliver();
  }

  /** Passes on what came before `start` or during a pause, in order. */
  #deliver(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    if (this.#held.length > 0) {
      if (this.#paused) return;
      const held = this.#held;
      this.#held = nothing;
      sink.data(held);
    }
    if (this.#end === "ended") {
      this.#end = "reported";
      sink.end();
    }
    if (this.#closed !== undefined) {
      const { error } = this.#closed;
      this.#closed = undefined;
      sink.closed(error);
    } else if (!this.#paused) this.#pipe.resume();
  }

  #early(): SshError {
    const cause = this.#closed?.error;
    const got = cause === undefined ? "the end of the connection" : `the end of the connection: ${cause.message}`;
    return new SshError("connect", `expected an answer of ${this.#peer}, got ${got}`, { cause });
  }
}
