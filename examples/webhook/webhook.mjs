/** Receives webhooks at a public URL, verifies their signatures, and prints them. @module */
import { createHmac, timingSafeEqual } from "node:crypto";
import { fingerprint, privateKeyFile, ReverseTunnel, serve } from "@postern/node";

const required = ["POSTERN_HOST", "POSTERN_USER", "POSTERN_KEY", "POSTERN_HOST_KEY", "WEBHOOK_SECRET"];
const missing = required.filter((name) => !process.env[name]);
if (missing.length > 0) {
  console.error(`expected ${missing.join(", ")} in the environment, got none: see README.md`);
  process.exit(1);
}
const { POSTERN_HOST, POSTERN_PORT = "22", POSTERN_USER, POSTERN_KEY, POSTERN_HOST_KEY, WEBHOOK_SECRET } = process.env;
const { POSTERN_REMOTE_ADDRESS = "localhost", POSTERN_REMOTE_PORT = "8080" } = process.env;
const { PUBLIC_URL = `http://${POSTERN_HOST}:${POSTERN_REMOTE_PORT}/` } = process.env;

const tunnel = new ReverseTunnel({
  host: POSTERN_HOST,
  port: Number(POSTERN_PORT),
  user: POSTERN_USER,
  auth: [privateKeyFile(POSTERN_KEY)],
  hostKey: fingerprint(POSTERN_HOST_KEY),
  reconnect: { intervalMs: 1_000, backoff: { factor: 2, maxIntervalMs: 30_000 } },
  exitOnForwardFailure: true,
});
tunnel.addEventListener("reconnectattempt", ({ intervalMs, reason }) => {
  console.log(`reconnecting in ${Math.ceil(intervalMs / 1000)} s: ${reason.message}`);
});
// Fires again after each reconnection.
tunnel.addEventListener("forwarding", ({ state }) => {
  if (state === "open") console.log(`ready: ${PUBLIC_URL}`);
});

for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void tunnel.close({ drainMs: 2_000 }));
try {
  const [listener] = await Promise.all([
    // Waits for the port if the server still holds it for a process that crashed.
    tunnel.listen({ address: POSTERN_REMOTE_ADDRESS, port: Number(POSTERN_REMOTE_PORT), wait: true }),
    tunnel.connect(),
  ]);
  // Anyone can send to a public URL, so these limits bound the memory.
  serve(listener, receive, { maxBodyBytes: 1024 * 1024, maxConnections: 50 });
  await tunnel.closed;
} catch (error) {
  // A signal aborts a login.
  if (error.code !== "aborted") {
    console.error(error.message);
    process.exitCode = 1;
  }
  await tunnel.close();
}

/** Answers a delivery. For the sender, any status but 2xx is a failure. */
async function receive(request) {
  if (request.method !== "POST") return new Response("expected POST\n", { status: 405, headers: { allow: "POST" } });
  // The signature is about the bytes, so they are verified before they are parsed.
  const body = Buffer.from(await request.arrayBuffer());
  if (!isSigned(body, request.headers.get("x-hub-signature-256") ?? "")) {
    console.log("refused a delivery without a valid signature");
    return new Response("expected a valid signature\n", { status: 401 });
  }
  const event = request.headers.get("x-github-event");
  const delivery = JSON.stringify({ time: new Date(), event, body: parse(body.toString()) }, null, 2);
  // JSON permits control characters from U+007F on, and a terminal may obey them.
  console.log(delivery.replace(/[\x7f-\x9f]/g, "�"));
  return new Response(null, { status: 204 });
}

/** Compares in constant time. The length of a signature is not secret. */
function isSigned(body, signature) {
  const expected = Buffer.from(`sha256=${createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex")}`);
  const got = Buffer.from(signature);
  return got.length === expected.length && timingSafeEqual(got, expected);
}

/** Returns the value of a JSON text, or any other text as it is. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
