/** The transport layer, RFC 4253: versions, packets, key exchange, and the messages 1 to 49. @module */
import {
  type Bytes,
  Debug,
  Disconnect,
  ExtInfo,
  Ignore,
  KexInit,
  Limits,
  messageRange,
  Ping,
  Pong,
  quote,
  Reader,
  SshError,
  Unimplemented,
  utf8,
  Writer,
} from "@postern/wire";
import { KexMachine } from "./kex-machine.ts";
import type { KexOptions, KexStep } from "./kex-step.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";
import type { TransportEvent } from "./transport-events.ts";
import { VersionReader } from "./version-exchange.ts";

const nothing = /* @__PURE__ */ new Uint8Array(0);

/** When to exchange keys anew; whichever comes first. */
export interface RekeyLimits {
  /** bytes in one direction */
  readonly bytes: number;
  /** packets in one direction, at most 2^31 */
  readonly packets: number;
  readonly ms: number;
}

/** What a {@link TransportMachine} is made of. */
export interface TransportOptions extends KexOptions {
  /** our identification line without CR LF */
  readonly version: string;
  readonly rekey: RekeyLimits;
  /** milliseconds on the clock that `tick` tells */
  readonly now: number;
}

/** The transport layer of one connection, in either role. */
export class TransportMachine {
  readonly #options: TransportOptions;
  readonly #reader = new PacketReader();
  readonly #writer: PacketWriter;
  readonly #kex: KexMachine;
  #versionReader: VersionReader | undefined;
  readonly #events: TransportEvent[] = [];
  #failure: SshError | undefined;
  /** Control messages that wait for our NEWKEYS: one buffer of length-prefixed payloads, because objects would cost more than most payloads. */
  #held = new Writer();
  #heldCharge = 0;
  /** `onSent` of held messages, by their place in the queue */
  readonly #heldOnSent = new Map<number, (sequence: number) => void>();
  #heldCount = 0;
  #strayMessages = 0;
  #extInfos = 0;
  #now: number;
  /** when the exchange, or the use of its keys, began; undefined: at the next tick, for calls come at times not told */
  #kexSince: number | undefined;
  #disconnected = false;
  #peerRekeys = Number.POSITIVE_INFINITY;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#writer = new PacketWriter(options.random);
    this.#kex = new KexMachine(options, this.#reader, this.#writer);
    this.#versionReader = new VersionReader(options.role);
    this.#now = options.now;
    this.#kexSince = options.now;
    // Both sides may speak first (RFC 4253 section 4.2), so our KEXINIT need not wait for the peer's version.
    this.#writer.sendRaw(utf8(`${options.version}\r\n`));
    this.#kex.start();
  }

  /** Session identifier, RFC 4253 section 7.2; undefined before the first key exchange. */
  get sessionId(): Bytes | undefined {
    return this.#kex.sessionId;
  }

  /** Whether the messages of the layers above may be sent: not before the first new keys, and not during a rekey. */
  get writable(): boolean {
    return !this.#kex.blocksOutput && this.#failure === undefined;
  }

  /** Bytes that wait for `takeOutput`. */
  get outputSize(): number {
    return this.#writer.size;
  }

  /** False while a decision is awaited. */
  get wantsInput(): boolean {
    return !this.#kex.paused && this.#failure === undefined;
  }

  /** When `tick` is due: the next rekey, or the end of our patience with a key exchange. Decisions have no deadline here. */
  get deadline(): number | undefined {
    if (this.#kex.paused) return undefined;
    return (this.#kexSince ?? this.#now) + (this.#kex.idle ? this.#options.rekey.ms : Limits.kexTimeoutMs);
  }

  /** Takes the chunk, or borrows it until {@link keepInput}. */
  receive(chunk: Bytes): void {
    this.#reader.receive(this.#versionReader === undefined ? chunk : this.#readVersion(this.#versionReader, chunk));
  }

  /**
   * The next event; undefined when it needs bytes or waits for a decision.
   * @throws SshError the same one ever after
   */
  next(): TransportEvent | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#next();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Copies what is left of the chunk received last, so that its memory may be used again. */
  keepInput(): void {
    this.#reader.keep();
  }

  /** Tells the time; starts a rekey when it is due. @throws SshError `timeout` when a key exchange takes too long */
  tick(now: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#now = now;
    this.#kexSince ??= now;
    const { deadline } = this;
    if (deadline === undefined || now < deadline || this.#disconnected) return;
    if (this.#kex.idle) return this.#rekeyNow();
    const [what, ms] = [this.#versionReader ? "identification" : "key exchange", Limits.kexTimeoutMs];
    throw this.#fail(new SshError("timeout", `expected the peer to finish the ${what} within ${ms} ms`));
  }

  /** The peer will send nothing more. The error that this is, now. */
  inputEnded(): SshError {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#versionReader !== undefined) return this.#fail(this.#versionReader.missing());
    const when = this.#kex.completed ? "" : " during the first key exchange";
    return this.#fail(new SshError("closed", `the peer closed the connection${when} without a reason`));
  }

  /** Sends a payload in up to two parts (copies), see `PayloadSink`. During a key exchange it is held, within a limit. */
  send(head: Bytes, body: Bytes = nothing, onSent?: (sequence: number) => void): void {
    if (this.#disconnected) return;
    if (!this.#kex.blocksOutput) {
      onSent?.(this.#writer.sequence);
      this.#writer.send(head, body);
      if (this.#rekeyDue()) this.startRekey();
      return;
    }
    const size = head.length + body.length;
    this.#heldCharge += size + Limits.heldOverhead;
    if (this.#heldCharge > Limits.heldOutput) {
      // The peer's KEXINIT is behind what it asks for, so to stop reading would end in a deadlock. Thrown by `next`: the sender is not to blame.
      this.#fail(
        new SshError(
          "limit",
          `expected at most ${Limits.heldOutput} bytes of replies to wait for a key exchange, with ${Limits.heldOverhead} for each`,
        ),
      );
      return;
    }
    if (onSent !== undefined) this.#heldOnSent.set(this.#heldCount, onSent);
    this.#heldCount++;
    this.#held.uint32(size).raw(head).raw(body);
  }

  /** Everything for the wire, once; ownership moves to the caller. */
  takeOutput(): Bytes | undefined {
    return this.#writer.take();
  }

  /** Takes back what `takeOutput` gave, once it is on the wire. */
  reuseOutput(output: Bytes): void {
    this.#writer.reuse(output);
  }

  /** Takes back the buffer of a payload, once nobody reads it any more. */
  reuseInput(payload: Bytes): void {
    this.#reader.reuse(payload);
  }

  /** Starts a rekey, unless one is on. */
  startRekey(): void {
    if (!this.#kex.idle) return;
    this.#kexSince = undefined;
    this.#kex.start();
  }

  /** How many more exchanges the peer may begin. @throws SshError `limit`, by `next`, when it begins another */
  limitPeerRekeys(count: number): void {
    this.#peerRekeys = count;
  }

  /**
   * The answer to the event `verify`: what the verdict was.
   * @throws SshError `kex` for anything but true, `hostkey` for another host key than the first; `next` throws it ever after
   */
  verified(good: boolean): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#kexSince = undefined;
    try {
      this.#take(this.#kex.verified(good));
    } catch (error) {
      // An answer out of turn is the caller's mistake. Any other error is the end: what was refused stays refused.
      throw error instanceof SshError && error.code === "misuse" ? error : this.#fail(error);
    }
  }

  /** The answer to the event `hostKey`, when the key is accepted. */
  acceptHostKey(): void {
    this.#kexSince = undefined;
    this.#take(this.#kex.acceptHostKey());
  }

  /** The answer to the event `sign`. */
  signed(signature: Bytes): void {
    this.#kexSince = undefined;
    this.#take(this.#kex.signed(signature));
  }

  /** Tells the peer that a message means nothing to us (RFC 4253 section 11.4). */
  unimplemented(sequence: number): void {
    this.send(Unimplemented.encode({ sequence }));
  }

  /** Sends something that means nothing (RFC 4253 section 11.2). */
  ignore(): void {
    this.send(Ignore.encode({ data: new Uint8Array(0) }));
  }

  /** Says something to whoever reads the peer's log (RFC 4253 section 11.3). */
  debug(message: string, alwaysDisplay: boolean): void {
    this.send(Debug.encode({ alwaysDisplay, message, language: "" }));
  }

  /** Sends DISCONNECT (RFC 4253 section 11.1) and nothing after it. */
  disconnect(reason: number, description: string): void {
    if (this.#disconnected) return;
    this.#disconnected = true;
    this.#end();
    this.#writer.send(Disconnect.encode({ reason, description, language: "" }));
  }

  #readVersion(reader: VersionReader, chunk: Bytes): Bytes {
    if (this.#failure !== undefined) return chunk.subarray(chunk.length);
    const heard = reader.lines.length;
    try {
      const read = reader.read(chunk);
      this.#notice(reader, heard);
      if (read === undefined) return chunk.subarray(chunk.length);
      this.#versionReader = undefined;
      this.#kex.setVersions(utf8(this.#options.version), read.bytes);
      this.#events.push({ type: "identified", version: read.version, lines: reader.lines });
      return read.rest;
    } catch (error) {
      this.#notice(reader, heard);
      // Thrown by `next`, as all other failures.
      this.#fail(error);
      return chunk.subarray(chunk.length);
    }
  }

  #notice(reader: VersionReader, from: number): void {
    for (const message of reader.lines.slice(from)) if (message !== "") this.#events.push({ type: "notice", message });
  }

  #next(): TransportEvent | undefined {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      // RFC 4253 section 11.1: nothing is accepted after DISCONNECT.
      if (this.#versionReader !== undefined || this.#kex.paused || this.#disconnected) return undefined;
      const { sequence } = this.#reader;
      const payload = this.#reader.next();
      if (payload === undefined) return undefined;
      if (this.#rekeyDue()) this.#rekeyNow();
      const number = payload[0] ?? 0;
      // The hot path: data for the layers above while no key exchange is on.
      if (number >= 50 && number < 128 && !this.#kex.blocksInput && this.#kex.completed) {
        return { type: "payload", payload, sequence };
      }
      this.#handle(number, payload, sequence);
    }
  }

  #handle(number: number, payload: Bytes, sequence: number): void {
    const firstExchange = !this.#kex.completed;
    if (number === Disconnect.number) {
      const { reason, description } = Disconnect.decode(payload);
      this.#disconnected = true;
      this.#end();
      this.#events.push({ type: "disconnect", reason, description });
      return;
    }
    const range = messageRange(number);
    if (range === "kex") return this.#handleKex(number, payload);
    if (firstExchange) this.#checkStray(number);
    else if (this.#kex.blocksInput && (range !== "transport" || number > Debug.number)) {
      // RFC 4253 section 7.1: between KEXINIT and NEWKEYS only messages 1 to 4 and 20 to 49.
      throw new SshError("protocol", `expected a key exchange message after KEXINIT, got message ${number}`);
    }
    switch (number) {
      case Ignore.number:
        return;
      case Unimplemented.number:
        this.#events.push({ type: "unimplemented", sequence: Unimplemented.decode(payload).sequence });
        return;
      case Debug.number: {
        const { message, alwaysDisplay } = Debug.decode(payload);
        this.#events.push({ type: "debug", message, alwaysDisplay });
        return;
      }
      case ExtInfo.number:
        if (++this.#extInfos > Limits.extInfos) {
          throw new SshError("protocol", `expected EXT_INFO at most ${Limits.extInfos} times (RFC 8308 2.4)`);
        }
        this.#events.push({ type: "extInfo", ...ExtInfo.decode(payload) });
        return;
      case Ping.number:
        this.send(Pong.encode(Ping.decode(payload)));
        return;
      default:
        this.#events.push({ type: "payload", payload, sequence });
    }
  }

  #handleKex(number: number, payload: Bytes): void {
    // A second KEXINIT inside an exchange, or anything else out of turn, is refused by the reader of the state's own message.
    if (this.#kex.idle && number !== KexInit.number) {
      throw new SshError("protocol", `expected KEXINIT before message ${number}`);
    }
    const wasIdle = this.#kex.idle;
    if (wasIdle && this.#kex.completed && --this.#peerRekeys < 0) {
      throw new SshError("limit", "expected no more key exchanges for now, got another KEXINIT");
    }
    const step = this.#kex.receive(payload);
    if (wasIdle) this.#kexSince = this.#now;
    if (step !== undefined) this.#take(step);
  }

  /** Before the first NEWKEYS only IGNORE, DEBUG and UNIMPLEMENTED may pass, and under strict kex not even those. */
  #checkStray(number: number): void {
    if (number < Ignore.number || number > Debug.number || this.#kex.strict) {
      throw new SshError("protocol", `expected a key exchange message, got message ${number} before the first NEWKEYS`);
    }
    if (++this.#strayMessages > Limits.strayBeforeLogin) {
      throw new SshError(
        "protocol",
        `expected at most ${Limits.strayBeforeLogin} messages beside the first key exchange`,
      );
    }
  }

  #take(step: KexStep): void {
    switch (step.type) {
      case "verify":
      case "hostKey":
      case "sign":
        this.#events.push(step);
        return;
      case "resumed": {
        if (!this.#kex.completed && this.#kex.peerTakesExtInfo) this.#sendExtInfo();
        this.#sendHeld();
        this.#events.push(step);
        return;
      }
      case "done":
        this.#kexSince = this.#now;
        this.#events.push({ type: "keys", first: step.first, names: step.names });
        return;
      default:
        step satisfies never;
    }
  }

  #sendHeld(): void {
    const held = new Reader(this.#held.finish(), "held messages");
    for (let n = 0; n < this.#heldCount; n++) {
      const payload = held.string();
      this.#heldOnSent.get(n)?.(this.#writer.sequence);
      this.#writer.send(payload);
    }
    this.#dropHeld();
  }

  #dropHeld(): void {
    this.#held = new Writer();
    this.#heldCharge = 0;
    this.#heldCount = 0;
    this.#heldOnSent.clear();
  }

  /** RFC 8308 section 2.4: the first message after the server's first NEWKEYS. */
  #sendExtInfo(): void {
    const names = this.#options.algorithms.hostKeys.map(({ name }) => name).join(",");
    const extensions = new Map([
      ["server-sig-algs", utf8(names)],
      ["ping@openssh.com", utf8("0")],
    ]);
    this.#writer.send(ExtInfo.encode({ extensions }));
  }

  /** In the handling of input and of time, which follows a tick. */
  #rekeyNow(): void {
    this.startRekey();
    this.#kexSince = this.#now;
  }

  #rekeyDue(): boolean {
    if (!this.#kex.idle || !this.#kex.completed) return false;
    const { bytes, packets } = this.#options.rekey;
    return (
      this.#writer.bytes >= bytes ||
      this.#reader.bytes >= bytes ||
      this.#writer.packets >= packets ||
      this.#reader.packets >= packets
    );
  }

  /** The connection is over, however: nothing that is secret or large is kept. */
  #end(): void {
    this.#kex.wipe();
    this.#dropHeld();
  }

  #fail(error: unknown): SshError {
    this.#failure ??=
      error instanceof SshError
        ? error
        : new SshError("protocol", `expected a well-formed message (${quote(String(error))})`, { cause: error });
    this.#end();
    return this.#failure;
  }
}
