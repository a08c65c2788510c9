/** Runs state traces against one implementation, over loopback. @module */
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { hostKey, userKey } from "./keys.mjs";
import { offersStrictKex, play } from "./play.mjs";
import { ShimProcess } from "./shim-process.mjs";

const folder = new URL("../traces/", import.meta.url);
const startTimeoutMs = 60_000;
const crashed = "expected the implementation to go on, got the end of its process";

/** Returns all traces for a role. */
export function tracesFor(role) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .flatMap((file) => {
      const { testGroups } = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
      return testGroups
        .filter((group) => group.role === role)
        .flatMap((group) => group.tests.map((test) => ({ file, ...test })));
    });
}

/**
 * Plays traces against an implementation, with `shims` of its processes side by side, because a silence of one trace
 * takes the whole time that the runner waits. Returns the name of the implementation, and the results in order.
 */
export async function runSuite(command, role, options = {}) {
  const { traces = tracesFor(role), shims = 1 } = options;
  const count = Math.max(1, Math.min(shims, traces.length));
  const shares = Array.from({ length: count }, (_, share) => traces.filter((_trace, at) => at % count === share));
  const parts = await Promise.all(shares.map((share) => runShare(command, role, { ...options, traces: share })));
  const order = new Map(traces.map((trace, at) => [trace, at]));
  const results = parts.flatMap((part) => part.results);
  results.sort((one, other) => order.get(one.trace) - order.get(other.trace));
  return { name: parts[0].name, results };
}

/** Plays traces one after the other with one shim. */
async function runShare(command, role, { traces, timeoutMs = 5_000, user = userInfo().username, tell }) {
  const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  const echoPort = await listen(echo);
  const keys = {
    hostKey: hostKey.file,
    hostPublicKey: hostKey.line,
    userKey: userKey.file,
    userPublicKey: userKey.line,
  };
  const shim = new ShimProcess(command, { role, user, echoPort, ...keys });
  const dialled = createServer();
  try {
    const ready = await shim.expect("ready", startTimeoutMs);
    const port = role === "client" ? await listen(dialled) : Number(ready.port);
    const connected = async (use) => {
      if (role === "server") return use(await dial(port));
      const used = await use(await dialledBy(shim, dialled, port));
      shim.command({ command: "close" });
      await shim.expect("closed", startTimeoutMs);
      return used;
    };
    const strict = await connected((socket) => offersStrictKex(socket, role, timeoutMs));
    const context = { user: ready.user ?? user, echoPort, timeoutMs };
    const results = [];
    let crashes = shim.crashes;
    // A crash is noticed at the latest when the next connection is made.
    const noteCrash = () => {
      if (shim.crashes > crashes && results.length > 0) results.at(-1).problem = crashed;
      crashes = shim.crashes;
    };
    for (const trace of traces) {
      if (trace.requires?.includes("strict-kex") && !strict) continue;
      const problem = await connected((socket) => {
        noteCrash();
        return play(socket, role, trace, context);
      });
      tell?.(trace, problem);
      results.push({ trace, problem });
    }
    if (role === "server") await connected((socket) => socket.destroy());
    noteCrash();
    return { name: String(ready.name), results };
  } finally {
    echo.close();
    dialled.close();
    await shim.stop();
  }
}

async function listen(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  return server.address().port;
}

/** Repeats the attempt, because a shim may be starting its implementation again. */
async function dial(port) {
  for (let attempt = 1; ; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const error = await new Promise((resolve) => socket.once("connect", () => resolve()).once("error", resolve));
    if (error === undefined) return socket;
    if (attempt === 100) throw error;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function dialledBy(shim, server, port) {
  const socket = new Promise((resolve) => server.once("connection", resolve));
  shim.command({ command: "connect", port });
  return socket;
}
