/**
 * The shim of implementations that are programs: `node program.mjs NAME`. A server is one process; a client is one
 * process for each connection.
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dropbear, openSsh, output, withoutComment } from "./debian.mjs";
import { nextLine, tell } from "./lines.mjs";

const programs = fileURLToPath(new URL("../../integration/peers/programs/", import.meta.url));
const ssh2Package = join(programs, "..", "..", "node_modules", "ssh2", "package.json");
const clients = fileURLToPath(new URL("../../integration/harness/clients/", import.meta.url));
const python = "/usr/bin/python3";
/** A field of dpkg-query. */
const versionField = ["$", "{Version}"].join("");
const folder = mkdtempSync(join(tmpdir(), "postern-shim-"));

/** The arguments of the servers in `integration/peers/programs`. */
const serverArgs = ({ port, hostKeyFile, userPublicKey }) => [
  String(port),
  hostKeyFile,
  withoutComment(userPublicKey),
  "0",
];
/** The arguments of the clients there. */
const clientArgs = ({ port, user, userKeyFile, hostPublicKey, echoPort }) =>
  [port, user, userKeyFile, withoutComment(hostPublicKey), 0, echoPort, 0].map(String);
/** The argument of the clients in Python. */
const pythonArgs = ({ port, user, userKeyFile, hostPublicKey, echoPort }) => [
  JSON.stringify({
    port,
    user,
    hostKey: withoutComment(hostPublicKey),
    keyFile: userKeyFile,
    address: "localhost",
    listen: 0,
    target: ["127.0.0.1", echoPort],
  }),
];

const table = {
  openssh: openSsh(folder),
  "newer-openssh": openSsh(folder, { newer: true }),
  dropbear: dropbear(folder),
  "newer-dropbear": dropbear(folder, { newer: true }),
  asyncssh: {
    version: () => `asyncssh ${pythonVersion("asyncssh")}`,
    user: "test",
    server: (facts) => [python, "-W", "ignore", join(programs, "asyncssh_server.py"), ...serverArgs(facts)],
    client: (facts) => [python, "-W", "ignore", join(clients, "asyncssh_tunnel.py"), ...pythonArgs(facts)],
  },
  paramiko: {
    version: () => `paramiko ${pythonVersion("paramiko")}`,
    user: "test",
    server: (facts) => [python, "-W", "ignore", join(programs, "paramiko_server.py"), ...serverArgs(facts)],
    client: (facts) => [python, "-W", "ignore", join(clients, "paramiko_tunnel.py"), ...pythonArgs(facts)],
  },
  go: {
    version: () =>
      `golang.org/x/crypto/ssh ${output("dpkg-query", ["-W", "-f", versionField, "golang-golang-x-crypto-dev"])}`,
    user: "test",
    server: (facts) => [goProgram("go_server.go"), ...serverArgs(facts)],
    client: (facts) => [goProgram("go_client.go"), ...clientArgs(facts)],
  },
  libssh: {
    version: () => `libssh ${output("dpkg-query", ["-W", "-f", versionField, "libssh-dev"])}`,
    user: "test",
    server: (facts) => [cProgram("libssh_server.c"), ...serverArgs(facts)],
    client: (facts) => [cProgram("libssh_client.c"), ...clientArgs(facts)],
  },
  ssh2: {
    version: () => `ssh2 ${JSON.parse(readFileSync(ssh2Package, "utf8")).version}`,
    user: "test",
    server: (facts) => [process.execPath, join(programs, "ssh2_server.mjs"), ...serverArgs(facts)],
    client: (facts) => [process.execPath, join(programs, "ssh2_client.mjs"), ...clientArgs(facts)],
  },
};

function pythonVersion(name) {
  return output(python, ["-W", "ignore", "-c", `import ${name}; print(${name}.__version__)`]).trim();
}

const compiled = new Map();

function once(source, compile) {
  const path = join(folder, source.replace(/\W/g, "_"));
  if (!compiled.has(source)) compile(path);
  compiled.set(source, path);
  return path;
}

function goProgram(name) {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern", "go");
  const env = { ...process.env, GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOCACHE: cache };
  return once(name, (path) =>
    execFileSync("go", ["build", "-o", path, join(programs, name)], { env, stdio: "ignore" }),
  );
}

function cProgram(name) {
  return once(name, (path) =>
    execFileSync("gcc", ["-O1", "-o", path, join(programs, name), "-lssh"], { stdio: "ignore" }),
  );
}

function launch([program = "", ...args]) {
  const child = spawn(program, args, { stdio: "ignore", detached: true, env: { ...process.env, HOME: folder } });
  child.on("error", (error) => console.error(String(error)));
  return child;
}

/** Ends a process with its descendants. */
function kill({ pid }) {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until a port accepts connections. */
async function listening(port) {
  for (let attempt = 0; attempt < 300; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const open = await new Promise((resolve) =>
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false)),
    );
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`expected the server to listen on port ${port} within 30 s`);
}

const [name = ""] = process.argv.slice(2);
const program = table[name];
const start = await nextLine();
try {
  if (program === undefined || start === undefined) throw new Error(`expected one of ${Object.keys(table).join(", ")}`);
  const make = program[start.role];
  if (make === undefined) throw new Error(`${name} has no ${start.role}`);
  for (const key of ["hostKey", "userKey"]) {
    writeFileSync(join(folder, key), start[key]);
    chmodSync(join(folder, key), 0o600);
  }
  const { echoPort, hostPublicKey, userPublicKey } = start;
  const user = program.user ?? start.user;
  const files = { hostKeyFile: join(folder, "hostKey"), userKeyFile: join(folder, "userKey"), folder };
  const facts = { user, echoPort, hostPublicKey, userPublicKey, ...files };
  const title = program.version?.() ?? name;
  if (start.role === "server") {
    const port = await freePort();
    let server = launch(make({ ...facts, port }));
    let isOver = false;
    const restart = () => {
      if (isOver) return;
      tell({ event: "crashed" });
      server = launch(make({ ...facts, port }));
      server.once("exit", restart);
    };
    server.once("exit", restart);
    await listening(port);
    tell({ event: "ready", name: title, port, user });
    while ((await nextLine()) !== undefined);
    isOver = true;
    kill(server);
  } else {
    // Compiles before the first connection.
    make({ ...facts, port: 1 });
    tell({ event: "ready", name: title, user });
    for (let line = await nextLine(); line !== undefined; line = await nextLine()) {
      const client = launch(make({ ...facts, port: line.port }));
      const ended = new Promise((resolve) => client.once("exit", resolve).once("error", resolve));
      // The next line tells that the runner is done with this connection.
      await nextLine();
      kill(client);
      await ended;
      tell({ event: "closed" });
    }
  }
} catch (error) {
  tell({ event: "unable", reason: error instanceof Error ? error.message : String(error) });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
