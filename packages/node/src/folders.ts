/** The folders where OpenSSH keeps its files. @module */
import { homedir, userInfo } from "node:os";

/** Returns the home directory in the user database, as in OpenSSH; without an entry there, that of the environment. */
export function homeFolder(): string {
  // On Windows, both are the folder of the profile, but only one honours USERPROFILE, as OpenSSH does.
  if (process.platform === "win32") return homedir();
  try {
    return userInfo().homedir;
  } catch {
    return homedir();
  }
}

/** Returns the folder with the configuration of the system. */
export function systemFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (process.platform !== "win32") return "/etc/ssh";
  return `${env.PROGRAMDATA ?? env.ProgramData ?? "C:\\ProgramData"}\\ssh`;
}
