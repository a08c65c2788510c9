/** The table of packets. The buttons in its first column choose one; the arrow keys move between them. @module */
import { make, sectionLink } from "./dom.mjs";

/** The names of the columns, and their classes. Narrow screens leave out those of the class `wide`. */
const columns = [
  ["No.", ""],
  ["From", ""],
  ["Message", "message"],
  ["State", ""],
  ["Section", "wide"],
  ["Channel", "wide"],
  ["Window", "wide"],
  ["Seq.", "wide number"],
  ["Bytes", "wide number"],
];

export class PacketTable {
  element;
  #body = make("tbody", { keydown: (event) => this.#move(event) });
  #region;
  #chosen;
  #choose;
  #rows = [];

  /** @param {(entry: import("./packets.mjs").Entry) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    const head = columns.map(([name, classes]) => make("th", { scope: "col", class: classes }, name));
    const caption = make("caption", { class: "hidden" }, "Packets in the order in which they were sent");
    const table = make("table", {}, caption, make("thead", {}, make("tr", {}, ...head)), this.#body);
    this.#region = make("div", { class: "packets", tabindex: 0, role: "region", "aria-label": "Packets" }, table);
    this.element = this.#region;
  }

  /** Shows the entries of a list. Rows that did not change stay as they are. */
  show(list) {
    if (list.entries.length < this.#rows.length) this.clear();
    for (const [index, entry] of list.entries.entries()) {
      const known = this.#rows[index];
      if (known?.entry === entry && known.state === entry.state) continue;
      const row = { entry, state: entry.state, element: this.#row(entry, list) };
      if (known === undefined) this.#body.append(row.element);
      else known.element.replaceWith(row.element);
      this.#rows[index] = row;
    }
    this.#mark();
  }

  clear() {
    this.#rows = [];
    this.#chosen = undefined;
    this.#body.replaceChildren();
  }

  /** Marks an entry as the one whose details are shown, and scrolls to it within the table. */
  choose(entry) {
    this.#chosen = entry;
    this.#mark();
    const row = this.#rows.find((one) => one.entry === entry)?.element;
    if (row === undefined) return;
    const [top, height] = [row.offsetTop, this.#region.clientHeight];
    const headHeight = this.#region.querySelector("thead").offsetHeight;
    if (top - headHeight < this.#region.scrollTop) this.#region.scrollTop = top - headHeight;
    else if (top + row.offsetHeight > this.#region.scrollTop + height)
      this.#region.scrollTop = top + row.offsetHeight - height;
  }

  #row(entry, list) {
    const { number, from, sequence, description, line, size, state } = entry;
    const name = description?.name ?? "identification";
    const about = description?.about;
    const button = make(
      "button",
      { type: "button", "aria-label": `${number}: ${name}`, click: () => this.#choose(entry) },
      String(number),
    );
    const cells = [
      make("th", { scope: "row" }, button),
      from === "client" ? "client →" : "← server",
      make("span", {}, make("strong", {}, ...breakable(name)), about ? ` ${about}` : line ? ` ${line}` : ""),
      state,
      line === undefined ? sectionLink(description?.section) : sectionLink(versionExchange),
      bothSides(list.bySide(description?.channel)),
      bothSides(list.bySide(description?.windows)),
      sequence ?? "–",
      size,
    ];
    const row = make("tr", { class: `${from} ${state.replace(" ", "-")}`, click: () => this.#choose(entry) });
    for (const [index, cell] of cells.entries()) {
      row.append(
        index === 0 ? cell : make("td", { class: columns[index][1] }, cell instanceof Node ? cell : String(cell)),
      );
    }
    return row;
  }

  #mark() {
    const chosen = this.#rows.findIndex(({ entry }) => entry === this.#chosen);
    for (const [index, { element }] of this.#rows.entries()) {
      element.toggleAttribute("data-chosen", index === chosen);
      const button = element.querySelector("button");
      button.setAttribute("aria-pressed", String(index === chosen));
      // One stop for the tab key; the arrows move on from it.
      button.tabIndex = index === Math.max(chosen, 0) ? 0 : -1;
    }
  }

  #move(event) {
    const at = this.#rows.findIndex(({ entry }) => entry === this.#chosen);
    const last = this.#rows.length - 1;
    const to = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#choose(this.#rows[to].entry);
    this.#rows[to].element.querySelector("button").focus({ preventScroll: true });
  }
}

/** The parts of a message's name, which may be broken after each underscore. */
function breakable(name) {
  return name.split("_").flatMap((part, index) => (index === 0 ? [part] : ["_", make("wbr"), part]));
}

export const versionExchange = {
  document: "RFC 4253",
  section: "4.2",
  url: "https://www.rfc-editor.org/rfc/rfc4253#section-4.2",
};

export function bothSides(values) {
  if (values === undefined) return "";
  return `${values.client ?? "?"} / ${values.server ?? "?"}`;
}
