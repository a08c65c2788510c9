/** A channel as a byte pipe, with the stream view users take. @module */
import type { ConnectionMachine } from "@postern/connection";
import { type Bytes, SshError } from "@postern/wire";
import type { BytePipe, PipeSink } from "./byte-pipe.ts";
import { type ByteStreams, streamsFromPipe } from "./streams.ts";

/** A full-duplex SSH channel (RFC 4254 section 5). Use either the streams or the push pipe, not both. */
export interface Channel extends BytePipe {
  /** the channel type, such as `forwarded-tcpip` */
  readonly type: string;
  /** our number of the channel */
  readonly id: number;
  /** settles when the channel is gone; rejects when the connection broke under it */
  readonly closed: Promise<void>;
  readonly readable: ReadableStream<Bytes>;
  readonly writable: WritableStream<Bytes>;
  /** Sends a channel request and gives the peer's answer (RFC 4254 section 5.4). */
  request(type: string, specific: Bytes, options?: { readonly signal?: AbortSignal }): Promise<boolean>;
}

/** What a channel needs of its connection. */
export interface ChannelHost {
  readonly machine: ConnectionMachine;
  /** there is output to send */
  touch(): void;
}

interface Waiter {
  resolve(ok: boolean): void;
  reject(error: unknown): void;
}

/** The implementation of {@link Channel}. The connection tells it what the machine tells. */
export class SshChannel implements Channel {
  readonly type: string;
  readonly id: number;
  readonly closed: Promise<void>;
  readonly #host: ChannelHost;
  #resolveClosed: () => void = () => {};
  #rejectClosed: (error: unknown) => void = () => {};
  #sink: PipeSink | undefined;
  #streams: ByteStreams | undefined;
  /** data that came while nobody took it; at most the receive window */
  readonly #queue: Bytes[] = [];
  /** delivered to a consumer that paused while taking it: credited when it resumes */
  #uncredited = 0;
  #paused = false;
  /** what the peer will still send: data, nothing after its EOF or CLOSE, and whether the sink knows */
  #input: "data" | "ended" | "told" = "data";
  /** bytes that wait for window or room, and what follows them */
  readonly #pending: Bytes[] = [];
  #output: "open" | "ending" | "closing" | "done" = "open";
  #gone: { readonly error: SshError | undefined; told: boolean } | undefined;
  readonly #replies: Waiter[] = [];

  constructor(type: string, id: number, host: ChannelHost) {
    this.type = type;
    this.id = id;
    this.#host = host;
    this.closed = new Promise((resolve, reject) => {
      this.#resolveClosed = resolve;
      this.#rejectClosed = reject;
    });
    // Nobody has to look at `closed`: the error also reaches the sink or the streams.
    this.closed.catch(() => {});
  }

  get readable(): ReadableStream<Bytes> {
    return this.#view().readable;
  }

  get writable(): WritableStream<Bytes> {
    return this.#view().writable;
  }

