/**
 * Measures the memory of a TunnelHost per idle client with one forwarding. The clients run in another process.
 * `npm run build && node bench/host-memory.mjs [clients]`
 * @module
 */
import { execFileSync, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { password, policy, ReverseTunnel, readPrivateKey, TunnelHost } from "@postern/node";

const self = fileURLToPath(import.meta.url);
const [role = "500"] = process.argv.slice(2);
if (role === "host") await serve();
else await measure(Number(role));

/** The child process: a host that reports its memory on request. */
async function serve() {
  const dir = mkdtempSync(join(tmpdir(), "postern-bench-"));
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(dir, "key")]);
  const hostKeys = [await readPrivateKey(readFileSync(join(dir, "key"), "utf8"))];
  rmSync(dir, { recursive: true });
  const authorize = policy({ test: { password: "secret" } });
  const limits = { startups: { start: 10_000, full: 10_000 }, connections: 10_000, connectionsPerUser: 10_000 };
  const host = await TunnelHost.listen({ port: 0, address: "127.0.0.1", hostKeys, authorize, limits });
  const tell = async () => {
    for (let i = 0; i < 4; i++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    process.send({ rss, heapUsed, external, arrayBuffers, connections: host.clients.length });
  };
  process.on("message", () => void tell());
  process.on("disconnect", () => process.exit());
  process.send({ port: host.port });
}

async function measure(clients) {
  const child = fork(self, ["host"], { execArgv: ["--expose-gc"] });
  const answer = () => new Promise((resolve) => child.once("message", resolve));
  const { port } = await answer();
  const memory = () => {
    child.send("memory");
    return answer();
  };
  const open = async () => {
    const tunnel = new ReverseTunnel({
      host: "127.0.0.1",
      port,
      user: "test",
      auth: [password("secret")],
      hostKey: () => true,
    });
    await tunnel.connect();
    await tunnel.forward({ address: "127.0.0.1", port: 0, target: { host: "127.0.0.1", port } });
    return tunnel;
  };
  // The first clients trigger compilation.
  const warm = await Promise.all(Array.from({ length: 20 }, open));
  const before = await memory();
  const tunnels = [];
  for (let i = 0; i < clients; i += 50) tunnels.push(...(await Promise.all(Array.from({ length: 50 }, open))));
  const after = await memory();
  const count = after.connections - before.connections;
  console.log(`${count} idle clients, one forwarding each; KiB per client in the host:`);
  for (const name of ["heapUsed", "external", "arrayBuffers", "rss"]) {
    console.log(`  ${name.padEnd(13)}${((after[name] - before[name]) / count / 1024).toFixed(1)}`);
  }
  await Promise.all([...warm, ...tunnels].map((tunnel) => tunnel.close()));
  child.disconnect();
}
