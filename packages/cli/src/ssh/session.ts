/** The session of the command line: a command, a shell or a subsystem, with or without a terminal. @module */
import {
  type Channel,
  deferred,
  type IncomingChannelRequest,
  type SessionProgram,
  type SessionRequest,
  type SshConnection,
  sessionRequests,
  type TerminalSize,
} from "@postern/ssh";
import { type Bytes, ExitSignal, ExitStatus, SignalRequest, sanitizeText, WindowChange } from "@postern/wire";
import { ClientError, describeOpenFailure } from "./messages.ts";
import { type JoinOptions, joinStdio, stderrSink } from "./stdio.ts";

/** Options of {@link startSession}. */
export interface SessionContext extends Pick<JoinOptions, "stdin" | "stdout" | "stderr" | "filter"> {
  readonly program: SessionProgram;
  /** whether the user asked for a terminal, so that the session ends if the server refuses it */
  readonly requiresPty: boolean;
  /** Called when the server has started the program, before its output arrives or after. */
  readonly onStarted?: (() => void) | undefined;
  /** Called if the server refuses the terminal. */
  readonly onPtyRefused?: (() => void) | undefined;
  /** Receive lines for the log. */
  readonly error: (line: string) => void;
  readonly debug: (line: string) => void;
}

/** A session that runs. */
export interface RunningSession {
  /** Resolves with the exit status, or 255 if there is none. Rejects if it is refused, or the connection breaks. */
  readonly exit: Promise<number>;
  resize(size: TerminalSize): void;
  /** Sends a signal, without `SIG`. */
  signal(name: string): void;
  sendBreak(lengthMs: number): void;
  close(): void;
}

const nothing: Bytes = new Uint8Array(0);

/**
 * Opens a session and starts its program. Variables are sent without asking for a reply, as ssh sends them.
 *
 * @throws Error in the words of ssh if the server refuses the channel
 */
export async function startSession(connection: SshConnection, context: SessionContext): Promise<RunningSession> {
  const { stdout, stderr, error } = context;
  let status: number | undefined;
  let joined: ReturnType<typeof joinStdio> | undefined;
  const onRequest = (request: IncomingChannelRequest): void => {
    const { type, specificData } = request;
    if (type === "exit-status") ({ status } = ExitStatus.decode(specificData));
    else if (type === "exit-signal") {
      const { signal, message } = ExitSignal.decode(specificData);
      context.debug(`Remote process ended by SIG${sanitizeText(signal)}${message && `: ${sanitizeText(message)}`}`);
    }
    // The server reads our input no more (OpenSSH PROTOCOL section 2.1).
    else if (type === "eow@openssh.com") joined?.endInput();
    else return request.refuse();
    request.accept();
  };
  let channel: Channel;
  try {
    channel = await connection.openChannel("session", nothing, { extended: stderrSink(stderr), onRequest });
  } catch (cause) {
    throw describeOpenFailure(0, cause);
  }
  const refused = deferred<never>();
  const requests = sessionRequests(context.program);
  sendRequests(channel, requests, context);
  const isOpenSsh = connection.peer.version.startsWith("SSH-2.0-OpenSSH_");
  joined = joinStdio(channel, {
    stdin: context.stdin,
    stdout,
    stderr,
    filter: context.filter,
    // So that the program gets SIGPIPE. Other servers would not know the request.
    onOutputClosed: () => isOpenSsh && channel.notify("eow@openssh.com", nothing),
  });
  return {
    exit: Promise.race([joined.closed.then(() => (status === undefined ? 255 : status & 255)), refused.promise]),
    resize: (size) => channel.notify("window-change", WindowChange.encode({ width: 0, height: 0, ...size })),
    signal: (name) => channel.notify("signal", SignalRequest.encode({ signal: name })),
    sendBreak(lengthMs) {
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, lengthMs);
      channel.request("break", length).catch(() => {});
    },
    close: () => joined?.close(),
  };

  /** Sends all requests at once. If the server refuses the program, closes the channel. */
  function sendRequests(open: Channel, all: readonly SessionRequest[], { requiresPty }: SessionContext): void {
    for (const { type, specificData } of all) {
      if (type === "env") {
        open.notify(type, specificData);
        continue;
      }
      const isPty = type === "pty-req";
      open.request(type, specificData).then(
        (accepted) => {
          if (accepted) return isPty ? undefined : context.onStarted?.();
          const line = `${isPty ? "PTY allocation" : type} request failed on channel 0`;
          if (isPty) context.onPtyRefused?.();
          if (isPty && !requiresPty) return error(line);
          joined?.close();
          // sshd may never close a channel that has no program.
          refused.reject(new ClientError(line));
        },
        // The end of the channel reports it.
        () => {},
      );
    }
  }
}
