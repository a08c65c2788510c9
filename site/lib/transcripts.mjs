/** Writes the recorded sessions for the protocol explorer. @module */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes each recording of `test-vectors/transcripts` to a folder, with the name of its peer, and a list of titles. */
export function writeTranscripts(root, folder) {
  const from = join(root, "test-vectors", "transcripts");
  mkdirSync(folder, { recursive: true });
  const files = readdirSync(from).filter((name) => name.endsWith(".json"));
  const list = files.map((file) => {
    const [{ source, tests }] = JSON.parse(readFileSync(join(from, file), "utf8")).testGroups;
    const [transcript] = tests;
    const peer = `${source.name} ${source.version}`;
    writeFileSync(join(folder, file), JSON.stringify({ ...transcript, peer }));
    const other = transcript.role === "client" ? "server" : "client";
    return { file, title: `${transcript.comment} (Postern is the ${transcript.role}, the ${other} ${peer})` };
  });
  writeFileSync(join(folder, "index.json"), JSON.stringify(list));
}
