/** A WebSocket as a byte pipe, over a fake WebSocket. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BytePipe, type WebSocketPipeOptions, webSocketPipe } from "../src/index.ts";

/** A fake of the parts of WebSocket that are used. */
class FakeWebSocket extends EventTarget {
  binaryType = "blob";
  bufferedAmount = 0;
  readyState = 0;
  url = "wss://me:secret@bridge.example:8443/ssh?token=secret";
  readonly sent: Uint8Array[] = [];
  readonly closes: unknown[][] = [];

  send(chunk: Uint8Array): void {
    this.sent.push(chunk);
    this.bufferedAmount += chunk.length;
  }

  close(...how: unknown[]): void {
    this.readyState = 2;
    this.closes.push(how);
  }

  opens(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  receives(data: unknown): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }

  closed(code: number, reason = "", wasClean = code !== 1006): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason, wasClean }));
  }
}

let socket: FakeWebSocket;
beforeEach(() => {
  vi.useFakeTimers();
  socket = new FakeWebSocket();
});
afterEach(() => void vi.useRealTimers());

const pipeOf = (options?: WebSocketPipeOptions) => webSocketPipe(socket as unknown as WebSocket, options);
const bytes = (size: number) => new Uint8Array(size).buffer;

async function openPipe(options?: WebSocketPipeOptions): Promise<{ pipe: BytePipe; calls: string[] }> {
  const opening = pipeOf(options);
  socket.opens();
  const pipe = await opening;
  const calls: string[] = [];
  pipe.start({
    data: (chunk) => calls.push(`data ${chunk.length}`),
    end: () => calls.push("end"),
    drain: () => calls.push("drain"),
    closed: (error) => calls.push(error === undefined ? "closed" : `closed: ${error.message}`),
  });
  return { pipe, calls };
}

const turns = () => vi.advanceTimersByTimeAsync(0);

describe("a WebSocket that opens", () => {
  it("resolves with a pipe that reads binary messages as bytes", async () => {
    let there = false;
    const opening = pipeOf().then(() => {
      there = true;
    });
    await turns();
    expect(there).toBe(false);
    expect(socket.binaryType).toBe("arraybuffer");
    socket.opens();
    await opening;
    expect(there).toBe(true);
  });

  it("resolves at once if it is open, and keeps data that arrived before start", async () => {
    socket.opens();
    const pipe = await pipeOf();
    socket.receives(bytes(3));
    const calls: number[] = [];
    pipe.start({ data: ({ length }) => calls.push(length), end() {}, drain() {}, closed() {} });
    await turns();
    expect(calls).toEqual([3]);
  });

  it("rejects with the close code if it closes instead", async () => {
    const opening = pipeOf();
    socket.closed(1006);
    await expect(opening).rejects.toMatchObject({ code: "connect", message: expect.stringContaining("1006") });
  });

  it("names the address without its secrets, and what to do if the browser hides the reason", async () => {
    const hidden = pipeOf();
    socket.closed(1006);
    await expect(hidden).rejects.toThrow(
      "expected the WebSocket to wss://bridge.example:8443/ssh to open, got close code 1006; the bridge is down or refused",
    );
    socket = new FakeWebSocket();
    const told = pipeOf();
    socket.closed(1011, "full");
    await expect(told).rejects.toThrow(/to open, got close code 1011: "full"$/);
  });

  it("rejects if a WebSocket without an address closes instead, such as one of workerd", async () => {
    socket.url = "";
    const opening = pipeOf();
    socket.closed(1006);
    await expect(opening).rejects.toThrow("expected the WebSocket to open, got close code 1006");
  });

  it("is aborted by a signal, which has no effect later", async () => {
    const controller = new AbortController();
    const opening = pipeOf({ signal: controller.signal });
    controller.abort("enough");
    await expect(opening).rejects.toBe("enough");
    expect(socket.closes).toHaveLength(1);
    await expect(pipeOf({ signal: controller.signal })).rejects.toBe("enough");

    socket = new FakeWebSocket();
    const later = new AbortController();
    const { calls } = await openPipe({ signal: later.signal });
    later.abort();
    await turns();
    expect(calls).toEqual([]);
  });

  it("rejects a closed WebSocket, and invalid URLs and options", async () => {
    socket.readyState = 3;
    const misuse = expect.objectContaining({ code: "misuse" });
    await expect(pipeOf()).rejects.toEqual(misuse);
    await expect(webSocketPipe("wss://example.com", { highWaterMark: 0 })).rejects.toEqual(misuse);
    for (const target of [null, undefined, 7, {}]) await expect(webSocketPipe(target as never)).rejects.toEqual(misuse);
    for (const options of [null, { highWaterMark: "5" }, { highWaterMark: null }, { signal: {} }, { signal: null }]) {
      await expect(webSocketPipe("wss://example.com", options as never)).rejects.toEqual(misuse);
    }
    vi.stubGlobal(
      "WebSocket",
      class {
        constructor() {
          throw new SyntaxError("no URL");
        }
      },
    );
    await expect(webSocketPipe("nonsense")).rejects.toEqual(misuse);
    vi.unstubAllGlobals();
  });
});

