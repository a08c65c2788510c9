/** Checks which program answers on the server's port: this one, another one, or none. @module */
import { type CallOptions, type Channel, deferred, onAbort } from "@postern/ssh";
import { type Bytes, OpenFailureReason, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";

/**
 * `ours`: the nonce that we sent to the port arrived here. `foreign`: another program accepted the connection.
 * `closed`: no program listens there. `denied`: the server does not permit the check (`PermitOpen`,
 * `AllowTcpForwarding remote`).
 */
export type ProbeAnswer = "ours" | "foreign" | "closed" | "denied";

/** One answer for each address that the server was asked to connect to. */
export interface ProbeResult {
  /** whether every address that could be checked is ours, and at least one could */
  readonly ok: boolean;
  readonly answers: ReadonlyMap<string, ProbeAnswer>;
}

/** Asks the server to connect to its own listener. */
export type OpenProbe = (options: CallOptions) => Promise<Channel>;

/** Distinguishes our own probes from visitors. */
export class ProbeGate {
  /** The probes in progress, by nonce. */
  readonly #expected = new Map<string, { arrived(): void; readonly over: Promise<void> }>();

  /** Whether a probe is in progress, so that the first bytes of incoming channels must be checked. */
  get isActive(): boolean {
    return this.#expected.size > 0;
  }

  /**
   * Returns whether the channel is a probe, and if so takes it. A visitor that sends nothing is held until the probes
   * are over.
   */
  async takes(channel: Channel): Promise<boolean> {
    const allOver = Promise.all([...this.#expected.values()].map(({ over }) => over)).then(() => undefined);
    const head = await Promise.race([channel.peek(nonceSize), allOver]);
    const found = head && this.#expected.get(key(head));
    if (found === undefined) return false;
    found.arrived();
    channel.abort();
    return true;
  }

  /** Connects through the server, sends a nonce, and waits for it to arrive. */
  async probe(open: OpenProbe, nonce: Bytes, call: CallOptions): Promise<ProbeAnswer> {
    let channel: Channel | undefined;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), Limits.probeTimeoutMs);
    const stopListening = onAbort(call.signal, () => limit.abort());
    const over = deferred();
    try {
      const arrived = new Promise<ProbeAnswer>((resolve) =>
        this.#expected.set(key(nonce), { arrived: () => resolve("ours"), over: over.promise }),
      );
      channel = await open({ signal: limit.signal });
      channel.write(nonce);
      const silence = new Promise<ProbeAnswer>((resolve) => onAbort(limit.signal, () => resolve("foreign")));
      // A peer that closes the channel or sends data first is another program, unless the SSH connection itself was
      // lost.
      const { closed } = channel;
      const foreign = channel.peek(1).then(async (): Promise<ProbeAnswer> => {
        await Promise.race([closed, Promise.resolve()]);
        return "foreign";
      });
      const answer = await Promise.race([arrived, silence, foreign]);
      call.signal?.throwIfAborted();
      return answer;
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      // The server did not report in time whether it could connect.
      if (limit.signal.aborted) return "closed";
      if (!(error instanceof SshError) || error.code !== "refused") throw error;
      return error.reason === OpenFailureReason.CONNECT_FAILED ? "closed" : "denied";
    } finally {
      clearTimeout(timer);
      stopListening();
      this.#expected.delete(key(nonce));
      over.resolve();
      channel?.abort();
    }
  }
}

/** Length of a nonce in bytes. */
export const nonceSize = 32;

/**
 * Returns the addresses at which the server should reach its own listener for `address`. Follows OpenSSH: `0.0.0.0` is
 * IPv4 only, `::` is IPv6 only, and `""`, `*` and `localhost` are both. It matches `localhost` exactly; other spellings
 * are ordinary names.
 */
export function probeAddresses(address: string): readonly string[] {
  if (address === "0.0.0.0") return ["127.0.0.1"];
  if (address === "::") return ["::1"];
  if (address === "" || address === "*" || address === "localhost") return ["127.0.0.1", "::1"];
  return [address];
}

function key(bytes: Bytes): string {
  return bytes.join();
}
