/**
 * The peer that a trace describes: one SSH connection over a socket that sends what it is told, in any state.
 * Independent of the implementations under test: `node:crypto` and nothing else.
 * @module
 */
import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from "node:crypto";
import { mpint, Reader, string } from "./bytes.mjs";
import { hostKey, otherHostKey, verifyEd25519 } from "./keys.mjs";
import { nameOf, numbers } from "./messages.mjs";
import { PacketReader, PacketWriter } from "./packets.mjs";

const x25519Prefix = Buffer.from("302a300506032b656e032100", "hex");
/** Messages that an implementation may send at any time, and that no trace waits for. */
const incidental = new Set(
  [
    "IGNORE",
    "UNIMPLEMENTED",
    "DEBUG",
    "EXT_INFO",
    "USERAUTH_BANNER",
    "GLOBAL_REQUEST",
    "CHANNEL_WINDOW_ADJUST",
    "PING",
  ].map((name) => numbers[name]),
);

/** The connection has ended. */
export class Ended extends Error {}

/** The implementation sent nothing for the time that the runner waits. */
export class Silent extends Error {}

/** The implementation sent a message that the trace does not allow. */
export class Unexpected extends Error {}

export class Peer {
  sessionId;
  theirVersion = "";
  /** whether both sides offered strict key exchange */
  strict = false;
  /** how many UNIMPLEMENTED have come */
  unimplemented = 0;
  /** the `tcpip-forward` requests of a client that are not answered yet */
  forwards = [];
  #socket;
  #role;
  #ours;
  #offersStrict;
  #timeoutMs;
  #reader = new PacketReader();
  #writer = new PacketWriter();
  #over = false;
  /** payloads that `read` returns first */
  #kept = [];
  #wake;
  #ourInit = Buffer.alloc(0);
  #theirInit = Buffer.alloc(0);
  #pending;
  #first = true;
  /** Their guessed packet, which is wrong, follows. */
  #skipGuess = false;

  constructor(socket, { role, strict, version = "SSH-2.0-trace", timeoutMs }) {
    this.#socket = socket;
    this.#role = role;
    this.#ours = version;
    this.#offersStrict = strict;
    this.#timeoutMs = timeoutMs;
    socket.on("data", (chunk) => {
      this.#reader.push(chunk);
      this.#wake?.();
    });
    for (const end of ["end", "close", "error"]) {
      socket.on(end, () => {
        this.#over = true;
        this.#wake?.();
      });
    }
  }

