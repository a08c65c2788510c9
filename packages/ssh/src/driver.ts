/** The one asynchronous place: moves bytes between a pipe and a session, keeps its time, and catches its errors. @module */
import {
  type Bytes,
  disconnectDescription,
  disconnectReason,
  Limits,
  maxTimerMs,
  SshError,
  toSshError,
} from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import type { KeepAlive } from "./keepalive.ts";
import { onAbort } from "./on-abort.ts";
import type { SessionEvent, SessionMachine } from "./session-machine.ts";
import { settleable } from "./settleable.ts";

const settled: Promise<void> = /* @__PURE__ */ Promise.resolve();

/** What a {@link Driver} calls. */
export interface DriverHandler {
  /** Called for each event, in order. An error thrown ends the connection. */
  event(event: SessionEvent): void;
  /** The peer is to be asked whether it is still there. */
  probe(): void;
  /** Called once: the connection is over. No error: it was closed by us. */
  ended(error: SshError | undefined): void;
}

/** Pumps one session over one pipe. */
export class Driver {
  readonly session: SessionMachine;
  /** set when the peer is logged in */
  keepAlive: KeepAlive | undefined;
  /** bytes read from the pipe and handed to it */
  bytesIn = 0;
  bytesOut = 0;
  readonly #pipe: BytePipe;
  readonly #handler: DriverHandler;
  readonly #now: () => number;
  #pumping = false;
  #scheduled = false;
  #ended = false;
  /** the pipe's write gave false, and no drain has come */
  #blocked = false;
  #inputPaused = false;
  #timer: { readonly id: ReturnType<typeof setTimeout>; readonly at: number } | undefined;
  readonly #pipeClosed = settleable();

  constructor(pipe: BytePipe, session: SessionMachine, now: () => number, handler: DriverHandler) {
    this.#pipe = pipe;
    this.session = session;
    this.#now = now;
    this.#handler = handler;
  }

  /** Begins to read and write. */
  start(): void {
    this.#pipe.start({
      borrows: true,
      gathers: true,
      data: (chunk) => this.#receive(chunk),
      written: (chunk) => this.session.transport.reuseOutput(chunk),
      end: () => this.#inputEnded(),
      drain: () => {
        this.#blocked = false;
        this.#pump();
      },
      closed: (error) => {
        this.#pipeClosed.settle();
        this.#inputEnded(error);
      },
    });
    this.#pump();
  }

  /** The program gave the session something to do: the output of this turn leaves in one write. */
  touch(): void {
    if (this.#scheduled || this.#pumping || this.#ended) return;
    this.#scheduled = true;
    // Node's queueMicrotask makes an async resource for each call.
    void settled.then(this.#scheduledPump);
  }

  /** Ends the connection because of an error: DISCONNECT with its reason, every waiter rejected, the pipe dropped. */
  fail(cause: unknown): void {
    // Not the peer's fault, and none of its business: the program finds the cause in the error.
    const error = toSshError(cause, "closed", "the program failed, and the connection was closed");
    const reason = disconnectReason(error);
    this.#end(error, reason, disconnectDescription(reason));
  }

  /** Ends the connection as the program wishes; resolves when the pipe is gone. */
  async close(reason: number, description: string, signal: AbortSignal | undefined): Promise<void> {
    this.#end(undefined, reason, description);
    const stopListening = onAbort(signal, () => this.#pipe.abort());
    await this.#pipeClosed.promise;
    stopListening();
  }

  #receive(chunk: Bytes): void {
    if (this.#ended) return;
    this.bytesIn += chunk.length;
    this.keepAlive?.heard(this.#now());
    this.session.receive(chunk);
    this.#pump();
    this.session.transport.keepInput();
  }

  #inputEnded(cause?: Error): void {
    if (this.#ended) return;
    // What came before the end is handled first: it may hold a DISCONNECT.
    if (this.#pumping) return queueMicrotask(() => this.#inputEnded(cause));
    this.#pump();
    if (this.#ended) return;
    const error = this.session.transport.inputEnded();
    const known = error.code !== "closed" || cause === undefined;
    this.fail(known ? error : new SshError("closed", `the connection was lost: ${cause.message}`, { cause }));
  }

  readonly #scheduledPump = (): void => {
    this.#scheduled = false;
    this.#pump();
  };

  #pump(): void {
    if (this.#pumping || this.#ended) return;
    this.#pumping = true;
    try {
      this.#tick();
      do {
        for (let event = this.session.next(); event !== undefined; event = this.session.next()) {
          this.#handler.event(event);
          if (this.#ended) return;
        }
      } while (this.#flush());
      this.#armTimer();
    } catch (error) {
      this.fail(error);
    } finally {
      this.#pumping = false;
    }
    // Last: a channel delivers what waits inside `resume`, and that is pumped in its turn.
    this.#gateInput();
  }

  #tick(): void {
    const now = this.#now();
    this.session.tick(now);
    const verdict = this.keepAlive?.tick(now, Date.now());
    if (verdict === "probe") this.#handler.probe();
    if (verdict === "lost") {
      const silent = Math.round(now - (this.keepAlive?.heardAt ?? now));
      throw new SshError("timeout", `expected the peer to answer keepalives, heard nothing for ${silent} ms`);
    }
  }

  /** Hands all output to the pipe in one write. True when something left, for that may have woken channels. */
  #flush(): boolean {
    if (this.#blocked) return false;
    const output = this.session.takeOutput();
    if (output === undefined) return false;
    this.bytesOut += output.length;
    this.#blocked = !this.#pipe.write(output);
    return true;
  }

  #gateInput(): void {
    if (this.#ended) return;
    const paused = !this.session.wantsInput;
    if (paused === this.#inputPaused) return;
    this.#inputPaused = paused;
    if (paused) this.#pipe.pause();
    else this.#pipe.resume();
  }

  #armTimer(): void {
    const at = Math.min(
      this.session.deadline ?? Number.POSITIVE_INFINITY,
      this.keepAlive?.deadline ?? Number.POSITIVE_INFINITY,
    );
    if (at === Number.POSITIVE_INFINITY || (this.#timer !== undefined && this.#timer.at <= at)) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer.id);
    const delay = Math.min(Math.max(at - this.#now(), 0), maxTimerMs);
    const id = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, delay);
    this.#timer = { id, at };
  }

  #end(error: SshError | undefined, reason: number, description: string): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer.id);
    try {
      this.session.transport.disconnect(reason, description);
      const output = this.session.takeOutput();
      if (output !== undefined) this.#pipe.write(output);
      this.#pipe.end();
    } catch (failure) {
      // A pipe that cannot even end is dropped; the waiters are to learn of the end all the same.
      this.#pipe.abort(failure instanceof Error ? failure : undefined);
    }
    // A peer that does not close its side, or takes nothing any more, is not waited for.
    const patience = setTimeout(
      () => this.#pipe.abort(error),
      error === undefined ? Limits.logoffTimeoutMs : Limits.closeGraceMs,
    );
    void this.#pipeClosed.promise.then(() => clearTimeout(patience));
    this.#pipe.resume();
    this.#handler.ended(error);
  }
}