  start(sink: PipeSink): void {
    if (this.#sink !== undefined) throw new SshError("misuse", "expected a channel to be started once: as streams or as a pipe");
    this.#sink = sink;
    queueMicrotask(() => this.#deliver());
  }

  write(chunk: Bytes): boolean {
    if (this.#gone !== undefined) throw this.#gone.error ?? new SshError("closed", "expected an open channel to write to");
    if (this.#output !== "open") throw new SshError("misuse", "expected no write after the end");
    if (this.#pending.length === 0) {
      const sent = this.#host.machine.write(this.id, chunk);
      this.#host.touch();
      if (sent === chunk.length) return true;
      this.#pending.push(chunk.subarray(sent));
    } else this.#pending.push(chunk);
    return false;
  }

  end(): void {
    if (this.#output !== "open") return;
    this.#output = "ending";
    this.#sendPending();
  }

  close(): void {
    if (this.#output === "closing" || this.#gone !== undefined) return;
    this.#output = "closing";
    this.#drop();
    this.#sendPending();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#credit(this.#uncredited);
    this.#uncredited = 0;
    this.#deliver();
  }

  abort(_reason?: Error): void {
    if (this.#gone !== undefined) return;
    this.#output = "done";
    this.#pending.length = 0;
    this.#drop();
    this.#host.machine.close(this.id);
    this.#host.touch();
  }

  async request(type: string, specific: Bytes, { signal }: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    if (signal?.aborted) throw new SshError("aborted", "the channel request was aborted", { cause: signal.reason });
    return await new Promise<boolean>((resolve, reject) => {
      const aborted = (): void => reject(new SshError("aborted", "the channel request was aborted", { cause: signal?.reason }));
      signal?.addEventListener("abort", aborted, { once: true });
      const settled = (): void => signal?.removeEventListener("abort", aborted);
      this.#host.machine.request(this.id, type, specific, true);
      this.#host.touch();
      // An aborted waiter stays in the line: the reply it awaits comes all the same.
      this.#replies.push({
        resolve(ok) {
          settled();
          resolve(ok);
        },
        reject(error) {
          settled();
          reject(error);
        },
      });
    });
  }

  /** The machine's event `data`. @internal */
  received(data: Bytes): void {
    if (this.#sink !== undefined && !this.#paused && this.#queue.length === 0) this.#hand(this.#sink, data);
    else this.#queue.push(data);
  }

  /** Data nobody asks for, such as extended data: dropped, and credited all the same (RFC 4254 section 5.2). @internal */
  discarded(size: number): void {
    this.#credit(size);
  }

  /** The machine's event `eof`. @internal */
  receivedEof(): void {
    if (this.#input === "data") this.#input = "ended";
    this.#deliver();
  }

  /** The machine's event `writable`. @internal */
  woken(): void {
    this.#sendPending();
  }

  /** The machine's event `reply`. @internal */
  replied(ok: boolean): void {
    this.#replies.shift()?.resolve(ok);
  }

  /** The machine's event `closed`, or the connection's end. @internal */
  ended(error: SshError | undefined): void {
    if (this.#gone !== undefined) return;
    this.#gone = { error, told: false };
    this.#pending.length = 0;
    if (error !== undefined) this.#queue.length = 0;
    if (this.#input === "data") this.#input = "ended";
    for (const waiter of this.#replies.splice(0)) {
      waiter.reject(error ?? new SshError("closed", "the channel closed before the reply came"));
    }
    if (error === undefined) this.#resolveClosed();
    else this.#rejectClosed(error);
    this.#deliver();
  }

  #view(): ByteStreams {
    this.#streams ??= streamsFromPipe(this);
    return this.#streams;
  }

  /** Hands on what waits, as far as the consumer takes it, then the end, then the close. */
  #deliver(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#paused) {
      const data = this.#queue.shift();
      if (data === undefined) break;
      this.#hand(sink, data);
    }
    const broken = this.#gone?.error;
    if (this.#queue.length > 0 && broken === undefined) return;
    if (this.#input === "ended" && broken === undefined) {
      this.#input = "told";
      sink.end();
    }
    if (this.#gone !== undefined && !this.#gone.told) {
      this.#gone.told = true;
      sink.closed(broken);
    }
  }

  #hand(sink: PipeSink, data: Bytes): void {
    try {
      sink.data(data);
    } catch (error) {
      // A consumer that fails ends its own channel, not the connection.
      this.#rejectClosed(error);
      this.abort();
    }
    // The consumer took it unless it said stop while taking it.
    if (this.#paused) this.#uncredited += data.length;
    else this.#credit(data.length);
  }

  #credit(size: number): void {
    if (size === 0 || this.#gone !== undefined) return;
    this.#host.machine.consumed(this.id, size);
    this.#host.touch();
  }

  /** What comes in is of no interest any more. */
  #drop(): void {
    for (const data of this.#queue.splice(0)) this.#credit(data.length);
    this.#sink = {
      data() {},
      end() {},
      drain() {},
      closed: this.#sink === undefined ? () => {} : this.#sink.closed.bind(this.#sink),
    };
    this.resume();
  }

  #sendPending(): void {
    if (this.#gone !== undefined || this.#output === "done") return;
    const { machine } = this.#host;
    let [first] = this.#pending;
    const waited = first !== undefined;
    while (first !== undefined) {
      const sent = machine.write(this.id, first);
      if (sent < first.length) {
        this.#pending[0] = first.subarray(sent);
        return this.#host.touch();
      }
      this.#pending.shift();
      [first] = this.#pending;
    }
    if (this.#output === "open") {
      if (waited) this.#sink?.drain();
    } else {
      machine.eof(this.id);
      if (this.#output === "closing") machine.close(this.id);
      this.#output = "done";
    }
    this.#host.touch();
  }
}
