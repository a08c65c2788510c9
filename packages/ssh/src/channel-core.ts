/** Interfaces between a channel, its halves and its connection. @module */
import type { ConnectionMachine } from "@postern/connection";
import type { SshError } from "@postern/wire";
import type { PipeSink } from "./byte-pipe.ts";
import type { IncomingOpen, IncomingRequest } from "./ssh-connection.ts";

/** The parts of a connection that its channels and its global requests use. */
export interface ConnectionContext {
  readonly machine: ConnectionMachine;
  /** Sends the machine's output soon. */
  scheduleFlush(): void;
  readonly now: () => number;
  /** bytes of all channels that wait for the peer's window or for room in our output */
  unsent: number;
  /**
   * Returns a function that runs its argument, unless the connection has ended.
   * @throws SshError `misuse` at its second call
   */
  readonly answerOnce: (what: string) => <T>(answer: () => T) => T | undefined;
  /** the error of calls after the connection has ended */
  readonly endError: () => SshError;
  /** the round trip in milliseconds if the link is known to be slow; calling it may send a request to the peer */
  readonly longRoundTrip: () => number | undefined;
  /** Sends the TCP acknowledgement that the server may wait for, see `SessionMachine`. */
  acknowledgeNow(): void;
  readonly onOpen: ((open: IncomingOpen) => void) | undefined;
  readonly onRequest: ((request: IncomingRequest) => void) | undefined;
}

/** How a channel ended. */
export interface ChannelEnd {
  /** why the connection broke under it */
  readonly error: SshError | undefined;
  /** the error for the sink's `closed`: `error`, or why we aborted the channel */
  readonly reason: Error | undefined;
}

/** The parts of a channel that its input and its output use. */
export interface ChannelCore {
  readonly id: number;
  readonly context: ConnectionContext;
  readonly counters: { bytesIn: number; bytesOut: number; stalls: number };
  /** Set by `start`. */
  readonly sink: PipeSink | undefined;
  /** Set once the channel is closed. */
  readonly ended: ChannelEnd | undefined;
  /** Calls code of the program. If it throws, the channel is aborted; the connection goes on. */
  guard(call: () => void): void;
  /** Aborts the channel because code of the program threw. */
  consumerFailed(error: unknown): void;
}
