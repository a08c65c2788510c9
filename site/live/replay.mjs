/** A recorded session, replayed through the machines of Postern. @module */
import { bytesOf, Player } from "@postern/testkit/portable";
import { byteToBreak, PacketList, withBrokenByte } from "./packets.mjs";

/** One recording. Each step shows its next packet. `changed` and `say` are as for a live connection. */
export class Replay {
  canInteract = false;
  delayMs = 100;
  isRunning = false;
  #transcript;
  #changed;
  #say;
  /** all packets; those that are shown are in `packets` */
  #all;
  #refusal;
  #shown = 0;
  #timer;

  constructor(transcript, { changed, say }) {
    this.#transcript = transcript;
    this.#changed = changed;
    this.#say = say;
    const { comment, role, peer } = transcript;
    this.title = `${comment}, recorded with ${peer} as the ${role === "client" ? "server" : "client"}`;
    this.#play(bytesOf(transcript).input);
  }

  /** The list as far as it is shown. */
  get packets() {
    const shown = Object.create(this.#all);
    return Object.assign(shown, { entries: this.#all.entries.slice(0, this.#shown) });
  }

  get inFlight() {
    return this.#all.entries.length - this.#shown;
  }

  get hasEnded() {
    return this.inFlight === 0;
  }

  run() {
    this.isRunning = true;
    this.#tick();
    this.#changed();
  }

  pause() {
    this.isRunning = false;
    clearTimeout(this.#timer);
    this.#changed();
  }

  step() {
    this.pause();
    this.#next();
  }

  /** Changes one byte of the next packet that comes from the peer, and replays the session with it. */
  breakByte() {
    this.pause();
    const next = this.#all.entries.find(({ from, number }) => from !== this.#transcript.role && number > this.#shown);
    if (next === undefined) {
      this.#say("No packet of the peer is left.");
      return;
    }
    const offset = byteToBreak(next);
    this.#play(withBrokenByte(bytesOf(this.#transcript).input, next.at + offset));
    const broken = this.#all.addBroken(next, offset);
    this.#shown = broken.number - 1;
    this.#next();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /** Feeds the input to a new machine, and lists the packets that it sees until it is done or refuses one. */
  #play(input) {
    const { role } = this.#transcript;
    const all = new RecordedList(role);
    this.#all = all;
    this.#refusal = undefined;
    const player = new Player(this.#transcript, all.tap());
    try {
      player.take();
      player.receive(input);
    } catch (error) {
      this.#refusal = { side: role, error };
      // Packets that were sealed before it.
      player.take();
    }
    all.cut({ input, output: player.out });
  }

  #next() {
    if (this.inFlight === 0) return;
    const entry = this.#all.entries[this.#shown++];
    if (this.hasEnded) this.isRunning = false;
    this.#changed(entry);
    if (!this.hasEnded) return;
    const { side, error } = this.#refusal ?? {};
    const what =
      error === undefined ? "The recording has ended." : `The ${side} has refused it: ${error.code}: ${error.message}`;
    this.#say(what, { refusal: this.#refusal });
  }

  #tick() {
    if (!this.isRunning) return;
    this.#next();
    this.#timer = setTimeout(() => this.#tick(), this.delayMs);
  }
}

/** A list with the place of each packet in the recorded bytes. */
class RecordedList extends PacketList {
  #role;
  #at = { client: 0, server: 0 };

  constructor(role) {
    super(role);
    this.#role = role;
  }

  tap() {
    const peer = this.#role === "client" ? "server" : "client";
    const from = (direction) => (direction === "sent" ? this.#role : peer);
    const placed = (entry) => {
      Object.assign(entry, { at: this.#at[entry.from], state: "delivered" });
      this.#at[entry.from] += entry.size;
    };
    return {
      identification: (line) => placed(this.addLine(from(line.direction), line)),
      packet: (packet) => placed(this.addPacket(from(packet.direction), packet)),
      secretKeys: (keys) => this.addKeys(from(keys.direction), keys),
    };
  }

  /** Adds the bytes on the wire. */
  cut({ input, output }) {
    for (const entry of this.entries) {
      const stream = entry.from === this.#role ? output : input;
      entry.wire = stream.slice(entry.at, entry.at + entry.size);
    }
  }

  /** Shows a packet that the machine refused: it never saw its content. */
  addBroken(original, offset) {
    const seen = this.entries.find(({ from, at }) => from === original.from && at === original.at);
    const wire = withBrokenByte(original.wire, offset);
    const broken = { ...original, wire, state: "broken", broken: offset };
    if (seen !== undefined) return Object.assign(seen, { state: "broken", broken: offset });
    broken.number = this.entries.length + 1;
    this.entries.push(broken);
    return broken;
  }
}
