/** Versions of Node.js for the clients, fetched by npm as those of the tests. @module */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** One version of Node.js. */
export interface Node {
  /** As in `process.version`. */
  readonly version: string;
  readonly program: string;
  /** The version of the interface of native bindings, `process.versions.modules`. */
  readonly abi: string;
  /** The major version of OpenSSL. */
  readonly openssl: string;
  readonly isLts: boolean;
}

/** Printed by each version about itself. */
const facts = `JSON.stringify({
  version: process.version,
  program: process.execPath,
  abi: process.versions.modules,
  openssl: process.versions.openssl.split(".")[0],
  isLts: Boolean(process.release.lts),
})`;

/** The Node.js that runs the benchmark. */
export function ownNode(): Node {
  return describe([process.execPath]);
}

/** Fetches a version, such as `24`, unless it is that of the benchmark. @throws Error if npm cannot */
export function fetchNode(version: string): Node {
  const own = ownNode();
  return own.version.startsWith(`v${version}.`) ? own : describe(["npx", "--yes", `node@${version}`]);
}

/** Returns the major version, `24` of `v24.21.0`. */
export function majorOf({ version }: Node): string {
  return /\d+/.exec(version)?.[0] ?? version;
}

/**
 * Returns the folder with `include/node`, for node-gyp. npm's package of a version contains its headers, but `npx` does
 * not keep them. Undefined if there is no such package.
 */
export function headersOf({ program, version }: Node, cache: string): string | undefined {
  const installed = dirname(dirname(program));
  if (hasHeaders(installed)) return installed;
  const folder = join(cache, `headers-${version}-${process.arch}`);
  if (hasHeaders(folder)) return folder;
  const work = `${folder}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const name = `node-${process.platform}-${process.arch}@${version.slice(1)}`;
    const file = text("npm", ["pack", "--silent", "--pack-destination", work, name]).trim();
    text("tar", ["-xzf", join(work, file), "-C", work, "--strip-components=1", "package/include"]);
    rmSync(join(work, file));
    renameSync(work, folder);
    return folder;
  } catch {
    rmSync(work, { recursive: true, force: true });
    return undefined;
  }
}

function hasHeaders(folder: string): boolean {
  return existsSync(join(folder, "include", "node", "node.h"));
}

function describe([command = "", ...args]: readonly string[]): Node {
  return JSON.parse(text(command, [...args, "-p", facts]));
}

function text(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", timeout: 120_000 });
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 2).join(" ")} failed: ${error?.message ?? stderr}`);
  return stdout;
}
