/** Runs an example as its user does: with one command, and settings in the environment. @module */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, type Running, type Sshd, userKey } from "../harness/index.ts";

export const exampleFolder = (name: string): string =>
  fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

/** Returns the settings of a tunnel to a server, with a port that the server chooses. */
export async function tunnelSettings(sshd: Sshd): Promise<Record<string, string>> {
  return {
    POSTERN_HOST: "127.0.0.1",
    POSTERN_PORT: String(sshd.port),
    POSTERN_USER: sshd.user,
    POSTERN_KEY: (await userKey()).file,
    POSTERN_HOST_KEY: sshd.fingerprint(),
    POSTERN_REMOTE_PORT: "0",
  };
}

/** Runs `npm start` in the folder of an example. */
export function npmStart(
  name: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Running> {
  const path = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  const settings = { PATH: path, NO_UPDATE_NOTIFIER: "1", npm_config_cache: `${process.env.HOME}/.npm`, ...env };
  const more = args.length > 0 ? ["--", ...args] : [];
  return launch("npm", ["--prefix", exampleFolder(name), "start", ...more], { env: settings });
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
  const text = readFileSync(`${exampleFolder(name)}/README.md`, "utf8");
  return [...text.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)]
    .filter(([, own]) => own === language)
    .map(([, , code]) => code ?? "");
}
