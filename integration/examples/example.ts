/** Runs an example as its reader does: `npm start` in its folder, with the variables of its README. @module */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, isListening, launch, type Running, type Sshd, tempDir, userKey } from "../harness/index.ts";

/** The environment of an example, and the port at which its visitors arrive. */
export interface Settings {
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
}

/** Returns the path of a file in the folder of an example. */
export function pathOf(example: string, file = ""): string {
  return fileURLToPath(new URL(`../../examples/${example}/${file}`, import.meta.url));
}

const dir = tempDir("postern-example");
let keyFile: string | undefined;

/** Returns the path of a file with the key of `userKey`. */
export async function keyPath(): Promise<string> {
  if (keyFile === undefined) {
    keyFile = dir.file("key");
    writeFileSync(keyFile, (await userKey()).privateText, { mode: 0o600 });
  }
  return keyFile;
}

/** Returns the variables that all examples share, with a free port of the server. */
export async function settingsFor(sshd: Sshd): Promise<Settings> {
  const port = await freePort();
  const env = {
    POSTERN_HOST: "127.0.0.1",
    POSTERN_PORT: String(sshd.port),
    POSTERN_USER: sshd.user,
    POSTERN_KEY: await keyPath(),
    POSTERN_HOST_KEY: sshd.fingerprint(),
    POSTERN_REMOTE_PORT: String(port),
  };
  return { port, env };
}

/** Returns the name of the program that `npm start` runs. */
export function programOf(example: string): string {
  const { scripts } = JSON.parse(readFileSync(pathOf(example, "package.json"), "utf8"));
  return scripts.start.replace(/^node /, "");
}

/** Starts an example with its one command. */
export function start(example: string, env: Readonly<Record<string, string>> = {}): Promise<Running> {
  return launch("npm", ["start"], { cwd: pathOf(example), env: { ...shellEnv(), ...env } });
}

/** Starts only the program of an example, for tests of its first second: npm needs more time than that. */
export function startProgram(example: string, env: Readonly<Record<string, string>> = {}): Promise<Running> {
  return launch(process.execPath, [programOf(example)], { cwd: pathOf(example), env });
}

/** Sends a signal to the program itself, because a supervisor runs it without npm. */
export function signalProgram(running: Running, signal: NodeJS.Signals): void {
  const count = running.signalDescendants(signal, /^node \S+\.mjs$/);
  if (count !== 1) throw new Error(`expected one process to send ${signal} to, found ${count}`);
}

/** The part of a user's environment that npm needs. */
export function shellEnv(): Readonly<Record<string, string>> {
  return {
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    HOME: dir.path,
    npm_config_update_notifier: "false",
  };
}

/** Waits until the server has freed the port. */
export async function freed(port: number, signal: AbortSignal): Promise<void> {
  while (isListening(port)) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
