/** The bytes of the streams, in every runtime. @module */

/** Random bytes that a stream repeats. No packet size divides their length. */
export const pattern: Uint8Array<ArrayBuffer> = makePattern(250_007);

/** xorshift32: all processes must generate the same bytes. */
function makePattern(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = 0x9e3779b9;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
