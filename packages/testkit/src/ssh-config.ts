/** Configuration files in a temporary home, and the answers of the real ssh. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const fixtures = fileURLToPath(new URL("../../node/test/ssh-config/fixtures", import.meta.url));

/** Creates a home with the folder `.ssh` of the fixtures. `umask` must not matter, so modes are set. */
export function createHome(): Home {
  const home = mkdtempSync(join(tmpdir(), "postern-ssh-config-"));
  cpSync(join(fixtures, "home"), join(home, ".ssh"), { recursive: true });
  execFileSync("chmod", ["-R", "go-w", home]);
  return {
    home,
    write(name: string, content: string | Uint8Array): string {
      const path = join(home, name);
      writeFileSync(path, content, { mode: 0o600 });
      return path;
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** A temporary home. */
export interface Home {
  readonly home: string;
  /** Writes a file into the home, and returns its path. */
  write(name: string, content: string | Uint8Array): string;
  remove(): void;
}

/** A fixture: its first lines name the hosts to ask for, and what has to be set. */
export interface Fixture {
  readonly name: string;
  readonly path: string;
  readonly hosts: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly allowExec: boolean;
}

export function loadFixtures(): readonly Fixture[] {
  return readdirSync(fixtures)
    .filter((name) => name.endsWith(".conf"))
    .map((name) => {
      const path = join(fixtures, name);
      const text = readFileSync(path, "utf8");
      const hosts = /^# hosts: (.*?)\r?\n/.exec(text)?.[1]?.split(" ") ?? [];
      const pairs = /\n# env: (.*)\n/.exec(text)?.[1]?.split(" ") ?? [];
      const env = Object.fromEntries(pairs.map((pair) => pair.split("=") as [string, string]));
      return { name, path, hosts, env, allowExec: text.includes("\n# exec\n") };
    });
}

/** The version of ssh, or `undefined` without one. */
export function sshVersion(): string | undefined {
  const { status, stderr } = spawnSync("ssh", ["-V"], { encoding: "utf8" });
  return status === 0 ? stderr.trim() : undefined;
}

/** The environment for ssh: Include finds `~` by HOME, everything else by the user database. */
export function sshEnvironment(home: string, env: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env.PATH ?? "", HOME: home, SHELL: "/bin/sh", ...env };
}

/** Returns the output of `ssh -G`, by keyword. */
export function askSsh(args: readonly string[], env: Record<string, string>): ReadonlyMap<string, readonly string[]> {
  const output = execFileSync("ssh", ["-G", ...args], { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const values = new Map<string, string[]>();
  for (const line of output.split("\n").filter((one) => one !== "")) {
    const space = line.indexOf(" ");
    const keyword = space < 0 ? line : line.slice(0, space);
    values.set(keyword, [...(values.get(keyword) ?? []), space < 0 ? "" : line.slice(space + 1)]);
  }
  return values;
}

/** The home of the user database, which ssh uses for `~` and `%d`. */
export const realHome: string = userInfo().homedir;
