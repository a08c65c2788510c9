/** Locates programs of newer Debians, in folders of the user's cache that `setup-tests.mjs` makes. @module */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

function cached(release, program) {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern", release);
  return { release, folder, isThere: existsSync(join(folder, program)) };
}

/** The last file of `openssh-tests` that `setup-tests.mjs` unpacks. */
const scripts = "usr/lib/openssh/regress/test-exec.sh";

/**
 * Returns the folder with OpenSSH and dropbear of the stable Debian, which the harness enters with `chroot`. OpenSSH's
 * scripts are unpacked into it without their dependencies, because few of them are needed.
 */
export function newerDebian() {
  const place = cached("trixie", "usr/sbin/sshd");
  const packages = ["openssh-server", "openssh-client", "dropbear-bin"];
  return { ...place, packages, unpacked: ["openssh-tests"], hasScripts: existsSync(join(place.folder, scripts)) };
}

/**
 * Returns the folder with OpenSSH of the next Debian: the packages are unpacked, not installed, with the libraries that
 * their programs need, the programs that the harness starts in it, and those of OpenSSH's scripts.
 */
export function nextDebian() {
  const programs =
    "base-files coreutils dash diffutils findutils grep hostname mawk mount openssh-client openssh-common " +
    "openssh-server openssh-sftp-server openssh-tests procps sed tar util-linux";
  const libraries =
    "libacl1 libattr1 libaudit1 libblkid1 libbsd0 libc-bin libc6 libcap-ng0 libcap2 libcbor0.10 libcrypt1 " +
    "libdb5.3t64 libedit2 libfido2-1 libgcc-s1 libgmp10 libmd0 libmount1 libncursesw6 libpam-modules " +
    "libpam-modules-bin libpam0g libpcre2-8-0 libproc2-1 libselinux1 libsmartcols1 libsqlite3-0 libssl3t64 " +
    "libstdc++6 libsystemd0 libtinfo6 libudev1 libuuid1 libwrap0 libwtmpdb0 libzstd1 zlib1g";
  return { ...cached("forky", scripts), packages: `${programs} ${libraries}`.split(" ") };
}

/** Returns the folder with ssh-audit of the next Debian, which is written in Python. */
export function newerSshAudit() {
  const version = "3.3.0-2";
  const place = cached(`ssh-audit-${version}`, "usr/bin/ssh-audit");
  const sha256 = "5a0fde3b33d133f72624d32ce9a9c165afebd74f3c729fd91de9288aabc0cd45";
  return { ...place, release: "forky", package: `ssh-audit=${version}`, sha256 };
}
