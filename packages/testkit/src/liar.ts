/** A peer that says what a test wants: the transport layer is ours, and everything above it is the test's. @module */

import type { Signer } from "@postern/crypto";
import { modernAlgorithms, parsePrivateKey, signer } from "@postern/noble";
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

/** The host key of a lying server, made for tests alone: `ssh-keygen -t ed25519 -N '' -C test` */
const hostKeyText = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cwAAAIgQUdlVEFHZ
VQAAAAtzc2gtZWQyNTUxOQAAACCDR21qHwhivAOg5W73/HK5y6aq9eBwjJ7VBi+uHsn8cw
AAAEDRfVJeMsHa0AfqXSr5dnsSdAQcPN+OLr5BZ4CxhW5hW4NHbWofCGK8A6Dlbvf8crnL
pqr14HCMntUGL64eyfxzAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
`;

/** The key a lying server shows, for those who want to trust it. */
export const liarHostKey = (): Signer => signer(parsePrivateKey(hostKeyText));

/** What a {@link Liar} may be made of otherwise. */
export interface LiarOptions extends Partial<TransportOptions> {
  /** what becomes of its bytes on the way out: `undefined` loses them */
  readonly wire?: (bytes: Bytes) => Bytes | undefined;
  /** it answers not even keepalives: they are payloads like any other */
  readonly deaf?: boolean;
}

/** One end of a connection. It does the key exchange and answers keepalives as sshd does, and nothing else unless it is told. */
export class Liar {
  readonly transport: TransportMachine;
  /** settles when the pipe is gone, with its error */
  readonly closed: Promise<Error | undefined>;
  /** what the transport layer told beside payloads, in order */
  readonly events: TransportEvent[] = [];
  /** the sequence number of the last payload that arrived, for UNIMPLEMENTED */
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
      hostKeys: role === "server" ? [liarHostKey()] : [],
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

  /** Sends payloads, however wrong. */
  send(...payloads: readonly Bytes[]): void {
    for (const payload of payloads) this.transport.send(payload);
    this.#pump();
  }

  /** Sends bytes that are no packet. */
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

  /** The next payload the other side sent; undefined when it sends no more. */
  async next(): Promise<Bytes | undefined> {
    const payload = this.#payloads.shift();
    if (payload !== undefined || this.#over) return payload;
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next payload with that message number; others before it are dropped. @throws SshError `closed` when none comes */
  async until(number: number): Promise<Bytes> {
    for (;;) {
      const payload = await this.next();
      if (payload === undefined) throw new SshError("closed", `expected message ${number}, got the end`);
      if (payload[0] === number) return payload;
    }
  }

  /** As a server: accepts the service and whatever login comes, and gives the user's name. */
  async letIn(): Promise<string> {
    const { service } = ServiceRequest.decode(await this.until(ServiceRequest.number));
    this.send(ServiceAccept.encode({ service }));
    const { user } = UserauthRequest.decode(await this.until(UserauthRequest.number));
    this.send(UserauthSuccess.encode({}));
    return user;
  }

  /** As a client: asks for the service and logs in with a password. */
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
      // A liar may be told off, or break itself; it goes on sending.
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
