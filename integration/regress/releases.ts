/** The releases of OpenSSH whose scripts run, each with its own programs. @module */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { inside, lacks, lacksFile, missing, newerRoot, nextRoot } from "../harness/index.ts";

export interface Release {
  readonly name: "bookworm" | "trixie" | "forky";
  /** The root folder of the release. Undefined: the system that runs the tests. */
  readonly root: string | undefined;
  /** Returns why its scripts cannot run here, or undefined. */
  readonly missing: () => string | undefined;
}

/** The folder of the scripts, in each release. */
export const scriptsFolder = "/usr/lib/openssh/regress";

const testExec = `${scriptsFolder}/test-exec.sh`;

const releases: readonly Release[] = [
  {
    name: "bookworm",
    root: undefined,
    missing: () => missing("ssh", "sshd") ?? lacksFile(testExec, "openssh-tests") ?? noNamespaces(),
  },
  { name: "trixie", root: newerRoot(), missing: () => missing("newer") ?? noScripts(newerRoot()) ?? noNamespaces() },
  { name: "forky", root: nextRoot(), missing: () => missing("next") ?? noScripts(nextRoot()) ?? noNamespaces() },
];

export function releaseOf(name: Release["name"]): Release {
  const release = releases.find((one) => one.name === name);
  if (release === undefined) throw new Error(`expected a release, got ${name}`);
  return release;
}

/** Returns the version of OpenSSH in a release, such as `9.2p1`. */
export function versionOf({ root }: Release): string {
  // ssh of another root folder needs its /dev/null.
  const [command, ...args] = [...(root === undefined ? [] : inside(root)), "/usr/bin/ssh", "-V"];
  const { stderr } = spawnSync(command, args, { encoding: "utf8" });
  const [, version] = /OpenSSH_([\w.]+)/.exec(stderr) ?? [];
  if (version === undefined) throw new Error(`expected ssh -V to print its version, got ${stderr}`);
  return version;
}

/** Returns the path of a file of a release, on this machine. */
export function pathIn({ root }: Release, path: string): string {
  return root === undefined ? path : join(root, path);
}

function noScripts(root: string): string | undefined {
  return existsSync(join(root, testExec)) ? undefined : `${join(root, testExec)} is missing: setup-tests.mjs adds it`;
}

/** Several scripts use fixed ports, and leave processes behind if they fail. */
function noNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can give each of OpenSSH's scripts a network of its own";
  return lacks("ip", "iproute2");
}
