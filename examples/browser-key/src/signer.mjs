/** A signer with a key of WebCrypto. @module */
import { encodeEcdsaPair, encodePublicKey, encodeSignature } from "@postern/web";

/**
 * Creates a signer from a key pair for Ed25519, or for ECDSA on P-256. Its private key need not be extractable.
 * @param {CryptoKeyPair} pair
 * @returns {Promise<import("@postern/web").Signer>}
 */
export async function webCryptoSigner({ publicKey, privateKey }) {
  const { name } = privateKey.algorithm;
  const isEcdsa = name === "ECDSA";
  const algorithm = isEcdsa ? "ecdsa-sha2-nistp256" : "ssh-ed25519";
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
  return {
    publicKey: encodePublicKey(algorithm, point),
    algorithms: [algorithm],
    async sign(data) {
      const raw = await crypto.subtle.sign({ name, hash: "SHA-256" }, privateKey, Uint8Array.from(data));
      const bytes = new Uint8Array(raw);
      return encodeSignature(algorithm, isEcdsa ? encodeEcdsaPair(bytes) : bytes);
    },
  };
}
