/** HMAC with SHA-2 in pure JavaScript. @module */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { createHmacMac, type Hmac, type Mac } from "@postern/crypto";

const hmacSha256: Hmac = (key) => macWith(hmac.create(sha256, key));
const hmacSha512: Hmac = (key) => macWith(hmac.create(sha512, key));

// The key's two blocks are hashed once. Each packet clones the state.
function macWith(keyed: ReturnType<typeof hmac.create>): ReturnType<Hmac> {
  return (head, data) => keyed.clone().update(head).update(data).digest();
}

/** `hmac-sha2-256` (RFC 6668 section 2). */
export const hmacSha2_256: Mac = /* @__PURE__ */ createHmacMac("hmac-sha2-256", 32, hmacSha256);

/** `hmac-sha2-512` (RFC 6668 section 2). */
export const hmacSha2_512: Mac = /* @__PURE__ */ createHmacMac("hmac-sha2-512", 64, hmacSha512);

/** `hmac-sha2-256-etm@openssh.com` (OpenSSH PROTOCOL section 1.5). */
export const hmacSha2_256Etm: Mac = /* @__PURE__ */ createHmacMac("hmac-sha2-256-etm@openssh.com", 32, hmacSha256);

/** `hmac-sha2-512-etm@openssh.com` (OpenSSH PROTOCOL section 1.5). */
export const hmacSha2_512Etm: Mac = /* @__PURE__ */ createHmacMac("hmac-sha2-512-etm@openssh.com", 64, hmacSha512);
