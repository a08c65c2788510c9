/** The memory of channels when the peer or the program reads nothing: it is limited and freed. */
import { collectGarbage, type Liar, type LiarOptions } from "@postern/testkit";
import {
  type Bytes,
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ChannelWindowAdjust,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Channel, ClientOptions, SshConnection } from "../src/index.ts";
import { loggedIn, nothing, recorder, rejection, turns } from "./helpers.ts";
import { world } from "./world.ts";

const MiB = 1024 * 1024;

interface Hostile {
  readonly liar: Liar;
  readonly client: SshConnection;
  /** the channels that were accepted, in order */
  readonly channels: Channel[];
  /** the first window of each channel that the server opened; `undefined` if it was refused */
  readonly windows: (number | undefined)[];
  /** Opens a channel with a window of 0. Returns the client's number, or undefined if the client refused. */
  open(): Promise<number | undefined>;
  send(id: number, size: number): void;
}

/** A client that accepts all channels and reads nothing unless the test does. */
async function hostile(options: Partial<ClientOptions> = {}, liarOptions: LiarOptions = {}): Promise<Hostile> {
  const channels: Channel[] = [];
  const onChannelOpen: ClientOptions["onChannelOpen"] = (open) => void channels.push(open.accept());
  const { liar, client } = await loggedIn({ onChannelOpen, ...options }, liarOptions);
  const windows: (number | undefined)[] = [];
  return {
    liar,
    client,
    channels,
    windows,
    async open() {
      liar.send(
        ChannelOpen.encode({
          channelType: "test",
          senderChannel: windows.length,
          initialWindow: 0,
          maxPacket: 32_768,
          specificData: nothing,
        }),
      );
      for (;;) {
        const answer = (await liar.next()) ?? expect.unreachable();
        if (answer[0] === ChannelOpenFailure.number) {
          windows.push(undefined);
          return undefined;
        }
        if (answer[0] !== ChannelOpenConfirmation.number) continue;
        const { initialWindow, senderChannel } = ChannelOpenConfirmation.decode(answer);
        windows.push(initialWindow);
        return senderChannel;
      }
    },
    send(recipientChannel, size) {
      for (let left = size; left > 0; left -= 32_768) {
        liar.send(ChannelData.encode({ recipientChannel, data: new Uint8Array(Math.min(left, 32_768)) }));
      }
    },
  };
}

const sum = (windows: readonly (number | undefined)[]): number =>
  windows.reduce<number>((total, window = 0) => total + window, 0);

describe("receive windows", () => {
  it("stay within the budget of the connection if 1,000 channels are not read", async () => {
    const { liar, windows, open } = await hostile();
    for (let count = 0; count < 1000; count++) await open();
    expect(windows.slice(0, 48)).toEqual(Array.from({ length: 48 }, () => 2 * MiB));
    expect(Math.min(...windows.map((window = 0) => window))).toBeGreaterThanOrEqual(Limits.leastWindow);
    expect(sum(windows)).toBeLessThanOrEqual(Limits.windows);
    liar.abort();
  });

  it("stay within the budget of a server", async () => {
    const { client } = await world({ server: { windowBudget: MiB, onChannelOpen: (open) => void open.accept() } });
    const all: Channel[] = [];
    for (let count = 0; count < 100; count++) {
      const channel = await client.openChannel("test", nothing);
      channel.write(new Uint8Array(2 * MiB));
      all.push(channel);
    }
    await turns(500);
    const sent = all.reduce((total, { counters }) => total + counters.bytesOut, 0);
    expect(sent).toBeGreaterThan(MiB / 2);
    expect(sent).toBeLessThanOrEqual(MiB);
    await client.close();
  });

  it("count the data of closed channels until it is read or dropped", async () => {
    const { liar, channels, windows, open, send } = await hostile({ windowBudget: 8 * MiB });
    for (let count = 0; count < 40; count++) {
      const id = (await open()) ?? expect.unreachable();
      send(id, windows.at(-1) ?? 0);
      liar.send(ChannelEof.encode({ recipientChannel: id }), ChannelClose.encode({ recipientChannel: id }));
    }
    await turns();
    expect(sum(windows)).toBeLessThanOrEqual(8 * MiB);
    expect(sum(windows)).toBeGreaterThan(4 * MiB);
    // A third is read to the end as a pipe, a third as a stream, and a third is not read.
    for (const [at, channel] of channels.entries()) {
      if (at % 3 === 0) channel.start(recorder());
      else if (at % 3 === 1) for await (const _chunk of channel.readable);
      else if (at % 2 === 0) channel.close();
      else channel.abort();
    }
    await turns();
    await open();
    expect(windows.at(-1)).toBe(windows[0]);
    liar.abort();
  });

  it("do not count data of channels that were garbage collected unread", async () => {
    const { liar, channels, windows, open, send } = await hostile({ windowBudget: 8 * MiB });
    for (let count = 0; count < 10; count++) {
      const id = (await open()) ?? expect.unreachable();
      send(id, windows.at(-1) ?? 0);
      liar.send(ChannelClose.encode({ recipientChannel: id }));
    }
    await turns();
    channels.length = 0;
    for (let round = 0; round < 10; round++) {
      collectGarbage();
      await turns();
    }
    await open();
    expect(windows.at(-1)).toBe(windows[0]);
    liar.abort();
  });

  it("are released when the peer refuses an open, and when an open is aborted", async () => {
    const { liar, client, windows, open } = await hostile({ windowBudget: 8 * MiB });
    for (let count = 0; count < 10; count++) {
      const refused = client.openChannel("test", nothing);
      const { senderChannel } = ChannelOpen.decode(await liar.until(ChannelOpen.number));
      liar.send(
        ChannelOpenFailure.encode({ recipientChannel: senderChannel, reason: 1, description: "", language: "" }),
      );
      expect((await rejection(refused)).code).toBe("refused");
      const aborter = new AbortController();
      const aborted = rejection(client.openChannel("test", nothing, { signal: aborter.signal }));
      await liar.until(ChannelOpen.number);
      aborter.abort();
      expect(await aborted).toBe(aborter.signal.reason);
    }
    await open();
    expect(windows[0]).toBe(2 * MiB);
    liar.abort();
  });
});

