/** Asks the user for secrets and decisions, with the texts of ssh. @module */
import { readFile } from "node:fs/promises";
import type { InteractiveRequest } from "@postern/auth";
import type { SshConfigLogin } from "@postern/node";
import type { UnknownHostKey } from "@postern/tunnel";
import { SshError, sanitizeText } from "@postern/wire";
import { askTerminal, hasTerminal, PromptInterrupted, type Question } from "./ask-terminal.ts";
import { askProgram, askpassUse } from "./askpass.ts";
import { hostKeyQuestion } from "./host-key-texts.ts";

/** Options of {@link createPrompts}. */
export interface PromptsOptions {
  /** SSH_ASKPASS, SSH_ASKPASS_REQUIRE, DISPLAY and WAYLAND_DISPLAY; default: those of the process */
  readonly env?: NodeJS.ProcessEnv;
  /** Refuses every question (BatchMode of ssh_config(5)). Default `false`. */
  readonly batchMode?: boolean;
  /** how often to ask for a passphrase (NumberOfPasswordPrompts); default 3 */
  readonly attempts?: number;
  /**
   * Prints a line of ssh's log, such as the error `Permission denied, please try again.` Default: to standard error.
   */
  readonly print?: (line: string, level: "error" | "info") => void;
  /** Called before each question, for example to clear a status line. */
  readonly beforeQuestion?: () => void;
}

/** Details of an unknown host key. All of them are optional. */
export interface HostKeyDescription {
  /** the address of the server; `undefined` behind a proxy */
  readonly address?: string | undefined;
  /** in the hash of FingerprintHash; default: SHA-256 */
  readonly fingerprint?: string;
  /** the picture of VisualHostKey */
  readonly picture?: string | undefined;
  /** places where the same key is known for other names: `~/.ssh/known_hosts:3: example.com` */
  readonly otherNames?: readonly string[];
}

/** The login that a question is for. ssh shows HostKeyAlias in place of the host. */
export interface PromptLogin extends Omit<SshConfigLogin, "isJumpHost"> {
  readonly hostKeyAlias?: string | undefined;
}

/** Asks questions one after the other. Fits the options of `fromSshConfig`. */
export interface Prompts {
  /**
   * Returns the passphrase of a key file, and remembers it for the next login. After a wrong one it asks again.
   * @throws SshError `passphrase` if the user gives none
   */
  passphrase(path: string): Promise<string>;
  password(login: PromptLogin): Promise<string>;
  keyboardInteractive(request: InteractiveRequest, login: PromptLogin): Promise<readonly string[]>;
  /** Asks whether to trust a host key: `yes`, `no`, or its fingerprint. */
  confirmHostKey(key: UnknownHostKey, description?: HostKeyDescription): Promise<boolean>;
  /** Asks a question that `yes` answers. `no`, nothing, or no terminal is `false`. */
  confirm(text: string): Promise<boolean>;
  /**
   * Asks for permission by the program of SSH_ASKPASS, for `ControlMaster ask`. The program gets
   * `SSH_ASKPASS_PROMPT=confirm`; without a program the answer is `false`.
   */
  askPermission(text: string): Promise<boolean>;
  /** Asks for a line, such as the command line of `~C`. ^C only ends the question. */
  line(text: string): Promise<string>;
  /** A new connection begins: no password of it was refused yet. */
  newConnection(): void;
  /** Ends the question that waits, and those after it, for example because the connection was closed. */
  cancel(): void;
}

/**
 * Creates the prompts of a process. They are asked on its terminal, or by the program of SSH_ASKPASS, as ssh(1)
 * describes.
 *
 * Questions reject with `SshError` `credentials` in batch mode, and if there is neither a terminal nor a program. After
 * ^C they reject with `PromptInterrupted`, and the process gets SIGINT.
 */
