/** Locates OpenSSH and dropbear of a newer Debian. @module */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Returns the folder that `setup-tests.mjs` makes and the harness enters with `chroot`. */
export function newerDebian() {
  const release = "trixie";
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern", release);
  const packages = ["openssh-server", "openssh-client", "dropbear-bin"];
  return { folder, release, packages, isThere: existsSync(join(folder, "usr/sbin/sshd")) };
}
