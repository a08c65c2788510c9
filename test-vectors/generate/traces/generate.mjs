/** Writes test-vectors/traces/*.json: `node test-vectors/generate/traces/generate.mjs`. @module */
import { writeFileSync } from "node:fs";
import { flaws } from "./flaws.mjs";
import { notes } from "./notes.mjs";
import { scenarios } from "./scenarios.mjs";
import { stateTable } from "./state-table.mjs";

const folder = new URL("../../traces/", import.meta.url);
const roles = ["server", "client"];

function write(algorithm, title, make) {
  let tcId = 0;
  const testGroups = roles.map((role) => ({
    type: "StateTrace",
    role,
    source: {
      name: "the RFCs and OpenSSH's PROTOCOL, in the clause of each test",
      version: "2026",
      command: "node generate/traces/generate.mjs",
    },
    licence: "MIT",
    tests: make(role).map((test) => ({ tcId: ++tcId, ...test })),
  }));
  const used = new Set(testGroups.flatMap(({ tests }) => tests.flatMap((test) => test.flags)));
  for (const flag of used) if (notes[flag] === undefined) throw new Error(`expected a note for the flag ${flag}`);
  const text = JSON.stringify(
    {
      algorithm,
      kind: "traces",
      schema: "state-trace.schema.json",
      header: [title],
      numberOfTests: tcId,
      notes: Object.fromEntries(Object.entries(notes).filter(([flag]) => used.has(flag))),
      testGroups,
    },
    undefined,
    1,
  );
  writeFileSync(new URL(`${algorithm}.json`, folder), `${text}\n`);
  console.log(`${algorithm}: ${testGroups.map(({ role, tests }) => `${tests.length} for the ${role}`).join(", ")}`);
}

write("state-table", "Each message in each state, with the reactions that the RFCs allow.", stateTable);
write("scenarios", "Correct and incorrect courses of a connection.", scenarios);
write("flaws", "Flaws that were found in implementations, and the correct answers.", flaws);
