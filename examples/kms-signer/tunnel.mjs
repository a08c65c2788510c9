/** A tunnel that logs in with a key of Google Cloud KMS. @module */
import { fingerprint, formatPublicKey, privateKey, ReverseTunnel } from "@postern/node";
import { createKmsSigner } from "./signer.mjs";

const signer = await createKmsSigner({
  key: setting("POSTERN_KMS_KEY"),
  token: accessToken,
  endpoint: process.env.POSTERN_KMS_ENDPOINT,
});
console.log(`authorized_keys: ${formatPublicKey(signer.publicKey, "kms")}`);

const host = setting("POSTERN_HOST");
const tunnel = new ReverseTunnel({
  host,
  port: Number(setting("POSTERN_PORT", "22")),
  user: setting("POSTERN_USER"),
  auth: [privateKey(signer)],
  hostKey: fingerprint(setting("POSTERN_HOST_KEY")),
});
tunnel.addEventListener("state", ({ state, reason }) => console.log(`tunnel: ${state}`, reason?.message ?? ""));
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void tunnel.close({ drainMs: 5_000 }));

try {
  await tunnel.connect();
  const forwarding = await tunnel.forward({
    port: Number(setting("POSTERN_REMOTE_PORT", "8080")),
    target: { host: "127.0.0.1", port: Number(setting("POSTERN_TARGET_PORT", "80")) },
  });
  console.log(`port ${forwarding.port} on ${host} leads to this machine`);
  await tunnel.closed;
} catch (error) {
  // A signal aborts a login.
  if (error.code !== "aborted") {
    console.error(error.message);
    process.exitCode = 1;
  }
  await tunnel.close();
}

/** Returns a token of the machine's service account. It expires after an hour. */
async function accessToken() {
  if (process.env.POSTERN_KMS_TOKEN) return process.env.POSTERN_KMS_TOKEN;
  const url = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
  const response = await fetch(url, { headers: { "metadata-flavor": "Google" }, signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`expected a token from the metadata server, got status ${response.status}`);
  const { access_token: token } = await response.json();
  return token;
}

/** Returns a variable of the environment. */
function setting(name, fallback) {
  const value = process.env[name] || fallback;
  if (value !== undefined) return value;
  console.error(`expected a value in ${name}, got none: see README.md`);
  process.exit(1);
}
