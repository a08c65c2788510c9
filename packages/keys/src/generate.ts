/** Making a private key, in the OpenSSH format (OpenSSH PROTOCOL.key), without a passphrase. @module */
import { type Random, webRandom } from "@postern/crypto";
import { concat, expectType, toBase64, utf8, Writer } from "@postern/wire";
import type { PublicHalf } from "./public-half.ts";

const lineLength = 70;
const blockSize = 8;

/** How to make a private key. */
export interface GenerateOptions {
  readonly comment?: string;
  readonly random?: Random;
}

/** Makes the function `generatePrivateKey` of a platform. */
export function createKeyGenerator(publicHalf: PublicHalf): (options?: GenerateOptions) => string {
  return (options = {}) => generate(options, publicHalf);
}

function generate(options: GenerateOptions, publicHalf: PublicHalf): string {
  expectType("the options of generatePrivateKey", options, "object");
  const { comment = "", random = webRandom } = options;
  expectType("comment", comment, "string");
  expectType("random", random, "function");
  const seed = random(32);
  const point = publicHalf.ed25519(seed);
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
