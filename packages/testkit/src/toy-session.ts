/** A session with {@link toyAlgorithms}, and a peer that sends any message at any time. @module */
import type { AuthAttempt, AuthDecision, AuthMethod, InteractiveRequest } from "@postern/auth";
import { password } from "@postern/auth";
import { type SessionEvent, SessionMachine, serverLogin } from "@postern/ssh";
import {
  type Bytes,
  concat,
  NewKeys,
  UserauthInfoRequest,
  UserauthInfoResponse,
  UserauthRequest,
  utf8,
} from "@postern/wire";
import { toyAlgorithms, toyKey, toyPacket, toySignature, toySigner, zeros } from "./toy-algorithms.ts";

type Role = "client" | "server";

/** The password that the server accepts. The server also accepts these answers to `keyboard-interactive`. */
export const toyPassword = "right";

const noRekey = { bytes: 2 ** 40, packets: 2 ** 31, ms: 1e12 };
const identification = (role: Role): Bytes => utf8(`SSH-2.0-toy_${role}\r\n`);

/** Answers prompts, synchronously. */
const interactive: AuthMethod = {
  name: "keyboard-interactive",
  begin: ({ user }) => ({
    next(answer) {
      if (answer === undefined) {
        const specificData = new Uint8Array(8);
        return UserauthRequest.encode({
          user,
          service: "ssh-connection",
          method: "keyboard-interactive",
          specificData,
        });
      }
      const { prompts } = UserauthInfoRequest.decode(answer);
      return UserauthInfoResponse.encode({ responses: prompts.map(() => toyPassword) });
    },
  }),
};

/**
 * Our side: the machine, and a program that decides at once. It refuses what a peer requests, except for a correct
 * login, and channels: those of the type `refuse` are refused, those of the type `later` are not decided. It reads all
 * data.
 */
export class ToySession {
  readonly machine: SessionMachine;
  /** all events, in order */
  readonly events: SessionEvent[] = [];
  readonly #output: Bytes[] = [];
  readonly #records: boolean;
  /** the error that `next` of the machine has thrown */
  failure: unknown;
  /** channels that are open */
  readonly channels: Set<number> = new Set();

  /** @param records whether to keep events and output */
  constructor(role: Role, { records = true }: { readonly records?: boolean } = {}) {
    this.#records = records;
    const methods = [interactive, password("wrong"), password(toyPassword)];
    const shared = { algorithms: toyAlgorithms, random: zeros, rekey: noRekey, now: 0, version: `SSH-2.0-toy_${role}` };
    const login = serverLogin({
      methods: ["publickey", "password", "keyboard-interactive"],
      algorithms: [toyKey],
      banner: "hello",
    });
    this.machine = new SessionMachine(
      role === "client"
        ? { ...shared, role, hostKeys: [], login: { user: "test", methods, signal: undefined } }
        : { ...shared, role, hostKeys: [toySigner], peerRekeys: 2, login },
    );
    this.settle();
  }

  /** all output */
  get output(): Bytes {
    return concat(...this.#output);
  }

  /** Handles all events, and takes the output. @throws SshError of the machine */
  settle(): void {
    try {
      for (let hasMore = true; hasMore; ) {
        for (let event = this.#next(); event !== undefined; event = this.#next()) this.#handle(event);
        hasMore = this.#take();
      }
    } finally {
      this.#take();
    }
  }

  #next(): SessionEvent | undefined {
    try {
      return this.machine.next();
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  #take(): boolean {
    const output = this.machine.takeOutput();
    if (output !== undefined && this.#records) this.#output.push(output);
    return output !== undefined;
  }

  /** Delivers bytes. @throws SshError of the machine */
  receive(bytes: Bytes): void {
    this.machine.receive(bytes);
    this.settle();
  }

  #handle(event: SessionEvent): void {
    if (this.#records) this.events.push(event);
    const { machine } = this;
    const { connection } = machine;
    switch (event.type) {
      case "hostKey":
        return machine.acceptHostKey();
      case "sign":
        return machine.signed(toySignature);
      case "step": {
        const step = event.dialog.next(event.answer);
        if (!(step instanceof Promise)) return machine.authClient?.proceed(step);
        // A request to change the password. Nothing is awaited here, so this program gives up.
        step.catch(() => {});
        return machine.authClient?.giveUp("asynchronous");
      }
      case "attempt":
        return this.#attempt(event.attempt);
      case "responses":
        return machine.authServer?.decide(event.responses[0] === toyPassword);
      case "open":
        if (event.channelType.startsWith("later")) return;
        if (event.channelType.startsWith("refuse")) return connection.refuseOpen(event.id, 1, "refused");
        this.channels.add(event.id);
        return connection.confirmOpen(event.id);
      case "opened":
        this.channels.add(event.id);
        return;
      case "data":
        return connection.consumed(event.id, event.data.length);
      case "closed":
        this.channels.delete(event.id);
        return;
      case "request":
        if (event.slot !== undefined) connection.reply(event.id, event.slot, false);
        return;
      case "globalRequest":
        if (event.slot !== undefined) connection.globalRequests.reply(event.slot, false);
        return;
      case "unimplemented":
        return connection.globalRequests.unimplemented(event.sequence);
      default:
    }
  }

  #attempt(attempt: AuthAttempt): void {
    const { authServer } = this.machine;
    if (attempt.method === "keyboard-interactive") {
      const request: InteractiveRequest = {
        name: "",
        instruction: "",
        prompts: [{ prompt: "Password: ", echo: false }],
      };
      return authServer?.ask(request);
    }
    const decision: AuthDecision = attempt.method === "password" && attempt.password === toyPassword;
    return authServer?.decide(decision || attempt.method === "publickey");
  }
}

/** The bytes of the peer of a session. It keeps no state but whether its NEWKEYS is sent. */
export class ToyPeer {
  readonly #role: Role;
  #isSealed = false;

  /** @param role of the peer */
  constructor(role: Role) {
    this.#role = role;
  }

  identification(): Bytes {
    return identification(this.#role);
  }

  /** Returns the packet with this payload. */
  packet(payload: Bytes): Bytes {
    const packet = toyPacket(payload, this.#isSealed);
    if (payload[0] === NewKeys.number && payload.length === 1) this.#isSealed = true;
    return packet;
  }
}

/** Returns the payloads in the output of a session. */
export function toyPayloads(output: Bytes): Bytes[] {
  const payloads: Bytes[] = [];
  let at = output.indexOf(10) + 1;
  for (let isSealed = false; at > 0 && at + 5 <= output.length; ) {
    const length = new DataView(output.buffer, output.byteOffset).getUint32(at);
    const padding = output[at + 4] ?? 0;
    const payload = output.subarray(at + 5, at + 4 + length - padding);
    payloads.push(payload);
    at += 4 + length + (isSealed ? 1 : 0);
    if (payload[0] === NewKeys.number) isSealed = true;
  }
  return payloads;
}
