/** Who answers on the host's port: us, somebody else, or nobody. @module */
import { type CallOptions, type Channel, onAbort, type SshConnection } from "@postern/ssh";
import { type Bytes, DirectTcpip, Limits, OpenFailureReason, SshError } from "@postern/wire";
import { fired, later } from "./waiting.ts";

/**
 * `ours`: what we sent to the port came to us. `foreign`: somebody took the connection, but not we. `closed`: nobody listens there.
 * `denied`: the host does not let us look (`PermitOpen`, `AllowTcpForwarding remote`).
 */
export type ProbeAnswer = "ours" | "foreign" | "closed" | "denied";

/** An answer for each address the host was asked to connect to. */
export interface ProbeResult {
  /** whether each address that could be looked at is ours, and at least one could */
  readonly ok: boolean;
  readonly answers: ReadonlyMap<string, ProbeAnswer>;
}

/** Tells whether what comes in is a visitor or our own probe. */
export class ProbeGate {
  /** the probes under way, by their nonces */
  readonly #expected = new Map<string, { arrived(): void; readonly over: Promise<void> }>();

  /** Whether a probe is under way, so that an incoming channel has to be looked at. */
  get busy(): boolean {
    return this.#expected.size > 0;
  }

  /** Whether the channel is one of the probes under way, which is taken then. Holds a visitor who sends nothing until those are over. */
  async takes(channel: Channel): Promise<boolean> {
    const allOver = Promise.all([...this.#expected.values()].map(({ over }) => over)).then(() => undefined);
    const head = await Promise.race([channel.peek(nonceSize), allOver]);
    const found = head && this.#expected.get(key(head));
    if (found === undefined) return false;
    found.arrived();
    channel.abort();
    return true;
  }

  /** Connects through the host to `host:port`, says something that nobody can guess, and waits for it to come in. */
  async ask(
    connection: SshConnection,
    host: string,
    port: number,
    nonce: Bytes,
    call: CallOptions,
  ): Promise<ProbeAnswer> {
    let channel: Channel | undefined;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), Limits.probeTimeoutMs);
    const settled = onAbort(call.signal, () => patience.abort());
    const over = later<void>();
    try {
      const arrived = new Promise<ProbeAnswer>((resolve) =>
        this.#expected.set(key(nonce), { arrived: () => resolve("ours"), over: over.promise }),
      );
      const specificData = DirectTcpip.encode({ host, port, originAddress: "127.0.0.1", originPort: 0 });
      channel = await connection.openChannel("direct-tcpip", specificData, { signal: patience.signal });
      channel.write(nonce);
      const silence = fired(patience.signal).then((): ProbeAnswer => "foreign");
      // Whoever ends the connection, or speaks first, is not us; unless it is the connection below that ended.
      const { closed } = channel;
      const foreign = channel.peek(1).then(async (): Promise<ProbeAnswer> => {
        await Promise.race([closed, Promise.resolve()]);
        return "foreign";
      });
      const answer = await Promise.race([arrived, silence, foreign]);
      if (call.signal?.aborted) throw new SshError("aborted", "the probe was aborted", { cause: call.signal.reason });
      return answer;
    } catch (error) {
      if (!(error instanceof SshError)) throw error;
      // The host did not even say whether it could connect: nobody answers there.
      if (error.code === "aborted" && !call.signal?.aborted) return "closed";
      if (error.code !== "refused") throw error;
      return error.reason === OpenFailureReason.CONNECT_FAILED ? "closed" : "denied";
    } finally {
      clearTimeout(timer);
      settled();
      this.#expected.delete(key(nonce));
      over.resolve();
      channel?.abort();
    }
  }
}

/** Bytes of a nonce. */
export const nonceSize = 32;

/**
 * The addresses at which the server itself should reach a listener for `address`. As OpenSSH reads them: `0.0.0.0` is IPv4 only, `::` is IPv6
 * only, and `""`, `*` and `localhost` are both. It matches `localhost` exactly; other spellings are names like any other.
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
