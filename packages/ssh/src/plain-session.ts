/** The connection protocol alone, in packets without encryption, padding and login. @module */
import { ConnectionMachine } from "@postern/connection";
import { type Bytes, concat, GlobalRequest, putUint32, SshError, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { DrivenSession } from "./driver.ts";
import { FrameReader } from "./frame-reader.ts";
import type { SessionEvent } from "./session-machine.ts";

const nothing: Bytes = /* @__PURE__ */ new Uint8Array(0);

/** Bytes that may wait for the other end: more than the data of all channels. */
const mostOutput = 2 * Limits.outputCeiling;

/**
 * Runs RFC 4254 over a stream that is already a connection of one user: the proxy mode of OpenSSH's PROTOCOL.mux,
 * section 9. Each packet is a uint32 length, a zero byte for the length of the padding, and the payload. Our global
 * requests are not sent, and fail.
 */
export class PlainSession implements DrivenSession {
  readonly connection: ConnectionMachine;
  readonly serverSigAlgs: undefined;
  readonly sessionId: undefined;
  readonly #input = new FrameReader(Limits.packetLength, "a packet");
  #output: Bytes[] = [];
  #outputSize = 0;
  /** global requests of ours that wait for their refusal */
  #unanswered = 0;
  #failure: SshError | undefined;

  constructor(now: number) {
    const hasRoom = (): boolean => this.#outputSize < Limits.outputHighWater;
    this.connection = new ConnectionMachine({
      now,
      sink: {
        get writable() {
          return hasRoom();
        },
        send: (head, body) => this.#send(head, body),
      },
    });
  }

  get wantsInput(): boolean {
    return this.connection.wantsInput && this.#outputSize < Limits.outputCeiling;
  }

  get deadline(): number | undefined {
    return this.connection.deadline;
  }

  refusesLogin(): boolean {
    return false;
  }

  /** Copies, because channels keep views of data until it is read. */
  receive(chunk: Bytes): void {
    this.#input.push(chunk);
  }

  keepInput(): void {}

  inputEnded(): SshError {
    return new SshError("closed", "the connection was lost");
  }

  tick(now: number): void {
    this.connection.tick(now);
  }

  next(): SessionEvent | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#next();
    } catch (error) {
      this.#failure = toSshError(error, "protocol", String(error));
      throw this.#failure;
    }
  }

  takeOutput(): Bytes | undefined {
    if (this.#output.length === 0) return undefined;
    const output = concat(...this.#output);
    this.#output = [];
    this.#outputSize = 0;
    return output;
  }

  reuseOutput(): void {}

  /** There are no keys. */
  startRekey(): void {}

  /** Only messages of the connection protocol may be sent, so there is no DEBUG. */
  debug(): void {}

  /** Closing the stream ends the connection. */
  disconnect(): void {}

  acknowledgeNow(): void {}

  #next(): SessionEvent | undefined {
    for (; this.#unanswered > 0; this.#unanswered--) this.connection.globalRequests.settle(0, false, nothing);
    for (;;) {
      const event = this.connection.next();
      if (event !== undefined || !this.connection.wantsInput) return event;
      const payload = this.#packet();
      if (payload === undefined) return undefined;
      if (!this.connection.receive(payload)) {
        throw new SshError("protocol", `expected a message of the connection protocol, got message ${payload[0]}`);
      }
    }
  }

  #packet(): Bytes | undefined {
    const packet = this.#input.next();
    if (packet === undefined) return undefined;
    const [padding, number] = packet;
    if (padding !== 0 || number === undefined) {
      throw new SshError("protocol", `expected a packet without padding, got ${padding ?? "an empty one"}`);
    }
    return packet.subarray(1);
  }

  #send(head: Bytes, body: Bytes = nothing): void {
    if (head[0] === GlobalRequest.number) {
      // OpenSSH's master ends the connection of a client that sends one that it does not know, and passes no reply on.
      if (GlobalRequest.decode(head).wantReply) this.#unanswered++;
      return;
    }
    // Data waits in its channel, but requests that are passed on do not: the other end may read none of them.
    if (this.#outputSize > mostOutput) {
      this.#failure ??= new SshError("limit", `expected a peer that reads, got ${this.#outputSize} bytes that wait`);
      return;
    }
    const packet = new Uint8Array(5 + head.length + body.length);
    putUint32(packet, 0, packet.length - 4);
    packet.set(head, 5);
    packet.set(body, 5 + head.length);
    this.#output.push(packet);
    this.#outputSize += packet.length;
  }
}
