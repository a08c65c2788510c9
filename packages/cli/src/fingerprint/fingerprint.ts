/** The command `postern fingerprint`. @module */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { CommandHelp } from "../help/command-help.ts";
import { parseOptions } from "../help/parse-options.ts";
import { UsageError } from "../help/usage-error.ts";
import { keygenQuestions } from "../keygen/questions.ts";
import { fingerprintLine, keyPicture } from "./format.ts";
import { parseHash } from "./hashes.ts";
import { hostKeysOf } from "./host-keys.ts";
import { keysIn } from "./key-file.ts";
import { knownHostKeys, knownHostsLine } from "./known-hosts.ts";

/** Runs the command. Resolves with the exit status: 1 if a file or a host has no key. */
export async function runFingerprint(help: CommandHelp, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(help, args, 1000);
  const text = (name: string): string | undefined => (typeof values[name] === "string" ? values[name] : undefined);
  const is = (name: string): boolean => values[name] === true;
  const hash = parseHash(help.name, text("E") ?? "sha256");
  const defaultPort = portOf(help, text("p") ?? "22");
  const seconds = Number(text("T") ?? "5");
  if (!(seconds > 0 && seconds <= 3600)) throw new UsageError(help.name, "expected seconds from 1 to 3600 after -T");
  const files = Array.isArray(values.f) ? values.f : undefined;
  if (is("known") && positionals.length === 0)
    throw new UsageError(help.name, "expected a host after --known, got none");

  let status = 0;
  for (const what of positionals.length > 0 ? positionals : ownKeys()) {
    try {
      await printKeysOf(what);
    } catch (error) {
      process.stderr.write(`${what}: ${(error as Error).message}\n`);
      status = 1;
    }
  }
  return status;

  async function printKeysOf(what: string): Promise<void> {
    if (!is("known") && existsSync(what)) {
      const passphrase = (): Promise<string> => keygenQuestions.secret(`Enter passphrase for "${what}": `);
      for (const { blob, comment } of await keysIn(what, passphrase)) printKey(blob, comment);
      return;
    }
    const { host, port } = splitHost(help, what, defaultPort);
    if (is("known")) {
      for (const { place, blob, hosts } of await knownHostKeys(host, port, files)) {
        process.stdout.write(`# Host ${what} found: ${place}\n`);
        if (is("keys")) print(knownHostsLine(hosts, blob));
        else printKey(blob, what);
      }
      return;
    }
    for (const blob of await hostKeysOf(host, port, seconds * 1000)) {
      if (is("keys")) print(knownHostsLine(port === 22 ? host : `[${host}]:${port}`, blob));
      else printKey(blob, what);
    }
  }

  function printKey(blob: Uint8Array<ArrayBufferLike>, comment: string): void {
    print(fingerprintLine(blob, comment, hash));
    if (is("v")) print(keyPicture(blob, hash));
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The public keys of the user. */
function ownKeys(): string[] {
  const folder = join(homedir(), ".ssh");
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".pub")) : [];
  if (names.length === 0) throw new Error(`expected a public key in ${folder}, got none; name a file or a host`);
  return names.sort().map((name) => join(folder, name));
}

/** `host`, `host:port`, `[host]:port`, and addresses of IPv6, which have more than one colon. A login is dropped. */
function splitHost(
  help: CommandHelp,
  text: string,
  defaultPort: number,
): { readonly host: string; readonly port: number } {
  const target = text.slice(text.lastIndexOf("@") + 1);
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(target) ?? [];
  const host = bracketed ?? plain ?? target;
  if (host === "" || /[\s/\\]/.test(host))
    throw new UsageError(help.name, `expected a file that exists, or a host, got ${JSON.stringify(text)}`);
  return { host, port: port === undefined ? defaultPort : portOf(help, port) };
}

function portOf(help: CommandHelp, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535)
    throw new UsageError(help.name, `expected a port from 1 to 65535, got ${JSON.stringify(text)}`);
  return port;
}
