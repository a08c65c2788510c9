/** All about one packet: fields, plain text, bytes on the wire, keys. @module */
import { make, sectionLink } from "./dom.mjs";
import { dump, hex, textOrHex } from "./hex.mjs";
import { bothSides, versionExchange } from "./packet-table.mjs";

/** @param {import("./packets.mjs").Entry} entry */
export function packetDetails(entry, list) {
  const { number, from, sequence, size, description, line, payload, wire, keys, state, broken } = entry;
  const name = description?.name ?? "identification line";
  const facts = [
    ["Direction", from === "client" ? "client to server" : "server to client"],
    ["Sequence number", sequence ?? "none, because it is not a packet"],
    ["Size", `${size} bytes on the wire, ${payload.length} of them the message`],
    ["State", state + (broken === undefined ? "" : `: bit 0 of the byte at offset ${broken} was inverted on the way`)],
    ["Message number", line === undefined ? `${description.number}` : undefined],
    ["Specified in", sectionLink(line === undefined ? description?.section : versionExchange)],
    ["About", description?.about],
    ["Type specified in", description?.aboutSection && sectionLink(description.aboutSection)],
    ["Channel (client / server)", description?.channel && bothSides(list.bySide(description.channel))],
    [
      "Window (client / server)",
      description?.windows && `${bothSides(list.bySide(description.windows))} bytes that each may still receive`,
    ],
    ["Problem", description?.problem],
  ];
  const parts = [
    make("h2", {}, `${number}: ${name}`),
    make("dl", {}, ...facts.flatMap(([term, value]) => factOf(term, value))),
  ];
  if (line !== undefined) parts.push(make("p", {}, make("code", {}, line)));
  if (description !== undefined && description.fields.length > 0) parts.push(fieldTable(description.fields));
  if (line === undefined) {
    parts.push(make("h3", {}, "Message in plain text"), dump(payload, "Message in plain text"));
  }
  parts.push(make("h3", {}, "Bytes on the wire"), dump(wire, "Bytes on the wire", broken));
  parts.push(make("h3", {}, "Keys of this packet"), keyFacts(keys));
  return parts;
}

/** The keys of one direction. */
export function keyFacts(keys) {
  if (keys === undefined) return make("p", {}, "None: it was sent before the first new keys (RFC 4253, 7.3).");
  const { cipher, mac, key, iv, macKey, sequence } = keys;
  const facts = [
    ["Cipher", cipher],
    ["MAC", mac ?? "none, the cipher has a tag"],
    ["First packet", `sequence number ${sequence}`],
    ["Key", hex(key)],
    ["IV", iv.length === 0 ? "none" : hex(iv)],
    ["MAC key", macKey && hex(macKey)],
  ];
  return make("dl", { class: "keys" }, ...facts.flatMap(([term, value]) => factOf(term, value)));
}

function factOf(term, value) {
  if (value === undefined) return [];
  return [make("dt", {}, term), make("dd", {}, value instanceof Node ? value : String(value))];
}

function fieldTable(fields) {
  const rows = fields.map(({ name, value, meaning, isSecret }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name, isSecret ? make("span", { class: "secret" }, "secret") : ""),
      make("td", {}, textOf(value), meaning === undefined ? "" : ` (${meaning})`),
    ),
  );
  const head = make("tr", {}, make("th", { scope: "col" }, "Field"), make("th", { scope: "col" }, "Value"));
  return make(
    "table",
    { class: "fields" },
    make("caption", { class: "hidden" }, "Fields of the message"),
    make("thead", {}, head),
    make("tbody", {}, ...rows),
  );
}

function textOf(value) {
  if (value instanceof Uint8Array) return textOrHex(value);
  if (!Array.isArray(value)) return value === "" ? "(empty)" : String(value);
  if (value.length === 0) return "(empty)";
  return value
    .map((one) => (typeof one === "string" ? one : `${one.prompt} (${one.echo ? "shown" : "hidden"})`))
    .join(", ");
}
