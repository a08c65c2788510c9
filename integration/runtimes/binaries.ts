/** The programs of runtimes that npm installs. @module */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** Returns the path of Deno itself, because it outlives the script that npm installs around it. */
export function denoProgram(): string {
  const own = createRequire(require.resolve("deno/package.json"));
  return join(dirname(own.resolve(`@deno/${process.platform}-${process.arch}-glibc/package.json`)), "deno");
}

export function bunProgram(): string {
  return join(dirname(require.resolve("bun/package.json")), "bin", "bun.exe");
}
