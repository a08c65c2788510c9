/** The protocol explorer: its controls, the table of packets and the details of one of them. @module */
import { make } from "./dom.mjs";
import { keyFacts, packetDetails } from "./packet-details.mjs";
import { PacketTable } from "./packet-table.mjs";

const speeds = [
  [500, "2 packets per second"],
  [100, "10 packets per second"],
  [0, "as fast as possible"],
];

/**
 * Fills an element with the explorer. `transcripts` is the URL of the folder with the recordings. Returns a function
 * that ends it.
 */
export function mountExplorer(element, { transcripts }) {
  const explorer = new Explorer(element, transcripts);
  return () => explorer.end();
}

class Explorer {
  #transcripts;
  #source;
  /** counts starts and ends, so that one that is still loading notices a later one */
  #starts = 0;
  #chosen;
  #follows = true;
  #table = new PacketTable((entry) => this.#choose(entry, false));
  #status = make("p", { role: "status", class: "status" }, "Nothing has started. Start runs a connection in this tab.");
  #refusals = make("ul", { class: "refusals", "aria-label": "Refusals" });
  #details = make("section", { class: "details", "aria-label": "Details of a packet" });
  #keys = make("div");
  #response = make("pre", { tabindex: 0, role: "region", "aria-label": "Response to the visitor" }, "none yet");
  #what = make(
    "select",
    { id: "explorer-what", change: () => this.#end() },
    new Option("a connection in this tab", ""),
  );
  #speed = make("select", { id: "explorer-speed", change: () => this.#setSpeed() });
  #buttons = {
    start: this.#button("Start", () => this.#start(true)),
    pause: this.#button("Pause", () => this.#source.pause()),
    continue: this.#button("Continue", () => this.#source.run()),
    step: this.#button("Step", () => this.#step()),
    break: this.#button("Break a byte", () => this.#break()),
    rekey: this.#button("New keys", () => this.#source.rekey()),
    request: this.#button("Send a request", () => void this.#source.request()),
  };

  constructor(element, transcripts) {
    this.#transcripts = transcripts;
    this.#speed.append(...speeds.map(([ms, text]) => new Option(text, String(ms))));
    this.#speed.value = "100";
    const chosen = (id, text, select) => make("div", {}, make("label", { for: id }, text), select);
    const form = make(
      "div",
      { class: "choices" },
      chosen("explorer-what", "Show", this.#what),
      chosen("explorer-speed", "Speed", this.#speed),
    );
    const controls = make(
      "div",
      { class: "controls", role: "group", "aria-label": "Controls" },
      ...Object.values(this.#buttons),
    );
    const more = make(
      "div",
      { class: "more" },
      make("details", {}, make("summary", {}, "Keys in use"), this.#keys),
      make("details", {}, make("summary", {}, "Response to the visitor"), this.#response),
    );
    const side = make("div", { class: "side" }, this.#table.element, more);
    const view = make("div", { class: "view" }, side, this.#details);
    element.replaceChildren(make("div", { class: "explorer" }, form, controls, this.#status, this.#refusals, view));
    this.#showDetails();
    this.#update();
    void this.#listTranscripts();
  }

  end() {
    this.#starts++;
    this.#source?.stop();
    this.#source = undefined;
  }

  async #listTranscripts() {
    const response = await fetch(new URL("index.json", this.#transcripts));
    for (const { file, title } of await response.json()) this.#what.append(new Option(`recorded: ${title}`, file));
  }

  /** Starts what is chosen. Resolves when the first packet can be delivered. */
  async #start(runs) {
    this.#end();
    const file = this.#what.value;
    // Both ends, and the parts that replay a recording, are loaded when they are needed.
    const start = this.#starts;
    const isCurrent = () => start === this.#starts;
    const context = {
      changed: (entry) => isCurrent() && this.#changed(entry),
      say: (text, more) => isCurrent() && this.#say(text, more),
    };
    const load = file === "" ? loadLive : () => loadReplay(new URL(file, this.#transcripts));
    const create = await load();
    if (!isCurrent()) return;
    this.#source = create(context);
    this.#setSpeed();
    if (runs) this.#source.run();
    this.#say(`${runs ? "Started" : "Started, and paused"}: ${this.#source.title}.`);
    this.#update();
  }

  async #step() {
    if (this.#source === undefined) await this.#start(false);
    this.#source?.step();
  }

  async #break() {
    if (this.#source === undefined) await this.#start(false);
    this.#source?.breakByte();
  }

  /** Ends what is shown, and clears the page. */
  #end() {
    this.end();
    this.#chosen = undefined;
    this.#follows = true;
    this.#table.clear();
    this.#refusals.replaceChildren();
    this.#response.textContent = "none yet";
    this.#status.textContent = "Nothing has started.";
    this.#showDetails();
    this.#update();
  }

  #setSpeed() {
    if (this.#source !== undefined) this.#source.delayMs = Number(this.#speed.value);
  }

  /** A packet was sent, or `entry` was delivered. */
  #changed(entry) {
    const source = this.#source;
    if (source === undefined) return;
    if (entry !== undefined) {
      if (!source.isRunning) this.#say(deliveryOf(entry));
      // The details follow the connection until the reader chooses another packet.
      if (this.#follows || !source.isRunning || entry.state === "broken") this.#choose(entry, true);
    }
    this.#update();
  }

  #choose(entry, follows) {
    this.#follows = follows;
    this.#chosen = entry;
    this.#table.choose(entry);
    this.#showDetails();
  }

  /**
   * Announces an event. A refusal and a response are shown besides.
   *
   * @param {string} text
   * @param {{ refusal?: { side: string, error: import("@postern/web").SshError }, response?: string }} [more]
   */
  #say(text, { refusal, response } = {}) {
    this.#status.textContent = text;
    if (refusal !== undefined) {
      const { side, error } = refusal;
      this.#refusals.append(make("li", {}, `The ${side}: `, make("code", {}, error.code), ` ${error.message}`));
    }
    if (response !== undefined) this.#response.textContent = response === "" ? "no response" : response;
    this.#update();
  }

  #showDetails() {
    const entry = this.#chosen;
    const parts =
      entry === undefined
        ? [make("p", {}, "Choose a packet to see its fields, its bytes and its keys.")]
        : packetDetails(entry, this.#source.packets);
    this.#details.replaceChildren(...parts);
  }

  #update() {
    const source = this.#source;
    const isOver = source === undefined || source.hasEnded;
    const enable = (name, isEnabled) => {
      // Unlike `disabled`, this keeps the focus on a button.
      this.#buttons[name].setAttribute("aria-disabled", String(!isEnabled));
    };
    enable("start", true);
    enable("pause", !isOver && source.isRunning);
    enable("continue", !isOver && !source.isRunning);
    enable("step", source === undefined || !source.hasEnded || source.inFlight > 0);
    enable("break", source === undefined || !isOver);
    enable("rekey", !isOver && source.canInteract);
    enable("request", !isOver && source.canInteract);
    if (source === undefined) {
      this.#keys.replaceChildren(make("p", {}, "None."));
      return;
    }
    const { packets } = source;
    this.#table.show(packets);
    const keysOf = (side) => [
      make("p", { class: "title" }, side === "client" ? "Client to server" : "Server to client"),
      keyFacts(packets.keys.get(side)),
    ];
    this.#keys.replaceChildren(...keysOf("client"), ...keysOf("server"));
  }

  #button(text, press) {
    const click = ({ currentTarget }) => {
      if (currentTarget.getAttribute("aria-disabled") !== "true") press();
    };
    return make("button", { type: "button", click }, text);
  }
}

/** Returns a function that starts a connection in this tab. */
async function loadLive() {
  const { LiveConnection } = await import("./live-connection.mjs");
  return (context) => new LiveConnection(context);
}

/** Returns a function that replays a recording. */
async function loadReplay(url) {
  const [{ Replay }, transcript] = await Promise.all([
    import("./replay.mjs"),
    fetch(url).then((response) => response.json()),
  ]);
  return (context) => new Replay(transcript, context);
}

function deliveryOf({ number, from, description, state }) {
  const name = description?.name ?? "identification line";
  return `${number}: ${name} from the ${from} ${state === "broken" ? "was delivered with one changed byte" : "was delivered"}.`;
}
