/** Bundles the program and its imports into one file, from the sources. @module */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VectorFile } from "@postern/testkit/portable";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const vectorFolder = fileURLToPath(new URL("../../test-vectors/", import.meta.url));

/** Vectors that take long in JavaScript, or are those of another name. `npm run vectors` runs them in every runtime. */
const slow = /^(kex|handshake)\/(diffie-hellman-group(1[68]|-exchange)|sntrup761x25519-sha512@)/;

/** The files of `test-vectors/`, as `<kind>/<algorithm>.json`. Traces are for another process, which they talk to. */
function vectorFiles(all = false): readonly string[] {
  return readdirSync(vectorFolder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".json") && !/^(schemas|traces)/.test(name) && (all || !slow.test(name)))
    .sort();
}

/** The number of vectors that the program runs. Ed25519 runs twice. */
export function countVectors(): number {
  const read = (name: string) => JSON.parse(readFileSync(join(vectorFolder, name), "utf8")) as VectorFile;
  return [...vectorFiles(), "hostkey/ssh-ed25519.json"].reduce((sum, name) => sum + read(name).numberOfTests, 0);
}

/** Bundles an entry of this folder as an ES module. */
export async function bundle(entry: string, outfile: string, { node = false } = {}): Promise<void> {
  await esbuild.build({
    entryPoints: [join(here, "entries", `${entry}.ts`)],
    outfile,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: node ? "node" : "browser",
    conditions: ["@postern/source"],
    external: ["cloudflare:*"],
    plugins: [vectors(entry.startsWith("vectors-"))],
    logLevel: "warning",
  });
}

const vectors = (all: boolean): esbuild.Plugin => ({
  name: "vectors",
  setup(build) {
    build.onResolve({ filter: /^virtual:vectors$/ }, () => ({ path: "all", namespace: "vectors" }));
    build.onLoad({ filter: /.*/, namespace: "vectors" }, () => {
      const names = vectorFiles(all);
      const imports = names.map((name, index) => `import file${index} from ${JSON.stringify(`./${name}`)};`);
      const list = names.map((_, index) => `file${index}`).join(", ");
      return { contents: [...imports, `export const files = [${list}];`].join("\n"), resolveDir: vectorFolder };
    });
  },
});
