/** Channels as sockets of Node, over a pipe in memory: what servers rely on, and what happens when a side goes. */
import { once } from "node:events";
import { type ClientRequest, createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { createServer as createNetServer } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { BytePipe } from "@postern/ssh";
import { pipePair } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { attach } from "../src/attach.ts";
import { ChannelSocket } from "../src/channel-socket.ts";

const origin = { host: "192.0.2.7", port: 4711 };

/** Everything up to the end; unlike `text` it leaves the socket as it is. */
async function heard(socket: ChannelSocket): Promise<string> {
  let all = "";
  socket.on("data", (chunk) => {
    all += String(chunk);
  });
  await once(socket, "end");
  return all;
}

function pair(options?: { highWater?: number; allowHalfOpen?: boolean }): [ChannelSocket, ChannelSocket] {
  const [one, other] = pipePair({ highWater: options?.highWater });
  return [new ChannelSocket(one, origin, options?.allowHalfOpen), new ChannelSocket(other, origin)];
}

/** A forwarding with visitors of our own. */
function visits(): {
  readonly forwarding: AsyncGenerator<BytePipe & { origin: typeof origin }>;
  readonly visit: () => ChannelSocket;
  readonly end: () => void;
} {
  const waiting: BytePipe[] = [];
  let wake = (): void => {};
  let over = false;
  async function* channels(): AsyncGenerator<BytePipe & { origin: typeof origin }> {
    while (!over) {
      const pipe = waiting.shift();
      if (pipe) yield Object.assign(pipe, { origin });
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  return {
    forwarding: channels(),
    visit() {
      const [ours, theirs] = pipePair();
      waiting.push(ours);
      wake();
      return new ChannelSocket(theirs, origin, false);
    },
    end() {
      over = true;
      wake();
    },
  };
}

function ask(
  socket: ChannelSocket,
  options: object,
  body = "",
): { request: ClientRequest; response: Promise<IncomingMessage> } {
  const request = httpRequest({ host: "a", createConnection: () => socket, ...options });
  const response = once(request, "response").then(([message]) => message as IncomingMessage);
  response.catch(() => {});
  request.on("error", () => {});
  request.end(body);
  return { request, response };
}

describe("a socket over a channel", () => {
  it("carries bytes both ways, and half-closes", async () => {
    const [one, other] = pair();
    const closed = Promise.all([once(one, "close"), once(other, "close")]);
    one.end("ping");
    expect(await heard(other)).toBe("ping");
    expect(one.destroyed).toBe(false);
    other.end("pong");
    expect(await heard(one)).toBe("pong");
    await closed;
    expect([one.bytesWritten, one.bytesRead, one.errored]).toEqual([4, 4, null]);
  });

  it("ends by itself where half-open is not wanted", async () => {
    const [one, other] = pair({ allowHalfOpen: false });
    one.resume();
    other.end();
    other.resume();
    await once(one, "close");
    expect(one.writableFinished).toBe(true);
  });

  it("has what servers look at", () => {
    const [one] = pair();
    expect([one.remoteAddress, one.remotePort, one.remoteFamily]).toEqual(["192.0.2.7", 4711, "IPv4"]);
    expect([one.connecting, one.pending, one.readyState]).toEqual([false, false, "open"]);
    expect(one.setNoDelay().setKeepAlive().ref().unref().address()).toEqual({});
    const [pipe] = pipePair();
    expect(new ChannelSocket(pipe, { host: "::1", port: 1 }).remoteFamily).toBe("IPv6");
  });

  it("holds a writer back while the other side does not read, and reads no more than is wanted", async () => {
    const [one, other] = pair({ highWater: 1000 });
    let written = 0;
    const all = (async () => {
      for (let i = 0; i < 200; i++) {
        if (!one.write(new Uint8Array(1000))) await once(one, "drain");
        written++;
      }
      one.end();
    })();
    await sleep(30);
    expect(written).toBeLessThan(100);
    let size = 0;
    for await (const chunk of other) size += (chunk as Uint8Array).length;
    await all;
    expect(size).toBe(200_000);
  });

  it("joins what was written while corked, in order", async () => {
    const [one, other] = pair();
    one.cork();
    for (let i = 0; i < 50; i++) one.write(`${i},`);
    one.write(Buffer.alloc(100_000, "x"));
    one.uncork();
    one.end("end");
    const got = await heard(other);
    expect(got.replace(/x+/, "")).toBe(`${Array.from({ length: 50 }, (_, i) => `${i},`).join("")}end`);
    expect(got).toHaveLength(100_000 + 143);
  });

  it("destroyed without an error closes the channel after what was written", async () => {
    const [one, other] = pair();
    one.write("last words");
    one.destroy();
    expect(await heard(other)).toBe("last words");
    other.end();
    await once(other, "close");
    expect(other.errored).toBeNull();
  });

  it("destroyed with an error cuts it, and nobody has to listen", async () => {
    const [one, other] = pair();
    one.destroy(new Error("boom"));
    await once(other, "close").catch(() => {});
    expect(other.errored).toMatchObject({ code: "closed" });
  });

  it("destroyed while a write waits does not wait for it", async () => {
    const [one, other] = pair({ highWater: 10 });
    let failure: unknown;
    other.pause();
    for (let i = 0; i < 20; i++) one.write("0123456789", (error) => (failure ??= error));
    await sleep(5);
    one.destroy();
    await sleep(5);
    expect(failure).toBeInstanceOf(Error);
    expect(other.errored).toMatchObject({ code: "closed" });
  });

  it("gives what came before the end, also when the channel has closed meanwhile", async () => {
    const [one, other] = pair();
    one.end("to be read");
    other.end();
    await sleep(10);
    expect(await heard(other)).toBe("to be read");
  });

  it("says when it was idle for long", async () => {
    const [one, other] = pair();
    other.resume();
    const start = performance.now();
    one.setTimeout(60);
    setTimeout(() => one.write("x"), 40);
    await once(one, "timeout");
    expect(performance.now() - start).toBeGreaterThan(90);
    one.setTimeout(0);
    expect(one.timeout).toBeUndefined();
  });
});

describe("a server of node:http", () => {
  const echo = (): Server =>
    createServer((request, response) => {
      const { remoteAddress, remotePort } = request.socket;
      response.setHeader("x-from", `${remoteAddress} ${remotePort}`);
      request.pipe(response);
    });

  it("answers visitors without listening", async () => {
    const { forwarding, visit, end } = visits();
    const attached = attach(forwarding, echo());
    const { response } = ask(visit(), { method: "POST" }, "hello");
    expect((await response).headers["x-from"]).toBe("192.0.2.7 4711");
    expect(await text(await response)).toBe("hello");
    end();
    await attached.closed;
  });

  it("closes connections that wait too long for a request", async () => {
    const { forwarding, visit } = visits();
    const server = echo();
    server.keepAliveTimeout = 50;
    const attached = attach(forwarding, server);
    const socket = visit();
    const { response } = ask(socket, { headers: { connection: "keep-alive" } });
    await text(await response);
    await once(socket, "close");
    await sleep(10);
    expect(attached.sockets.size).toBe(0);
  });

  it("learns that a visitor has left", async () => {
    const { forwarding, visit } = visits();
    const left = new Promise((resolve) => {
      attach(
        forwarding,
        createServer((request, response) => void response.on("close", () => resolve(request.destroyed))),
      );
    });
    const { request } = ask(visit(), {});
    await sleep(10);
    request.destroy();
    expect(await left).toBe(true);
  });
});

describe("attaching", () => {
  it("gives sockets to a net.Server, half-open or not as it was told", async () => {
    const { forwarding, visit } = visits();
    attach(
      forwarding,
      createNetServer((socket) => void socket.resume().write("hello")),
    );
    const visitor = visit();
    visitor.end();
    // As it is with a port: net.createServer ends by itself unless told otherwise.
    expect(await heard(visitor)).toBe("hello");
  });

  it("gives them to a function; one that throws harms its own visitor alone, and the program is told", async () => {
    const { forwarding, visit } = visits();
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const thrown = once(process, "uncaughtException");
    let first = true;
    attach(forwarding, (socket) => {
      if (!first) return void socket.end("second");
      first = false;
      throw new Error("boom");
    });
    const one = visit();
    try {
      expect(String((await thrown)[0])).toBe("Error: boom");
    } finally {
      for (const listener of others) process.on("uncaughtException", listener);
    }
    expect(one.errored).not.toBeNull();
    expect(await heard(visit())).toBe("second");
  });

  it("ends with its signal, which cuts what is open", async () => {
    const { forwarding, visit } = visits();
    const abort = new AbortController();
    const attached = attach(forwarding, () => {}, { signal: abort.signal });
    const visitor = visit();
    await sleep(5);
    expect(attached.sockets.size).toBe(1);
    abort.abort();
    await attached.closed;
    await once(visitor, "close").catch(() => {});
    expect(attached.sockets.size).toBe(0);
  });

  it("refuses what is no server", () => {
    expect(() => attach(visits().forwarding, {} as never)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});
