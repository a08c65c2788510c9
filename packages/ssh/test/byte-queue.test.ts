/** A byte queue uses about as much memory as its bytes, whatever buffers its chunks are views of. */
import { describe, expect, it } from "vitest";
import { ByteQueue } from "../src/byte-queue.ts";

/** The size of all buffers behind a queue's chunks, each counted once. */
function held(queue: ByteQueue): number {
  const buffers = new Set<ArrayBufferLike>();
  for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) buffers.add(chunk.buffer);
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

const own = (size: number): Uint8Array => new Uint8Array(size).fill(size);
const view = (size: number): Uint8Array => new Uint8Array(64 * 1024).subarray(100, 100 + size);

describe("a queue of bytes", () => {
  const mixes: readonly (readonly [string, (i: number) => Uint8Array])[] = [
    ["single bytes", () => own(1)],
    ["single bytes, each a view of a large buffer", () => view(1)],
    ["30 bytes and 1 byte in turn", (i) => (i % 2 === 0 ? own(30) : view(1))],
    ["4096 bytes and 1 byte in turn", (i) => (i % 2 === 0 ? own(4096) : own(1))],
    ["packets of 32 KiB, each a view of a large buffer", () => view(32 * 1024)],
    ["5000 bytes, each a view of a large buffer", () => view(5000)],
  ];
  for (const [name, make] of mixes) {
    it(`uses at most about twice the memory of its bytes with ${name}`, () => {
      const queue = new ByteQueue();
      for (let i = 0; i < 2000; i++) queue.push(make(i));
      const { size } = queue;
      expect(held(queue)).toBeLessThan(2.1 * size + 8192);
    });
  }

  it("returns the bytes in order, and peeks without removing them", () => {
    const queue = new ByteQueue();
    for (const byte of [1, 2, 3]) queue.push(Uint8Array.of(byte));
    queue.push(new Uint8Array(0));
    expect([...queue.peek(2)]).toEqual([1, 2]);
    expect([...(queue.shift() ?? [])]).toEqual([1, 2, 3]);
    expect(queue.isEmpty).toBe(true);
  });
});
