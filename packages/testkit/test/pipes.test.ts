import type { BytePipe } from "@postern/ssh";
import { type Bytes, concat, equal, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { noisyPipe, pipePair, seededRandom, turns } from "../src/index.ts";

interface Recorder {
  readonly calls: string[];
  readonly chunks: Bytes[];
  error: Error | undefined;
}

function record(pipe: BytePipe, onData: (chunk: Bytes) => void = () => {}): Recorder {
  const recorder: Recorder = { calls: [], chunks: [], error: undefined };
  pipe.start({
    data(chunk) {
      recorder.calls.push("data");
      recorder.chunks.push(chunk);
      onData(chunk);
    },
    end: () => recorder.calls.push("end"),
    drain: () => recorder.calls.push("drain"),
    closed(error) {
      recorder.calls.push("closed");
      recorder.error = error;
    },
  });
  return recorder;
}

/** Runs the pending microtasks, and those that they queue. */
const noisy = (split: boolean, delay: number) => (): [BytePipe, BytePipe] => {
  const [a, b] = pipePair();
  return [noisyPipe(a, seededRandom("a"), { split, delay }), noisyPipe(b, seededRandom("b"), { split, delay })];
};

describe.each([
  ["pipePair", () => pipePair()],
  ["noisyPipe, quiet", noisy(false, 0)],
  ["noisyPipe", noisy(true, 5)],
])("%s, as a byte pipe,", (_, make) => {
  it("carries bytes both ways, never inside the call that sends them", async () => {
    const [a, b] = make();
    const [atA, atB] = [record(a), record(b)];
    expect(a.write(utf8("hello "))).toBe(true);
    expect(a.write(utf8("there"))).toBe(true);
    b.write(utf8("world"));
    expect([atA.calls, atB.calls]).toEqual([[], []]);
    await turns();
    expect(concat(...atB.chunks)).toEqual(utf8("hello there"));
    expect(concat(...atA.chunks)).toEqual(utf8("world"));
  });

  it("half-closes, and closes without error when both sides have ended", async () => {
    const [a, b] = make();
    const [atA, atB] = [record(a), record(b)];
    a.write(utf8("question"));
    a.end();
    a.end();
    await turns();
    expect(atB.calls.at(-1)).toBe("end");
    expect(atA.calls).toEqual([]);
    b.write(utf8("answer"));
    b.end();
    await turns();
    expect(concat(...atA.chunks)).toEqual(utf8("answer"));
    expect(atA.calls.slice(-2)).toEqual(["end", "closed"]);
    expect(atB.calls.filter((call) => call !== "data")).toEqual(["end", "closed"]);
    expect([atA.error, atB.error]).toEqual([undefined, undefined]);
    expect(a.write(utf8("late"))).toBe(false);
  });

  it("keeps bytes that arrived before start", async () => {
    const [a, b] = make();
    record(a);
    a.write(utf8("early"));
    a.end();
    await turns();
    const atB = record(b);
    expect(atB.calls).toEqual([]);
    await turns();
    expect(concat(...atB.chunks)).toEqual(utf8("early"));
    expect(atB.calls.at(-1)).toBe("end");
  });

  it("delivers nothing while paused, and all of it in order afterwards", async () => {
    const [a, b] = make();
    record(a);
    const sent = seededRandom("sent")(5000);
    // A pause inside `data` takes effect at once.
    const atB = record(b, () => b.pause());
    for (let at = 0; at < sent.length; at += 500) a.write(sent.slice(at, at + 500));
    a.end();
    for (let turn = 0; !atB.calls.includes("end"); turn++) {
      await turns();
      expect(atB.chunks.length).toBeLessThanOrEqual(turn + 1);
      b.resume();
    }
    expect(concat(...atB.chunks)).toEqual(sent);
  });

  it("respects a pause from before start", async () => {
    const [a, b] = make();
    record(a);
    b.pause();
    const atB = record(b);
    a.write(utf8("held"));
    await turns();
    expect(atB.calls).toEqual([]);
    b.resume();
    await turns();
    expect(concat(...atB.chunks)).toEqual(utf8("held"));
  });

  it("aborts with the reason here and an error at the peer, each once and as the last call", async () => {
    const [a, b] = make();
    const [atA, atB] = [record(a), record(b)];
    const reason = new Error("enough");
    b.pause();
    a.write(utf8("lost"));
    b.write(utf8("lost too"));
    a.abort(reason);
    a.abort(new Error("again"));
    b.abort(new Error("me too"));
    expect([atA.calls, atB.calls]).toEqual([[], []]);
    await turns();
    b.resume();
    a.end();
    expect([a.write(utf8("late")), b.write(utf8("late"))]).toEqual([false, false]);
    await turns();
    expect([atA.calls, atB.calls]).toEqual([["closed"], ["closed"]]);
    expect(atA.error).toBe(reason);
    expect(atB.error).toMatchObject({ code: "closed", cause: reason });
  });

  it("keeps an abort from before start", async () => {
    const [a, b] = make();
    record(a);
    b.write(utf8("lost"));
    a.abort();
    await turns();
    const atB = record(b);
    await turns();
    expect(atB.calls).toEqual(["closed"]);
    expect(atB.error).toMatchObject({ code: "closed" });
  });

  it("refuses a write after end and a second start", () => {
    const [a] = make();
    record(a);
    a.end();
    expect(() => a.write(utf8("late"))).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(() => record(a)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});

describe("pipePair", () => {
  it("returns false from the high-water mark on, and calls drain once when all has been delivered", async () => {
    const [a, b] = pipePair({ highWater: 10 });
    const atA = record(a);
    expect(a.write(new Uint8Array(9))).toBe(true);
    expect(a.write(new Uint8Array(1))).toBe(false);
    expect(a.write(new Uint8Array(1))).toBe(false);
    await turns();
    expect(atA.calls).toEqual([]);
    let received = 0;
    record(b, (chunk) => {
      received += chunk.length;
      b.pause();
    });
    await turns();
    expect([received, atA.calls]).toEqual([9, []]);
    b.resume();
    await turns();
    expect([received, atA.calls]).toEqual([10, []]);
    b.resume();
    await turns();
    expect([received, atA.calls]).toEqual([11, ["drain"]]);
    expect(a.write(new Uint8Array(5))).toBe(true);
    b.resume();
    await turns();
    expect(atA.calls).toEqual(["drain"]);
    expect(() => pipePair({ highWater: 0 })).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("delivers the same array that was written", async () => {
    const [a, b] = pipePair();
    const atB = record(b);
    const chunk = utf8("mine no more");
    a.write(chunk);
    await turns();
    expect(atB.chunks[0]).toBe(chunk);
  });

  it("lets the peer read on after our clean close", async () => {
    const [a, b] = pipePair();
    const [atA, atB] = [record(a), record(b)];
    b.pause();
    b.end();
    a.write(utf8("last words"));
    a.end();
    await turns();
    expect(atA.calls).toEqual(["end", "closed"]);
    expect(atB.calls).toEqual([]);
    b.resume();
    await turns();
    expect(atB.calls).toEqual(["data", "end", "closed"]);
    expect(atB.error).toBeUndefined();
  });
});

describe("noisyPipe", () => {
  async function through(seed: string, corruptAt?: number): Promise<{ sent: Bytes; chunks: Bytes[] }> {
    const [a, b] = pipePair();
    const noise = noisyPipe(b, seededRandom(seed), corruptAt === undefined ? {} : { corruptAt });
    const { chunks } = record(noise);
    const sent = seededRandom("payload")(3000);
    for (let at = 0; at < sent.length; at += 1000) a.write(sent.slice(at, at + 1000));
    await turns();
    return { sent, chunks };
  }

  it("cuts the chunks anew, in the same way for the same seed", async () => {
    const { sent, chunks } = await through("one");
    expect(chunks.length).toBeGreaterThan(3);
    expect(concat(...chunks)).toEqual(sent);
    expect((await through("one")).chunks).toEqual(chunks);
    expect((await through("two")).chunks.map(({ length }) => length)).not.toEqual(chunks.map(({ length }) => length));
  });

  it.each([0, 1000, 2999])("corrupts one bit of byte %i and no other", async (at) => {
    const { sent, chunks } = await through("bad", at);
    const got = concat(...chunks);
    const difference = (got[at] ?? 0) ^ (sent[at] ?? 0);
    expect([1, 2, 4, 8, 16, 32, 64, 128]).toContain(difference);
    got[at] = sent[at] ?? 0;
    expect(equal(got, sent)).toBe(true);
  });

  it("drops queued bytes if the pipe aborts, even while paused", async () => {
    const [a, b] = pipePair();
    const noise = noisyPipe(b, seededRandom("b"));
    const atB = record(noise, () => noise.pause());
    a.write(new Uint8Array(5000));
    await turns();
    expect(atB.calls).toEqual(["data"]);
    a.abort();
    await turns();
    expect(atB.calls).toEqual(["data", "closed"]);
  });

  it("forwards drain", async () => {
    const [a, b] = pipePair({ highWater: 1 });
    const atA = record(noisyPipe(a, seededRandom("a")));
    a.write(utf8("x"));
    record(b);
    await turns();
    expect(atA.calls).toEqual(["drain"]);
  });
});
