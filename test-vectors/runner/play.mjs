/** Plays one trace on one connection, and returns what the implementation did. @module */
import { connect } from "node:net";
import { Reader, string, uint32 } from "./bytes.mjs";
import { otherUserKey, userKey } from "./keys.mjs";
import { nameOf, numbers } from "./messages.mjs";
import { Ended, Peer, Silent, Unexpected } from "./peer.mjs";

/** Reactions to a message that does not fit the state. Other reactions have the name of the message that answers. */
const reactions = ["disconnect", "unimplemented", "ignored"];

const opposite = { client: "server", server: "client" };

/** Steps of the first key exchange and of each later one. */
const kexSteps = ["kexinit", "exchange", "keys"];

/** The states of a connection in the order in which they are reached, by the role under test. */
export const states = {
  server: ["connected", "version", "kexinit", "exchange", "keys", "service", "authenticated", "channel"],
  client: [
    "connected",
    "version",
    "kexinit",
    "exchange",
    "keys",
    "service",
    "request",
    "authenticated",
    "forwarding",
    "channel",
  ],
};

/**
 * Plays a trace on a socket that is connected to the implementation in that role. Returns undefined if the
 * trace passed, otherwise a text with the expected reaction and the one that came.
 */
export async function play(socket, role, trace, context) {
  const { strict = true, version, steps } = trace;
  const options = { role: opposite[role], strict, timeoutMs: context.timeoutMs };
  const peer = new Peer(socket, version === undefined ? options : { ...options, version });
  const script = new Script(peer, role, context);
  try {
    await script.reach(trace.state);
  } catch (error) {
    script.close();
    return `expected to reach the state ${trace.state}, got: ${describe(error)}`;
  }
  try {
    for (const step of steps) {
      if ("expect" in step) {
        const outcome = await script.outcome(step.expect);
        if (!step.expect.includes(outcome)) return `expected ${step.expect.join(" or ")}, got ${outcome}`;
      } else if ("do" in step) await script.perform(step.do, step.options ?? {});
      else if ("raw" in step) peer.raw(fromHex(step.raw));
      else script.send(step);
    }
    return undefined;
  } catch (error) {
    return `expected the trace to go on, got: ${describe(error)}`;
  } finally {
    script.close();
  }
}

/**
 * Returns whether the implementation offers strict key exchange.
 */
export async function offersStrictKex(socket, role, timeoutMs) {
  const peer = new Peer(socket, { role: opposite[role], strict: true, timeoutMs });
  try {
    await peer.version();
    await peer.kexInit();
    return peer.strict;
  } finally {
    peer.close();
  }
}

function fromHex(hex) {
  return Buffer.from(
    hex.replaceAll(/\{([0-9a-f]{2})\*(\d+)\}/g, (_, byte, count) => byte.repeat(Number(count))),
    "hex",
  );
}

function describe(error) {
  if (error instanceof Unexpected) return error.message;
  if (error instanceof Ended) return `disconnect (${error.message})`;
  return error instanceof Error ? error.message : String(error);
}

class Script {
  #peer;
  #role;
  #context;
  #state = "connected";
  #unimplemented = 0;
  #nextChannel = 0;
  /** role server: the port that the server forwards */
  #port;
  #visitors = [];
  /** how far a rekey is that we have begun */
  #rekeying;
  /** their channel numbers, in the order of opening */
  #theirs = [];

  constructor(peer, role, context) {
    this.#peer = peer;
    this.#role = role;
    this.#context = context;
  }

