/** Checks the files of this folder: their schemas, numbers, flags, sources, and their counts in the README. */
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { compatibleAlgorithms, sha256, sha384, sha512, skEcdsaNistp256, skSshEd25519 } from "@postern/noble";
import type { VectorFile } from "@postern/testkit/vectors";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, it } from "vitest";

interface File extends VectorFile {
  readonly schema: string;
  readonly notes: Readonly<Record<string, unknown>>;
}

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const files = readdirSync(import.meta.dirname, { recursive: true })
  .map((path) => String(path).replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".json") && !path.startsWith("schemas/"))
  .toSorted()
  .map((path) => [path, JSON.parse(read(path)) as File] as const);

const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  strictRequired: false,
  strictTypes: false,
  allowUnionTypes: true,
});
for (const name of readdirSync(new URL("schemas", import.meta.url))) ajv.addSchema(JSON.parse(read(`schemas/${name}`)));

describe.each(files)("%s", (path, file) => {
  it("matches its JSON Schema", () => {
    const validate = ajv.getSchema(file.schema) ?? expect.unreachable();
    expect(validate(file) === true ? [] : validate.errors).toEqual([]);
  });

  it("bears its kind and algorithm in its path, counts its tests, and numbers them", () => {
    expect(path).toBe(`${file.kind}/${file.algorithm}.json`);
    const ids = file.testGroups.flatMap(({ tests }) => tests.map(({ tcId }) => tcId));
    expect(ids).toEqual(Array.from({ length: file.numberOfTests }, (_, index) => index + 1));
  });

  it("explains each flag, and no other", () => {
    const used = new Set(file.testGroups.flatMap(({ tests }) => tests.flatMap(({ flags }) => flags)));
    expect(Object.keys(file.notes).toSorted()).toEqual([...used].toSorted());
  });
});

/** Kinds that are counted apart: they are courses of connections. */
const courses = ["transcripts", "traces"];

/** The number of tests and of files of each kind, and of all but the courses. */
function counts(): ReadonlyMap<string, readonly [tests: number, files: number]> {
  const kinds = new Map<string, readonly [number, number]>();
  const add = (kind: string, tests: number): void => {
    const [sum, number] = kinds.get(kind) ?? [0, 0];
    kinds.set(kind, [sum + tests, number + 1]);
  };
  for (const [, { kind, numberOfTests }] of files) add(kind, numberOfTests);
  for (const [, { kind, numberOfTests }] of files)
    if (!courses.includes(kind)) add("all but transcripts and traces", numberOfTests);
  return kinds;
}

/** Directly to stderr: the test runner would add a heading. */
afterAll(() => {
  const list = [...counts()].map(([kind, [tests]]) => `${kind} ${tests}`);
  writeSync(2, `vectors: ${list.join(", ")}\n`);
});

describe("the suite", () => {
  it.each([...counts()])("counts its files of %s in the README", (kind, [tests, number]) => {
    const row = read("README.md")
      .split("\n")
      .find((line) => line.startsWith(`| ${kind} `));
    const [, , inFiles, inTests] = (row ?? "").split("|").map((cell) => cell.trim());
    expect([inFiles, inTests]).toEqual([`${number}`, `${tests}`]);
  });

  it.each([
    ...["CVE-2018-10933", "CVE-2023-46445", "CVE-2023-46446", "CVE-2023-48795", "CVE-2024-45337", "CVE-2025-22869"],
    ...["CVE-2025-32433", "CVE-2026-42508", ...Array.from({ length: 8 }, (_, index) => `CVE-2026-${39_828 + index}`)],
  ])("has a test for %s, or the reason in the README why it has none", (cve) => {
    const named = files.some(([, { notes }]) => JSON.stringify(notes).includes(`"${cve}"`));
    expect([named, read("README.md").includes(`- ${cve}: `)]).toContain(true);
  });

  it("bears the version of the newest entry of its changelog", () => {
    const [, newest] = /^## (\S+)$/m.exec(read("CHANGELOG.md")) ?? [];
    expect(newest).toBe(read("VERSION").trim());
  });

  it.each([
    ["cipher", compatibleAlgorithms.ciphers],
    ["mac", compatibleAlgorithms.macs],
    ["hash", [sha256, sha384, sha512]],
    // The group of an exchange comes from the server, so its vectors are connections: see the tests of the transport.
    ["kex", compatibleAlgorithms.kex.filter(({ groupExchange }) => groupExchange === undefined)],
    ["handshake", compatibleAlgorithms.kex],
    ["hostkey", [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256]],
  ] as const)("has one file for each algorithm of %s", (kind, values) => {
    const names = (values as readonly { readonly name: string }[]).map(({ name }) => name);
    const covered = files.filter(([, file]) => file.kind === kind).map(([, { algorithm }]) => algorithm);
    expect(covered.toSorted()).toEqual(names.toSorted());
  });
});
