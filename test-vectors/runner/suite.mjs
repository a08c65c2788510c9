/** Runs state traces against one implementation, over loopback. @module */
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { hostKey, userKey } from "./keys.mjs";
import { offersStrictKex, play } from "./play.mjs";
import { ShimProcess } from "./shim-process.mjs";

/** @typedef {import("./play.mjs").Trace & { file: string }} FiledTrace */

const folder = new URL("../traces/", import.meta.url);
const startTimeoutMs = 60_000;

/** Returns all traces for a role. @param {"client" | "server"} role @returns {FiledTrace[]} */
export function tracesFor(role) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .flatMap((file) => {
      const { testGroups } = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
      return testGroups
        .filter((/** @type {any} */ group) => group.role === role)
        .flatMap((/** @type {any} */ group) => group.tests.map((/** @type {any} */ test) => ({ file, ...test })));
    });
}

/**
 * @param {readonly string[]} command the shim
 * @param {"client" | "server"} role
 * @param {{ traces?: readonly FiledTrace[], timeoutMs?: number, user?: string, tell?: (trace: FiledTrace, problem: string | undefined) => void }} options
 * @returns {Promise<{ name: string, results: { trace: FiledTrace, problem: string | undefined }[] }>}
 */
export async function runSuite(command, role, options = {}) {
  const { traces = tracesFor(role), timeoutMs = 5_000, user = userInfo().username, tell } = options;
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
    /** @template T @param {(socket: import("node:net").Socket) => Promise<T>} use */
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
    for (const trace of traces) {
      if (trace.requires?.includes("strict-kex") && !strict) continue;
      const problem = await connected((socket) => play(socket, role, trace, context));
      tell?.(trace, problem);
      results.push({ trace, problem });
    }
    return { name: String(ready.name), results };
  } finally {
    echo.close();
    dialled.close();
    await shim.stop();
  }
}

/** @param {import("node:net").Server} server @returns {Promise<number>} */
async function listen(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

/** @param {number} port @returns {Promise<import("node:net").Socket>} */
async function dial(port) {
  const socket = connect(port, "127.0.0.1");
  await new Promise((resolve, reject) => socket.once("connect", () => resolve(undefined)).once("error", reject));
  return socket;
}

/** @param {ShimProcess} shim @param {import("node:net").Server} server @param {number} port @returns {Promise<import("node:net").Socket>} */
async function dialledBy(shim, server, port) {
  const socket = new Promise((resolve) => server.once("connection", resolve));
  shim.command({ command: "connect", port });
  return /** @type {Promise<import("node:net").Socket>} */ (socket);
}
