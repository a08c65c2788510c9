/**
 * Installs the real peers of the integration tests from Debian, if it runs as root on a machine without systemd (a
 * container). Otherwise it prints the packages to install, and the tests that need them are skipped.
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
// biome-ignore lint/correctness/useImportExtensions: it takes the declarations for the module.
import { newerDebian, newerSshAudit, nextDebian } from "./lib/newer-debian.mjs";

const peers = [
  { program: "sshd", package: "openssh-server", use: "the SSH server of most integration tests" },
  { program: "ssh", package: "openssh-client", use: "a client of TunnelHost" },
  { program: "ssh-keygen", package: "openssh-client", use: "the keys of every integration test" },
  { program: "sk-dummy.so", package: "openssh-tests", use: "security keys in software" },
  { program: "test-exec.sh", package: "openssh-tests", use: "OpenSSH's own scripts" },
  { program: "ip", package: "iproute2", use: "a network of its own for each of OpenSSH's scripts" },
  { program: "tmux", package: "tmux", use: "a terminal for the prompts of postern" },
  { program: "dropbear", package: "dropbear-bin", use: "a second SSH server" },
  { program: "dbclient", package: "dropbear-bin", use: "a client of our own server" },
  { program: "plink", package: "putty-tools", use: "a client of our own server" },
  { program: "asyncssh", package: "python3-asyncssh", use: "a client of our own server" },
  { program: "paramiko", package: "python3-paramiko", use: "a client of our own server" },
  { program: "chromium", package: "chromium", use: "the runtime of a page" },
  { program: "ssh-audit", package: "ssh-audit", use: "a check of the algorithms of TunnelHost" },
  { program: "microsocks", package: "microsocks", use: "a SOCKS proxy" },
  { program: "danted", package: "dante-server", use: "a SOCKS proxy" },
  { program: "tinyproxy", package: "tinyproxy", use: "an HTTP proxy" },
  { program: "stunnel4", package: "stunnel4", use: "TLS in front of a proxy" },
  { program: "openssl", package: "openssl", use: "certificates of a proxy" },
  { program: "nginx", package: "nginx-light", use: "a target that expects the PROXY protocol" },
  { program: "haproxy", package: "haproxy", use: "a target that expects the PROXY protocol" },
  { program: "nc.openbsd", package: "netcat-openbsd", use: "a command as the way to a server" },
  { program: "curl", package: "curl", use: "a client of SOCKS proxies and of UNIX sockets" },
  { program: "zsh", package: "zsh", use: "completion of the command postern" },
  { program: "fish", package: "fish", use: "completion of the command postern" },
  { program: "mandoc", package: "mandoc", use: "a check of the man page" },
  { program: "redis-server", package: "redis-server", use: "the database of an example" },
  { program: "autossh", package: "autossh", use: "a peer of docs/peers.md" },
  { program: "tinysshd", package: "tinysshd", use: "a peer of docs/peers.md" },
  { program: "gcc", package: "gcc", use: "the compiler of the libssh and libssh2 peers" },
  { program: "stdio.h", package: "libc6-dev", use: "the compiler of the libssh and libssh2 peers" },
  { program: "libssh/libssh.h", package: "libssh-dev", use: "a peer in both roles" },
  { program: "libssh2.h", package: "libssh2-1-dev", use: "a peer of docs/peers.md" },
  { program: "go", package: "golang-go", use: "the compiler of the Go peer" },
  { program: "golang.org/x/crypto", package: "golang-golang-x-crypto-dev", use: "a peer of docs/peers.md" },
  { program: "debootstrap", package: "debootstrap", use: "newer peers, in a folder" },
];

let absent = lacking();
if (absent.length > 0 && mayInstall()) {
  const packages = [...new Set(absent.map((peer) => peer.package))];
  console.log(`setup: installing ${packages.join(", ")}`);
  const apt = (...args) =>
    spawnSync("apt-get", ["-q", "-y", ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  if (!apt("update") || !apt("install", "--no-install-recommends", ...packages)) console.log("setup: apt-get failed");
  absent = lacking();
}
for (const peer of absent) {
  console.log(
    `setup: ${peer.program} is missing (${peer.use}); tests that need it are skipped. ${advice(peer.package)}`,
  );
}
if (absent.length === 0) console.log(`setup: ${peers.map(({ program }) => program).join(", ")} are installed`);
makeNewerDebian();
addScripts(newerDebian());
makeNextDebian();

function lacking() {
  const folders = [
    "/usr/sbin",
    "/usr/bin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/sbin",
    "/bin",
    "/usr/lib/python3/dist-packages",
    "/usr/include",
    "/usr/lib/openssh/regress",
    "/usr/lib/openssh/regress/misc/sk-dummy",
    "/usr/share/gocode/src",
  ];
  return peers.filter(({ program }) => !folders.some((folder) => existsSync(`${folder}/${program}`)));
}

/** Installs OpenSSH and dropbear of the next Debian in a folder of the user's cache. The first run takes a minute. */
function makeNewerDebian() {
  const { folder, release, packages, isThere } = newerDebian();
  if (isThere) return;
  if (!mayInstall() || absent.some(({ program }) => program === "debootstrap")) {
    console.log(`setup: ${folder} is missing (newer OpenSSH and dropbear); tests that need it are skipped`);
    return;
  }
  console.log(`setup: making ${folder}, Debian ${release} with ${packages.join(", ")}: about a minute, 260 MB`);
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  // A mount namespace removes the mounts of debootstrap even if it is killed.
  const { status, stdout } = spawnSync(
    "unshare",
    [
      ...["--mount", "--propagation", "private"],
      ...["debootstrap", "--variant=minbase", `--include=${packages.join(",")}`, release, part],
    ],
    { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" },
  );
  if (status === 0) return renameSync(part, folder);
  console.log(`${stdout}setup: debootstrap failed; tests that need newer peers are skipped`);
  rmSync(part, { recursive: true, force: true });
}

/** Unpacks OpenSSH's scripts into the folder with a newer Debian. */
function addScripts({ folder, release, unpacked, isThere, hasScripts }) {
  if (!isThere || hasScripts) return;
  if (!mayInstall()) {
    console.log(`setup: ${folder} lacks ${unpacked.join(", ")}; tests that need it are skipped`);
    return;
  }
  const work = mkdtempSync(join(tmpdir(), "postern-newer-"));
  try {
    console.log(`setup: adding ${unpacked.join(", ")} to ${folder}`);
    for (const file of packagesOf(release, work)(unpacked)) command("dpkg-deb", ["-x", file, folder], work);
  } catch (error) {
    console.log(`setup: ${error.message}; tests that need ${unpacked.join(", ")} of ${release} are skipped`);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Unpacks OpenSSH and ssh-audit of the next Debian in folders of the user's cache. The first run takes 20 seconds. */
function makeNextDebian() {
  const openSsh = nextDebian();
  const audit = newerSshAudit();
  if (openSsh.isThere && audit.isThere) return;
  if (!mayInstall()) {
    console.log(`setup: ${openSsh.folder} or ${audit.folder} is missing; tests that need it are skipped`);
    return;
  }
  const work = mkdtempSync(join(tmpdir(), "postern-next-"));
  try {
    const download = packagesOf(openSsh.release, work);
    if (!openSsh.isThere) unpackOpenSsh(openSsh, download(openSsh.packages));
    if (!audit.isThere) unpackAudit(audit, download([audit.package]));
  } catch (error) {
    console.log(`setup: ${error.message}; tests that need OpenSSH or ssh-audit of ${openSsh.release} are skipped`);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Returns a function that downloads packages of a release. apt verifies them by the keys of Debian. */
function packagesOf(release, work) {
  const list = join(work, "sources.list");
  const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(list, `deb [signed-by=${keys}] http://deb.debian.org/debian ${release} main\n`);
  for (const folder of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(work, folder), { recursive: true });
  const own = { "Dir::Etc::sourcelist": list, "Dir::Etc::sourceparts": "-", "Dir::State::lists": join(work, "lists") };
  const settings = { ...own, "Dir::Cache": join(work, "cache"), "APT::Sandbox::User": "root" };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  command("apt-get", [...options, "-q", "update"], work);
  return (packages) => {
    const folder = mkdtempSync(join(work, "packages-"));
    command("apt-get", [...options, "-q", "download", ...packages], folder);
    return readdirSync(folder).map((name) => join(folder, name));
  };
}

function unpackOpenSsh({ folder, release }, files) {
  console.log(`setup: making ${folder}, OpenSSH of Debian ${release}: 90 MB`);
  unpack(folder, files, (part) => {
    symlinkSync("mawk", join(part, "usr", "bin", "awk"));
    writeFileSync(join(part, "etc", "group"), "root:x:0:\nsshd:x:997:\nnogroup:x:65534:\ntty:x:5:\n");
    const users = { root: 0, sshd: 997, nobody: 65_534 };
    const lines = Object.entries(users).map(([name, id]) => `${name}:x:${id}:${id}::/:/bin/sh\n`);
    writeFileSync(join(part, "etc", "passwd"), lines.join(""));
    writeFileSync(join(part, "etc", "shadow"), "", { mode: 0o600 });
    for (const program of [
      "bin/ssh",
      "bin/setpriv",
      "bin/mount",
      "lib/openssh/sshd-session",
      "lib/openssh/sshd-auth",
    ]) {
      // The loader ends a program that lacks a library with 127.
      const { status, stderr } = spawnSync("chroot", [part, `/usr/${program}`, "-V"], { encoding: "utf8" });
      if (status === 127) throw new Error(`expected ${program} to start, got ${stderr.trim()}`);
    }
  });
}

function unpackAudit({ folder, sha256 }, [file]) {
  const got = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (got !== sha256) throw new Error(`expected ssh-audit with the SHA-256 ${sha256}, got ${got}`);
  console.log(`setup: making ${folder}`);
  unpack(folder, [file]);
}

/** Unpacks packages into a folder, which appears only if that and `finish` succeed. */
function unpack(folder, files, finish) {
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  for (const file of files) command("dpkg-deb", ["-x", file, part], part);
  finish?.(part);
  // An earlier set-up may have made it with fewer packages.
  const old = `${folder}.old`;
  rmSync(old, { recursive: true, force: true });
  if (existsSync(folder)) renameSync(folder, old);
  renameSync(part, folder);
  rmSync(old, { recursive: true, force: true });
}

function command(name, args, cwd) {
  const { status, stderr } = spawnSync(name, args, { cwd, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  if (status !== 0) throw new Error(`${name} ${args.at(-1)} failed: ${stderr.trim()}`);
}

/** With systemd, installing openssh-server opens port 22. Only the owner of the machine may decide that. */
function mayInstall() {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get") && !existsSync("/run/systemd/system");
}

function advice(name) {
  return existsSync("/usr/bin/apt-get") ? `To run them: apt-get install ${name}` : `On Debian it is in ${name}.`;
}
