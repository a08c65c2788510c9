/**
 * `chacha20-poly1305@openssh.com` (OpenSSH PROTOCOL.chacha20poly1305) in WebAssembly: with SIMD, about six times as
 * fast as in JavaScript. All connections share one memory, which holds the keys only during a call.
 * @module
 */
import { type Cipher, checkKeys, checkPacketSize, wrongTag } from "@postern/crypto";
import { type Bytes, getUint32, putUint32, SshError } from "@postern/wire";
import { type PacketExports, packetModule, scalarPacketModule } from "./packet-module.ts";
import { instanceOf, type Wasm } from "./wasm.ts";

/** Offsets in the memory; chacha20-poly1305.wat has the layout. The payload's key precedes that of the length. */
const keyAt = 96;
const nonceAt = 160;
const packetAt = 512;
const tagSize = 16;
/** The largest packet, as the memory of poly1305.wat has room for it: more than the 256 KiB that SSH peers accept. */
const maxPacket = 5 * 65_536 - packetAt - tagSize;

const name = "chacha20-poly1305@openssh.com";

/**
 * The cipher in WebAssembly, with SIMD instructions where the platform has them. `sealer` and `opener` throw if the
 * platform forbids compiling WebAssembly.
 */
export const chacha20Poly1305: Cipher = /* @__PURE__ */ createCipher(packetModule);

/** The same without SIMD instructions, which {@link chacha20Poly1305} uses where they are missing. */
export const scalarChacha20Poly1305: Cipher = /* @__PURE__ */ createCipher(scalarPacketModule);

/**
 * Creates the cipher from a module that the platform has compiled, for platforms that forbid compiling bytes, such as
 * workerd. `module` is the `WebAssembly.Module` of the file `chacha20-poly1305-simd.wasm` of this package.
 * @throws TypeError in `sealer` and `opener`, if it is no such module
 * @example
 * import module from "@postern/wasm/chacha20-poly1305-simd.wasm";
 * const algorithms = { ciphers: [createChacha20Poly1305(module)] };
 */
export function createChacha20Poly1305(module: object): Cipher {
  return createCipher(() => instanceOf<PacketExports>(module));
}

function createCipher(instantiate: () => Wasm<PacketExports>): Cipher {
  const shape = { blockSize: 8, tagSize, lengthIsPadded: false } as const;
  let shared: Wasm<PacketExports> | undefined;
  const instance = (): Wasm<PacketExports> => {
    shared ??= instantiate();
    return shared;
  };
  return {
    name,
    keySize: 64,
    ivSize: 0,
    isAead: true,
    sealer(keys) {
      checkKeys(name, keys, 64, 0);
      const { exports, memory } = instance();
      return {
        ...shape,
        seal(sequence, packet) {
          const end = packetAt + checkPacketSize(packet, tagSize);
          enter(memory, keys.key, sequence, packet);
          exports.seal(end);
          packet.set(memory.subarray(packetAt, packetAt + packet.length));
          memory.fill(0, 0, packetAt);
        },
      };
    },
    opener(keys) {
      checkKeys(name, keys, 64, 0);
      const { exports, memory } = instance();
      return {
        ...shape,
        headerSize: 4,
        length(sequence, header) {
          enter(memory, keys.key, sequence, header.subarray(0, 4));
          exports.length();
          memory.fill(0, 0, packetAt);
          return getUint32(memory, packetAt);
        },
        open(sequence, packet) {
          const end = packetAt + checkPacketSize(packet, tagSize);
          enter(memory, keys.key, sequence, packet);
          const isRight = exports.open(end) === 1;
          memory.fill(0, 0, packetAt);
          if (!isRight) throw wrongTag(sequence);
          return memory.slice(packetAt + 4, end);
        },
      };
    },
  };
}

/** Writes the keys, the sequence number as a big-endian uint64, and the packet into the memory. */
function enter(memory: Bytes, key: Bytes, sequence: number, packet: Bytes): void {
  if (packet.length > maxPacket)
    throw new SshError("misuse", `expected a packet of at most ${maxPacket} bytes, got ${packet.length}`);
  memory.set(key, keyAt);
  // The upper half is zero since the last call.
  putUint32(memory, nonceAt + 4, sequence);
  memory.set(packet, packetAt);
}
