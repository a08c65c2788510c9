/** A peer under the control of a test: our transport layer, and above it whatever the test sends. @module */

import { modernAlgorithms } from "@postern/noble";
import type { BytePipe } from "@postern/ssh";
import { type TransportEvent, TransportMachine, type TransportOptions } from "@postern/transport";
import {
  type Bytes,
  GlobalRequest,
  PasswordRequest,
  RequestFailure,
  ServiceAccept,
  ServiceRequest,
  SshError,
  UserauthRequest,
  UserauthSuccess,
} from "@postern/wire";
import { seededRandom } from "./seeded-random.ts";
import { testHostKey } from "./test-keys.ts";

/** Options of a {@link Liar}. */
export interface LiarOptions extends Partial<TransportOptions> {
  /** Changes the outgoing bytes; `undefined` drops them. */
  readonly wire?: (bytes: Bytes) => Bytes | undefined;
  /** If true, keepalives are not answered; `next` returns them like other payloads. */
  readonly deaf?: boolean;
}

/**
 * One end of a connection. By itself it only exchanges keys and answers keepalives as sshd does; the test sends
 * everything else.
 */
export class Liar {
  readonly transport: TransportMachine;
  /** Resolves with the pipe's error once the pipe has closed. */
  readonly closed: Promise<Error | undefined>;
  /** The events of the transport layer other than payloads, in order. */
  readonly events: TransportEvent[] = [];
  /** The sequence number of the last received payload, for UNIMPLEMENTED. */
  lastSequence = 0;
  readonly #pipe: BytePipe;
  readonly #wire: (bytes: Bytes) => Bytes | undefined;
  readonly #deaf: boolean;
  readonly #payloads: Bytes[] = [];
  readonly #waiting: ((payload: Bytes | undefined) => void)[] = [];
  #over = false;

  constructor(
    role: "client" | "server",
    pipe: BytePipe,
    { wire = (bytes) => bytes, deaf = false, ...options }: LiarOptions = {},
  ) {
    this.#pipe = pipe;
    this.#wire = wire;
    this.#deaf = deaf;
    this.transport = new TransportMachine({
      role,
      algorithms: modernAlgorithms,
      random: seededRandom(`lying ${role}`),
      hostKeys: role === "server" ? [testHostKey()] : [],
      version: `SSH-2.0-Liar_${role}`,
      rekey: { bytes: 2 ** 40, packets: 2 ** 31, ms: 1e12 },
      now: 0,
      ...options,
    });
    this.closed = new Promise((resolve) => {
      pipe.start({
        data: (chunk) => {
          this.transport.receive(chunk);
          this.#pump();
        },
        end: () => this.#end(),
        drain() {},
        closed: (error) => {
          this.#end();
          resolve(error);
        },
      });
    });
    this.#pump();
  }

  /** Sends payloads without checking them. */
  send(...payloads: readonly Bytes[]): void {
    for (const payload of payloads) this.transport.send(payload);
    this.#pump();
  }

  /** Sends raw bytes instead of a packet. */
  raw(bytes: Bytes): void {
    this.#pump();
    this.#pipe.write(bytes);
  }

  /** Half-closes. */
  end(): void {
    this.#pipe.end();
  }

  /** Drops the connection. */
  abort(): void {
    this.#pipe.abort();
  }

  /** Returns the next received payload, or undefined at the end. */
  async next(): Promise<Bytes | undefined> {
    const payload = this.#payloads.shift();
    if (payload !== undefined || this.#over) return payload;
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Returns the next payload with that message number, and drops those before it. @throws SshError `closed` at the end
   */
  async until(number: number): Promise<Bytes> {
    for (;;) {
      const payload = await this.next();
      if (payload === undefined) throw new SshError("closed", `expected message ${number}, got the end`);
      if (payload[0] === number) return payload;
    }
  }

  /** As a server: accepts the service and any login. Returns the user's name. */
  async letIn(): Promise<string> {
    const { service } = ServiceRequest.decode(await this.until(ServiceRequest.number));
    this.send(ServiceAccept.encode({ service }));
    const { user } = UserauthRequest.decode(await this.until(UserauthRequest.number));
    this.send(UserauthSuccess.encode({}));
    return user;
  }

  /** As a client: requests the service and logs in with a password. */
  async logIn(user = "test", secret = "secret"): Promise<void> {
    const specificData = PasswordRequest.encode({ isChange: false, password: secret });
    this.send(
      ServiceRequest.encode({ service: "ssh-userauth" }),
      UserauthRequest.encode({ user, service: "ssh-connection", method: "password", specificData }),
    );
    await this.until(UserauthSuccess.number);
  }

  #pump(): void {
    try {
      for (let event = this.transport.next(); event !== undefined; event = this.transport.next()) this.#event(event);
    } catch (error) {
      // The peer may reject what the test sent. Sending must still work.
      this.events.push({ type: "debug", message: String(error), alwaysDisplay: false });
    }
    const output = this.transport.takeOutput();
    const sent = output && this.#wire(output);
    if (sent !== undefined && !this.#over) this.#pipe.write(sent);
  }

  #event(event: TransportEvent): void {
    if (event.type === "payload" && !this.#deaf && isKeepAlive(event.payload)) {
      this.transport.send(RequestFailure.encode({}));
      return;
    }
    if (event.type === "payload") {
      this.lastSequence = event.sequence;
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#payloads.push(event.payload);
      else waiting(event.payload);
      return;
    }
    this.events.push(event);
    if (event.type === "hostKey") this.transport.acceptHostKey();
    if (event.type !== "sign") return;
    const signature = event.signer.sign(event.data, event.algorithm);
    if (signature instanceof Uint8Array) this.transport.signed(signature);
  }

  #end(): void {
    this.#over = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }
}

function isKeepAlive(payload: Bytes): boolean {
  return payload[0] === GlobalRequest.number && GlobalRequest.decode(payload).name === "keepalive@openssh.com";
}
