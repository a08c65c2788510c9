/** Opens all tunnels of a list, keeps each of them open, and logs their events as lines of JSON. @module */
import { readFileSync } from "node:fs";
import { fingerprint, privateKeyFile, ReverseTunnel } from "@postern/node";

const { TUNNELS = "tunnels.json", POSTERN_USER, POSTERN_KEY } = process.env;

const tunnels = readList();
for (const signal of ["SIGTERM", "SIGINT"]) {
  // Frees all ports and lets connections finish.
  process.once(signal, () => {
    for (const { tunnel } of tunnels) void tunnel.close({ drainMs: 8_000 });
  });
}
await Promise.all(tunnels.map(run));

/** Reads and checks the whole list, so that a mistake in it is reported before anything connects. */
function readList() {
  try {
    const list = JSON.parse(readFileSync(TUNNELS, "utf8"));
    if (!Array.isArray(list)) throw new Error("expected a list of tunnels, got something else");
    return list.map(createTunnel);
  } catch (error) {
    console.error(`${TUNNELS}: ${error.message}`);
    return process.exit(1);
  }
}

function createTunnel({ name, hostKey, listen, target, user = POSTERN_USER, key = POSTERN_KEY, ...server }, index) {
  const wanted = Object.entries({ name, host: server.host, user, key, hostKey, listen, target });
  const missing = wanted.filter(([, value]) => value === undefined).map(([field]) => field);
  if (missing.length > 0) throw new Error(`${name ?? `entry ${index + 1}`}: expected ${missing.join(", ")}, got none`);
  const tunnel = new ReverseTunnel({
    ...server,
    user,
    auth: [privateKeyFile(key)],
    hostKey: fingerprint(hostKey),
    reconnect: { mode: "always", intervalMs: 1_000, backoff: { factor: 2, maxIntervalMs: 60_000 } },
    // A port that is denied ends this tunnel, and the others continue.
    exitOnForwardFailure: true,
  });
  const log = (event, more) => {
    console.log(JSON.stringify({ time: new Date(), tunnel: name, event, ...more }));
  };
  tunnel.addEventListener("state", ({ state, reason }) => log(state, describe(reason)));
  tunnel.addEventListener("reconnectattempt", ({ attempt, intervalMs, reason }) => {
    log("reconnecting", { attempt, intervalMs, ...describe(reason) });
  });
  tunnel.addEventListener("forwarding", ({ forwarding, state, reason }) => {
    log(`port ${state}`, { port: forwarding.port, ...describe(reason) });
  });
  tunnel.addEventListener("visitorerror", ({ origin, error }) => {
    log("visitor refused", { visitor: origin.host, ...describe(error) });
  });
  return { tunnel, log, request: { ...listen, wait: true, target } };
}

/** Runs one tunnel to its end. Never rejects, so that a failure does not disturb the other tunnels. */
async function run({ tunnel, log, request }) {
  try {
    await Promise.all([tunnel.forward(request), tunnel.connect()]);
    await tunnel.closed;
  } catch (error) {
    // A signal aborts a login.
    if (error.code !== "aborted") {
      log("failed", describe(error));
      process.exitCode = 1;
    }
    await tunnel.close();
  }
}

function describe(error) {
  return error === undefined ? {} : { code: error.code, reason: error.message };
}
