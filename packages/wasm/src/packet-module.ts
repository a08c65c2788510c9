/** The module of Poly1305 and `chacha20-poly1305@openssh.com`, with SIMD where the platform has it. @module */
import { fromBase64 } from "@postern/wire";
import { code as scalar } from "./chacha20-poly1305-code.ts";
import { code as simd } from "./chacha20-poly1305-simd-code.ts";
import { instantiate, type Wasm } from "./wasm.ts";

/** The functions of the module. chacha20-poly1305.wat has the layout of the memory. */
export interface PacketExports {
  /** Begins a tag with the key at byte 0. */
  start(): void;
  /** Adds the blocks from `at` to `end` to the tag. */
  blocks(at: number, end: number, highBit: number): void;
  /** Writes the tag to byte 72. */
  finish(): void;
  /** Encrypts or decrypts the length of a packet. */
  length(): void;
  /** Seals the packet that ends at `end`. */
  seal(end: number): void;
  /** Opens the packet whose tag starts at `end`, and returns 1, or 0 if the tag is wrong. */
  open(end: number): number;
}

let shared: Wasm<PacketExports> | undefined;

/**
 * Returns the instance that all connections share. Its memory contains no secret between calls.
 * @throws Error if the platform has no WebAssembly or forbids compiling it
 */
export function packetModule(): Wasm<PacketExports> {
  shared ??= instantiate(WebAssembly.validate(fromBase64(simd)) ? simd : scalar);
  return shared;
}

/** Returns whether the platform compiles WebAssembly. */
export function compilesWebAssembly(): boolean {
  try {
    packetModule();
    return true;
  } catch {
    return false;
  }
}

/** For platforms without SIMD, and tests. */
export function scalarPacketModule(): Wasm<PacketExports> {
  return instantiate(scalar);
}
