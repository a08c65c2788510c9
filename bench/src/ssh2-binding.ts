/** ssh2 with its native binding, built separately, so that the install needs no compiler. @module */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** A folder to load ssh2 from, or the reason why there is none. */
export type Ssh2 = { readonly module: string } | { readonly missing: string };

/** ssh2 as installed, without the binding. */
export function plainSsh2(folder: string): string {
  return createRequire(join(folder, "package.json")).resolve("ssh2");
}

/** Returns a copy of ssh2 with the binding. The first call builds it, in at most a minute. */
export function nativeSsh2(folder: string, cache: string): Ssh2 {
  const plain = dirname(dirname(plainSsh2(folder)));
  const made = join(cache, `ssh2-${process.versions.modules}-${process.arch}`);
  const module = join(made, "node_modules", "ssh2", "lib", "index.js");
  if (existsSync(module)) return { module };
  const gyp = nodeGyp();
  if (gyp === undefined) return { missing: "npm has no node-gyp" };
  const work = `${made}.new`;
  rmSync(work, { recursive: true, force: true });
  const modules = join(work, "node_modules");
  mkdirSync(modules, { recursive: true });
  cpSync(plain, join(modules, "ssh2"), { recursive: true, dereference: true });
  for (const name of ["asn1", "bcrypt-pbkdf", "nan"])
    symlinkSync(join(dirname(plain), name), join(modules, name), "dir");
  const headers = dirname(dirname(process.execPath));
  const args = [gyp, "rebuild", `--real_openssl_major=${/^\d+/.exec(process.versions.openssl)?.[0]}`];
  if (existsSync(join(headers, "include", "node", "node.h"))) args.push(`--nodedir=${headers}`);
  const { status, stderr, error } = spawnSync(process.execPath, args, {
    cwd: join(modules, "ssh2", "lib", "protocol", "crypto"),
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status !== 0) {
    rmSync(work, { recursive: true, force: true });
    return {
      missing: `its binding could not be built: ${error?.message ?? /ERR! (?:stack )?(Error.*)/.exec(stderr)?.[1] ?? "node-gyp failed"}`,
    };
  }
  renameSync(work, made);
  return { module };
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
