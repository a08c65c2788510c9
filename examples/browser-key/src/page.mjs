/** The page: shows the public key, logs in with it, and answers visitors. @module */
import { fingerprint, formatPublicKey, privateKey, ReverseTunnel, serve, webSocketPipe } from "@postern/web";
import { keyPair } from "./key-store.mjs";
import { webCryptoSigner } from "./signer.mjs";

const form = /** @type {HTMLFormElement} */ (document.getElementById("settings"));
const line = /** @type {HTMLElement} */ (document.getElementById("line"));
const outcome = /** @type {HTMLElement} */ (document.getElementById("outcome"));

/** @type {ReverseTunnel | undefined} */
let tunnel;

form.addEventListener("change", () => void show());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  void open();
});
addEventListener("pagehide", () => void tunnel?.close());
void show();

function settings() {
  const fields = /** @type {Iterable<[string, string]>} */ (new FormData(form));
  return Object.fromEntries(fields);
}

async function signer() {
  return await webCryptoSigner(await keyPair(settings().algorithm === "ECDSA" ? "ECDSA" : "Ed25519"));
}

async function show() {
  try {
    line.textContent = formatPublicKey((await signer()).publicKey, "browser");
  } catch (error) {
    line.textContent = `this browser has no such keys: ${String(error)}`;
  }
}

async function open() {
  const { bridge, host, user, fingerprint: known } = settings();
  outcome.textContent = "logging in";
  try {
    await tunnel?.close();
    tunnel = new ReverseTunnel({
      dial: (_host, { signal }) => webSocketPipe(bridge, { signal }),
      host,
      user,
      auth: privateKey(await signer()),
      hostKey: fingerprint(known),
    });
    await tunnel.connect();
    const listener = await tunnel.listen({ port: 0 });
    serve(listener, () => new Response("signed in a browser\n"));
    outcome.textContent = `port ${listener.port} of ${host} leads here`;
  } catch (error) {
    outcome.textContent = error instanceof Error ? error.message : String(error);
  }
}
