/** Chooses, before a handshake, between the ciphers of noble and of WebAssembly. @module */
import type { Algorithms } from "@postern/crypto";
import { chacha20Poly1305 } from "@postern/noble";

/**
 * Replaces `chacha20-poly1305@openssh.com` of `@postern/noble` by that of `@postern/wasm` where the platform compiles
 * WebAssembly. A content security policy without `wasm-unsafe-eval` forbids that, and so does workerd. Bundlers that
 * split code load `@postern/wasm` beside the first connection.
 */
export async function prepareAlgorithms(algorithms: Algorithms): Promise<Algorithms> {
  if (!algorithms.ciphers.includes(chacha20Poly1305)) return algorithms;
  const wasm = await import("@postern/wasm").catch(() => undefined);
  if (wasm?.compilesWebAssembly() !== true) return algorithms;
  const ciphers = algorithms.ciphers.map((one) => (one === chacha20Poly1305 ? wasm.chacha20Poly1305 : one));
  return { ...algorithms, ciphers };
}
