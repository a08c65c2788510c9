/** One connection of a soak: each side sends a pattern, and checks every byte of the other's. @module */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ForwardedChannel } from "@postern/node";
import { patternChunks } from "../harness/index.ts";
import type { Ending, Ledger } from "./ledger.ts";

/** The header that a visitor sends: a magic number, its id, and the sizes of both patterns. */
const headerSize = 16;
const magic = 0x504f_5354;
/** A connection without a byte for this time has failed. */
const stuckMs = 90_000;

export interface Talk {
  readonly id: number;
  /** The numbers of bytes from the visitor and from the target. */
  readonly up: number;
  readonly down: number;
  /** The size of the chunks, and the pause between them. */
  readonly chunk: number;
  readonly pauseMs: number;
}

/** One side of a connection: a socket or a channel. */
interface Side {
  readonly kind: "socket" | "channel";
  readonly chunks: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Returns whether a write succeeds. */
  canWrite(): Promise<boolean>;
  destroy(): void;
}

/** Pairs the two sides of each connection. Both run in this process. */
export class Conversations {
  readonly #ledger: Ledger;
  readonly #talks = new Map<number, Talk>();
  /** The outcome on the target's side, from the moment it has read the header. */
  readonly #targets = new Map<number, Promise<Ending>>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Connects, sends one pattern and reads the other. Returns whether both sides received everything. */
  async visit(port: number, talk: Talk): Promise<boolean> {
    const socket = await connected(port);
    if (socket === undefined) {
      this.#ledger.refusal(port);
      return false;
    }
    this.#talks.set(talk.id, talk);
    const side = sideOfSocket(socket);
    const head = new Uint8Array(headerSize);
    for (const [index, value] of [magic, talk.id, talk.up, talk.down].entries()) {
      new DataView(head.buffer).setUint32(4 * index, value);
    }
    const sent = this.#send(side, [head, ...patternChunks(talk.up, 2 * talk.id)], talk).then(
      async (all) => all && (await side.end().then(succeeded, failed)),
    );
    const ending = await this.#receive(side, talk.down, 2 * talk.id + 1, `visitor ${talk.id}`);
    if (ending !== "whole") side.destroy();
    const visitor = (await sent) || ending !== "whole" ? ending : "cut";
    side.destroy();
    // A visitor that was cut early may not have reached the target.
    const target = await (this.#targets.get(talk.id) ?? Promise.resolve("never came" as const));
    this.#talks.delete(talk.id);
    this.#targets.delete(talk.id);
    this.#ledger.conversation(talk.id, visitor, target);
    return visitor === "whole" && target === "whole";
  }

  serveSocket(socket: Socket): void {
    void this.#serve(sideOfSocket(socket));
  }

  serveChannel(channel: ForwardedChannel): void {
    void this.#serve(sideOfChannel(channel));
  }

