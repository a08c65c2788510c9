/** KnownHostsCommand: a program that prints lines of known_hosts. @module */
import { quote, SshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { configError, splitArguments } from "./config-line.ts";
import type { Resolution } from "./resolve.ts";
import { expand } from "./tokens.ts";

/** The key of a server, in text. */
export interface OfferedKeyText {
  /** such as `ssh-ed25519` */
  readonly keyType: string;
  /** `SHA256:…` */
  readonly fingerprint: string;
  /** the blob in base64 */
  readonly base64: string;
}

/** Most bytes that a command may print. */
const largestOutput = 1_048_576;

/**
 * Creates a function that runs the command and returns the lines that it prints. Without a key, it asks for all keys of
 * the host, to put their algorithms first. The command is run without a shell, as in OpenSSH.
 *
 * @throws SshError `misuse` for a command that is not an absolute path; the function rejects with `hostkey` if the
 *   command fails, because a line that revokes the key could be missing
 */
export function createKnownHostsCommand(
  command: string,
  { config, system, positionOf }: Resolution,
  onStderr?: (text: string) => void,
): (key?: OfferedKeyText) => Promise<string> {
  const at = positionOf("knownHostsCommand");
  const [program = "", ...args] = splitArguments(command, at);
  if (!/^(?:\/|[a-z]:)/i.test(program))
    throw configError(at, `expected KnownHostsCommand to name an absolute path, got ${quote(program, 80)}`);
  const { hostKeyAlias, hostName, port } = config;
  const searched = hostKeyAlias ?? (port === 22 ? hostName : `[${hostName}]:${port}`);
  return (key) => {
    // As OpenSSH: the configuration has the order.
    if (key === undefined && config.hostKeyAlgorithms !== undefined) return Promise.resolve("");
    const tokens = {
      ...config.tokens,
      f: key?.fingerprint ?? "NONE",
      H: searched,
      I: key === undefined ? "ORDER" : "HOSTNAME",
      K: key?.base64 ?? "NONE",
      t: key?.keyType ?? "NONE",
    };
    const expanded = args.map((one) => expand(one, at, tokens, system.env));
    return run(program, expanded, { ...system.env }, onStderr);
  };
}

function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onStderr: ((text: string) => void) | undefined,
): Promise<string> {
  const { execFile } = process.getBuiltinModule("node:child_process");
  const options = {
    env,
    encoding: "utf8",
    maxBuffer: largestOutput,
    windowsHide: true,
    // The login does not wait longer.
    timeout: Limits.loginTimeoutMs,
    killSignal: "SIGKILL",
  } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (stderr !== "") onStderr?.(stderr);
      if (error === null) return resolve(stdout);
      // The message of the error shows the arguments, which may be secrets.
      const end = typeof error.code === "number" ? `status ${error.code}` : (error.code ?? error.signal);
      const got = error.killed === true ? "no end" : end;
      reject(new SshError("hostkey", `expected KnownHostsCommand ${quote(program)} to succeed, got ${got}`));
    });
    // As OpenSSH, whose command reads from /dev/null.
    child.stdin?.on("error", () => {}).end();
  });
}
