import * as net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Bytes, concat, utf8 } from "@postern/wire";
import { afterEach, describe, expect, it } from "vitest";
import { type Listener, listen } from "../src/listener.ts";
import { socketPipe } from "../src/socket.ts";

const listeners: Listener[] = [];
const sockets: net.Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) await listener.close();
});

async function listening(onSocket: (socket: net.Socket) => void, host = "127.0.0.1", port = 0): Promise<Listener> {
  const listener = await listen({ host, port }, (socket) => {
    sockets.push(socket);
    onSocket(socket);
  });
  listeners.push(listener);
  return listener;
}

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return socket;
}

describe("listen", () => {
  it("rejects values of other types", async () => {
    const at = { host: "127.0.0.1", port: 0 };
    for (const wrong of [
      { host: undefined },
      { host: null },
      { host: 7 },
      { port: "0" },
      { port: null },
      { signal: {} },
    ]) {
      await expect(listen({ ...at, ...wrong } as never, () => {})).rejects.toMatchObject({ code: "misuse" });
    }
  });

  it("returns the port that the system chose, and keeps data that arrives before the pipe starts", async () => {
    const accepted: net.Socket[] = [];
    const { address, port } = await listening((socket) => accepted.push(socket));
    expect(address).toBe("127.0.0.1");
    expect(port).toBeGreaterThan(0);
    const client = await connected(port);
    client.end("early");
    await delay(30);
    const socket = accepted[0] as net.Socket;
    expect(socket.bytesRead).toBe(0);
    expect(socket.allowHalfOpen).toBe(true);
    const chunks: Bytes[] = [];
    const pipe = socketPipe(socket);
    await new Promise<void>((resolve) =>
      pipe.start({ data: (chunk) => chunks.push(chunk), end: resolve, drain: () => {}, closed: () => {} }),
    );
    expect(concat(...chunks)).toEqual(utf8("early"));
  });

  it("names address, port and reason if the port is in use", async () => {
    const { port } = await listening(() => {});
    await expect(listening(() => {}, "127.0.0.1", port)).rejects.toMatchObject({
      code: "connect",
      message: `expected to listen on 127.0.0.1:${port}, got EADDRINUSE`,
      cause: { code: "EADDRINUSE" },
    });
  });

  it("frees the port on close, while accepted connections continue", async () => {
    const accepted: net.Socket[] = [];
    const first = await listening((socket) => accepted.push(socket));
    const client = await connected(first.port);
    while (accepted.length === 0) await delay(1);
    await first.close();
    await first.close();
    const second = await listening(() => {}, "127.0.0.1", first.port);
    expect(second.port).toBe(first.port);
    const echoed = new Promise<string>((resolve) => client.once("data", (chunk) => resolve(String(chunk))));
    accepted[0]?.write("still here");
    expect(await echoed).toBe("still here");
  });

  it("survives a reset of a socket that is not in use yet", async () => {
    const accepted: net.Socket[] = [];
    const { port } = await listening((socket) => accepted.push(socket));
    const client = await connected(port);
    while (accepted.length === 0) await delay(1);
    const socket = accepted[0] as net.Socket;
    socket.resume();
    client.resetAndDestroy();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(socket.errored).toMatchObject({ code: "ECONNRESET" });
  });

  it.each([-1, 65_536, 1.5])("rejects port %d", async (port) => {
    await expect(listening(() => {}, "127.0.0.1", port)).rejects.toMatchObject({ code: "misuse" });
  });

  it("does not listen if its signal fires before or during the call", async () => {
    const listener = await listening(() => {});
    const { port } = listener;
    await listener.close();
    const signal = AbortSignal.abort("why");
    const early = listen({ host: "127.0.0.1", port, signal }, () => {});
    await expect(early).rejects.toBe("why");
    const controller = new AbortController();
    const during = listen({ host: "localhost", port, signal: controller.signal }, () => {});
    controller.abort("later");
    await expect(during).rejects.toBe("later");
    await delay(30);
    const refused = net.connect({ host: "127.0.0.1", port });
    const error = await new Promise((resolve) => refused.once("error", resolve));
    expect(error).toMatchObject({ code: "ECONNREFUSED" });
  });
});
