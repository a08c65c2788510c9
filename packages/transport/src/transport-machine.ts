/**
 * The transport layer, RFC 4253: identification, packets, key exchange, and the messages 1 to 49.
 * Longer than 300 lines, because every message depends on the state of the key exchange.
 * @module
 */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import {
  type Bytes,
  Debug,
  Disconnect,
  ExtInfo,
  Ignore,
  KexInit,
  messageRange,
  Ping,
  Pong,
  quote,
  SshError,
  Unimplemented,
  utf8,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { HeldOutput } from "./held-output.ts";
import { type HostIdentity, KexMachine, type KexOptions } from "./kex-machine.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";
import { type RekeyLimits, RekeySchedule } from "./rekey-schedule.ts";
import { type GuardedTap, guardTap, type PacketTap } from "./tap.ts";
import type { KexEvent, TransportEvent } from "./transport-events.ts";
import { VersionReader } from "./version-exchange.ts";

const nothing = /* @__PURE__ */ new Uint8Array(0);

/** Options of a {@link TransportMachine}. */
export interface TransportOptions extends KexOptions {
  /** our identification line without CR LF */
  readonly version: string;
  readonly rekey: RekeyLimits;
  /** how many key exchanges the peer may begin after the first one; default any number */
  readonly peerRekeys?: number;
  /** the current time in milliseconds, on the same clock as the argument of `tick` */
  readonly now: number;
  /** a server's algorithms of user keys, for `server-sig-algs` (RFC 8308 section 3.1); default `algorithms.hostKeys` */
  readonly userKeys?: readonly PublicKeyAlgorithm[] | undefined;
  /** sees every packet; its errors become the event `tapFailed` */
  readonly tap?: PacketTap | undefined;
}

/** The transport layer of one connection, in either role. */
export class TransportMachine {
  readonly #options: TransportOptions;
  readonly #reader = new PacketReader();
  readonly #writer: PacketWriter;
  readonly #kex: KexMachine;
  readonly #tap: GuardedTap | undefined;
  #versionReader: VersionReader | undefined;
  readonly #events: TransportEvent[] = [];
  #failure: SshError | undefined;
  readonly #held = new HeldOutput();
  readonly #schedule: RekeySchedule;
  #strayMessages = 0;
  #extInfos = 0;
  #disconnected = false;

  constructor(options: TransportOptions) {
    this.#options = options;
    const tap = options.tap && guardTap(options.tap, (error) => this.#events.push({ type: "tapFailed", error }));
    this.#tap = tap;
    this.#writer = new PacketWriter(options.random, tap);
    this.#kex = new KexMachine({ ...options, tap }, this.#reader, this.#writer);
    this.#versionReader = new VersionReader(options.role);
    this.#schedule = new RekeySchedule(options.rekey, options.now, options.peerRekeys);
    // Neither side has to wait for the other's identification (RFC 4253 section 4.2), so KEXINIT follows ours at once.
    this.#writer.sendRaw(utf8(`${options.version}\r\n`));
    tap?.identification({ direction: "sent", line: options.version, size: this.#writer.size });
    this.#kex.start();
  }

  /** The session identifier (RFC 4253 section 7.2). `undefined` before the first key exchange. */
  get sessionId(): Bytes | undefined {
    return this.#kex.sessionId;
  }

  /** The host key of the first exchange, with its signature. `undefined` before our first NEWKEYS. */
  get host(): HostIdentity | undefined {
    return this.#kex.host;
  }

  /** Whether the layers above may send: not before the first new keys, and not during a rekey. */
  get writable(): boolean {
    return !this.#kex.blocksOutput && this.#failure === undefined;
  }

  /** Bytes that `takeOutput` would return. */
  get outputSize(): number {
    return this.#writer.size;
  }

  /** `false` after an error, and while the machine waits for a verdict, a decision or a signature of the program. */
  get wantsInput(): boolean {
    return !this.#kex.paused && this.#failure === undefined;
  }

  /** When `tick` is due: for a rekey, or for the timeout of a key exchange. `undefined` while the program decides. */
  get deadline(): number | undefined {
    if (this.#kex.paused) return undefined;
    return this.#schedule.deadline(!this.#kex.idle);
  }

  /** Reads a chunk (takes it). If the caller reuses its memory, {@link keepInput} must be called before that. */
  receive(chunk: Bytes): void {
    this.#reader.receive(this.#versionReader === undefined ? chunk : this.#readVersion(this.#versionReader, chunk));
  }

  /**
   * Returns the next event. Returns `undefined` if the machine needs more bytes or waits for the program.
   * @throws SshError if the peer breaks the protocol; every later call throws the same error
   */
  next(): TransportEvent | undefined {
    if (this.#failure !== undefined) {
      // The lines before the identification may contain the reason, and may come in one chunk with the end of them.
      const notice = this.#versionReader === undefined ? undefined : this.#events.shift();
      if (notice !== undefined) return notice;
      throw this.#failure;
    }
    try {
      return this.#next();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Copies the unread part of the last chunk, so that its memory may be reused. */
  keepInput(): void {
    this.#reader.keep();
  }

  /** Sets the time, and starts a rekey if it is due. @throws SshError `timeout` if a key exchange takes too long */
  tick(now: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#schedule.tick(now);
    const { deadline } = this;
    if (deadline === undefined || now < deadline || this.#disconnected) return;
    if (this.#kex.idle) return this.#rekeyNow();
    const step = this.#versionReader ? "identification" : "key exchange";
    throw this.#fail(
      new SshError("timeout", `expected the peer to finish the ${step} within ${Limits.kexTimeoutMs} ms`),
    );
  }

  /** Handles the end of input, and returns the error for it. */
  inputEnded(): SshError {
    if (this.#versionReader !== undefined) return this.#fail(this.#versionReader.missing());
    const when = this.#kex.completed ? "" : " during the first key exchange";
    return this.#fail(new SshError("closed", `the peer closed the connection${when} without a reason`));
  }

  /** Sends a payload of one or two parts (copies), see `PayloadSink`. A key exchange holds it back, up to a limit. */
  send(head: Bytes, body: Bytes = nothing, onSent?: (sequence: number) => void): void {
    if (this.#disconnected) return;
    if (!this.#kex.blocksOutput) {
      onSent?.(this.#writer.sequence);
      this.#writer.send(head, body);
      if (this.#rekeyDue()) this.startRekey();
      return;
    }
    try {
      this.#held.add(head, body, onSent);
    } catch (error) {
      // `next` throws the error, because the peer's requests caused it, not the caller. To stop reading instead would
      // wait forever, because the peer's KEXINIT follows its requests.
      this.#fail(error);
    }
  }

  /** Returns the bytes to send that were added since the last call, or `undefined`. The caller owns them. */
  takeOutput(): Bytes | undefined {
    return this.#writer.take();
  }

  /** Reuses the memory of bytes that `takeOutput` returned. Call it once they are sent. */
  reuseOutput(output: Bytes): void {
    this.#writer.reuse(output);
  }

  /** Starts a rekey, unless a key exchange is in progress. */
  startRekey(): void {
    if (!this.#kex.idle) return;
    this.#schedule.restartAtNextTick();
    this.#kex.start();
  }

  /**
   * Sets the limits that start a rekey, and how many more key exchanges the peer may begin. If it begins another,
   * `next` throws an SshError `limit`.
   */
  limitRekeys(limits: RekeyLimits, peerRekeys: number): void {
    this.#schedule.limits = limits;
    this.#schedule.peerRekeys = peerRekeys;
  }

  /**
   * Continues after the event `verify`, with its verdict.
   * @throws SshError `kex` for any value but `true`, `hostkey` if a rekey brings another host key. Later calls of
   *   `next` throw the same error.
   */
  verified(valid: boolean): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#schedule.restartAtNextTick();
    try {
      this.#emit(this.#kex.verified(valid));
    } catch (error) {
      // `misuse` is a call in the wrong state and changes nothing. Any other error ends the connection.
      throw error instanceof SshError && error.code === "misuse" ? error : this.#fail(error);
    }
  }

  /** Continues after the event `hostKey`. To refuse the key, end the connection instead. */
  acceptHostKey(): void {
    this.#schedule.restartAtNextTick();
    this.#emit(this.#kex.acceptHostKey());
  }

  /** Continues after the event `sign`, with the signature. */
  signed(signature: Bytes): void {
    this.#schedule.restartAtNextTick();
    this.#emit(this.#kex.signed(signature));
  }

  /** Sends UNIMPLEMENTED for the message with that sequence number (RFC 4253 section 11.4). */
  unimplemented(sequence: number): void {
    this.send(Unimplemented.encode({ sequence }));
  }

  /** Sends IGNORE (RFC 4253 section 11.2). */
  ignore(): void {
    this.send(Ignore.encode({ data: new Uint8Array(0) }));
  }

  /** Sends DEBUG, a text for the peer's log (RFC 4253 section 11.3). */
  debug(message: string, alwaysDisplay: boolean): void {
    this.send(Debug.encode({ alwaysDisplay, message, language: "" }));
  }

  /** Sends DISCONNECT (RFC 4253 section 11.1). Nothing is sent after it. */
  disconnect(reason: number, description: string): void {
    if (this.#disconnected) return;
    this.#disconnected = true;
    this.#end();
    this.#writer.send(Disconnect.encode({ reason, description, language: "" }));
  }

  #readVersion(reader: VersionReader, chunk: Bytes): Bytes {
    if (this.#failure !== undefined) return nothing;
    const known = reader.lines.length;
    let read: ReturnType<VersionReader["read"]>;
    try {
      read = reader.read(chunk);
    } catch (error) {
      // `next` throws the error, as it does all others.
      this.#fail(error);
    }
    for (const message of reader.lines.slice(known)) if (message !== "") this.#events.push({ type: "notice", message });
    if (read === undefined) return nothing;
    this.#versionReader = undefined;
    this.#kex.setVersions(utf8(this.#options.version), read.bytes);
    this.#tap?.identification({ direction: "received", line: read.version, size: reader.bytes });
    this.#events.push({ type: "identified", version: read.version, lines: reader.lines });
    return read.rest;
  }

  #next(): TransportEvent | undefined {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      // RFC 4253 section 11.1: no data is accepted after DISCONNECT.
      if (this.#versionReader !== undefined || this.#kex.paused || this.#disconnected) return undefined;
      const { sequence, bytes } = this.#reader;
      const payload = this.#reader.next();
      if (payload === undefined) return undefined;
      this.#tap?.packet({
        direction: "received",
        sequence,
        payload: payload.slice(),
        size: this.#reader.bytes - bytes,
      });
      if (this.#rekeyDue()) this.#rekeyNow();
      const number = payload[0] ?? 0;
      // The hot path: messages for the layers above, outside a key exchange.
      if (number >= 50 && number < 128 && !this.#kex.blocksInput && this.#kex.completed) {
        return { type: "payload", payload, sequence };
      }
      const handled = this.#handle(number, payload, sequence);
      if (handled !== undefined) return handled;
    }
  }

  #handle(number: number, payload: Bytes, sequence: number): TransportEvent | undefined {
    if (number === Disconnect.number) {
      const { reason, description } = Disconnect.decode(payload);
      this.#disconnected = true;
      this.#end();
      return { type: "disconnect", reason, description };
    }
    const range = messageRange(number);
    if (range === "kex") return this.#handleKex(number, payload);
    if (!this.#kex.completed) this.#checkStray(number);
    else if (this.#kex.blocksInput && (range !== "transport" || number > Debug.number)) {
      // RFC 4253 section 7.1: between KEXINIT and NEWKEYS a side sends only the messages 1 to 4 and 20 to 49.
      throw new SshError("protocol", `expected a key exchange message after KEXINIT, got message ${number}`);
    }
    switch (number) {
      case Ignore.number:
        return undefined;
      case Unimplemented.number:
        return { type: "unimplemented", sequence: Unimplemented.decode(payload).sequence };
      case Debug.number: {
        const { message, alwaysDisplay } = Debug.decode(payload);
        return { type: "debug", message, alwaysDisplay };
      }
      case ExtInfo.number:
        if (++this.#extInfos > Limits.extInfos) {
          throw new SshError("protocol", `expected EXT_INFO at most ${Limits.extInfos} times (RFC 8308 2.4)`);
        }
        return { type: "extInfo", ...ExtInfo.decode(payload) };
      case Ping.number:
        this.send(Pong.encode(Ping.decode(payload)));
        return undefined;
      default:
        return { type: "payload", payload, sequence };
    }
  }

  #handleKex(number: number, payload: Bytes): undefined {
    // During an exchange, the state decodes the message that it expects, which fails for any other one.
    if (this.#kex.idle && number !== KexInit.number) {
      throw new SshError("protocol", `expected KEXINIT before message ${number}`);
    }
    const wasIdle = this.#kex.idle;
    if (wasIdle && this.#kex.completed) this.#schedule.countPeerRekey();
    const event = this.#kex.receive(payload);
    if (wasIdle) this.#schedule.restart();
    if (event !== undefined) this.#emit(event);
  }

  /** Before the first NEWKEYS, a peer may send IGNORE, DEBUG and UNIMPLEMENTED. Strict kex forbids these too. */
  #checkStray(number: number): void {
    if (number < Ignore.number || number > Debug.number || this.#kex.strict) {
      throw new SshError("protocol", `expected a key exchange message, got message ${number} before the first NEWKEYS`);
    }
    if (++this.#strayMessages > Limits.strayBeforeLogin) {
      throw new SshError(
        "protocol",
        `expected at most ${Limits.strayBeforeLogin} other messages during the first key exchange`,
      );
    }
  }

  #emit(event: KexEvent): void {
    if (event.type === "resumed") {
      if (!this.#kex.completed && this.#kex.peerAcceptsExtInfo) this.#sendExtInfo();
      this.#held.flush(this.#writer);
    } else if (event.type === "keys") {
      this.#schedule.restart();
    }
    this.#events.push(event);
  }

  /** RFC 8308 section 2.4: EXT_INFO is the first message after the server's first NEWKEYS. */
  #sendExtInfo(): void {
    // As in OpenSSH, plain names stand for certificates, too.
    const { algorithms, userKeys = algorithms.hostKeys } = this.#options;
    const plain = userKeys.filter(({ readCertificate }) => readCertificate === undefined);
    const names = plain.map(({ name }) => name).join(",");
    const extensions = new Map([
      ["server-sig-algs", utf8(names)],
      ["ping@openssh.com", utf8("0")],
      // The layer above checks the host key that such a request contains.
      ["publickey-hostbound@openssh.com", utf8("0")],
    ]);
    this.#writer.send(ExtInfo.encode({ extensions }));
  }

  /** Starts a rekey during input or a tick. Input is handled right after a tick, so the schedule has the time. */
  #rekeyNow(): void {
    this.startRekey();
    this.#schedule.restart();
  }

  #rekeyDue(): boolean {
    return this.#kex.idle && this.#kex.completed && this.#schedule.isDue(this.#writer, this.#reader);
  }

  /** Overwrites secrets and frees the held output, once the connection has ended. */
  #end(): void {
    this.#kex.wipe();
    this.#held.clear();
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
