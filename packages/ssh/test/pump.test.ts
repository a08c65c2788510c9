/** Two pipes joined: whose memory a chunk is on the way. */
import { describe, expect, it } from "vitest";
import type { BytePipe, PipeSink } from "../src/index.ts";
import { pump } from "../src/index.ts";

/** A pipe that writes down what is done to it, and tells nobody anything by itself. */
function quiet(traits: Partial<BytePipe> = {}): BytePipe & { sink: PipeSink | undefined; readonly done: string[] } {
  const done: string[] = [];
  return {
    done,
    sink: undefined,
    start(sink) {
      this.sink = sink;
    },
    write: (chunk) => done.push(`write ${chunk.length}`) > 0,
    end: () => void done.push("end"),
    pause: () => void done.push("pause"),
    resume: () => void done.push("resume"),
    close: () => void done.push("close"),
    abort: () => void done.push("abort"),
    ...traits,
  };
}

describe("pump", () => {
  it("borrows what one side delivers only when the other side copies what is written", () => {
    const [channel, target] = [quiet({ copies: true }), quiet()];
    pump(channel, target);
    expect([target.sink?.borrows, channel.sink?.borrows]).toEqual([true, false]);
  });

  it("gives a chunk back to where it came from, once the other side has written it", () => {
    const returned: number[] = [];
    const [channel, target] = [quiet({ reuse: (chunk) => void returned.push(chunk.length) }), quiet()];
    pump(channel, target);
    const chunk = new Uint8Array(7);
    channel.sink?.data(chunk);
    expect([target.done, returned]).toEqual([["write 7"], []]);
    target.sink?.written?.(chunk);
    expect(returned).toEqual([7]);
    // Nobody takes back what the target delivered, and so its writer need not tell.
    expect(channel.sink?.written).toBeUndefined();
  });
});
