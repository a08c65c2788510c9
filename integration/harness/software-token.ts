/** A security key in software, which signs as a FIDO token does (OpenSSH PROTOCOL.u2f). @module */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import type { Signer } from "@postern/crypto";
import { encodeEcdsaPair } from "@postern/keys";
import { type Bytes, concat, toBase64, utf8, Writer } from "@postern/wire";

export type TokenType = "sk-ssh-ed25519@openssh.com" | "sk-ecdsa-sha2-nistp256@openssh.com";

export interface SoftwareToken extends Signer {
  /** `type base64` */
  readonly publicLine: string;
  sign(data: Bytes): Bytes;
}

const application = "ssh:";
const sha256 = (data: Bytes): Bytes => createHash("sha256").update(data).digest();

/** @param touched whether it claims that its user touched it */
export function softwareToken(type: TokenType, touched = true): SoftwareToken {
  const isEd25519 = type === "sk-ssh-ed25519@openssh.com";
  const { publicKey, privateKey } = isEd25519
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const coordinates = [x, y].map((text) => Buffer.from(text, "base64url"));
  const writer = new Writer().text(type);
  if (isEd25519) writer.string(concat(...coordinates));
  else writer.text("nistp256").string(concat(Uint8Array.of(4), ...coordinates));
  const blob = writer.text(application).finish();
  return {
    publicKey: blob,
    publicLine: `${type} ${toBase64(blob)}`,
    algorithms: [type],
    sign(data) {
      // The token signs its own state and hashes, and the state follows the signature.
      const state = new Writer()
        .byte(touched ? 1 : 0)
        .uint32(7)
        .finish();
      const message = concat(sha256(utf8(application)), state, sha256(data));
      const raw = sign(isEd25519 ? null : "sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
      return new Writer()
        .text(type)
        .string(isEd25519 ? raw : encodeEcdsaPair(raw))
        .raw(state)
        .finish();
    },
  };
}
