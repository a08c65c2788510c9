/** Runs a session over a pipe: moves bytes, keeps timers and turns errors into the connection's end. @module */
import { type Bytes, disconnectDescription, disconnectReason, maxTimerMs, SshError, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { BytePipe, PipeSink } from "./byte-pipe.ts";
import { deferred, onAbort } from "./deferred.ts";
import type { KeepAlive } from "./keepalive.ts";
import { setRef } from "./ref.ts";
import type { SessionEvent, SessionMachine } from "./session-machine.ts";

const resolved: Promise<void> = /* @__PURE__ */ Promise.resolve();

/** The part of a session that {@link Driver} and the connection use. */
export type DrivenSession = Pick<
  SessionMachine,
  | "acknowledgeNow"
  | "connection"
  | "deadline"
  | "debug"
  | "disconnect"
  | "inputEnded"
  | "keepInput"
  | "next"
  | "receive"
  | "refusesLogin"
  | "reuseOutput"
  | "serverSigAlgs"
  | "sessionId"
  | "startRekey"
  | "takeOutput"
  | "tick"
  | "wantsInput"
>;

/** The callbacks of a {@link Driver}. */
export interface DriverHandler {
  /** Called for each event, in order. If it throws, the connection ends. */
  event(event: SessionEvent): void;
  /** Sends a keepalive request. */
  probe(): void;
  /** The connection has ended, without an error if we closed it. Called once. */
  ended(error: SshError | undefined): void;
}

/** Drives one session over one pipe. */
export class Driver {
  /** Set once login is complete. */
  keepAlive: KeepAlive | undefined;
  /** bytes read from the pipe and written to it */
  bytesIn = 0;
  bytesOut = 0;
  readonly #pipe: BytePipe;
  readonly #session: DrivenSession;
  readonly #handler: DriverHandler;
  readonly #now: () => number;
  #pumping = false;
  #scheduled = false;
  #ended = false;
  /** The pipe's `write` returned `false`, and `drain` has not been called since. */
  #blocked = false;
  #inputPaused = false;
  #keepsAlive = true;
  #timer: { readonly id: ReturnType<typeof setTimeout>; readonly at: number } | undefined;
  readonly #pipeClosed = deferred();

  constructor(pipe: BytePipe, session: DrivenSession, now: () => number, handler: DriverHandler) {
    this.#pipe = pipe;
    this.#session = session;
    this.#now = now;
    this.#handler = handler;
  }

  /** Starts to read and write. */
  start(): void {
    const sink: PipeSink = {
      memory: { borrows: true, written: (chunk) => this.#session.reuseOutput(chunk) },
      data: (chunk) => this.#receive(chunk),
      end: () => this.#inputEnded(),
      drain: () => {
        this.#blocked = false;
        this.#pump();
      },
      closed: (error) => {
        this.#pipeClosed.resolve();
        this.#inputEnded(error);
      },
    };
    this.#pipe.start(sink, { cork: false });
    this.#pump();
  }

  /** Decides whether the connection keeps the process alive. */
  setRef(keepsAlive: boolean): void {
    this.#keepsAlive = keepsAlive;
    setRef(this.#pipe, keepsAlive);
    setRef(this.#timer?.id, keepsAlive);
  }

  /** Sends the session's output at the end of this turn, in one write. */
  scheduleFlush(): void {
    if (this.#scheduled || this.#pumping || this.#ended) return;
    this.#scheduled = true;
    // Cheaper than queueMicrotask, which creates an async resource for each call on Node.js.
    void resolved.then(this.#scheduledPump);
  }

  /** Ends the connection with an error: sends DISCONNECT with its reason, rejects pending calls and closes the pipe. */
  fail(cause: unknown): void {
    // An error of the program is not sent to the peer. The program finds it in `cause`.
    const error = toSshError(cause, "closed", "the connection was closed because the program threw an error");
    const reason = disconnectReason(error);
    this.#end(error, reason, disconnectDescription(reason));
  }

  /**
   * Ends the connection at the program's request. Resolves when the pipe is closed; rejects with `signal.reason` if
   * aborted before.
   */
  async close(reason: number, description: string, signal: AbortSignal | undefined): Promise<void> {
    this.#end(undefined, reason, description);
    let aborted = false;
    const stopListening = onAbort(signal, () => {
      aborted = true;
      this.#pipe.abort();
    });
    await this.#pipeClosed.promise;
    stopListening();
    if (aborted) throw signal?.reason;
  }

  #receive(chunk: Bytes): void {
    if (this.#ended) return;
    this.bytesIn += chunk.length;
    this.keepAlive?.received(this.#now());
    this.#session.receive(chunk);
    this.#pump();
    this.#session.keepInput();
  }

  #inputEnded(cause?: Error): void {
    if (this.#ended) return;
    // Earlier input is handled first, because it may hold a DISCONNECT.
    if (this.#pumping) return queueMicrotask(() => this.#inputEnded(cause));
    this.#pump();
    if (this.#ended) return;
    const error = this.#session.inputEnded();
    if (cause === undefined) return this.fail(error);
    const { code, message } = error;
    const what = code === "closed" ? "the connection was lost" : message;
    this.fail(new SshError(code, `${what}: ${cause.message}`, { cause }));
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
        for (let event = this.#session.next(); event !== undefined; event = this.#session.next()) {
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
    // Last, because a channel delivers buffered data inside `resume`, which pumps again.
    this.#gateInput();
  }

  #tick(): void {
    const now = this.#now();
    this.#session.tick(now);
    const action = this.keepAlive?.tick(now, Date.now());
    if (action === "probe") this.#handler.probe();
    if (action === "lost") {
      const silent = Math.round(now - (this.keepAlive?.receivedAt ?? now));
      throw new SshError("timeout", `expected the peer to answer keepalives, got nothing for ${silent} ms`);
    }
  }

  /**
   * Writes all output to the pipe at once. Returns whether there was any, because then channels may have written more.
   */
  #flush(): boolean {
    if (this.#blocked) return false;
    const output = this.#session.takeOutput();
    if (output === undefined) return false;
    this.bytesOut += output.length;
    this.#blocked = !this.#pipe.write(output);
    return true;
  }

  #gateInput(): void {
    if (this.#ended) return;
    const paused = !this.#session.wantsInput;
    if (paused === this.#inputPaused) return;
    this.#inputPaused = paused;
    if (paused) this.#pipe.pause();
    else this.#pipe.resume();
  }

  #armTimer(): void {
    const at = Math.min(
      this.#session.deadline ?? Number.POSITIVE_INFINITY,
      this.keepAlive?.deadline ?? Number.POSITIVE_INFINITY,
    );
    if (at === Number.POSITIVE_INFINITY || (this.#timer !== undefined && this.#timer.at <= at)) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer.id);
    const delay = Math.min(Math.max(at - this.#now(), 0), maxTimerMs);
    const id = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, delay);
    if (!this.#keepsAlive) setRef(id, false);
    this.#timer = { id, at };
  }

  #end(error: SshError | undefined, reason: number, description: string): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer.id);
    try {
      this.#session.disconnect(reason, description);
      const output = this.#session.takeOutput();
      if (output !== undefined) this.#pipe.write(output);
      this.#pipe.end();
    } catch (failure) {
      // Pending calls must reject even if the pipe fails to end.
      this.#pipe.abort(failure instanceof Error ? failure : undefined);
    }
    // The peer may never close its side or read our output.
    const timer = setTimeout(
      () => this.#pipe.abort(error),
      error === undefined ? Limits.logoffTimeoutMs : Limits.closeGraceMs,
    );
    void this.#pipeClosed.promise.then(() => clearTimeout(timer));
    this.#pipe.resume();
    this.#handler.ended(error);
  }
}
