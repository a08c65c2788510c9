/** The command `postern keygen`. @module */
import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { formatPublicKey } from "@postern/keys";
import {
  type GenerateOptions,
  generatePrivateKey,
  type RewrittenKey,
  readPrivateKey,
  rewritePrivateKey,
} from "@postern/node";
import { fingerprintLine, formatFingerprint, keyPicture } from "../fingerprint/format.ts";
import { parseHash } from "../fingerprint/hashes.ts";
import { keysIn } from "../fingerprint/key-file.ts";
import type { CommandHelp } from "../help/command-help.ts";
import { parseOptions } from "../help/parse-options.ts";
import { UsageError } from "../help/usage-error.ts";
import { readTextFile } from "../system/read-text-file.ts";
import { type KeygenQuestions, keygenQuestions } from "./questions.ts";
import { saveKeyFile } from "./save-key-file.ts";

/** The questions and the output of the command, which tests replace. */
export interface KeygenSystem {
  readonly questions: KeygenQuestions;
  readonly print: (line: string) => void;
}

const system: KeygenSystem = {
  questions: keygenQuestions,
  print: (line) => void process.stdout.write(`${line}\n`),
};

/** Runs the command. Resolves with the exit status. */
export async function runKeygen(
  help: CommandHelp,
  args: readonly string[],
  { questions, print }: KeygenSystem = system,
): Promise<number> {
  const { values } = parseOptions(help, args);
  const text = (letter: string): string | undefined =>
    typeof values[letter] === "string" ? values[letter] : undefined;
  const is = (letter: string): boolean => values[letter] === true;
  const jobs = ["p", "c", "y", "l"].filter(is);
  if (jobs.length > 1)
    throw new UsageError(help.name, `expected one of -p, -c, -y and -l, got -${jobs.join(" and -")}`);
  const hash = parseHash(help.name, text("E") ?? "sha256");
  const type = keyType(help, text("t") ?? "ed25519");
  const file = text("f") ?? (await askFile(questions, type, jobs.length === 0));
  const say = is("q") ? () => {} : print;
  const old = (): Promise<string> | string => text("P") ?? questions.secret("Enter old passphrase: ");
  let answer: string | undefined;
  const once = async (): Promise<string> => (answer ??= await old());
  const unlock = (): Promise<string> | string => text("P") ?? questions.secret(`Enter passphrase for "${file}": `);
  switch (jobs[0]) {
    case "p":
      return await changePassphrase();
    case "c":
      return await changeComment();
    case "y": {
      const { publicKey, comment } = await rewritePrivateKey(await readTextFile(file), {
        passphrase: unlock,
        newPassphrase: "",
      });
      print(formatPublicKey(publicKey, comment));
      return 0;
    }
    case "l":
      for (const { blob, comment } of await keysIn(file, async () => await unlock())) {
        print(fingerprintLine(blob, comment, hash));
        if (is("v")) print(keyPicture(blob, hash));
      }
      return 0;
    default:
      return await generate();
  }

  async function generate(): Promise<number> {
    const bits = text("b");
    if (bits !== undefined && !/^\d{1,5}$/.test(bits))
      throw new UsageError(help.name, `expected a number of bits, got ${JSON.stringify(bits)}`);
    const comment = text("C") ?? defaultComment();
    say(`Generating public/private ${type} key pair.`);
    if (!(await questions.mayReplace(file))) return 1;
    const passphrase = text("N") ?? (await questions.newPassphrase("Enter passphrase (empty for no passphrase): "));
    const options: GenerateOptions = { type, comment, ...(bits !== undefined && { bits: Number(bits) }) };
    const key = await generatePrivateKey(passphrase === "" ? options : { ...options, passphrase });
    // The key of a text that was just written; its passphrase is at hand.
    const { publicKey } = await readPrivateKey(key, { passphrase });
    await saveKeyFile(file, key, 0o600);
    say(`Your identification has been saved in ${file}`);
    await saveKeyFile(`${file}.pub`, `${formatPublicKey(publicKey, comment)}\n`, 0o644);
    say(`Your public key has been saved in ${file}.pub`);
    say(`The key fingerprint is:\n${formatFingerprint(publicKey, hash)} ${comment}`);
    say(`The key's randomart image is:\n${keyPicture(publicKey, hash)}`);
    return 0;
  }

  async function unlocked(): Promise<RewrittenKey> {
    return await rewritePrivateKey(await readTextFile(file), { passphrase: once, newPassphrase: "" });
  }

  async function changePassphrase(): Promise<number> {
    // A wrong passphrase is noticed before the new one is asked for.
    const { text: plain, comment } = await unlocked();
    if (comment !== "") say(`Key has comment '${comment}'`);
    const question = "Enter new passphrase (empty for no passphrase): ";
    const newPassphrase = text("N") ?? (await questions.newPassphrase(question));
    const { text: key } = await rewritePrivateKey(plain, { newPassphrase });
    await saveKeyFile(file, key, 0o600);
    say("Your identification has been saved with the new passphrase.");
    return 0;
  }

  async function changeComment(): Promise<number> {
    const { text: plain, comment: oldComment } = await unlocked();
    say(`Old comment: ${oldComment}`);
    const comment = text("C") ?? (await questions.line("New comment: "));
    // The passphrase stays: an empty one was never asked for.
    const newPassphrase = answer ?? "";
    const { text: key, publicKey } = await rewritePrivateKey(plain, { newPassphrase, comment });
    await saveKeyFile(file, key, 0o600);
    await saveKeyFile(`${file}.pub`, `${formatPublicKey(publicKey, comment)}\n`, 0o644);
    say(comment === "" ? "Comment was removed" : `Comment '${comment}' applied`);
    return 0;
  }
}

function keyType(help: CommandHelp, text: string): "ed25519" | "ecdsa" | "rsa" {
  switch (text.toLowerCase()) {
    case "ed25519":
    case "ssh-ed25519":
      return "ed25519";
    case "ecdsa":
      return "ecdsa";
    case "rsa":
      return "rsa";
    default:
      throw new UsageError(help.name, `expected the type ed25519, ecdsa or rsa, got ${JSON.stringify(text)}`);
  }
}

async function askFile(questions: KeygenQuestions, type: string, isNew: boolean): Promise<string> {
  const standard = join(homedir(), ".ssh", `id_${type}`);
  const text = isNew ? "Enter file in which to save the key" : "Enter file in which the key is";
  return (await questions.line(`${text} (${standard}): `)) || standard;
}

/** As ssh-keygen: who made the key, and where. */
function defaultComment(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // The user has no name.
    return hostname();
  }
}
