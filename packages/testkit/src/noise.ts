/** A pipe that cuts, delays or corrupts its input, controlled by a seed. @module */
import type { Random } from "@postern/crypto";
import type { BytePipe, PipeSink } from "@postern/ssh";
import { type ArrayBufferBytes, type Bytes, SshError } from "@postern/wire";
import { randomChunks } from "./chunkings.ts";
import { randomBelow } from "./seeded-random.ts";

/** How {@link noisyPipe} disturbs incoming bytes. */
export interface Noise {
  /** Cuts the input into other chunks. Default: true. */
  readonly split?: boolean | undefined;
  /** The largest number of microtasks before each call. Default: 3. */
  readonly delay?: number | undefined;
  /** Inverts one bit of the byte at this offset of the incoming stream. */
  readonly corruptAt?: number | undefined;
}

/**
 * Wraps a pipe. Written bytes pass unchanged, incoming bytes are disturbed. Wrap both ends to disturb both directions.
 *
 * @example
 * const [left, right] = pipePair();
 * const noisy = noisyPipe(left, seededRandom("noise"), { corruptAt: 4096 });
 */
export function noisyPipe(pipe: BytePipe, random: Random, noise: Noise = {}): BytePipe {
  return new NoisyPipe(pipe, random, noise);
}

type Call = { readonly data: ArrayBufferBytes } | "end" | { readonly error: Error | undefined };

class NoisyPipe implements BytePipe {
  readonly #pipe: BytePipe;
  readonly #random: Random;
  readonly #noise: Noise;
  readonly #queue: Call[] = [];
  #sink: PipeSink | undefined;
  #received = 0;
  #paused = false;
  #busy = false;
  #over = false;

  constructor(pipe: BytePipe, random: Random, noise: Noise) {
    this.#pipe = pipe;
    this.#random = random;
    this.#noise = noise;
  }

  start(sink: PipeSink): void {
    if (this.#sink) throw new SshError("misuse", "expected one start, got another");
    this.#sink = sink;
    this.#pipe.start({
      data: (chunk) => this.#data(chunk),
      end: () => this.#put("end"),
      drain: () => {
        if (!this.#over) sink.drain();
      },
      closed: (error) => this.#closed(error),
    });
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
    this.#pipe.resume();
    this.#run();
  }

  close(): void {
    this.#queue.length = 0;
    this.#paused = false;
    this.#pipe.close();
  }

  abort(reason?: Error): void {
    this.#pipe.abort(reason);
  }

  #data(chunk: ArrayBufferBytes): void {
    const { corruptAt = -1, split = true } = this.#noise;
    const at = corruptAt - this.#received;
    const byte = chunk[at];
    if (byte !== undefined) chunk[at] = byte ^ (1 << randomBelow(this.#random, 8));
    this.#received += chunk.length;
    for (const data of split ? randomChunks(chunk, this.#random) : [chunk])
      this.#put({ data: data as ArrayBufferBytes });
  }

  #closed(error: Error | undefined): void {
    // An error discards the bytes in flight; a clean end delivers them first.
    if (error) this.#queue.length = 0;
    if (error) this.#paused = false;
    this.#put({ error });
  }

  #put(item: Call): void {
    this.#queue.push(item);
    this.#run();
  }

  #run(): void {
    if (this.#busy || this.#queue.length === 0) return;
    this.#busy = true;
    const hops = 1 + randomBelow(this.#random, 1 + (this.#noise.delay ?? 3));
    void this.#step(hops).then(() => {
      this.#busy = false;
      if (!this.#heldBack()) this.#run();
    });
  }

  async #step(hops: number): Promise<void> {
    for (let i = 0; i < hops; i++) await Promise.resolve();
    const sink = this.#sink;
    if (!sink || this.#heldBack()) return;
    const item = this.#queue.shift();
    if (item === undefined) return;
    if (item === "end") sink.end();
    else if ("data" in item) sink.data(item.data);
    else {
      this.#over = true;
      sink.closed(item.error);
    }
  }

  /** A clean `closed` is called after the bytes before it, and so not before `resume`. */
  #heldBack(): boolean {
    const [first] = this.#queue;
    return this.#paused && typeof first === "object" && "data" in first;
  }
}
