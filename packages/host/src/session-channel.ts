/** Session channels, RFC 4254 section 6: a friendly line instead of a shell. @module */
import type { IncomingChannelRequest, IncomingOpen } from "@postern/ssh";
import { Limits, quote, utf8, Writer } from "@postern/wire";

/** What a session tells its user. */
export interface SessionInfo {
  /** what the client listens on, such as `"localhost" port 8080` */
  listening(): readonly string[];
}

/** A session that was opened. */
export interface Session {
  /** Tells one more line to a user that waits. */
  say(line: string): void;
}

/** Ctrl-C and Ctrl-D: what people type to leave. */
const leaving = [0x03, 0x04];

/**
 * Accepts a session. A shell or a command is answered with a line and the ports that are listened on. While there are any the channel stays
 * open, because `ssh -R` without `-N` ends with its session; without them it is closed, with exit status 1.
 */
export function acceptSession(open: IncomingOpen, info: SessionInfo, closed: () => void): Session {
  let newLine = "\n";
  let started = false;
  /** the client takes no more text: further lines are dropped, not kept */
  let full = false;
  let left = false;
  const channel = open.accept({
    window: 2 * Limits.maxPacket,
    onRequest: (request) => answer(request),
    onReleased: closed,
  });
  const write = (line: string): void => {
    if (!left && !full) full = !channel.write(utf8(line + newLine));
  };
  const leave = (status: number): void => {
    if (left) return;
    left = true;
    // RFC 4254 section 6.10
    channel.notify("exit-status", new Writer(4).uint32(status).finish());
    channel.close();
  };
  channel.start({
    data(chunk) {
      if (newLine === "\r\n" && chunk.some((byte) => leaving.includes(byte))) leave(0);
    },
    // Standard input of `ssh` may be /dev/null: that is no wish to leave.
    end() {},
    drain() {
      full = false;
    },
    closed() {
      left = true;
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
          greet();
        }
        return;
      default:
        // RFC 4254 section 6.7, window-change, and signals want no reply; sub-systems, agents and X11 get none from us.
        request.refuse();
    }
  }

  function greet(): void {
    const ports = info.listening();
    write("this host only forwards ports");
    for (const port of ports) write(`listening on ${port}`);
    if (ports.length === 0) leave(1);
    else if (newLine === "\r\n") write("press Ctrl-C to leave");
  }

  return {
    say(line) {
      if (started) write(line);
    },
  };
}

/** An address and port in words. */
export function describe(address: string, port: number): string {
  return `${quote(address)} port ${port}`;
}
