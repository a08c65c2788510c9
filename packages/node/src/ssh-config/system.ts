/** This machine, as ssh_config sees it: the user, the files and the environment. @module */
import { homeFolder, systemFolder } from "../folders.ts";

/** Environment variables. */
export type SshConfigEnvironment = Readonly<Record<string, string | undefined>>;

/** The facts about this machine that a configuration can refer to. */
export interface ConfigSystem {
  readonly isWindows: boolean;
  readonly env: SshConfigEnvironment;
  readonly home: string;
  /** the folder of the system's files */
  readonly systemFolder: string;
  readonly localUser: string;
  readonly uid: number;
  readonly localHost: string;
  readonly sha1Hex: (text: string) => string;
  /** Returns the home of another user, or `undefined` if there is no such user. */
  readonly homeOf: (user: string) => Promise<string | undefined>;
  /** Runs a command of Match exec. Returns whether it succeeds. The signal ends it. */
  readonly run: (command: string, signal: AbortSignal | undefined) => Promise<boolean>;
}

/** Returns the facts about this machine. Modules of Node.js are loaded only now. */
export function describeSystem(given: { readonly env?: SshConfigEnvironment; readonly home?: string }): ConfigSystem {
  const os = process.getBuiltinModule("node:os");
  const isWindows = process.platform === "win32";
  const env = given.env ?? process.env;
  const info = userInfo(os, env);
  return {
    isWindows,
    env,
    // As ssh, which trusts the user database more than HOME. On Windows, the folder of the profile.
    home: given.home ?? homeFolder(),
    systemFolder: systemFolder(env),
    localUser: info.username,
    uid: info.uid,
    localHost: os.hostname(),
    sha1Hex: (text) => process.getBuiltinModule("node:crypto").createHash("sha1").update(text).digest("hex"),
    homeOf: (user) => (isWindows ? Promise.resolve(undefined) : homeInPasswd(user)),
    run: (command, signal) => run(command, isWindows ? undefined : (env.SHELL ?? "/bin/sh"), env, signal),
  };
}

/** A user without an entry in the user database has the names of the environment. */
function userInfo(
  os: typeof import("node:os"),
  env: SshConfigEnvironment,
): { readonly username: string; readonly uid: number } {
  try {
    return os.userInfo({ encoding: "utf8" });
  } catch {
    return { username: env.USER ?? env.LOGNAME ?? "", uid: process.getuid?.() ?? -1 };
  }
}

/** Looks the user up in /etc/passwd. */
async function homeInPasswd(user: string): Promise<string | undefined> {
  const text = await process
    .getBuiltinModule("node:fs/promises")
    .readFile("/etc/passwd", "utf8")
    .catch(() => "");
  const line = text.split("\n").find((one) => one.startsWith(`${user}:`));
  return line?.split(":")[5];
}

function run(
  command: string,
  shell: string | undefined,
  env: SshConfigEnvironment,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const options = { stdio: "ignore", env: { ...env }, windowsHide: true, signal } as const;
  return new Promise((resolve, reject) => {
    const child =
      shell === undefined ? spawn(command, { ...options, shell: true }) : spawn(shell, ["-c", command], options);
    child.once("error", reject).once("close", (code) => resolve(code === 0));
  });
}