describe("backpressure", () => {
  it("returns false at the high-water mark, and drains when half of it is sent", async () => {
    const { pipe, calls } = await openPipe({ highWaterMark: 100 });
    expect(pipe.write(new Uint8Array(99))).toBe(true);
    expect(pipe.write(new Uint8Array(1))).toBe(false);
    expect(pipe.write(new Uint8Array(1))).toBe(false);
    await vi.advanceTimersByTimeAsync(100);
    socket.bufferedAmount = 50;
    await vi.advanceTimersByTimeAsync(100);
    expect(calls).toEqual([]);
    socket.bufferedAmount = 49;
    await vi.advanceTimersByTimeAsync(100);
    expect(calls).toEqual(["drain"]);
    expect(pipe.write(new Uint8Array(1))).toBe(true);
    expect(socket.sent).toHaveLength(4);
  });

  it("drains when a message arrives, even if timers are slow", async () => {
    const { pipe, calls } = await openPipe({ highWaterMark: 100 });
    pipe.write(new Uint8Array(100));
    socket.bufferedAmount = 0;
    socket.receives(bytes(1));
    expect(calls).toEqual(["drain", "data 1"]);
  });

  it("queues data and the end while paused, up to a limit", async () => {
    const { pipe, calls } = await openPipe();
    pipe.pause();
    socket.receives(bytes(1));
    socket.receives(bytes(2));
    socket.closed(1000);
    await turns();
    expect(calls).toEqual([]);
    pipe.resume();
    expect(calls).toEqual(["data 1", "data 2", "end", "closed"]);

    socket = new FakeWebSocket();
    const flooded = await openPipe();
    flooded.pipe.pause();
    const chunk = bytes(16 * 1024 * 1024);
    for (let n = 0; n < 5; n++) socket.receives(chunk);
    flooded.pipe.resume();
    await turns();
    expect(flooded.calls).toEqual([expect.stringMatching(/^closed: expected at most 67108864 bytes/)]);
  });
});

describe("the end", () => {
  it.each([
    [1000, "", ["end", "closed"]],
    [1005, "", ["end", "closed"]],
    [1001, "", ["closed: the WebSocket was closed with code 1001"]],
    [1006, "", ["closed: the WebSocket was closed with code 1006"]],
    [4001, "a\u001b[2J", ['closed: the WebSocket was closed with code 4001: "a\\u{1b}[2J"']],
    [4001, "no such host", ['closed: the WebSocket was closed with code 4001: "no such host"']],
  ])("reports code %i of the other side", async (code, reason, expected) => {
    const { pipe, calls } = await openPipe();
    socket.closed(code, reason);
    await turns();
    expect(calls).toEqual(expected);
    expect(pipe.write(new Uint8Array(1))).toBe(false);
    expect(socket.sent).toEqual([]);
  });

  it("is an error if the other side closes while writes are pending", async () => {
    const { pipe, calls } = await openPipe();
    pipe.write(new Uint8Array(1));
    socket.closed(1000);
    await turns();
    expect(calls).toEqual(["closed: the WebSocket was closed with code 1000"]);
  });

  it("closes the WebSocket once, and rejects later writes", async () => {
    const { pipe, calls } = await openPipe();
    pipe.end();
    pipe.end();
    expect(socket.closes).toEqual([[1000]]);
    expect(() => pipe.write(new Uint8Array(1))).toThrow(expect.objectContaining({ code: "misuse" }));
    socket.closed(1005);
    await turns();
    expect(calls).toEqual(["end", "closed"]);
  });

  it("drops incoming data after close", async () => {
    const { pipe, calls } = await openPipe();
    pipe.close();
    socket.receives(bytes(1));
    socket.closed(1000);
    await turns();
    expect(calls).toEqual(["closed"]);
  });

  it("reports the reason of abort on this side, and code 4000 to the other", async () => {
    const { pipe, calls } = await openPipe();
    pipe.pause();
    socket.receives(bytes(1));
    pipe.resume();
    pipe.abort(new Error("why"));
    socket.receives(bytes(1));
    socket.closed(1006);
    pipe.abort();
    await turns();
    expect(calls).toEqual(["data 1", "closed: why"]);
    expect(socket.closes).toEqual([[4000, "aborted"]]);
  });

  it("is an error after a text message", async () => {
    const { calls } = await openPipe();
    socket.receives("SSH-2.0");
    await turns();
    expect(calls).toEqual(["closed: expected binary messages, got a string"]);
  });
});
