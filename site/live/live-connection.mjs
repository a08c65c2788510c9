/** A TunnelHost and a ReverseTunnel in this tab, joined by a link whose packets the explorer delivers. @module */
import {
  fingerprint,
  generatePrivateKey,
  password,
  policy,
  ReverseTunnel,
  readPrivateKey,
  serve,
  sha256Fingerprint,
  TunnelHost,
} from "@postern/web";
import { pausableClock } from "./clock.mjs";
import { Gate } from "./gate.mjs";
import { Link } from "./link.mjs";
import { byteToBreak, PacketList, withBrokenByte } from "./packets.mjs";
import { visit } from "./visitor.mjs";

const user = "visitor-of-this-page";
/** Shown in plain text by the explorer, so it protects nothing. */
const secret = "correct horse battery staple";
/** The user may take any time between two steps. */
const dayMs = 24 * 3600 * 1000;
const serveTimeouts = {
  headerTimeoutMs: dayMs,
  keepAliveTimeoutMs: dayMs,
  idleTimeoutMs: dayMs,
  requestTimeoutMs: dayMs,
};

/** One connection, from its first byte to its end. `changed` is called after each change, `say` with each event. */
export class LiveConnection {
  title = "a connection in this tab";
  packets = new PacketList("client");
  canInteract = true;
  hasEnded = false;
  #link = new Link({ cut: (side, bytes) => this.#cut(side, bytes), changed: () => this.#gate.changed() });
  #gate = new Gate(this.#link, (piece) => this.#deliver(piece));
  #clock = pausableClock();
  #changed;
  #say;
  /** Packets that were sealed and not yet written, by their sender. */
  #sealed = { client: [], server: [] };
  #breaksNext = false;
  #host;
  #tunnel;
  #forwarding;
  #onVisitor;
  #ended = 0;

  constructor({ changed, say }) {
    this.#changed = changed;
    this.#say = say;
    this.#clock.pause();
    void this.#start().catch((error) => this.#say(`The page failed: ${error}`));
  }

  get isRunning() {
    return this.#gate.isRunning;
  }

  set delayMs(value) {
    this.#gate.delayMs = value;
  }

  /** How many packets are in flight. */
  get inFlight() {
    return this.#link.inFlight.length;
  }

  run() {
    this.#clock.resume();
    this.#gate.run();
    this.#changed();
  }

  pause() {
    this.#clock.pause();
    this.#gate.pause();
    this.#changed();
  }

  step() {
    this.pause();
    if (this.#gate.step()) return;
    const isNew = this.packets.entries.length === 0;
    this.#say(isNew ? "Both ends are starting." : "Nothing is in flight. Send a request, or exchange new keys.");
  }

  /** Changes one byte of the next packet that is delivered, and delivers it. */
  breakByte() {
    this.#breaksNext = true;
    this.#say("One byte of the next packet will be changed on its way.");
    if (!this.isRunning) this.#gate.step();
  }

  rekey() {
    const [client] = this.#host?.clients ?? [];
    if (this.#forwarding === undefined || client === undefined) this.#say("New keys can be exchanged after the login.");
    else client.rekey();
  }

  async request() {
    if (this.#forwarding === undefined) {
      this.#say("A visitor can connect once the port is open.");
      return;
    }
    this.#say("A visitor has connected and sent a request.");
    const response = await visit(this.#onVisitor);
    this.#say(response.length === 0 ? "The visitor got no response." : "The visitor got its response.", { response });
  }

  /** Ends everything that still runs. */
  stop() {
    this.hasEnded = true;
    this.#gate.run();
    this.#gate.delayMs = 0;
    void this.#tunnel?.close({ signal: AbortSignal.abort() });
    void this.#host?.close({ drainMs: 0 });
    this.#clock.restore();
  }

  async #start() {
    const hostKey = await readPrivateKey(generatePrivateKey());
    const listen = async (_hosts, port, onVisitor) => {
      this.#onVisitor = onVisitor;
      return { port, close: async () => {} };
    };
    this.#host = new TunnelHost({
      hostKeys: [hostKey],
      authorize: policy({ [user]: { password: secret } }),
      keepAlive: { intervalMs: 0 },
      limits: { loginTimeoutMs: dayMs },
      listen,
      tap: () => this.#tapOf("server"),
    });
    this.#host.addEventListener("clientclosed", ({ reason }) => this.#endOf("server", reason));
    this.#tunnel = new ReverseTunnel({
      host: "this.tab.example",
      user,
      auth: password(secret),
      hostKey: fingerprint(sha256Fingerprint(hostKey.publicKey)),
      keepAlive: { intervalMs: 0 },
      reconnect: { mode: "never" },
      loginTimeoutMs: dayMs,
      dial: async () => {
        const [ours, theirs] = this.#link.ends;
        void this.#host.serve(theirs);
        return ours;
      },
      tap: () => this.#tapOf("client"),
    });
    this.#tunnel.closed.then(
      () => this.#endOf("client", undefined),
      (error) => this.#endOf("client", error),
    );
    // Its error is that of `closed`.
    await this.#forward().catch(() => {});
  }

  async #forward() {
    await this.#tunnel.connect();
    const listener = await this.#tunnel.listen({ port: 8080 });
    serve(listener, answer, serveTimeouts);
    this.#forwarding = listener;
    this.#say("The tunnel is open: port 8080 of the host leads to this page.", { isOpen: true });
    await this.request();
  }

  /** A packet is listed when its sender has sealed it. Both sides see the same packets, so one list is enough. */
  #tapOf(side) {
    const listed = (entry) => {
      this.#sealed[side].push(entry);
      this.#changed();
    };
    return {
      identification: (line) => {
        if (line.direction === "sent") listed(this.packets.addLine(side, line));
      },
      packet: (packet) => {
        if (packet.direction === "sent") listed(this.packets.addPacket(side, packet));
      },
      secretKeys: (keys) => {
        if (keys.direction === "sent") this.packets.addKeys(side, keys);
      },
    };
  }

  /** Cuts a write into the packets that were sealed since the last one. */
  #cut(side, bytes) {
    let at = 0;
    return this.#sealed[side].splice(0).map((record) => {
      record.wire = bytes.slice(at, at + record.size);
      at += record.size;
      return { record, bytes: record.wire };
    });
  }

  #deliver(piece) {
    const { record } = piece;
    record.state = "delivered";
    if (this.#breaksNext) {
      this.#breaksNext = false;
      record.state = "broken";
      record.broken = byteToBreak(record);
      record.wire = withBrokenByte(record.wire, record.broken);
    }
    this.#link.deliver(piece, record.wire);
    this.#changed(record);
  }

  #endOf(side, error) {
    this.#forwarding = undefined;
    const what = error === undefined ? "ended as agreed" : `${error.code}: ${error.message}`;
    this.#say(`The ${side} has closed the connection: ${what}`, { refusal: error && { side, error } });
    if (++this.#ended === 2) {
      this.hasEnded = true;
      for (const { record } of this.#link.inFlight) record.state = "lost";
      this.#clock.restore();
    }
    this.#changed();
  }
}

/** The program behind the tunnel. */
function answer(request) {
  const { pathname } = new URL(request.url);
  return new Response(`Hello from this tab. You asked for ${pathname}\n`, {
    headers: { "content-type": "text/plain" },
  });
}
