/** Session channels (RFC 4254 section 6): they print what the client listens on, and offer no shell. @module */
import type { IncomingChannelRequest, IncomingOpen } from "@postern/ssh";
import { utf8, Writer } from "@postern/wire";
import * as Limits from "@postern/wire/limits";

/** An open session. */
export interface Session {
  /** Prints a line after the ports, if the client has started a shell or a command. */
  print(line: string): void;
}

/** Ctrl-C and Ctrl-D close a session with a terminal. */
const closingBytes = [0x03, 0x04];

/**
 * Accepts a session. A shell or a command prints a line and the ports that the client listens on. If there are any, the
 * channel stays open, because `ssh -R` without `-N` ends with its session; otherwise it closes with exit status 1.
 *
 * @param listening returns a line for each port, such as `listening on "localhost" port 8080`, once the requests for
 *   ports before are answered
 */
export function acceptSession(
  open: IncomingOpen,
  listening: () => readonly string[] | Promise<readonly string[]>,
  onReleased: () => void,
): Session {
  let newLine = "\n";
  let started = false;
  let hasPrinted = false;
  /** The client's window is full: further lines are dropped, not queued. */
  let full = false;
  let closed = false;
  const channel = open.accept({
    window: 2 * Limits.maxPacket,
    onRequest: (request) => answer(request),
    onReleased,
  });
  const write = (line: string): void => {
    if (!closed && !full) full = !channel.write(utf8(line + newLine));
  };
  const close = (status: number): void => {
    if (closed) return;
    closed = true;
    // RFC 4254 section 6.10
    channel.notify("exit-status", new Writer(4).uint32(status).finish());
    channel.close();
  };
  channel.start({
    data(chunk) {
      if (newLine === "\r\n" && chunk.some((byte) => closingBytes.includes(byte))) close(0);
    },
    // Do not close: the standard input of `ssh` may be /dev/null.
    end() {},
    drain() {
      full = false;
    },
    closed() {
      closed = true;
    },
  });

  function answer(request: IncomingChannelRequest): void {
    switch (request.type) {
      case "pty-req":
        newLine = "\r\n";
        request.accept();
        return;
      case "env":
        request.accept();
        return;
      case "shell":
      case "exec":
        if (started) request.refuse();
        else {
          started = true;
          request.accept();
          void start();
        }
        return;
      default:
        // Subsystems, agents and X11. window-change and signals expect no reply (RFC 4254 sections 6.7 and 6.9).
        request.refuse();
    }
  }

  async function start(): Promise<void> {
    const ports = listening();
    printPorts(ports instanceof Promise ? await ports : ports);
  }

  function printPorts(ports: readonly string[]): void {
    hasPrinted = true;
    write("this server only forwards ports");
    for (const port of ports) write(port);
    if (ports.length === 0) close(1);
    else if (newLine === "\r\n") write("press Ctrl-C to leave");
  }

  return {
    print(line) {
      if (hasPrinted) write(line);
    },
  };
}
