/**
 * Key exchange and rekey, RFC 4253 sections 7 and 8, with strict kex (OpenSSH PROTOCOL section 1.10).
 * Longer than 300 lines, because its states and transitions are read together.
 * @module
 */
import type { Algorithms, DirectionKeys, KexMethod, Random, Signer, Verdict } from "@postern/crypto";
import {
  type Bytes,
  type Direction,
  equal,
  KexEcdhInit,
  KexEcdhReply,
  KexInit,
  NewKeys,
  SshError,
  type ValuesOf,
} from "@postern/wire";
import { deriveKeys, exchangeHash } from "./exchange-hash.ts";
import {
  algorithmNames,
  extInfoClient,
  initFor,
  type Negotiated,
  negotiate,
  type Offer,
  type Preferred,
  prefers,
  strictClient,
  strictServer,
} from "./negotiate.ts";
import type { PacketReader } from "./packet-reader.ts";
import type { PacketWriter } from "./packet-writer.ts";
import type { PacketTap } from "./tap.ts";
import type { KexEvent } from "./transport-events.ts";
import type { Role } from "./version-exchange.ts";

/** Options of a `KexMachine`. */
export interface KexOptions {
  readonly role: Role;
  readonly algorithms: Algorithms;
  readonly random: Random;
  /** the server's host keys; empty on the client */
  readonly hostKeys: readonly Signer[];
  readonly tap?: PacketTap | undefined;
  /**
   * The server's first choices on an earlier connection. If our offer prefers the same, the client sends the message of
   * that method with its KEXINIT, which saves a round trip (RFC 4253 section 7.1).
   */
  readonly guess?: Preferred | undefined;
}

type Init = ValuesOf<typeof KexInit>;

/** Both KEXINITs are known. */
interface Exchange {
  readonly ours: Bytes;
  readonly theirs: Bytes;
  readonly negotiated: Negotiated;
}
/** The exchange hash is known. */
interface Agreed extends Exchange {
  readonly exchangeHash: Bytes;
}

/** The host key of the first exchange, and the signature of the exchange hash by it. */
export interface HostIdentity {
  /** the public key blob (RFC 4253 section 6.6) */
  readonly hostKey: Bytes;
  /** the signature blob of the session identifier */
  readonly signature: Bytes;
}

type State =
  | { readonly at: "idle" }
  | { readonly at: "expectInit"; readonly ours: Bytes; readonly guessed: ReturnType<KexMethod["start"]> | undefined }
  | ({ readonly at: "expectGroup"; skipGuess: boolean } & Exchange)
  | ({ readonly at: "expectReply"; skipGuess: boolean; readonly started: ReturnType<KexMethod["start"]> } & Exchange)
  | ({ readonly at: "expectEcdhInit"; skipGuess: boolean } & Exchange)
  | ({ readonly at: "awaitVerdict" } & HostIdentity & Agreed)
  | ({ readonly at: "decideHostKey" } & HostIdentity & Agreed)
  | ({ readonly at: "awaitSignature"; readonly hostKey: Bytes; readonly serverPublic: Bytes } & Agreed)
  | { readonly at: "expectNewKeys"; readonly negotiated: Negotiated; readonly keys: DirectionKeys }
  /** the connection has ended during an exchange */
  | { readonly at: "ended" };

/** The key exchanges of one connection, in either role. */
export class KexMachine {
  /** the session identifier: the exchange hash of the first exchange */
  sessionId: Bytes | undefined;
  /** whether both sides use strict kex, once the peer's first KEXINIT has come */
  strict = false;
  /** whether the peer accepts EXT_INFO (RFC 8308 section 2.1) */
  peerAcceptsExtInfo = false;
  /** whether the first exchange is over */
  completed = false;
  /** the server's host key: once the client has accepted it, or the server has signed */
  host: HostIdentity | undefined;
  readonly #options: KexOptions;
  readonly #offer: Offer;
  readonly #reader: PacketReader;
  readonly #writer: PacketWriter;
  #state: State = { at: "idle" };
  /** K, until the keys are derived or `wipe` is called */
  #secret: Bytes | undefined;
  #versions: { readonly ours: Bytes; readonly theirs: Bytes } | undefined;

