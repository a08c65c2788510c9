/** Sessions of a client: commands, shells and subsystems (RFC 4254 section 6). @module */
import {
  type ArrayBufferBytes,
  type Bytes,
  ExitSignal,
  ExitStatus,
  expectSignal,
  SignalRequest,
  SshError,
  sanitizeText,
  WindowChange,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { ByteQueue } from "./byte-queue.ts";
import type { SshChannel } from "./channel.ts";
import { type Deferred, deferred, onAbort } from "./deferred.ts";
import { checkOptions } from "./options.ts";
import {
  checkSize,
  programOptions,
  type SessionProgram,
  type SessionRequest,
  sessionRequests,
  type TerminalSize,
} from "./session-requests.ts";
import type {
  CallOptions,
  Channel,
  ExtendedDataSink,
  IncomingChannelRequest,
  SshConnection,
} from "./ssh-connection.ts";

/** Options of {@link openSession}. */
export interface OpenSessionOptions extends SessionProgram, CallOptions {
  /** bytes of `stdout` and `stderr` together that may wait to be read; default: it adapts to the link */
  readonly window?: number;
}

/** How the program of a session ended (RFC 4254 section 6.10). `status` is `undefined` if the server did not say. */
export type SessionExit =
  | { readonly status: number | undefined; readonly signal?: undefined }
  | {
      readonly status?: undefined;
      /** without `SIG`, such as `TERM` */
      readonly signal: string;
      readonly coreDumped: boolean;
      readonly message: string;
    };

/**
 * A program that runs on the server.
 *
 * `stdout` and `stderr` share one window: what one of them holds unread reduces what the other can receive, and a full
 * window stops both. So read both, or cancel the one that you do not need (`session.stderr.cancel()`). No bytes of
 * either are lost while the other is not read.
 */
export interface Session {
  /** Closing it sends EOF; the program may still write. */
  readonly stdin: WritableStream<Bytes>;
  readonly stdout: ReadableStream<ArrayBufferBytes>;
  readonly stderr: ReadableStream<ArrayBufferBytes>;
  /** Resolves when the server reports the end of the program, or closes the session. Rejects as `closed` does. */
  readonly exit: Promise<SessionExit>;
  /** Resolves when the session is closed. Rejects if the connection breaks first. */
  readonly closed: Promise<void>;
  /** Sends a signal to the program, without `SIG`: `TERM`, `KILL`, `INT`, … (RFC 4254 section 6.9). */
  signal(name: string): void;
  /** The size of the terminal has changed (RFC 4254 section 6.7). */
  resize(size: TerminalSize): void;
  /** Closes the session after what was written, and drops what was not read. Servers usually end the program. */
  close(): void;
}

/**
 * Runs a command, a shell or a subsystem on the server. All requests are sent at once, so if the server refuses one of
 * them, such as a variable, it may have started the program already; the session is then closed.
 *
 * @throws SshError `refused`, with a message that names the request that the server refused; `closed` if it closed the
 * session before its answer; `misuse`; the signal's reason if the signal aborts before the program has started
 * @example
 * const session = await openSession(connection, { exec: "uname -a" });
 * const [text, { status }] = await Promise.all([new Response(session.stdout).text(), session.exit]);
 */
export async function openSession(connection: SshConnection, options: OpenSessionOptions): Promise<Session> {
  checkOptions("openSession", options, [...programOptions, "signal", "window"]);
  const { signal } = options;
  expectSignal(signal);
  const requests = sessionRequests(options);
  const exit = deferred<SessionExit>();
  const stderr = new ExtendedInput();
  const onRequest = (request: IncomingChannelRequest): void => exitRequest(request, exit);
  const channel = await connection.openChannel("session", nothing, { ...options, extended: stderr, onRequest });
  channel.closed.then(
    () => {
      exit.resolve({ status: undefined });
      stderr.end();
    },
    (error: unknown) => {
      exit.reject(error);
      stderr.fail(error);
    },
  );
  const stopListening = onAbort(signal, () => channel.abort());
  try {
    await accepted(channel, requests, signal);
  } catch (error) {
    channel.abort();
    throw error;
  } finally {
    stopListening();
  }
  return createSession(channel, stderr, exit.promise);
}

const nothing: Bytes = /* @__PURE__ */ new Uint8Array(0);

/** Sends the requests in one flight. @throws SshError `refused` */
async function accepted(
  channel: Channel,
  requests: readonly SessionRequest[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const sent = requests.map(({ type, specificData }) => ({ type, answer: channel.request(type, specificData) }));
  for (const { answer } of sent) answer.catch(() => {});
  for (const { type, answer } of sent) {
    try {
      if (await answer) continue;
    } finally {
      signal?.throwIfAborted();
    }
    throw new SshError("refused", `expected the server to accept the request ${type}, got a refusal`);
  }
}

function createSession(channel: Channel, stderr: ExtendedInput, exit: Promise<SessionExit>): Session {
  return {
    stdin: channel.writable,
    stdout: channel.readable,
    stderr: stderr.readable,
    exit,
    closed: channel.closed,
    signal(name) {
      if (!/^(?!SIG)[A-Z][A-Z\d]*(@\S+)?$/.test(name))
        throw new SshError("misuse", "expected the name of a signal without SIG, such as TERM");
      channel.notify("signal", SignalRequest.encode({ signal: name }));
    },
    resize: (size) => channel.notify("window-change", WindowChange.encode(checkSize(size))),
    close() {
      stderr.drop();
      const { input, output } = channel as Channel & Pick<SshChannel, "input" | "output">;
      // After EOF in both directions the channel waits for the exit status, and the program no longer does.
      if (output.isDone && input.hasEnded) channel.abort();
      else channel.close();
    },
  };
}

/** RFC 4254 section 6.10. Other requests are answered with failure. @throws SshError `protocol` if it is malformed */
function exitRequest(request: IncomingChannelRequest, exit: Deferred<SessionExit>): void {
  const { type, specificData } = request;
  if (type === "exit-status") exit.resolve(ExitStatus.decode(specificData));
  else if (type === "exit-signal") {
    const { signal, coreDumped, message } = ExitSignal.decode(specificData);
    exit.resolve({ signal: printable(signal), coreDumped, message: printable(message) });
  } else return request.refuse();
  request.accept();
}

function printable(text: string): string {
  return sanitizeText(text.slice(0, Limits.debugCharacters));
}

/** SSH_EXTENDED_DATA_STDERR (RFC 4254 section 5.2) */
const stderrType = 1;

/** Holds extended data until it is read, at most a window of it. Data of other types is dropped. */
class ExtendedInput implements ExtendedDataSink {
  readonly readable: ReadableStream<ArrayBufferBytes>;
  readonly #queue = new ByteQueue();
  #controller: ReadableStreamDefaultController<ArrayBufferBytes> | undefined;
  #consumed: (size: number) => void = () => {};
  /** a reader waits */
  #wanted = false;
  #state: "open" | "ended" | "done" = "open";
  #dropped = false;

  constructor() {
    this.readable = new ReadableStream<ArrayBufferBytes>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#deliver();
        },
        cancel: () => {
          this.#state = "done";
          this.drop();
        },
      },
      { highWaterMark: 0 },
    );
  }

  data(chunk: Bytes, dataType: number, consumed: (size: number) => void): void {
    if (this.#dropped || dataType !== stderrType) return consumed(chunk.length);
    this.#consumed = consumed;
    this.#queue.push(chunk.slice());
    this.#deliver();
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#deliver();
  }

  /** The connection broke. */
  fail(error: unknown): void {
    if (this.#state === "done") return;
    this.#state = "done";
    this.#queue.clear();
    this.#controller?.error(error);
  }

  /** Drops what is held, and everything that follows. */
  drop(): void {
    this.#dropped = true;
    this.#consumed(this.#queue.clear());
    this.#deliver();
  }

  #deliver(): void {
    if (this.#state === "done") return;
    const chunk = this.#wanted ? this.#queue.shift() : undefined;
    if (chunk !== undefined) {
      this.#wanted = false;
      this.#controller?.enqueue(chunk as ArrayBufferBytes);
      this.#consumed(chunk.length);
    } else if (this.#state === "ended" && this.#queue.isEmpty) {
      this.#state = "done";
      this.#controller?.close();
    }
  }
}