  /** Performs the correct steps up to a state. */
  async reach(name) {
    const state = name === "forwardable" ? (this.#role === "client" ? "forwarding" : "authenticated") : name;
    const order = states[this.#role];
    const target = order.indexOf(state);
    if (target < 0) throw new Error(`expected one of the states ${order.join(", ")}, got ${state}`);
    for (let at = order.indexOf(this.#state) + 1; at <= target; at++) await this.perform(order[at] ?? "", {});
  }

  send({ payload, corrupt, repeat = 1 }) {
    const filled = payload.replaceAll(/\{(\w+)\}/g, (_, name) => this.#value(name).toString("hex"));
    const bytes = fromHex(filled);
    for (let count = 1; count < repeat; count++) this.#peer.send(bytes);
    if (corrupt === undefined) return this.#peer.send(bytes);
    this.#peer.sendChanged(bytes, (packet) => {
      const at = corrupt < 0 ? packet.length + corrupt : corrupt;
      packet.writeUInt8(packet.readUInt8(at) ^ 1, at);
      return packet;
    });
  }

  async outcome(allowed) {
    const peer = this.#peer;
    const before = this.#unimplemented;
    try {
      const answers = allowed.filter((one) => !reactions.includes(one));
      if (answers.length === 0 || allowed.includes("ignored") || allowed.includes("unimplemented")) {
        await this.#goOn();
        this.#unimplemented = peer.unimplemented;
        return peer.unimplemented > before ? "unimplemented" : "ignored";
      }
      const payload = await peer.expect(...answers);
      return nameOf(payload[0]);
    } catch (error) {
      if (error instanceof Ended) return "disconnect";
      if (error instanceof Unexpected) return error.message;
      if (error instanceof Silent) return "silent";
      // Text in place of packets may precede the end.
      return (await peer.hasEnded()) ? "disconnect" : `a broken packet (${describe(error)})`;
    }
  }

  /**
   * Performs a correct step.
   */
  async perform(name, options) {
    const step = this.#steps[name];
    if (step === undefined) throw new Error(`expected a known step, got ${name}`);
    await step(options);
    const order = states[this.#role];
    if (order.indexOf(this.#state) >= order.indexOf("keys")) this.#noteRekey(name);
    if (order.includes(name) && !kexSteps.includes(name)) this.#state = name;
    else if (order.indexOf(this.#state) < order.indexOf("keys") && order.includes(name)) this.#state = name;
  }

  #noteRekey(name) {
    if (name === "sendKexInit" || name === "kexinit") this.#rekeying = "kexinit";
    else if (name === "exchange") this.#rekeying = "exchange";
    else if (name === "keys") this.#rekeying = undefined;
  }

  /** Shows that the connection lives: continues correctly to the end of the login, then to the reply of a request. */
  async #goOn() {
    const order = states[this.#role];
    if (this.#rekeying === "kexinit") await this.perform("exchange", {});
    if (this.#rekeying === "exchange") await this.perform("keys", {});
    if (order.indexOf(this.#state) < order.indexOf("authenticated")) await this.reach("authenticated");
    await this.#probe({ data: true });
  }

  #steps = {
    version: () => this.#peer.version(),
    versionLine: async (options) => {
      await this.#peer.version(options);
      this.#state = "version";
    },
    kexinit: (options) => this.#peer.kexInit(options),
    sendKexInit: (options) => this.#peer.sendKexInit(options),
    readKexInit: async () => this.#peer.readKexInit(await this.#peer.expect("KEXINIT")),
    skip: (options) => this.#skip(options),
    exchange: (options) => this.#peer.exchange(options),
    keys: (options) => this.#peer.newKeys(options),
    sendNewKeys: (options) => this.#peer.sendNewKeys(options),
    readNewKeys: () => this.#peer.expect("NEWKEYS"),
    rekey: () => this.#peer.rekey(),
    service: () => this.#service(),
    request: () => this.#request(),
    login: (options) => this.#sendLogin(options),
    authenticated: () => this.#authenticate(),
    forwarding: () => this.#acceptForward(),
    channel: (options) => this.#open(options),
    echo: (options) => this.#echo(options),
    echoRest: (options) => this.#echoRest(options),
    nothing: () => this.#probe({}),
    overrun: (options) => this.#overrun(options),
    drain: () => this.#drain(),
    refusedChannels: (options) => this.#refusedChannels(options),
    probe: () => this.#probe({}),
    close: () => this.#close(),
  };

  async #service() {
    const name = string("ssh-userauth");
    if (this.#role === "client") {
      await this.#peer.expect("SERVICE_REQUEST");
      return this.#message("SERVICE_ACCEPT", name);
    }
    this.#message("SERVICE_REQUEST", name);
    await this.#peer.expect("SERVICE_ACCEPT");
  }

  /** Role client: answers until the client has sent a signed request, and leaves that one unanswered. */
  async #request() {
    for (;;) {
      const reader = new Reader((await this.#peer.expect("USERAUTH_REQUEST")).subarray(1));
      reader.text();
      reader.text();
      const method = reader.text();
      if (!method.startsWith("publickey")) {
        this.#message("USERAUTH_FAILURE", string("publickey"), Buffer.of(0));
        continue;
      }
      if (reader.byte() !== 0) return;
      this.#message("USERAUTH_PK_OK", string(reader.string()), string(reader.string()));
    }
  }

  async #authenticate() {
    if (this.#role === "client") return this.#message("USERAUTH_SUCCESS");
    this.#sendLogin({});
    await this.#peer.expect("USERAUTH_SUCCESS");
  }

  /** Role server: sends a request with a signature. */
  #sendLogin({ key, signature, query = false, user = this.#context.user }) {
    const pair = key === "other" ? otherUserKey : userKey;
    const request = Buffer.concat([
      Buffer.of(numbers.USERAUTH_REQUEST ?? 0),
      string(user),
      string("ssh-connection"),
      string("publickey"),
      Buffer.of(query ? 0 : 1),
      string("ssh-ed25519"),
      string(pair.blob),
    ]);
    if (query) return this.#peer.send(request);
    const session = signature === "other session" ? Buffer.alloc(32) : (this.#peer.sessionId ?? Buffer.alloc(0));
    const proof = pair.sign(Buffer.concat([string(session), request]));
    if (signature === "corrupt") proof.writeUInt8(proof.readUInt8(40) ^ 1, 40);
    this.#peer.send(Buffer.concat([request, string(proof)]));
  }

  /** Role client: accepts the port that the client requests. */
  async #acceptForward() {
    while (this.#peer.forwards.length === 0)
      await this.#peer.expect("GLOBAL_REQUEST").then((payload) => this.#noteForward(payload));
    this.#message("REQUEST_SUCCESS", this.#peer.forwards[0]?.port === 0 ? uint32(4711) : Buffer.alloc(0));
  }

  #noteForward(payload) {
    const reader = new Reader(payload.subarray(1));
    const name = reader.text();
    const wantReply = reader.byte() !== 0;
    if (name === "tcpip-forward") this.#peer.forwards.push({ address: reader.text(), port: reader.uint32() });
    else if (wantReply) this.#message("REQUEST_FAILURE");
  }

  /**
   * A channel whose other end returns what it receives. A client under test connects it to the echo service; a server
   * under test opens it for a visitor of ours that does the same.
   */
  async #open({ window = 0x200000, maxPacket = 0x8000 }) {
    if (this.#role === "client") {
      this.#peer.send(this.#channelOpen(window, maxPacket));
      const reader = new Reader((await this.#peer.expect("CHANNEL_OPEN_CONFIRMATION")).subarray(1));
      reader.uint32();
      this.#theirs.push(reader.uint32());
      return;
    }
    this.#port ??= await this.#requestPort();
    const visitor = connect({ port: this.#port, host: "127.0.0.1", allowHalfOpen: true });
    visitor.on("error", () => {}).pipe(visitor);
    this.#visitors.push(visitor);
    const reader = new Reader((await this.#peer.expect("CHANNEL_OPEN")).subarray(1));
    reader.text();
    const theirs = reader.uint32();
    this.#theirs.push(theirs);
    const ours = uint32(this.#nextChannel++);
    this.#message("CHANNEL_OPEN_CONFIRMATION", uint32(theirs), ours, uint32(window), uint32(maxPacket));
  }

  /** Role server: has a port forwarded. */
  async #requestPort() {
    this.#message("GLOBAL_REQUEST", string("tcpip-forward"), Buffer.of(1), string("localhost"), uint32(0));
    return new Reader((await this.#peer.expect("REQUEST_SUCCESS")).subarray(1)).uint32();
  }

  /** Ends the connection and its visitors. */
  close() {
    this.#peer.close();
    for (const visitor of this.#visitors) visitor.destroy();
  }

  /** CHANNEL_OPEN to the echo service: `direct-tcpip` of a client, `forwarded-tcpip` of a server (RFC 4254 section 7). */
  #channelOpen(window = 0x200000, maxPacket = 0x8000) {
    const { address = "localhost", port = 0 } = this.#peer.forwards[0] ?? {};
    const isDirect = this.#role === "server";
    const destination = isDirect ? ["127.0.0.1", this.#context.echoPort] : [address, port === 0 ? 4711 : port];
    return Buffer.concat([
      Buffer.of(numbers.CHANNEL_OPEN ?? 0),
      string(isDirect ? "direct-tcpip" : "forwarded-tcpip"),
      uint32(this.#nextChannel++),
      uint32(window),
      uint32(maxPacket),
      string(String(destination[0])),
      uint32(Number(destination[1])),
      string("127.0.0.1"),
      uint32(4712),
    ]);
  }

  /** Sends data on the last channel, and waits until it has come back. */
  async #echo({ size = 100 }) {
    this.#message("CHANNEL_DATA", this.#value("theirs"), string(Buffer.alloc(size, "e")));
    await this.#echoRest({ size });
  }

  /**
   * Reads so many bytes of CHANNEL_DATA.
   */
  async #echoRest({ size, exactly = false, maxPacket = 0x8000 }) {
    let left = size;
    while (left > 0) {
      const { length } = new Reader((await this.#peer.expect("CHANNEL_DATA")).subarray(5)).string();
      if (length > maxPacket) throw new Error(`expected at most ${maxPacket} bytes in a packet, got ${length}`);
      left -= length;
    }
    if (left < 0) throw new Error(`expected ${size} bytes, got ${size - left}`);
    if (exactly) await this.#probe({});
  }

  /** Sends more data than the window permits. */
  #overrun({ bytes }) {
    const chunk = string(Buffer.alloc(0x7000, "o"));
    for (let sent = 0; sent < bytes; sent += 0x7000) this.#message("CHANNEL_DATA", this.#value("theirs"), chunk);
  }

  /** Reads messages of one name until none comes. */
  async #skip({ message }) {
    try {
      for (;;) await this.#peer.expect(message);
    } catch (error) {
      if (!(error instanceof Ended || error instanceof Silent)) throw error;
    }
  }

  /** Waits until the implementation closes the channel or the connection. */
  async #drain() {
    try {
      while (nameOf((await this.#peer.expect("CHANNEL_DATA", "CHANNEL_EOF", "CHANNEL_CLOSE"))[0]) !== "CHANNEL_CLOSE");
      this.#message("CHANNEL_CLOSE", this.#value("theirs"));
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
    }
  }

  /** Opens channels of an unknown type, a hundred at a time. */
  async #refusedChannels({ count }) {
    for (let left = count; left > 0; left -= 100) {
      for (let i = 0; i < 100; i++) {
        this.#message(
          "CHANNEL_OPEN",
          string("no-such-channel@example.com"),
          uint32(1000 + i),
          uint32(100),
          uint32(100),
        );
      }
      for (let i = 0; i < 100; i++) await this.#peer.expect("CHANNEL_OPEN_FAILURE");
    }
  }

  /** A request whose reply shows that the connection lives. */
  async #probe({ data = false }) {
    this.#message("GLOBAL_REQUEST", string("probe@example.com"), Buffer.of(1));
    const ofChannels = data ? ["CHANNEL_DATA", "CHANNEL_EOF", "CHANNEL_CLOSE"] : [];
    for (;;) {
      const payload = await this.#peer.expect("REQUEST_FAILURE", "REQUEST_SUCCESS", ...ofChannels);
      // A longer one answers the request for a port.
      if (payload.length === 1) return;
    }
  }

  async #close() {
    this.#message("CHANNEL_CLOSE", this.#value("theirs"));
    while (nameOf((await this.#peer.expect("CHANNEL_DATA", "CHANNEL_EOF", "CHANNEL_CLOSE"))[0]) !== "CHANNEL_CLOSE");
  }

  /** A value in a payload that depends on the connection. */
  #value(name) {
    const theirs = /^theirs(\d*)$/.exec(name);
    if (theirs !== null)
      return uint32(this.#theirs[theirs[1] === "" ? this.#theirs.length - 1 : Number(theirs[1])] ?? 0);
    if (name === "user") return string(this.#context.user);
    if (name === "open") return this.#channelOpen();
    throw new Error(`expected the name of a value, got ${name}`);
  }

  #message(name, ...parts) {
    this.#peer.send(Buffer.concat([Buffer.of(numbers[name] ?? 0), ...parts]));
  }
}
