/** Interfaces between a channel, its halves and its connection. @module */
import type { ConnectionMachine } from "@postern/connection";
import type { SshError } from "@postern/wire";
import type { PipeSink } from "./byte-pipe.ts";

/** The parts of its connection that a channel uses. */
export interface ChannelContext {
  readonly machine: ConnectionMachine;
  /** Sends the machine's output soon. */
  scheduleFlush(): void;
  readonly now: () => number;
  /** bytes of all channels that wait for the peer's window or for room in our output */
  unsent: number;
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
  readonly context: ChannelContext;
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