  constructor(options: KexOptions, reader: PacketReader, writer: PacketWriter) {
    this.#options = options;
    this.#reader = reader;
    this.#writer = writer;
    const { algorithms, role, hostKeys } = options;
    const offered = algorithms.hostKeys.map(({ name }) => name);
    const signable = new Set(hostKeys.flatMap((signer) => signer.algorithms));
    this.#offer = {
      ...algorithms,
      hostKeyAlgorithms: role === "client" ? offered : offered.filter((name) => signable.has(name)),
    };
  }

  get idle(): boolean {
    return this.#state.at === "idle";
  }

  /** Whether we may send only key exchange messages: from our KEXINIT to our NEWKEYS (RFC 4253 section 7.1). */
  get blocksOutput(): boolean {
    return this.#state.at !== "idle" && this.#state.at !== "expectNewKeys";
  }

  /** Whether the peer may send only key exchange messages: from its KEXINIT to its NEWKEYS. */
  get blocksInput(): boolean {
    return this.#state.at !== "idle" && this.#state.at !== "expectInit";
  }

  /** Whether the exchange waits for a verdict, a decision or a signature of the program. */
  get paused(): boolean {
    const { at } = this.#state;
    return at === "awaitVerdict" || at === "decideHostKey" || at === "awaitSignature";
  }

  setVersions(ours: Bytes, theirs: Bytes): void {
    this.#versions = { ours, theirs };
  }

  /** Sends our KEXINIT, unless an exchange is in progress. */
  start(): void {
    if (this.#state.at !== "idle") return;
    const { random, guess } = this.#options;
    const [method] = this.#offer.kex;
    // Only the first exchange waits for nothing else. The first message of a group exchange is not a public value.
    const guesses = this.sessionId === undefined && prefers(this.#offer, guess);
    const guessed = guesses && method?.groupExchange === undefined ? method?.start(random) : undefined;
    const ours = this.#sendInit(guessed !== undefined);
    if (guessed !== undefined) this.#writer.send(KexEcdhInit.encode({ clientPublic: guessed.clientPublic }));
    this.#state = { at: "expectInit", ours, guessed };
  }

  /** Handles a message numbered 20 to 49 (view). */
  receive(payload: Bytes): KexEvent | undefined {
    const state = this.#state;
    switch (state.at) {
      case "idle":
        return this.#begin(this.#sendInit(), payload);
      case "expectInit":
        return this.#begin(state.ours, payload, state.guessed);
      case "expectGroup":
      case "expectReply":
      case "expectEcdhInit":
        // Only a message of the key exchange method can be a guess. KEXINIT and NEWKEYS are errors here.
        if (state.skipGuess && (payload[0] ?? 0) >= KexEcdhInit.number) {
          state.skipGuess = false;
          return undefined;
        }
        if (state.at === "expectReply") return this.#reply(state, payload);
        return state.at === "expectGroup" ? this.#acceptGroup(state, payload) : this.#respond(state, payload);
      case "expectNewKeys":
        return this.#newKeys(state, payload);
      case "awaitVerdict":
      case "decideHostKey":
      case "awaitSignature":
      case "ended":
        throw new SshError("misuse", `expected no input in the state ${state.at}`);
      default:
        return state satisfies never;
    }
  }

  /**
   * Continues after the event `verify`, with its verdict.
   * @throws SshError `kex` for any value but `true`, `hostkey` if a rekey brings another host key (RFC 4253 section 9)
   */
  verified(valid: boolean): KexEvent {
    const state = this.#expect("awaitVerdict");
    const { hostKey, negotiated } = state;
    const algorithm = negotiated.hostKeyAlgorithm;
    if (valid !== true) {
      // Not `hostkey`: without a valid signature the key proves nothing, and any attacker on the network can send it.
      throw new SshError(
        "kex",
        `expected a valid ${algorithm} signature by the host key, got one that does not verify`,
      );
    }
    if (this.host !== undefined && !equal(this.host.hostKey, hostKey)) {
      throw new SshError("hostkey", "expected the host key of the first key exchange, got another one on rekey");
    }
    this.#state = { ...state, at: "decideHostKey" };
    return this.host === undefined ? { type: "hostKey", hostKey, algorithm } : this.acceptHostKey();
  }

  /** Continues after the event `hostKey`. To refuse the key, end the connection instead. */
  acceptHostKey(): KexEvent {
    const state = this.#expect("decideHostKey");
    const { hostKey, signature } = state;
    this.host ??= { hostKey, signature };
    return this.#sendNewKeys(state);
  }

  /** Continues after the event `sign`, with the signature. */
  signed(signature: Bytes): KexEvent {
    const state = this.#expect("awaitSignature");
    const { hostKey, serverPublic, negotiated } = state;
    this.host ??= { hostKey, signature };
    this.#writer.send(renumber(negotiated.kex, 2, KexEcdhReply.encode({ hostKey, serverPublic, signature })));
    return this.#sendNewKeys(state);
  }

  /**
   * Overwrites K, the ephemeral private key and derived keys that are not in use yet. Call it when the connection ends.
   * Does nothing between exchanges.
   */
  wipe(): void {
    const state = this.#state;
    if (state.at === "idle") return;
    if (state.at === "expectInit") state.guessed?.discard();
    if (state.at === "expectReply") state.started.discard();
    if (state.at === "expectNewKeys") {
      const { key, iv, mac } = state.keys;
      for (const bytes of [key, iv, mac?.key]) bytes?.fill(0);
    }
    this.#secret?.fill(0);
    this.#secret = undefined;
    this.#state = { at: "ended" };
  }

  #expect<At extends State["at"]>(at: At): State & { readonly at: At } {
    const state = this.#state;
    if (state.at !== at) throw new SshError("misuse", `expected the state ${at}, got ${state.at}`);
    return state as State & { readonly at: At };
  }

  #sendInit(guesses = false): Bytes {
    const { role, random } = this.#options;
    // Only the first KEXINIT contains the markers (OpenSSH PROTOCOL section 1.10; RFC 8308 section 2.1).
    const extra =
      this.sessionId !== undefined ? [] : role === "client" ? [extInfoClient, strictClient] : [strictServer];
    const payload = KexInit.encode(initFor(this.#offer, random(16), extra, guesses));
    this.#writer.send(payload);
    return payload;
  }

  #begin(ours: Bytes, theirs: Bytes, guessed?: ReturnType<KexMethod["start"]>): undefined {
    const { role } = this.#options;
    const init = KexInit.decode(theirs);
    if (this.sessionId === undefined) this.#readMarkers(init);
    const negotiated = negotiate(role, this.#offer, init);
    const exchange: Exchange = { ours, theirs, negotiated };
    const skipGuess = negotiated.ignoreGuess;
    if (role === "server") {
      this.#state = { at: "expectEcdhInit", skipGuess, ...exchange };
      return undefined;
    }
    if (guessed !== undefined && negotiated.guessesMatch) {
      this.#state = { at: "expectReply", skipGuess, started: guessed, ...exchange };
      return undefined;
    }
    // The server ignores a wrong guess, even if it was for the method that was then chosen.
    guessed?.discard();
    const { groupExchange } = negotiated.kex;
    if (groupExchange === undefined) return this.#startMethod(exchange, skipGuess);
    this.#writer.send(groupExchange.request);
    this.#state = { at: "expectGroup", skipGuess, ...exchange };
    return undefined;
  }

  #acceptGroup({ ours, theirs, negotiated }: Exchange, payload: Bytes): undefined {
    const kex = negotiated.kex.groupExchange?.accept(payload) ?? negotiated.kex;
    return this.#startMethod({ ours, theirs, negotiated: { ...negotiated, kex } }, false);
  }

  #startMethod(exchange: Exchange, skipGuess: boolean): undefined {
    const { kex } = exchange.negotiated;
    const started = kex.start(this.#options.random);
    this.#writer.send(renumber(kex, 2, KexEcdhInit.encode({ clientPublic: started.clientPublic })));
    this.#state = { at: "expectReply", skipGuess, started, ...exchange };
    return undefined;
  }

  #readMarkers({ kexAlgorithms }: Init): void {
    const { role } = this.#options;
    this.peerAcceptsExtInfo = role === "server" && kexAlgorithms.includes(extInfoClient);
    this.strict = kexAlgorithms.includes(role === "client" ? strictServer : strictClient);
    if (this.strict && this.#reader.sequence !== 1) {
      throw new SshError("protocol", `expected KEXINIT first (strict kex), got it as packet ${this.#reader.sequence}`);
    }
  }

  #reply(state: State & { at: "expectReply" }, payload: Bytes): KexEvent {
    const { hostKeyAlgorithm, kex } = state.negotiated;
    const { hostKey, serverPublic, signature } = KexEcdhReply.decode(renumber(kex, -2, payload));
    const verifier = this.#options.algorithms.hostKeys.find(({ name }) => name === hostKeyAlgorithm);
    this.#secret = state.started.finish(serverPublic);
    const agreed = this.#agree(
      state,
      { hostKey, clientPublic: state.started.clientPublic, serverPublic },
      this.#secret,
    );
    // Copies, because they outlive the packet.
    this.#state = { at: "awaitVerdict", hostKey: hostKey.slice(), signature: signature.slice(), ...agreed };
    let verdict: Verdict;
    try {
      verdict = verifier?.verify(hostKey, agreed.exchangeHash, signature) ?? false;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SshError("kex", `expected a host key and a signature for ${hostKeyAlgorithm}: ${reason}`, { cause });
    }
    return typeof verdict === "boolean"
      ? this.verified(verdict)
      : { type: "verify", verdict, algorithm: hostKeyAlgorithm };
  }

  #respond(state: State & { at: "expectEcdhInit" }, payload: Bytes): KexEvent | undefined {
    const { random, hostKeys } = this.#options;
    const { kex } = state.negotiated;
    if (kex.groupExchange !== undefined) {
      const { method, answer } = kex.groupExchange.choose(payload);
      this.#writer.send(answer);
      this.#state = { ...state, negotiated: { ...state.negotiated, kex: method } };
      return undefined;
    }
    const { clientPublic } = KexEcdhInit.decode(renumber(kex, -2, payload));
    const algorithm = state.negotiated.hostKeyAlgorithm;
    const signer = hostKeys.find(({ algorithms }) => algorithms.includes(algorithm));
    if (signer === undefined) throw new SshError("misuse", `expected a host key for ${algorithm}`);
    const { serverPublic, secret } = kex.respond(clientPublic, random);
    this.#secret = secret;
    const hostKey = signer.publicKey;
    const agreed = this.#agree(state, { hostKey, clientPublic, serverPublic }, secret);
    this.#state = { at: "awaitSignature", hostKey, serverPublic, ...agreed };
    return { type: "sign", signer, data: agreed.exchangeHash, algorithm };
  }

  #agree(
    exchange: Exchange,
    publics: { readonly hostKey: Bytes; readonly clientPublic: Bytes; readonly serverPublic: Bytes },
    secret: Bytes,
  ): Agreed {
    const { ours, theirs, negotiated } = exchange;
    const versions = this.#versions;
    if (versions === undefined) throw new SshError("misuse", "expected both identification lines first");
    const client = this.#options.role === "client";
    const hash = exchangeHash(negotiated.kex.hash, {
      clientVersion: client ? versions.ours : versions.theirs,
      serverVersion: client ? versions.theirs : versions.ours,
      clientInit: client ? ours : theirs,
      serverInit: client ? theirs : ours,
      ...publics,
      group: negotiated.kex.hashed,
      secret,
    });
    this.sessionId ??= hash;
    return { ours, theirs, negotiated, exchangeHash: hash };
  }

  #sendNewKeys({ negotiated, exchangeHash }: Agreed): KexEvent {
    const sessionId = this.sessionId ?? exchangeHash;
    const secret = this.#secret;
    if (secret === undefined) throw new SshError("misuse", "expected a shared secret before NEWKEYS");
    const source = { hash: negotiated.kex.hash, secret, exchangeHash, sessionId };
    const [out, into] = this.#options.role === "client" ? (["c2s", "s2c"] as const) : (["s2c", "c2s"] as const);
    this.#writer.send(NewKeys.encode({}));
    const { cipher } = negotiated[out];
    const sealing = deriveKeys(out, source, negotiated[out]);
    this.#showKeys("sent", cipher.name, sealing, this.#writer.sequence);
    this.#writer.setSealer(cipher.sealer(sealing), this.strict);
    const keys = deriveKeys(into, source, negotiated[into]);
    secret.fill(0);
    this.#secret = undefined;
    this.#state = { at: "expectNewKeys", negotiated, keys };
    return { type: "resumed" };
  }

  #newKeys({ negotiated, keys }: State & { at: "expectNewKeys" }, payload: Bytes): KexEvent {
    NewKeys.decode(payload);
    const direction = this.#options.role === "client" ? negotiated.s2c : negotiated.c2s;
    this.#showKeys("received", direction.cipher.name, keys, this.#reader.sequence);
    this.#reader.setOpener(direction.cipher.opener(keys), this.strict);
    const first = !this.completed;
    this.completed = true;
    this.#state = { at: "idle" };
    return { type: "keys", first, names: algorithmNames(negotiated, this.strict), preferred: negotiated.preferred };
  }

  /** Shows keys to the tap, before the cipher takes them. */
  #showKeys(direction: Direction, cipher: string, { key, iv, mac }: DirectionKeys, next: number): void {
    this.#options.tap?.secretKeys?.({
      direction,
      cipher,
      mac: mac?.algorithm.name,
      key: key.slice(),
      iv: iv.slice(),
      macKey: mac?.key.slice(),
      sequence: this.strict ? 0 : next,
    });
  }
}

/** Changes the number of a message of the method, if its group was exchanged. */
function renumber({ hashed }: KexMethod, by: number, payload: Bytes): Bytes {
  const number = payload[0] ?? 0;
  if (hashed !== undefined && number >= KexEcdhInit.number) payload[0] = number + by;
  return payload;
}