describe("unsent data", () => {
  it("refuses further channels while too much waits for the peer's windows", async () => {
    const { liar, channels, windows, open } = await hostile();
    const chunk = new Uint8Array(64 * 1024);
    while (windows.length < 4096 && (await open()) !== undefined) channels.at(-1)?.write(chunk);
    // One more than the limit, as with any high-water mark.
    expect(windows).toHaveLength(Limits.unsent / chunk.length + 2);
    expect(channels).toHaveLength(windows.length - 1);
    for (const channel of channels.slice(0, 2)) channel.abort();
    await turns();
    expect(await open()).toBeDefined();
    liar.abort();
  });
});

describe("a large write of the program", () => {
  it("does not prevent other channels when its channel has no window", async () => {
    const { liar, channels, open } = await hostile();
    await open();
    channels[0]?.write(new Uint8Array(Limits.unsent + 1));
    expect(await open()).toBeDefined();
    liar.abort();
  });
});

describe("a channel that closes while bytes wait for the peer's window", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance", "Date", "setTimeout", "clearTimeout"], now: Date.UTC(2026, 0, 1) });
  });
  afterEach(() => void vi.useRealTimers());

  const advance = async (ms: number): Promise<void> => {
    await turns();
    await vi.advanceTimersByTimeAsync(ms);
    await turns();
  };

  async function closing(): Promise<Hostile & { readonly channel: Channel; readonly id: number }> {
    const peer = await hostile();
    const id = (await peer.open()) ?? expect.unreachable();
    const channel = peer.channels[0] ?? expect.unreachable();
    channel.write(new Uint8Array(64 * 1024));
    peer.liar.send(ChannelEof.encode({ recipientChannel: id }));
    await turns();
    channel.close();
    return { ...peer, channel, id };
  }

  it("closes after a minute without credit and drops the data, and `closed` rejects", async () => {
    const { liar, client, channel, id } = await closing();
    const sink = recorder();
    channel.start(sink);
    await advance(Limits.closeStallMs - 1);
    expect(sink.told).not.toContain(expect.stringContaining("closed"));
    await advance(1);
    expect((await rejection(channel.closed)).code).toBe("timeout");
    expect(sink.told.at(-1)).toMatch(/^closed: /);
    await liar.until(ChannelClose.number);
    // The channel number is in use until the peer's CLOSE (RFC 4254 section 5.3).
    expect(client.channelCount).toBe(1);
    liar.send(ChannelClose.encode({ recipientChannel: id }));
    await turns();
    expect(client.channelCount).toBe(0);
    liar.abort();
  });

  it("stays open and loses nothing while the peer sends credit, however little", async () => {
    const { liar, channel, id } = await closing();
    for (let minute = 0; minute < 4; minute++) {
      await advance(Limits.closeStallMs - 1);
      liar.send(ChannelWindowAdjust.encode({ recipientChannel: id, bytesToAdd: 16 * 1024 }));
    }
    const sent: Bytes[] = [];
    for (let payload = await liar.next(); payload?.[0] !== ChannelClose.number; payload = await liar.next()) {
      if (payload?.[0] === ChannelData.number) sent.push(ChannelData.decode(payload).data);
    }
    expect(sent.reduce((total, { length }) => total + length, 0)).toBe(64 * 1024);
    liar.send(ChannelClose.encode({ recipientChannel: id }));
    await turns();
    await channel.closed;
    liar.abort();
  });
});

describe("onReleased", () => {
  it("is called once, when both sides have sent CLOSE or the connection ends", async () => {
    const released: string[] = [];
    const { liar, channels, open } = await hostile({
      onChannelOpen(incoming) {
        const { id } = incoming;
        channels.push(incoming.accept({ onReleased: () => void released.push(`${id}`) }));
      },
    });
    const [first, second] = [await open(), await open()];
    channels[0]?.abort();
    await turns();
    await channels[0]?.closed;
    expect(released).toEqual([]);
    liar.send(ChannelClose.encode({ recipientChannel: first ?? -1 }));
    await turns();
    expect(released).toEqual([`${first}`]);
    liar.abort();
    await turns();
    expect(released).toEqual([`${first}`, `${second}`]);
  });
});
