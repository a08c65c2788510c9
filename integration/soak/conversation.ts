/** One connection of a soak: both sides say a pattern of their own, and each checks every byte of the other's. @module */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ForwardedChannel } from "@postern/node";
import { patternChunks } from "../harness/index.ts";
import type { Ending, Ledger } from "./ledger.ts";

/** What a visitor says first: who it is, and how much each side will send. */
const headerSize = 16;
const magic = 0x504f_5354;
/** No connection takes so long without a byte, whatever happens to it. */
const stuckMs = 90_000;

export interface Talk {
  readonly id: number;
  /** bytes of the visitor, and of the target */
  readonly up: number;
  readonly down: number;
  /** the visitor's chunks, and the longest pause between two of them */
  readonly chunk: number;
  readonly pauseMs: number;
}

/** One side of a connection, whatever it is made of. */
interface Side {
  readonly kind: "socket" | "channel";
  readonly chunks: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Whether the other side still takes something. */
  canSpeak(): Promise<boolean>;
  destroy(): void;
}

/** Pairs the two sides of each connection, for both live in this process. */
export class Conversations {
  readonly #ledger: Ledger;
  readonly #talks = new Map<number, Talk>();
  /** what the target's side came to; a promise from the moment it knows who talks to it */
  readonly #targets = new Map<number, Promise<Ending>>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** A visitor comes, says its piece, and hears the answer. Tells whether all was there, on both sides. */
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
    const said = this.#say(side, [head, ...patternChunks(talk.up, 2 * talk.id)], talk).then(
      async (all) => all && (await side.end().then(didSo, failed)),
    );
    const ending = await this.#hear(side, talk.down, 2 * talk.id + 1, `visitor ${talk.id}`);
    if (ending !== "whole") side.destroy();
    const visitor = (await said) || ending !== "whole" ? ending : "cut";
    side.destroy();
    // A visitor that heard everything knows that the target was there; another one may have been cut before that.
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
      // Cut before it said who it is; its visitor knows. A stranger would be a wrong byte.
      if (view !== undefined && view.getUint32(0) !== magic) this.#ledger.fail("a connection began with wrong bytes");
      side.destroy();
      return;
    }
    const served = (async (): Promise<Ending> => {
      const said = this.#say(side, patternChunks(talk.down, 2 * talk.id + 1), talk);
      const who = `target ${talk.id} (${side.kind})`;
      const ending = await this.#hear({ ...side, chunks: reader.rest() }, talk.up, 2 * talk.id, who);
      if (ending === "clean end too early" && (await side.canSpeak())) {
        // A stock sshd can only close towards its visitors. Towards the target it is on us to tell a cut from an end.
        this.#ledger.fail(`${who} saw a clean end too early`);
      }
      if (ending !== "whole") side.destroy();
      // It ends last: of a reset that follows unread bytes Node tells nobody but those who still write.
      const ended = (await said) && (await side.end().then(didSo, failed));
      if (ended) return ending;
      side.destroy();
      return ending === "whole" ? "cut" : ending;
    })();
    this.#targets.set(talk.id, served);
    await served;
  }

  /** Tells whether everything could be said. */
  async #say(side: Side, chunks: Iterable<Uint8Array>, { chunk: size, pauseMs }: Talk): Promise<boolean> {
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

  async #hear(side: Side, size: number, seed: number, who: string): Promise<Ending> {
    const expected = patternChunks(size, seed);
    let current: Uint8Array = new Uint8Array(0);
    let heard = 0;
    let stuck: ReturnType<typeof setTimeout> | undefined;
    const watch = (): void => {
      clearTimeout(stuck);
      stuck = setTimeout(() => {
        this.#ledger.fail(`${who} is stuck after ${heard} of ${size} bytes`);
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
            this.#ledger.fail(`${who} heard a wrong byte after ${heard} of ${size}`);
            side.destroy();
            return "cut";
          }
          current = current.subarray(part.length);
          at += part.length;
          heard += part.length;
          this.#ledger.bytes += part.length;
        }
      }
      return heard === size ? "whole" : "clean end too early";
    } catch {
      return "cut";
    } finally {
      clearTimeout(stuck);
    }
  }
}

/** Reads a head of known size, then the rest. */
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

const didSo = (): boolean => true;
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
    canSpeak: () => whileOpen(socket, (wrote) => socket.write(new Uint8Array(0), wrote)).then(didSo, failed),
    destroy: () => void socket.destroy(),
  };
}

/** Node calls back when it has written, and not always when it never will. */
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
    canSpeak: () => Promise.resolve(true),
    destroy: () => channel.abort(),
  };
}
