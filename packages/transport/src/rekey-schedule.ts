/** The schedule of key exchanges: when a rekey is due, and when an exchange times out (RFC 4253 section 9). @module */
import { SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";

/** When to exchange keys again. The first limit reached counts. */
export interface RekeyLimits {
  /** bytes in one direction */
  readonly bytes: number;
  /** packets in one direction, at most 2^31 */
  readonly packets: number;
  readonly ms: number;
}

/** The bytes and packets of one direction since its last new keys. */
type Usage = Pick<RekeyLimits, "bytes" | "packets">;

/** Tracks the age of the keys, or of the exchange in progress. */
export class RekeySchedule {
  limits: RekeyLimits;
  /** how many more exchanges the peer may begin */
  peerRekeys: number;
  #now: number;
  /** When the keys or the exchange in progress began. `undefined` until the next `tick` sets it. */
  #since: number | undefined;

  constructor(limits: RekeyLimits, now: number, peerRekeys: number = Number.POSITIVE_INFINITY) {
    this.limits = limits;
    this.peerRekeys = peerRekeys;
    this.#now = now;
    this.#since = now;
  }

  /** When `tick` is due. */
  deadline(exchanging: boolean): number {
    return (this.#since ?? this.#now) + (exchanging ? Limits.kexTimeoutMs : this.limits.ms);
  }

  tick(now: number): void {
    this.#now = now;
    this.#since ??= now;
  }

  /** Measures from the last `tick`: for input, which the driver handles right after a `tick`. */
  restart(): void {
    this.#since = this.#now;
  }

  /** Measures from the next `tick`: for calls of the program, which may come long after the last one. */
  restartAtNextTick(): void {
    this.#since = undefined;
  }

  /** Whether one direction has reached the limit of bytes or packets. */
  isDue(output: Usage, input: Usage): boolean {
    const { bytes, packets } = this.limits;
    return output.bytes >= bytes || input.bytes >= bytes || output.packets >= packets || input.packets >= packets;
  }

  /** Counts an exchange that the peer begins. @throws SshError `limit` */
  countPeerRekey(): void {
    if (--this.peerRekeys < 0) throw new SshError("limit", "expected no more key exchanges for now, got KEXINIT");
  }
}
