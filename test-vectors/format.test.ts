/** Checks the files of this folder: their form, their provenance, and their counts in the README. */
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { compatibleAlgorithms, sha256, sha384, sha512, skEcdsaNistp256, skSshEd25519 } from "@postern/noble";
import { loadVectors } from "@postern/testkit/vectors";
import { afterAll, describe, expect, it } from "vitest";

const kinds = ["cipher", "mac", "hash", "kex", "hostkey", "wire", "agent"];
const filesOf = (kind: string) =>
  readdirSync(new URL(kind, import.meta.url)).map((file) => file.replace(/\.json$/, ""));
const all = kinds.flatMap((kind) => filesOf(kind).map((algorithm) => [kind, algorithm] as const));

/** Yields every string under `value` that should be hexadecimal: all but the fields that hold text. */
function* hexOf(value: unknown, name = ""): Generator<string> {
  if (typeof value === "string") {
    if (!/^(comment|source|error|algorithm|kind|type|message|role)$/.test(name)) yield value;
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) if (key !== "values" && key !== "value") yield* hexOf(inner, key);
  }
}

describe.each(all)("%s/%s.json", (kind, algorithm) => {
  const { provenance, vectors } = loadVectors(kind, algorithm);

  it("numbers its vectors and names a source for each", () => {
    expect(vectors.map(({ id }) => id)).toEqual(vectors.map((_, index) => index + 1));
    expect(new Set(vectors.map(({ source }) => source))).toEqual(new Set(Object.keys(provenance)));
    for (const { comment } of vectors) expect(comment).not.toBe("");
  });

  it("holds lower-case hexadecimal", () => {
    for (const hex of hexOf(vectors)) expect(hex).toMatch(/^([0-9a-f]{2})*$/);
  });

  it("is counted in the README", () => {
    const readme = readFileSync(new URL("README.md", import.meta.url), "utf8");
    const [, count] =
      readme
        .split("\n")
        .find((line) => line.startsWith(`| ${kind}/${algorithm} `))
        ?.split("|")
        .slice(1) ?? [];
    expect(Number(count)).toBe(vectors.length);
  });
});

/** Prints the number of vectors of each folder. Directly to stderr: the test runner would add a heading. */
afterAll(() => {
  const files = readdirSync(import.meta.dirname, { recursive: true }).map(String);
  const counts = new Map<string, number>();
  for (const file of files.filter((name) => name.endsWith(".json")).toSorted()) {
    const { vectors } = JSON.parse(readFileSync(join(import.meta.dirname, file), "utf8")) as { vectors?: unknown[] };
    const family = file.startsWith("keys") ? file.replace(/\.json$/, "") : (file.split(/[\\/]/)[0] ?? "");
    counts.set(family, (counts.get(family) ?? 0) + (vectors?.length ?? 1));
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  writeSync(2, `vectors: ${[...counts].map(([name, count]) => `${name} ${count}`).join(", ")}; ${total} in all\n`);
});

describe("coverage", () => {
  it.each([
    ["cipher", compatibleAlgorithms.ciphers],
    ["mac", compatibleAlgorithms.macs],
    ["hash", [sha256, sha384, sha512]],
    // The group of an exchange comes from the server, so its vectors are connections: see the tests of the transport.
    ["kex", compatibleAlgorithms.kex.filter(({ groupExchange }) => groupExchange === undefined)],
    ["hostkey", [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256]],
  ] as const)("has one file for each algorithm of %s", (kind, values) => {
    const names = (values as readonly { readonly name: string }[]).map(({ name }) => name);
    expect(filesOf(kind).toSorted()).toEqual(names.toSorted());
  });
});
