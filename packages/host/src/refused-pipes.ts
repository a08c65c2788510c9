/** Refuses connections with a message. @module */
import type { BytePipe } from "@postern/ssh";
import { SshError, utf8 } from "@postern/wire";

/** How many refused clients may be receiving the message at the same time. Further ones are dropped without it. */
const maxRefusing = 64;
/** How long a refused client may take to receive its message. */
const refusalTimeoutMs = 1_000;

/** Connections that are refused, until they have received the message. */
export class RefusedPipes {
  #open = 0;

  /** Sends the message and closes the pipe. */
  refuse(pipe: BytePipe): void {
    const abort = (): void => pipe.abort(new SshError("closed", "the client was refused"));
    if (this.#open >= maxRefusing) {
      abort();
      return;
    }
    this.#open++;
    const timer = setTimeout(abort, refusalTimeoutMs);
    const closed = (): void => {
      this.#open--;
      clearTimeout(timer);
    };
    pipe.start({ data() {}, end() {}, drain() {}, closed });
    // As sshd does, sends text where the identification line is expected. Clients show it (RFC 4253 section 4.2).
    pipe.write(utf8("Not allowed at this time\r\n"));
    pipe.close();
  }
}
