/** Making a private key, in the OpenSSH format (OpenSSH PROTOCOL.key), without a passphrase. @module */
import { ed25519 } from "@noble/curves/ed25519.js";
import { type Random, webRandom } from "@postern/crypto";
import { concat, toBase64, utf8, Writer } from "@postern/wire";

const lineLength = 70;
const blockSize = 8;

/**
 * Makes an Ed25519 key, such as a host key. Keep the text where nobody else can read it; `readPrivateKey` and `ssh` read it.
 *
 * @example
 * await writeFile("host_key", generatePrivateKey(), { mode: 0o600 });
 */
export function generatePrivateKey(options: { readonly comment?: string; readonly random?: Random } = {}): string {
  const { comment = "", random = webRandom } = options;
  const seed = random(32);
  const point = ed25519.getPublicKey(seed);
  const publicKey = new Writer().text("ssh-ed25519").string(point).finish();
  // The same number twice: how a reader of a protected file sees that it has the right passphrase.
  const check = random(4);
  const secret = new Writer(256).raw(check).raw(check).text("ssh-ed25519").string(point);
  secret.string(concat(seed, point)).text(comment);
  const unpadded = secret.finish();
  const padding = Uint8Array.from({ length: (blockSize - (unpadded.length % blockSize)) % blockSize }, (_, i) => i + 1);
  const file = new Writer(512).raw(utf8("openssh-key-v1\0")).text("none").text("none").text("").uint32(1);
  const base64 = toBase64(file.string(publicKey).string(concat(unpadded, padding)).finish());
  const lines = base64.match(new RegExp(`.{1,${lineLength}}`, "g")) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
}