export function createPrompts(options: PromptsOptions = {}): Prompts {
  const { env = process.env, batchMode = false, attempts = 3, beforeQuestion } = options;
  const print = options.print ?? ((line: string) => process.stderr.write(`${line}\n`));
  const passphrases = new Map<string, string>();
  const asked = new Set<string>();
  let last: Promise<unknown> = Promise.resolve();
  let controller = new AbortController();

  const askNow = async ({ text, echo, raises }: Question, signal: AbortSignal): Promise<string> => {
    signal.throwIfAborted();
    if (batchMode) throw new SshError("credentials", "expected no question in batch mode (BatchMode yes)");
    const use = askpassUse(env);
    if (use !== "always" && hasTerminal()) {
      beforeQuestion?.();
      return await askTerminal({ text, echo, raises }, signal);
    }
    if (use === "never")
      throw new SshError("credentials", "expected a terminal, or SSH_ASKPASS with DISPLAY, to ask for an answer");
    // If the program fails, the answer is empty, as in ssh.
    return (await askProgram(text, { env, print, signal })) ?? "";
  };
  /** One question at a time, because there is one terminal. */
  const ask = (text: string, echo: boolean, raises?: boolean): Promise<string> => {
    const { signal } = controller;
    const answer = last.then(() => askNow({ text, echo, raises }, signal));
    last = answer.catch(() => {});
    return answer;
  };
  const nameOf = ({ user, host, hostKeyAlias = host }: PromptLogin): string =>
    `${sanitizeText(user)}@${sanitizeText(hostKeyAlias.toLowerCase())}`;
  const choose = async (text: string, again: string, fingerprint?: string): Promise<boolean> => {
    if (batchMode) return false;
    for (let question = text; ; question = again) {
      const answer = (await ask(question, true)).trim().split(/[ \t]/, 1)[0] ?? "";
      if (answer === "" || answer.toLowerCase() === "no") return false;
      if (answer.toLowerCase() === "yes" || answer === fingerprint) return true;
    }
  };

  return {
    async passphrase(path) {
      const known = passphrases.get(path);
      if (known !== undefined) return known;
      for (let attempt = 1; attempt <= attempts; attempt += 1) {
        const passphrase = await ask(`Enter passphrase for key '${sanitizeText(path)}': `, false);
        if (passphrase === "") break;
        if (!(await opens(path, passphrase))) continue;
        passphrases.set(path, passphrase);
        return passphrase;
      }
      throw new SshError("passphrase", `expected the passphrase of ${sanitizeText(path)}, got none that opens it`);
    },
    password(login) {
      const name = nameOf(login);
      const key = `${name}:${login.port}`;
      if (asked.has(key)) print("Permission denied, please try again.", "error");
      asked.add(key);
      return ask(`${name}'s password: `, false);
    },
    async keyboardInteractive({ name, instruction, prompts }, login) {
      if (name !== "") print(sanitizeText(name), "info");
      if (instruction !== "") print(sanitizeText(instruction, true), "info");
      const answers: string[] = [];
      for (const { prompt, echo } of prompts)
        answers.push(await ask(`(${nameOf(login)}) ${sanitizeText(prompt, true)}`, echo));
      return answers;
    },
    async confirmHostKey(key, description = {}) {
      const { fingerprint = key.fingerprint } = description;
      const text = hostKeyQuestion({ ...description, key, fingerprint });
      return await choose(text, "Please type 'yes', 'no' or the fingerprint: ", fingerprint);
    },
    confirm: (text) => choose(sanitizeText(text, true), "Please type 'yes' or 'no': "),
    async askPermission(text) {
      // ssh shows a window, and never asks on the terminal, which may belong to a session.
      if (batchMode || askpassUse(env) === "never") return false;
      const answer = await askProgram(sanitizeText(text, true), { env, hint: "confirm", print });
      return answer === "" || answer?.toLowerCase() === "yes";
    },
    line: (text) => ask(text, true, false),
    newConnection() {
      asked.clear();
    },
    cancel() {
      controller.abort(new PromptInterrupted("expected an answer, but the connection has ended"));
      controller = new AbortController();
    },
  };
}

/** Whether a passphrase opens a key. Any other problem of the file is reported by the login that reads it. */
async function opens(path: string, passphrase: string): Promise<boolean> {
  const { readPrivateKey } = await import("@postern/node");
  try {
    await readPrivateKey(await readFile(path, "utf8"), { passphrase });
    return true;
  } catch (error) {
    return !(error instanceof SshError && error.code === "passphrase");
  }
}
