/**
 * The real peers of the integration tests come from Debian. As root on a machine that starts no services by itself (a container)
 * they are installed; anywhere else this says what to install, and the tests that need it are skipped.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const peers = [
  { program: "sshd", package: "openssh-server", use: "the SSH host behind most integration tests" },
  { program: "ssh", package: "openssh-client", use: "the client of our own server" },
  { program: "ssh-keygen", package: "openssh-client", use: "the keys of every integration test" },
  { program: "dropbear", package: "dropbear-bin", use: "a second SSH host" },
  { program: "dbclient", package: "dropbear-bin", use: "a client of our own server" },
  { program: "plink", package: "putty-tools", use: "a client of our own server" },
  { program: "asyncssh", package: "python3-asyncssh", use: "a client of our own server" },
  { program: "paramiko", package: "python3-paramiko", use: "a client of our own server" },
  { program: "chromium", package: "chromium", use: "the runtime of a page" },
  { program: "ssh-audit", package: "ssh-audit", use: "a look at what our own server offers" },
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
if (absent.length === 0) console.log(`setup: ${peers.map(({ program }) => program).join(", ")} are there`);

function lacking() {
  const folders = [
    "/usr/sbin",
    "/usr/bin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/sbin",
    "/bin",
    "/usr/lib/python3/dist-packages",
  ];
  return peers.filter(({ program }) => !folders.some((folder) => existsSync(`${folder}/${program}`)));
}

/** Where systemd runs, installing openssh-server opens port 22: that is for the owner of the machine to decide. */
function mayInstall() {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get") && !existsSync("/run/systemd/system");
}

function advice(name) {
  return existsSync("/usr/bin/apt-get") ? `To run them: apt-get install ${name}` : `On Debian it is in ${name}.`;
}
