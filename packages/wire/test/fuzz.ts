/** Fuzz targets: every message table. @module */
import { type FuzzTarget, vectorBytes } from "@postern/testkit";
import { type Bytes, type Codec, equal } from "@postern/wire";
import * as wire from "../src/index.ts";

const exported: readonly unknown[] = Object.values(wire);
const codecs = exported.filter(
  (value): value is Codec<unknown> =>
    typeof value === "object" && value !== null && "decode" in value && "encode" in value,
);

/** A decoded value has one encoding, which decodes to itself. The encoder refuses some names that the decoder reads. */
function check(codec: Codec<unknown>, bytes: Bytes): void {
  const value = codec.decode(bytes);
  let encoded: Bytes;
  try {
    encoded = codec.encode(value);
  } catch (error) {
    if (error instanceof wire.SshError && error.code === "misuse") return;
    throw error;
  }
  if (!equal(codec.encode(codec.decode(encoded)), encoded)) throw new Error(`${codec.name}: expected one encoding`);
}

export const targets: readonly FuzzTarget[] = [
  {
    name: "messages",
    sources: ["packages/wire/src/messages/", "packages/wire/src/codec.ts", "packages/wire/src/reader.ts"],
    codes: ["protocol", "limit"],
    seeds: () =>
      vectorBytes("wire", ["encoded"]).flatMap((bytes) => {
        const at = codecs.findIndex((codec) => "number" in codec && codec.number === bytes[0]);
        return at < 0 ? [] : [Uint8Array.of(at, ...bytes)];
      }),
    run(input) {
      // The first byte chooses the table, which may have no number.
      const codec = codecs[(input[0] ?? 0) % codecs.length];
      if (codec !== undefined) check(codec, input.subarray(1));
    },
  },
];
