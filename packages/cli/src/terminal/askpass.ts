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

/**
 * Runs the program of SSH_ASKPASS with the question as its argument. Resolves with the first line that it prints,
 * `undefined` if it fails, or is cancelled. `hint` becomes SSH_ASKPASS_PROMPT: `confirm` asks for yes or no, `none`
 * only shows the text.
 */
export function askProgram(
  question: string,
  {
    env,
    hint,
    signal,
  }: { env: NodeJS.ProcessEnv; hint?: "confirm" | "none" | undefined; signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  const { SSH_ASKPASS: program = defaultProgram } = env;
  return new Promise((resolve, reject) => {
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
    child.on("error", (error) =>
      reject(new Error(`expected to run the program of SSH_ASKPASS, ${program}: ${error.message}`, { cause: error })),
    );
    child.on("close", (status) => {
      const all = Buffer.concat(chunks);
      const [line = ""] = all.toString("utf8").split(/[\r\n]/, 1);
      for (const chunk of [...chunks, all]) chunk.fill(0);
      resolve(status === 0 ? line : undefined);
    });
  });
}
