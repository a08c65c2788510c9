/** Joining two pipes, and who owns the memory of chunks. */
import { describe, expect, it } from "vitest";
import type { BytePipe, PipeSink } from "../src/index.ts";
import { pump } from "../src/index.ts";

/** A pipe that records the calls it gets and never calls its sink. */
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
  it("borrows the chunks of one pipe only if the other pipe copies them", () => {
    const [channel, target] = [quiet({ memory: { copies: true } }), quiet()];
    pump(channel, target);
    expect([target.sink?.memory?.borrows, channel.sink?.memory?.borrows]).toEqual([true, undefined]);
  });

  it("frees a chunk of the channel once the target has sent it, and keeps the chunks of the target", () => {
    const freed: number[] = [];
    const [channel, target] = [quiet(), quiet()];
    pump(channel, target, (chunk) => void freed.push(chunk.length));
    const chunk = new Uint8Array(7);
    channel.sink?.data(chunk);
    expect([target.done, freed]).toEqual([["write 7"], []]);
    target.sink?.memory?.written?.(chunk);
    expect(freed).toEqual([7]);
    expect(channel.sink?.memory?.written).toBeUndefined();
  });
});
