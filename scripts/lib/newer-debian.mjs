/** Locates programs of newer Debians, in folders of the user's cache that `setup-tests.mjs` makes. @module */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

function cached(release, program) {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern", release);
  return { release, folder, isThere: existsSync(join(folder, program)) };
}

/** Returns the folder with OpenSSH and dropbear of the stable Debian, which the harness enters with `chroot`. */
export function newerDebian() {
  return { ...cached("trixie", "usr/sbin/sshd"), packages: ["openssh-server", "openssh-client", "dropbear-bin"] };
}

/**
 * Returns the folder with OpenSSH of the next Debian: the packages are unpacked, not installed, with the libraries that
 * their programs need and the programs that the harness starts in it.
 */
export function nextDebian() {
  const programs = ["base-files", "dash", "mount", "openssh-client", "openssh-server", "util-linux"];
  const libraries =
    "libaudit1 libblkid1 libbsd0 libc6 libcap-ng0 libcrypt1 libedit2 libgcc-s1 libmd0 libmount1 libpam0g libpcre2-8-0 " +
    "libselinux1 libsmartcols1 libsqlite3-0 libssl3t64 libsystemd0 libtinfo6 libuuid1 libwrap0 libwtmpdb0 libzstd1 zlib1g";
  return { ...cached("forky", "usr/sbin/sshd"), packages: [...programs, ...libraries.split(" ")] };
}

/** Returns the folder with ssh-audit of the next Debian, which is written in Python. */
export function newerSshAudit() {
  const version = "3.3.0-2";
  const place = cached(`ssh-audit-${version}`, "usr/bin/ssh-audit");
  const sha256 = "5a0fde3b33d133f72624d32ce9a9c165afebd74f3c729fd91de9288aabc0cd45";
  return { ...place, release: "forky", package: `ssh-audit=${version}`, sha256 };
}
