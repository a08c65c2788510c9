/** HMAC-SHA1 for known_hosts, in pure JavaScript. @module */
import { hmac } from "@noble/hashes/hmac.js";
import { sha1 } from "@noble/hashes/legacy.js";
import type { HmacSha1 } from "@postern/keys";

/** HMAC-SHA1 (RFC 2104), which hides host names in known_hosts files. Nothing negotiates it. */
export const hmacSha1: HmacSha1 = (key, data) => hmac(sha1, key, data);
