/** Passes channels of one connection on to another. @module */
import { type Bytes, OpenFailureReason, toSshError } from "@postern/wire";
import type { SinkMemory } from "./byte-pipe.ts";
import type { SshChannel } from "./channel.ts";
import type {
  Channel,
  ExtendedDataSink,
  IncomingChannelRequest,
  IncomingOpen,
  SshConnection,
} from "./ssh-connection.ts";

/**
 * Opens the same channel on another connection, and joins the two: data, extended data and requests in both directions,
 * with backpressure. If it is refused there, it is refused here for the same reason.
 */
export function relayChannel(open: IncomingOpen, to: SshConnection): void {
  void new ChannelRelay().open(open, to);
}

/** Channels copy what they are given. */
const borrowing: SinkMemory = { borrows: true };

type RelayedChannel = Channel & Pick<SshChannel, "context" | "input" | "output">;

class ChannelRelay {
  #here: RelayedChannel | undefined;
  #there: Channel | undefined;
  /** what the server sent before our side was open: calls that pass it on */
  #early: (() => void)[] = [];
  /** extended data that waits in our output */
  #unsent = 0;
  #consumed: (size: number) => void = () => {};

  async open({ type, specificData, id, ...open }: IncomingOpen, to: SshConnection): Promise<void> {
    try {
      this.#there = await to.openChannel(type, specificData.slice(), {
        extended: this.#extended,
        onRequest: (request) => {
          const { specificData } = request;
          const kept = this.#here === undefined ? { ...request, specificData: specificData.slice() } : request;
          this.#whenOpen((here) => passOn(kept, here));
        },
      });
    } catch (error) {
      const { reason, description } = toSshError(error, "closed", "");
      return open.refuse(reason ?? OpenFailureReason.CONNECT_FAILED, description ?? "the connection was lost");
    }
    const there = this.#there;
    try {
      this.#here = open.accept({ onRequest: (request) => passOn(request, there) }) as SshChannel;
    } catch {
      return there.abort();
    }
    const here = this.#here;
    // The status of a program may follow EOF in both directions. The server closes the channel.
    here.context.machine.awaitClose(id);
    there.start({
      memory: borrowing,
      data: (chunk) => void (here.write(chunk) || there.pause()),
      end: () => here.end(),
      drain: () => here.resume(),
      closed: (error) => {
        // After EOF in both directions, `close` leaves the channel to the side that opened it.
        if (error !== undefined || (here.output.isDone && here.input.hasEnded)) here.abort(error);
        else here.close();
      },
    });
    for (const call of this.#early.splice(0)) call();
    here.start({
      memory: borrowing,
      data: (chunk) => void (there.write(chunk) || here.pause()),
      end: () => there.end(),
      drain: () => {
        there.resume();
        this.#credit();
      },
      closed: (error) => (error === undefined ? there.close() : there.abort(error)),
    });
  }

  readonly #extended: ExtendedDataSink = {
    data: (chunk, dataType, consumed) => {
      this.#consumed = consumed;
      this.#unsent += chunk.length;
      const kept = this.#here === undefined ? chunk.slice() : chunk;
      this.#whenOpen((here) => {
        if (here.output.write(kept, dataType)) this.#credit();
      });
    },
    end: () => {},
  };

  /** At once, or as soon as the client's channel is open. */
  #whenOpen(call: (here: RelayedChannel) => void): void {
    const here = this.#here;
    if (here !== undefined) call(here);
    else this.#early.push(() => this.#here !== undefined && call(this.#here));
  }

  /** The client has room again, so the server may send more. */
  #credit(): void {
    this.#consumed(this.#unsent);
    this.#unsent = 0;
  }
}

/** Sends a request on, and the answer back. */
function passOn(request: IncomingChannelRequest, to: Channel): void {
  const { type, wantReply } = request;
  const specificData: Bytes = request.specificData.slice();
  if (!wantReply) return to.notify(type, specificData);
  to.request(type, specificData).then(
    (ok) => (ok ? request.accept() : request.refuse()),
    () => request.refuse(),
  );
}
