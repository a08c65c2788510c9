/** Channels that wait for window, and replies that are counted. */
import { ChannelRequest, ChannelWindowAdjust } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { accepted, nothing, opened } from "./world.ts";

const adjust = (recipientChannel: number, bytesToAdd: number): Uint8Array =>
  ChannelWindowAdjust.encode({ recipientChannel, bytesToAdd });

describe("a channel that waits for window", () => {
  it("has no deadline unless its CLOSE is announced", () => {
    const { side, id } = opened({ window: 0 });
    side.machine.write(id, new Uint8Array(5));
    expect(side.machine.deadline).toBeUndefined();
    side.machine.closeAfterWrite(id);
    expect(side.machine.deadline).toBe(Limits.closeStallMs);
  });

  it("waits on if the window grows by 0 bytes", () => {
    const { side, id } = opened({ window: 0 });
    side.machine.write(id, new Uint8Array(5));
    expect(side.receive(adjust(id, 0))).toEqual([]);
    expect(side.receive(adjust(id, 5))).toEqual([{ type: "writable", id }]);
  });

  it("does not wait after all data is sent", () => {
    const { side, id } = opened({ window: 5 });
    expect(side.machine.write(id, new Uint8Array(5))).toBe(5);
    expect(side.receive(adjust(id, 5))).toEqual([]);
  });

  it("gets no credit for window that came before its CLOSE was announced", () => {
    const { side, id } = opened({ window: 0 });
    const size = Limits.closeStallCredit - 1;
    side.machine.write(id, new Uint8Array(2 * size));
    side.receive(adjust(id, size));
    side.machine.closeAfterWrite(id);
    expect(side.machine.write(id, new Uint8Array(2 * size))).toBe(size);
    side.machine.tick(0);
    side.receive(adjust(id, 1));
    expect(side.machine.deadline).toBe(Limits.closeStallMs);
  });
});

describe("the peer's channel requests", () => {
  it("never pause input if each is answered", () => {
    const { side, id } = accepted();
    const request = ChannelRequest.encode({
      recipientChannel: id,
      requestType: "a",
      wantReply: true,
      specificData: nothing,
    });
    for (let n = 0; n < 2 * Limits.unansweredRequests; n++) {
      const [event] = side.receive(request);
      if (event?.type !== "request" || event.slot === undefined) return expect.unreachable();
      side.machine.reply(id, event.slot, true);
    }
    expect(side.machine.wantsInput).toBe(true);
    expect(side.numbers()).toHaveLength(2 * Limits.unansweredRequests);
  });

  it("are handled: receive returns true", () => {
    const { side, id } = accepted();
    expect(side.machine.receive(adjust(id, 1))).toBe(true);
  });
});