  /** Sends bytes that are not a packet. */
  raw(bytes) {
    if (!this.#over) this.#socket.write(bytes);
  }

  send(payload) {
    this.raw(this.#writer.seal(payload));
  }

  /** Sends a packet whose bytes `change` alters after it is sealed. */
  sendChanged(payload, change) {
    this.raw(change(this.#writer.seal(payload)));
  }

  close() {
    this.#socket.destroy();
  }

  /** Resolves with whether the implementation ends the connection in the time that the runner waits. */
  async hasEnded() {
    const none = this.#wait(() => undefined);
    return none.then(
      () => false,
      (error) => error instanceof Ended,
    );
  }

  /** Returns the next payload. @throws {Ended | Silent} */
  async read() {
    const payload = this.#kept.shift() ?? (await this.#wait(() => this.#reader.next()));
    const [number] = payload;
    if (number === numbers.DISCONNECT) throw new Ended("DISCONNECT");
    if (number === numbers.UNIMPLEMENTED) this.unimplemented++;
    // The packet after NEWKEYS has the new keys.
    if (number === numbers.NEWKEYS && this.#pending !== undefined) {
      this.#reader.setKeys(this.#pending.in, this.strict);
    }
    return payload;
  }

  /**
   * Returns the next message with one of these names. Skips what may come at any time, and answers what wants a reply.
   */
  async expect(...wanted) {
    for (;;) {
      const payload = await this.read();
      const name = nameOf(payload[0]);
      if (wanted.includes(name)) return payload;
      if (!incidental.has(payload[0] ?? 0)) throw new Unexpected(name);
      this.#incidental(payload);
    }
  }

  /** Exchanges identification lines. */
  async version({ end = "\r\n" } = {}) {
    this.raw(`${this.#ours}${end}`);
    this.theirVersion = await this.#wait(() => this.#reader.version());
  }

  /** Exchanges KEXINIT. */
  async kexInit(options = {}) {
    this.sendKexInit(options);
    this.readKexInit(await this.expect("KEXINIT"));
  }

  sendKexInit({ guess = false, lists = {}, cut = 0, again = false } = {}) {
    const marker = this.#role === "client" ? "kex-strict-c-v00@openssh.com" : "kex-strict-s-v00@openssh.com";
    const methods = "curve25519-sha256,curve25519-sha256@libssh.org";
    const kex = this.#first && this.#offersStrict ? `${methods},${marker}` : methods;
    const cipher = "aes128-ctr";
    const mac = "hmac-sha2-256";
    const none = { compressionOut: "none", compressionIn: "none" };
    const ciphers = { cipherOut: cipher, cipherIn: cipher, macOut: mac, macIn: mac };
    const all = { kex, hostKey: "ssh-ed25519", ...ciphers, ...none, ...lists };
    // The lists are ordered by direction: client to server first.
    const [up, down] = this.#role === "client" ? ["Out", "In"] : ["In", "Out"];
    const pairs = ["cipher", "mac", "compression"].flatMap((kind) => [all[kind + up], all[kind + down]]);
    const names = [all.kex, all.hostKey, ...pairs, "", ""];
    const body = names.map((list) => string(list ?? ""));
    const flags = Buffer.of(guess ? 1 : 0, 0, 0, 0, 0);
    const init = Buffer.concat([Buffer.of(numbers.KEXINIT ?? 0), randomBytes(16), ...body, flags]);
    if (!again) this.#ourInit = init;
    this.send(init.subarray(0, init.length - cut));
  }

  readKexInit(payload) {
    this.#theirInit = payload;
    const [ours, theirs] = [this.#ourInit, payload].map((init) => {
      const reader = new Reader(init.subarray(17));
      return [reader.text().split(","), reader.text().split(",")];
    });
    // RFC 4253 section 7.1: a guess is right if the first names of both lists are equal.
    const isGuess = payload.readUInt8(payload.length - 5) !== 0;
    this.#skipGuess = isGuess && [0, 1].some((list) => ours?.[list]?.[0] !== theirs?.[list]?.[0]);
    if (!this.#first) return;
    const names = theirs?.[0] ?? [];
    const marker = this.#role === "client" ? "kex-strict-s-v00@openssh.com" : "kex-strict-c-v00@openssh.com";
    this.strict = this.#offersStrict && names.includes(marker);
  }

  /**
   * Exchanges the two messages of the key exchange, and derives the keys.
   */
  async exchange({ point, signature, hostKey: choice, signer: by, reply = true } = {}) {
    const pair = generateKeyPairSync("x25519");
    const own = pair.publicKey.export({ format: "der", type: "spki" }).subarray(x25519Prefix.length);
    const ours = point === undefined ? own : Buffer.from(point, "hex");
    if (this.#skipGuess) await this.expect("KEX_ECDH_INIT", "KEX_ECDH_REPLY");
    this.#skipGuess = false;
    if (this.#role === "client") {
      this.send(Buffer.concat([Buffer.of(numbers.KEX_ECDH_INIT ?? 0), string(ours)]));
      if (!reply) return;
      const reader = new Reader((await this.expect("KEX_ECDH_REPLY")).subarray(1));
      const [blob, theirs, proof] = [reader.string(), reader.string(), new Reader(reader.string())];
      const hash = this.#agree(pair.privateKey, blob, ours, theirs);
      proof.string();
      if (!verifyEd25519(blob, hash, proof.string())) throw new Error("expected a valid signature by the host key");
      return;
    }
    const theirs = new Reader((await this.expect("KEX_ECDH_INIT")).subarray(1)).string();
    const { blob } = choice === "other" ? otherHostKey : hostKey;
    const hash = point === undefined ? this.#agree(pair.privateKey, blob, theirs, ours) : Buffer.alloc(32);
    const signer = choice === "other" || by === "other" ? otherHostKey : hostKey;
    const proof =
      signature === "empty" ? Buffer.alloc(0) : signer.sign(signature === "other hash" ? Buffer.alloc(32, 1) : hash);
    if (signature === "corrupt") proof.writeUInt8(proof.readUInt8(40) ^ 1, 40);
    this.send(Buffer.concat([Buffer.of(numbers.KEX_ECDH_REPLY ?? 0), string(blob), string(ours), string(proof)]));
  }

  /** Sends NEWKEYS and uses the new keys. */
  sendNewKeys({ keepSequence = false } = {}) {
    this.send(Buffer.of(numbers.NEWKEYS ?? 0));
    if (this.#pending === undefined) return;
    this.#writer.setKeys(this.#pending.out, this.strict && !keepSequence);
    this.#first = false;
  }

  /** Exchanges NEWKEYS. */
  async newKeys(options = {}) {
    this.sendNewKeys(options);
    await this.expect("NEWKEYS");
  }

  /** A whole key exchange that we start. Messages sent before their KEXINIT are read afterwards. */
  async rekey() {
    this.sendKexInit();
    const early = [];
    for (;;) {
      const payload = await this.read();
      if (payload[0] === numbers.KEXINIT) {
        this.readKexInit(payload);
        break;
      }
      early.push(payload);
    }
    await this.exchange();
    await this.newKeys();
    this.#kept.push(...early);
  }

  #incidental(payload) {
    const [number] = payload;
    if (number === numbers.PING) this.send(Buffer.concat([Buffer.of(numbers.PONG ?? 0), payload.subarray(1)]));
    if (number !== numbers.GLOBAL_REQUEST) return;
    const reader = new Reader(payload.subarray(1));
    const name = reader.text();
    if (reader.byte() === 0) return;
    if (name === "tcpip-forward") this.forwards.push({ address: reader.text(), port: reader.uint32() });
    else this.send(Buffer.of(numbers.REQUEST_FAILURE ?? 0));
  }

  #agree(secretKey, blob, client, server) {
    const theirs = this.#role === "client" ? server : client;
    const key = { key: Buffer.concat([x25519Prefix, theirs]), format: "der", type: "spki" };
    const shared = diffieHellman({ privateKey: secretKey, publicKey: createPublicKey(key) });
    const isClient = this.#role === "client";
    const [clientVersion, serverVersion] = isClient ? [this.#ours, this.theirVersion] : [this.theirVersion, this.#ours];
    const [clientInit, serverInit] = isClient ? [this.#ourInit, this.#theirInit] : [this.#theirInit, this.#ourInit];
    const secret = mpint(shared);
    const parts = [clientVersion, serverVersion, clientInit, serverInit, blob, client, server].map((part) =>
      string(part),
    );
    const hash = createHash("sha256")
      .update(Buffer.concat([...parts, secret]))
      .digest();
    this.sessionId ??= hash;
    const session = this.sessionId;
    const derive = (letter) =>
      createHash("sha256")
        .update(Buffer.concat([secret, hash, Buffer.from(letter), session]))
        .digest();
    const keys = (letters) => ({
      iv: derive(letters.charAt(0)).subarray(0, 16),
      key: derive(letters.charAt(1)).subarray(0, 16),
      mac: derive(letters.charAt(2)),
    });
    const [out, into] = isClient ? ["ACE", "BDF"] : ["BDF", "ACE"];
    this.#pending = { out: keys(out), in: keys(into) };
    return hash;
  }

  async #wait(take) {
    const until = Date.now() + this.#timeoutMs;
    for (;;) {
      const found = take();
      if (found !== undefined) return found;
      if (this.#over) throw new Ended("the connection was closed");
      const left = until - Date.now();
      if (left <= 0) throw new Silent(`nothing came within ${this.#timeoutMs} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
      this.#wake = undefined;
    }
  }
}
