/** Writes test-vectors/traces/*.json: `node test-vectors/generate/traces/generate.mjs`. @module */
import { writeFileSync } from "node:fs";
import { flaws } from "./flaws.mjs";
import { notes } from "./notes.mjs";
import { scenarios } from "./scenarios.mjs";
import { stateTable } from "./state-table.mjs";

const folder = new URL("../../traces/", import.meta.url);
const roles = /** @type {const} */ (["server", "client"]);

/** @param {string} file @param {string} title @param {(role: "client" | "server") => Record<string, unknown>[]} make */
function write(file, title, make) {
  let tcId = 0;
  const testGroups = roles.map((role) => ({
    type: "StateTrace",
    role,
    source: "the clauses that each test names",
    licence: "MIT",
    tests: make(role).map((test) => ({ tcId: ++tcId, ...test })),
  }));
  const used = new Set(testGroups.flatMap(({ tests }) => tests.flatMap((test) => /** @type {any} */ (test).flags)));
  for (const flag of used) if (notes[flag] === undefined) throw new Error(`expected a note for the flag ${flag}`);
  const text = JSON.stringify(
    {
      kind: "state-trace",
      schema: "state-trace.schema.json",
      header: [title],
      numberOfTests: tcId,
      notes: Object.fromEntries(Object.entries(notes).filter(([flag]) => used.has(flag))),
      testGroups,
    },
    undefined,
    1,
  );
  writeFileSync(new URL(file, folder), `${text}\n`);
  console.log(`${file}: ${testGroups.map(({ role, tests }) => `${tests.length} for the ${role}`).join(", ")}`);
}

write("state-table.json", "Each message in each state, with the reactions that the RFCs allow.", stateTable);
write("scenarios.json", "Correct and incorrect courses of a connection.", scenarios);
write("flaws.json", "Flaws that were found in implementations, and the correct answers.", flaws);
