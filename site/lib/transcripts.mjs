/** Copies the recorded sessions for the protocol explorer. @module */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Copies `test-vectors/transcripts` to a folder, with a list of the titles. */
export function writeTranscripts(root, folder) {
  const from = join(root, "test-vectors", "transcripts");
  mkdirSync(folder, { recursive: true });
  const files = readdirSync(from).filter((name) => name.endsWith(".json"));
  for (const file of files) cpSync(join(from, file), join(folder, file));
  const list = files.map((file) => {
    const { title, role } = JSON.parse(readFileSync(join(from, file), "utf8"));
    return { file, title: `${title} (Postern is the ${role})` };
  });
  writeFileSync(join(folder, "index.json"), JSON.stringify(list));
}
