/** Asks with a program that shows a window, as SSH_ASKPASS in ssh(1). @module */
import { spawn } from "node:child_process";

/** When ssh asks by a program: never, if there is no terminal, or always. */
export type AskpassUse = "never" | "without-terminal" | "always";

/** Reads SSH_ASKPASS_REQUIRE, DISPLAY and WAYLAND_DISPLAY, as read_passphrase of OpenSSH (readpass.c). */
export function askpassUse(env: NodeJS.ProcessEnv): AskpassUse {
  const { DISPLAY: display = "", WAYLAND_DISPLAY: wayland = "", SSH_ASKPASS_REQUIRE: required = "" } = env;
  const hasDisplay = display !== "" || wayland !== "";
  switch (required.toLowerCase()) {
    case "force":
      return "always";
    case "prefer":
      return hasDisplay ? "always" : "never";
    case "never":
      return "never";
    default:
      return hasDisplay ? "without-terminal" : "never";
  }
}

/** OpenSSH's path in Debian. */
const defaultProgram = "/usr/bin/ssh-askpass";
/** OpenSSH reads 1023 bytes. */
const maxBytes = 4095;

/** Options of {@link askProgram}. */
export interface AskProgramOptions {
  readonly env: NodeJS.ProcessEnv;
  /** the value of SSH_ASKPASS_PROMPT: asks for yes or no */
  readonly hint?: "confirm";
  /** Prints that the program cannot be run. */
  readonly print: (line: string, level: "error") => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs the program of SSH_ASKPASS with the question as its argument. Resolves with the first line that it prints, or
 * `undefined` if it fails. Its standard input and error are ours, as in ssh.
 */
export function askProgram(question: string, options: AskProgramOptions): Promise<string | undefined> {
  const { env, hint, print, signal } = options;
  const { SSH_ASKPASS: program = defaultProgram } = env;
  return new Promise((resolve) => {
    const child = spawn(program, [question], {
      env: hint === undefined ? env : { ...env, SSH_ASKPASS_PROMPT: hint },
      stdio: ["inherit", "pipe", "inherit"],
      ...(signal && { signal }),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else child.kill();
    });
    child.on("error", (error) => {
      if (!signal?.aborted) print(`ssh_askpass: exec(${program}): ${error.message}`, "error");
      resolve(undefined);
    });
    child.on("close", (status) => {
      const all = Buffer.concat(chunks);
      const [line = ""] = all.toString("utf8").split(/[\r\n]/, 1);
      for (const chunk of [...chunks, all]) chunk.fill(0);
      resolve(status === 0 ? line : undefined);
    });
  });
}
