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

/** Returns the same, with a port that the server chooses. */
export async function settingsForAnyPort(sshd: Sshd): Promise<Settings["env"]> {
  return { ...(await settingsFor(sshd)).env, POSTERN_REMOTE_PORT: "0" };
}

/** Returns the name of the program that `npm start` runs. */
export function programOf(example: string): string {
  const { scripts } = JSON.parse(readFileSync(pathOf(example, "package.json"), "utf8"));
  return scripts.start.replace(/^node /, "");
}

/** Starts an example with its one command, and with arguments for its program. */
export function npmStart(
  example: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<Running> {
  const more = args.length > 0 ? ["--", ...args] : [];
  return launch("npm", ["start", ...more], { cwd: pathOf(example), env: { ...shellEnv(), ...env } });
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

/** Waits until the example has its port on the server, and returns it. */
export async function forwardedPort(example: Running): Promise<number> {
  const [, port] = await example.stdout.waitFor(/^port (\d+) on 127\.0\.0\.1 leads/m, 20_000);
  return Number(port);
}

/** Returns whether an example has printed the lines that its README shows, apart from dates, hosts, ports and keys. */
export function printedAsInReadme(example: Running, name: string): boolean {
  const [block] = readmeBlocks(name, "text");
  if (block === undefined) throw new Error(`expected the output of examples/${name} in its README.md, got none`);
  const plain = (text: string): string[] =>
    text
      .replaceAll(/SHA256:\S+|AAAA\S+/g, "KEY")
      .replaceAll("127.0.0.1", "HOST")
      .replaceAll("ssh.example.com", "HOST")
      .replaceAll(/^\S+Z /gm, "")
      .replaceAll(/port \d+/g, "port N")
      .split("\n")
      .map((line) => line.trimEnd());
  const printed = plain(example.stdout.text());
  return plain(block).every((line) => printed.includes(line));
}

/** Returns the code blocks of an example's README that are in this language. */
export function readmeBlocks(name: string, language: string): readonly string[] {
  const text = readFileSync(pathOf(name, "README.md"), "utf8");
  return [...text.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)]
    .filter(([, own]) => own === language)
    .map(([, , code]) => code ?? "");
}
