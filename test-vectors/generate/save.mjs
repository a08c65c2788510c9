/**
 * Writes a file of test vectors: numbers the tests, groups them by source, and adds flags, notes and counts. As a
 * program, it reads the argument of `save` from standard input as JSON. @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { argv, stdin, stdout } from "node:process";
import { json } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { notes } from "./notes.mjs";

const root = new URL("..", import.meta.url);

/** The type of the groups of a file, and the name of its schema. */
const types = [
  [/^cipher\//, "PacketCipher", "cipher"],
  [/^mac\//, "Mac", "mac"],
  [/^hash\//, "Hash", "hash"],
  [/^kdf\//, "KeyDerivation", "kdf"],
  [/^exchange-hash\//, "ExchangeHash", "exchange-hash"],
  [/^kex\//, "KeyExchange", "kex"],
  [/^handshake\//, "Handshake", "handshake"],
  [/^hostkey\//, "SignatureVerification", "hostkey"],
  [/^fingerprint\//, "Fingerprint", "fingerprint"],
  [/^authorized-keys\//, "AuthorizedKeys", "authorized-keys"],
  [/^userauth\//, "UserauthSignature", "userauth"],
  [/^wire\/types$/, "DataType", "wire-types"],
  [/^(wire|agent)\/(messages|malformed)$/, "Message", "messages"],
  [/^certificates\/krl$/, "RevocationList", "krl"],
  [/^certificates\//, "Certificate", "certificate"],
  [/^keys\/bcrypt-pbkdf$/, "BcryptPbkdf", "bcrypt-pbkdf"],
  [/^keys\/(file-.*|unread)$/, "KeyFile", "key-file"],
  [/^keys\//, "PrivateKey", "private-key"],
  [/^known-hosts\//, "KnownHosts", "known-hosts"],
  [/^transcripts\//, "Transcript", "transcript"],
];

/**
 * `sources` maps a key to `{ name, version, command, licence }`. Each vector has `comment` and a key `source`. Its
 * `result` follows from `error` unless it is set, its `flags` from `notes.mjs`. `shared` are fields of each group.
 */
export function save({ kind, algorithm, header = [], sources, vectors, shared = {} }) {
  const name = `${kind}/${algorithm}`;
  const [, type, schema] = types.find(([where]) => where.test(name)) ?? [];
  if (type === undefined) throw new Error(`expected a type for ${name}: add it to generate/save.mjs`);
  const testGroups = [];
  for (const [key, { licence, ...source }] of Object.entries(sources)) {
    const tests = vectors.filter((vector) => vector.source === key);
    if (tests.length > 0) testGroups.push({ type, source, licence, ...shared, tests });
  }
  let tcId = 0;
  const used = new Set();
  for (const group of testGroups) {
    group.tests = group.tests.map(({ comment, result, flags = [], ...fields }) => {
      delete fields.source;
      const test = { tcId: ++tcId, comment, flags: [...flags], result: result ?? resultOf(fields), ...fields };
      for (const { flag, where, when } of notes) {
        const isSet = where.test(name) && (typeof when === "function" ? when(test) : when?.test(comment));
        if (isSet && !test.flags.includes(flag)) test.flags.push(flag);
      }
      if (test.flags.length === 0) throw new Error(`${name}: expected a flag of "${comment}": add one to notes.mjs`);
      for (const flag of test.flags) used.add(flag);
      return test;
    });
  }
  if (tcId !== vectors.length) throw new Error(`${name}: expected a source of each vector`);
  const explained = notes.filter(({ flag }) => used.has(flag)).map(({ flag, note }) => [flag, note]);
  const file = {
    algorithm,
    kind,
    schema: `${schema}.schema.json`,
    numberOfTests: tcId,
    header: [`Test vectors of SSH: ${name}. See README.md.`, ...header],
    notes: Object.fromEntries(explained),
    testGroups,
  };
  mkdirSync(new URL(`${kind}/`, root), { recursive: true });
  writeFileSync(new URL(`${name}.json`, root), format(file));
  return tcId;
}

function resultOf({ error, packets = [] }) {
  return error === undefined && packets.every((packet) => packet.error === undefined) ? "valid" : "invalid";
}

/** JSON with one line per test and per note, so that differences can be read. */
function format(file) {
  const lines = [];
  const line = (depth, text) => lines.push(" ".repeat(depth) + text);
  const commas = (items, write) => {
    for (const [index, item] of items.entries()) write(item, index < items.length - 1 ? "," : "");
  };
  const { header, notes: explained, testGroups, ...head } = file;
  line(0, "{");
  for (const [name, value] of Object.entries(head)) line(1, `${text(name)}: ${text(value)},`);
  line(1, '"header": [');
  commas(header, (one, comma) => line(2, text(one) + comma));
  line(1, "],");
  line(1, '"notes": {');
  commas(Object.entries(explained), ([flag, note], comma) => line(2, `${text(flag)}: ${text(note)}${comma}`));
  line(1, "},");
  line(1, '"testGroups": [');
  commas(testGroups, ({ tests, ...group }, comma) => {
    line(2, "{");
    for (const [name, value] of Object.entries(group)) line(3, `${text(name)}: ${text(value)},`);
    line(3, '"tests": [');
    commas(tests, (test, end) => line(4, text(test) + end));
    line(3, "]");
    line(2, `}${comma}`);
  });
  line(1, "]");
  line(0, "}");
  return `${lines.join("\n")}\n`;
}

const text = (value) => JSON.stringify(value);

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  const input = await json(stdin);
  stdout.write(`${input.kind}/${input.algorithm}: ${save(input)} tests\n`);
}
