/**
 * Opens a tunnel to the host on port `argv[2]` and then has nothing else to do. `argv[3]` says when it calls `unref`.
 * @module
 */
import { password, ReverseTunnel } from "../../dist/index.js";

const [port, mode] = process.argv.slice(2);
const tunnel = new ReverseTunnel({
  host: "127.0.0.1",
  port: Number(port),
  user: "test",
  auth: [password("secret")],
  hostKey: () => true,
  selfCheck: { intervalMs: 60_000 },
  reconnect: mode === "waiting" ? { intervalMs: 60_000 } : { mode: "never" },
});
tunnel.addEventListener("state", ({ state }) => {
  process.stdout.write(`${state}\n`);
  if (state === "waiting") tunnel.unref();
});
tunnel.closed.catch(() => {});
await tunnel.connect();
await tunnel.listen({ port: 0 });
if (mode !== "waiting") tunnel.unref();
if (mode === "ref") tunnel.ref();
process.stdout.write("listening\n");