  async #serve(side: Side): Promise<void> {
    const reader = new Reader(side.chunks);
    const head = await reader.take(headerSize);
    const view = head && new DataView(head.buffer, head.byteOffset);
    const talk = view && this.#talks.get(view.getUint32(4));
    if (view === undefined || talk === undefined) {
      // The connection was cut within its header, and the visitor reports that. Other bytes are an error.
      if (view !== undefined && view.getUint32(0) !== magic) this.#ledger.fail("a connection began with wrong bytes");
      side.destroy();
      return;
    }
    const served = (async (): Promise<Ending> => {
      const sent = this.#send(side, patternChunks(talk.down, 2 * talk.id + 1), talk);
      const who = `target ${talk.id} (${side.kind})`;
      const ending = await this.#receive({ ...side, chunks: reader.rest() }, talk.up, 2 * talk.id, who);
      if (ending === "clean end too early" && (await side.canWrite())) {
        // Only towards visitors may a cut look like an end, because sshd cannot reset them. A target must see an error.
        this.#ledger.fail(`${who} saw a clean end too early`);
      }
      if (ending !== "whole") side.destroy();
      // Ends last, because Node reports a reset after unread bytes only to a writer.
      const ended = (await sent) && (await side.end().then(succeeded, failed));
      if (ended) return ending;
      side.destroy();
      return ending === "whole" ? "cut" : ending;
    })();
    this.#targets.set(talk.id, served);
    await served;
  }

  /** Returns whether everything was sent. */
  async #send(side: Side, chunks: Iterable<Uint8Array>, { chunk: size, pauseMs }: Talk): Promise<boolean> {
    try {
      for (const chunk of chunks) {
        for (let at = 0; at < chunk.length; at += size) {
          await side.write(chunk.slice(at, at + size));
          await sleep(pauseMs);
        }
      }
      return true;
    } catch {
      return false;
    }
  }

  async #receive(side: Side, size: number, seed: number, who: string): Promise<Ending> {
    const expected = patternChunks(size, seed);
    let current: Uint8Array = new Uint8Array(0);
    let received = 0;
    let stuck: ReturnType<typeof setTimeout> | undefined;
    const watch = (): void => {
      clearTimeout(stuck);
      stuck = setTimeout(() => {
        this.#ledger.fail(`${who} is stuck after ${received} of ${size} bytes`);
        side.destroy();
      }, stuckMs);
    };
    try {
      watch();
      for await (const chunk of side.chunks) {
        watch();
        for (let at = 0; at < chunk.length; ) {
          if (current.length === 0) current = expected.next().value ?? new Uint8Array(0);
          const part = chunk.subarray(at, at + current.length);
          if (current.length === 0 || Buffer.compare(part, current.subarray(0, part.length)) !== 0) {
            this.#ledger.fail(`${who} received a wrong byte after ${received} of ${size}`);
            side.destroy();
            return "cut";
          }
          current = current.subarray(part.length);
          at += part.length;
          received += part.length;
          this.#ledger.bytes += part.length;
        }
      }
      return received === size ? "whole" : "clean end too early";
    } catch {
      return "cut";
    } finally {
      clearTimeout(stuck);
    }
  }
}

/** Reads a header of known size, then the rest. */
class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Uint8Array | undefined> {
    try {
      while (this.#held.length < size) {
        const { done, value } = await this.#chunks.next();
        if (done === true) return undefined;
        this.#held = Buffer.concat([this.#held, value]);
      }
    } catch {
      return undefined;
    }
    const head = this.#held.slice(0, size);
    this.#held = this.#held.subarray(size);
    return head;
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.#held.length > 0) yield this.#held;
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return;
      yield value;
    }
  }
}

const succeeded = (): boolean => true;
const failed = (): boolean => false;

function connected(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

function sideOfSocket(socket: Socket): Side {
  socket.on("error", () => undefined);
  return {
    kind: "socket",
    chunks: socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
    write: (chunk) => whileOpen(socket, (wrote) => socket.write(chunk, wrote)),
    end: () => whileOpen(socket, (ended) => socket.end(ended)),
    canWrite: () => whileOpen(socket, (wrote) => socket.write(new Uint8Array(0), wrote)).then(succeeded, failed),
    destroy: () => void socket.destroy(),
  };
}

/** Rejects if the socket closes, because Node does not always call back after a failed write. */
function whileOpen(socket: Socket, write: (wrote: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error("the socket is closed"));
    if (socket.closed) return closed();
    socket.once("close", closed);
    write((error) => {
      socket.off("close", closed);
      if (error) reject(error);
      else resolve();
    });
  });
}

function sideOfChannel(channel: ForwardedChannel): Side {
  const writer = channel.writable.getWriter();
  writer.closed.catch(() => undefined);
  channel.closed.catch(() => undefined);
  return {
    kind: "channel",
    chunks: channel.readable,
    write: (chunk) => writer.write(chunk),
    end: () => writer.close(),
    canWrite: () => Promise.resolve(true),
    destroy: () => channel.abort(),
  };
}
