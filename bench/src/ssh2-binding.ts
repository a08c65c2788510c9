/** ssh2 with its native binding, built separately, so that the install needs no compiler. @module */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { headersOf, type Node } from "./nodes/find-nodes.ts";

/** A folder to load ssh2 from, or the reason why there is none. */
export type Ssh2 = { readonly module: string } | { readonly missing: string };

/** ssh2 as installed, without the binding. */
export function plainSsh2(folder: string): string {
  return createRequire(join(folder, "package.json")).resolve("ssh2");
}

/** Returns a copy of ssh2 with the binding for that Node.js. The first call builds it, in about a minute. */
export function nativeSsh2(folder: string, cache: string, node: Node): Ssh2 {
  const plain = dirname(dirname(plainSsh2(folder)));
  const made = join(cache, `ssh2-${node.abi}-${process.arch}`);
  const module = join(made, "node_modules", "ssh2", "lib", "index.js");
  if (existsSync(module)) return { module };
  const failed = join(cache, `ssh2-${versionOf(plain)}-${node.abi}-${process.arch}.failed`);
  if (existsSync(failed)) return { missing: readFileSync(failed, "utf8") };
  const gyp = nodeGyp();
  if (gyp === undefined) return { missing: "npm has no node-gyp" };
  const work = `${made}.new`;
  rmSync(work, { recursive: true, force: true });
  const modules = join(work, "node_modules");
  mkdirSync(modules, { recursive: true });
  cpSync(plain, join(modules, "ssh2"), { recursive: true, dereference: true });
  for (const name of ["asn1", "bcrypt-pbkdf", "nan"])
    symlinkSync(join(dirname(plain), name), join(modules, name), "dir");
  // Without headers node-gyp downloads them.
  const headers = headersOf(node, cache);
  const args = [gyp, "rebuild", `--real_openssl_major=${node.openssl}`];
  if (headers !== undefined) args.push(`--nodedir=${headers}`);
  const { status, stdout, stderr, error } = spawnSync(node.program, args, {
    cwd: join(modules, "ssh2", "lib", "protocol", "crypto"),
    encoding: "utf8",
    timeout: 300_000,
  });
  if (status !== 0) {
    rmSync(work, { recursive: true, force: true });
    const [line] = /error: .*|ERR! (?:stack )?Error.*/.exec(stdout + stderr) ?? [];
    const missing = `its binding could not be built: ${error?.message ?? line ?? "node-gyp failed"}`;
    // A compiler that refuses the source will refuse it again. Anything else may be temporary.
    if (line?.startsWith("error") === true) writeFileSync(failed, missing);
    return { missing };
  }
  renameSync(work, made);
  return { module };
}

function versionOf(folder: string): string {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
}

function nodeGyp(): string | undefined {
  const npm = process.env.npm_execpath;
  const candidates = [
    process.env.npm_config_node_gyp,
    npm === undefined ? undefined : join(dirname(npm), "..", "node_modules", "node-gyp", "bin", "node-gyp.js"),
    join(
      dirname(process.execPath),
      "..",
      "lib",
      "node_modules",
      "npm",
      "node_modules",
      "node-gyp",
      "bin",
      "node-gyp.js",
    ),
  ];
  return candidates.find((file) => file !== undefined && existsSync(file));
}
