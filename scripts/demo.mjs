/**
 * A reverse tunnel from end to end, on this machine and with the command `postern`: a host, a web server on loopback,
 * and the tunnel between them. Prints each command line. Exits with 0 only if the page arrives unchanged.
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./lib/run.mjs";

const postern = join(root, "packages", "cli", "dist", "postern.js");
const folder = mkdtempSync(join(tmpdir(), "postern-demo-"));
const running = [];
const web = createServer((_request, response) => response.end(page));
const page = Buffer.concat([Buffer.from("<h1>The door is open</h1>\n"), randomBytes(1_000_000)]);
process.exitCode = 1;

try {
  if (await demo()) process.exitCode = 0;
} catch (error) {
  console.error(`demo: ${error.message}`);
} finally {
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(running.map(ended));
  web.close();
  web.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}

/** Returns whether the page came through. */
async function demo() {
  say("1. The public machine gets a configuration and a host key for a host, an SSH server that only forwards ports.");
  const [fingerprint] = /SHA256:\S+/.exec(run("host", "init", "--folder", "host")) ?? [];

  say("2. The machine behind the firewall gets a key to log in with.");
  run("keygen", "-q", "-N", "", "-f", "id_tunnel");

  say("3. The public key goes into the configuration, and the host starts.");
  const port = await freePort();
  const file = join(folder, "host", "host.json");
  const publicKey = readFileSync(join(folder, "id_tunnel.pub"), "utf8").trim();
  edit(file, '"listen": ["2222"]', `"listen": ["127.0.0.1:${port}"]`);
  edit(file, '"keys": []', `"keys": [${JSON.stringify(publicKey)}]`);
  const host = start("host: ", "host", "--config", "host/host.json");
  await printed(host, /listening/i);

  say("4. The other machine asks for the host key. Its fingerprint has to be that of step 1.");
  const shown = run("fingerprint", `127.0.0.1:${port}`);
  if (fingerprint === undefined || !shown.includes(fingerprint))
    throw new Error(`expected ${fingerprint}, got ${shown}`);
  const known = run("fingerprint", "--keys", `127.0.0.1:${port}`);
  writeFileSync(join(folder, "known_hosts"), known);

  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  const target = `127.0.0.1:${web.address().port}`;
  say(`5. A web server listens on ${target}, which is not reachable from outside. The tunnel changes that.`);
  // Nothing of ~/.ssh takes part.
  const files = ["-F", "none", "-o", "UserKnownHostsFile=known_hosts", "-i", "id_tunnel"];
  const tunnel = start("tunnel: ", "-N", ...files, "-p", String(port), "-R", `0:${target}`, "deploy@127.0.0.1");
  const [, publicPort] = await printed(tunnel, /Allocated port (\d+) for remote forward/);

  say(`6. A visitor fetches the page from port ${publicPort} of the public machine.`);
  const response = await fetch(`http://127.0.0.1:${publicPort}/`);
  const received = Buffer.from(await response.arrayBuffer());
  const isRight = sha256(received) === sha256(page);
  say(`   ${received.length} bytes came through the tunnel; they are ${isRight ? "correct" : "WRONG"}.`);

  say("7. The tunnel closes, and then the host.");
  tunnel.kill("SIGINT");
  await ended(tunnel);
  return isRight;
}

function say(text) {
  console.log(text);
}

/** Runs a command to its end, and returns its output. */
function run(...args) {
  show(args);
  const { status, stdout, stderr } = spawnSync(process.execPath, [postern, ...args], { cwd: folder, encoding: "utf8" });
  process.stdout.write(indented(stdout + stderr));
  if (status !== 0) throw new Error(`expected postern ${args.join(" ")} to exit with 0, got ${status}`);
  return stdout;
}

/** Starts a command that goes on. Its output has a label, because it mixes with that of other commands. */
function start(label, ...args) {
  show(args);
  const child = spawn(process.execPath, [postern, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  child.output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      child.output += text;
      process.stdout.write(indented(text, label));
      child.emit("output");
    });
  }
  running.push(child);
  return child;
}

/** Resolves with the match of the output of a command, at most a minute later. */
async function printed(child, pattern) {
  const signal = AbortSignal.timeout(60_000);
  for (;;) {
    const match = pattern.exec(child.output);
    if (match !== null) return match;
    if (child.exitCode !== null) throw new Error(`expected ${pattern}, got the end of the command: ${child.output}`);
    await Promise.race([once(child, "output", { signal }), once(child, "exit", { signal })]);
  }
}

async function ended(child) {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

function show(args) {
  const words = args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg}'`));
  say(`   $ postern ${words.join(" ")}`);
}

function indented(text, label = "") {
  return text.replaceAll(/^(?=.)/gm, `     ${label}`);
}

function edit(path, old, text) {
  const before = readFileSync(path, "utf8");
  if (!before.includes(old)) throw new Error(`expected ${old} in ${path}, got none`);
  writeFileSync(
    path,
    before.replace(old, () => text),
  );
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
