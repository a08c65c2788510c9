/** The rest of a connection after an upgrade (RFC 9110 section 7.8), which is no longer HTTP. @module */
import type { BytePipe, PipeSink } from "@postern/ssh";
import { type ArrayBufferBytes, type Bytes, SshError } from "@postern/wire";

/** A pipe that was read from before: it delivers the bytes that were read too much, then those of the pipe. */
export class DetachedPipe implements BytePipe {
  readonly #pipe: BytePipe;
  readonly #rest: Bytes[];
  #sink: PipeSink | undefined;
  #paused = false;
  #ended = false;
  #closed: { readonly error: Error | undefined } | undefined;
  #reported: "nothing" | "end" | "closed" = "nothing";

  constructor(pipe: BytePipe, rest: readonly Bytes[]) {
    this.#pipe = pipe;
    this.#rest = [...rest];
  }

  /** The events of the pipe. The connection that started it passes them on. */
  readonly events: PipeSink = {
    data: (chunk) => {
      this.#rest.push(chunk);
      this.#deliver();
    },
    end: () => {
      this.#ended = true;
      this.#deliver();
    },
    drain: () => this.#sink?.drain(),
    closed: (error) => {
      this.#closed = { error };
      if (error !== undefined) this.#rest.length = 0;
      this.#deliver();
    },
  };

  start(sink: PipeSink): void {
    if (this.#sink !== undefined) throw new SshError("misuse", "expected one start, got another");
    this.#sink = sink;
    queueMicrotask(() => this.#continue());
  }

  write(chunk: Bytes): boolean {
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
    queueMicrotask(() => this.#continue());
  }

  close(): void {
    this.#rest.length = 0;
    this.#pipe.close();
  }

  abort(reason?: Error): void {
    this.#rest.length = 0;
    this.#pipe.abort(reason);
  }

  #continue(): void {
    this.#deliver();
    if (!this.#paused && this.#sink !== undefined) this.#pipe.resume();
  }

  #deliver(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#paused && this.#rest.length > 0) sink.data(this.#rest.shift() as ArrayBufferBytes);
    if (this.#ended && this.#rest.length === 0 && this.#reported === "nothing") {
      this.#reported = "end";
      if (this.#closed?.error === undefined) sink.end();
    }
    const { error } = this.#closed ?? {};
    if (this.#closed === undefined || this.#reported === "closed" || (error === undefined && this.#rest.length > 0))
      return;
    this.#reported = "closed";
    sink.closed(error);
  }
}
