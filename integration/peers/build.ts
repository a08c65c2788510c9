/** Compiles the peers that are libraries: C with gcc, Go with Debian's package of x/crypto. @module */
import { homedir } from "node:os";
import { join } from "node:path";
import { run, type TempDir, tempDir } from "../harness/index.ts";

const sources = join(import.meta.dirname, "programs");
const built = new Map<string, Promise<string>>();
let folder: TempDir | undefined;

/** Returns the path of the program that `programs/NAME` compiles to. */
export function compiled(name: string, libraries: readonly string[] = []): Promise<string> {
  let path = built.get(name);
  if (path === undefined) {
    path = compile(name, libraries);
    built.set(name, path);
  }
  return path;
}

/** Returns the path of a script. */
export function script(name: string): string {
  return join(sources, name);
}

async function compile(name: string, libraries: readonly string[]): Promise<string> {
  folder ??= tempDir("postern-peers");
  const output = folder.file(name.replace(/\..*/, ""));
  if (name.endsWith(".go")) {
    const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern", "go");
    const env = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOCACHE: cache, HOME: homedir() };
    await run("go", ["build", "-o", output, script(name)], { env });
  } else {
    await run("gcc", ["-Wall", "-Wextra", "-O1", "-o", output, script(name), ...libraries.map((one) => `-l${one}`)]);
  }
  return output;
}
