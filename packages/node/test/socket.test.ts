import { mkdtemp, rm } from "node:fs/promises";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BytePipe } from "@postern/ssh";
import { type Bytes, concat, equal, SshError, utf8 } from "@postern/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import { socketPipe } from "../src/socket.ts";

const open: { destroy(): void }[] = [];
const servers: net.Server[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function socketPair(
  options: net.ServerOpts = {},
  where: net.ListenOptions & { path?: string } = { host: "127.0.0.1", port: 0 },
): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, ...options });
  servers.push(server);
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(where, resolve));
  const address = server.address();
  const client =
    typeof address === "object" && address
      ? net.connect({ host: "127.0.0.1", port: address.port, allowHalfOpen: true })
      : net.connect({ path: address as string, allowHalfOpen: true });
  open.push(client);
  await new Promise<void>((resolve) => client.once("connect", () => resolve()));
  const server_ = await accepted;
  open.push(server_);
  return [client, server_];
}

async function pipePair(): Promise<[BytePipe, BytePipe]> {
  const [client, server] = await socketPair();
  return [socketPipe(client), socketPipe(server)];
}

/** A sink that writes down what it hears. */
class Recorder {
  readonly calls: string[] = [];
  readonly chunks: Bytes[] = [];
  error: Error | undefined;
  #waiting: (() => void)[] = [];

  data(chunk: Bytes): void {
    this.chunks.push(chunk);
    this.#heard("data");
  }
  end(): void {
    this.#heard("end");
  }
  drain(): void {
    this.#heard("drain");
  }
  closed(error?: Error): void {
    this.error = error;
    this.#heard("closed");
  }

  get bytes(): Bytes {
    return concat(...this.chunks);
  }

  /** The calls without the data, whose number is the kernel's choice. */
  get events(): string[] {
    return this.calls.filter((call) => call !== "data");
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  heard(call: string): Promise<void> {
    return this.until(() => this.calls.includes(call));
  }

  #heard(call: string): void {
    this.calls.push(call);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function record(pipe: BytePipe): Recorder {
  const recorder = new Recorder();
  pipe.start(recorder);
  return recorder;
}

function pattern(size: number): Bytes {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i * 31 + (i >> 8);
  return bytes;
}

/** Long enough for a call that must not come to come. */
const aWhile = () => delay(50);

describe("socketPipe", () => {
  it("carries bytes both ways, as plain Uint8Arrays", async () => {
    const [client, server] = await pipePair();
    const [atClient, atServer] = [record(client), record(server)];
    client.write(utf8("hello"));
    await atServer.heard("data");
    server.write(utf8("world"));
    await atClient.heard("data");
    expect(atServer.bytes).toEqual(utf8("hello"));
    expect(atClient.bytes).toEqual(utf8("world"));
    expect(Object.getPrototypeOf(atClient.chunks[0])).toBe(Uint8Array.prototype);
  });

  it("switches Nagle's algorithm off", async () => {
    const [client] = await socketPair();
    const setNoDelay = vi.spyOn(client, "setNoDelay");
    socketPipe(client);
    expect(setNoDelay).toHaveBeenCalledWith(true);
  });

  it.each([true, false])("half-closes: after end the other direction still flows (allowHalfOpen %s)", async (allow) => {
    const [a, b] = await socketPair({ allowHalfOpen: allow });
    const [client, server] = [socketPipe(a), socketPipe(b)];
    const [atClient, atServer] = [record(client), record(server)];
    client.write(utf8("question"));
    client.end();
    await atServer.heard("end");
    await aWhile();
    expect(atServer.events).toEqual(["end"]);
    server.write(utf8("answer"));
    server.end();
    await Promise.all([atClient.heard("closed"), atServer.heard("closed")]);
    expect(atClient.bytes).toEqual(utf8("answer"));
    expect(atClient.calls.slice(-2)).toEqual(["end", "closed"]);
    expect(atServer.events).toEqual(["end", "closed"]);
    expect([atClient.error, atServer.error]).toEqual([undefined, undefined]);
    expect([a.destroyed, b.destroyed]).toEqual([true, true]);
  });

  it("says false while the other side does not read, and drain once when it does again", async () => {
    const [client, server] = await pipePair();
    const atClient = record(client);
    const sent: Bytes[] = [];
    let more = true;
    while (more) {
      // Turns in between let the kernel take what it will.
      await delay(1);
      const chunk = pattern(1_000_003 + sent.length);
      sent.push(chunk.slice());
      expect(sent.length).toBeLessThan(100);
      more = client.write(chunk);
    }
    await aWhile();
    expect(atClient.calls).toEqual([]);
    const atServer = record(server);
    await atClient.heard("drain");
    expect(client.write(utf8("more"))).toBe(true);
    client.end();
    await atServer.heard("end");
    expect(equal(atServer.bytes, concat(...sent, utf8("more")))).toBe(true);
    expect(atClient.calls).toEqual(["drain"]);
  });

  it("delivers nothing while paused, and all of it in order afterwards", async () => {
    const [client, server] = await pipePair();
    record(client);
    const atServer = new Recorder();
    let heldBack = 0;
    server.start({
      data(chunk) {
        atServer.data(chunk);
        server.pause();
        heldBack = atServer.chunks.length;
      },
      end: () => atServer.end(),
      drain: () => {},
      closed: () => {},
    });
    const bytes = pattern(1024 * 1024);
    client.write(bytes.slice());
    client.end();
    let pauses = 0;
    while (!atServer.calls.includes("end")) {
      await delay(pauses < 3 ? 20 : 0);
      // "at most the chunk in hand is still delivered"
      expect(atServer.chunks.length).toBeLessThanOrEqual(heldBack + 1);
      pauses += 1;
      server.resume();
    }
    expect(pauses).toBeGreaterThan(3);
    expect(equal(atServer.bytes, bytes)).toBe(true);
  });

  it("honours a pause that came before start", async () => {
    const [client, server] = await pipePair();
    record(client);
    client.write(utf8("early"));
    server.pause();
    const atServer = record(server);
    await aWhile();
    expect(atServer.calls).toEqual([]);
    server.resume();
    await atServer.heard("data");
    expect(atServer.bytes).toEqual(utf8("early"));
  });

  it("keeps data and end that came before start", async () => {
    const [client, server] = await pipePair();
    record(client);
    client.write(utf8("early"));
    client.end();
    await aWhile();
    const atServer = record(server);
    expect(atServer.calls).toEqual([]);
    await atServer.heard("end");
    expect(atServer.calls).toEqual(["data", "end"]);
    expect(atServer.bytes).toEqual(utf8("early"));
  });

  it("holds back a socket that was flowing already", async () => {
    const [client, server] = await socketPair();
    const pipe = socketPipe(server.resume());
    client.write("early");
    await aWhile();
    const atServer = record(pipe);
    await atServer.heard("data");
    expect(atServer.bytes).toEqual(utf8("early"));
  });

  it("keeps data and end that came before the pipe was made", async () => {
    const [client, server] = await socketPair({ pauseOnConnect: false });
    client.end();
    await aWhile();
    const pipe = socketPipe(server);
    const atServer = record(pipe);
    await atServer.heard("end");
    pipe.end();
    await atServer.heard("closed");
    expect(atServer.calls).toEqual(["end", "closed"]);
    expect(atServer.error).toBeUndefined();
  });

  it("keeps an error that came before start, and tells it once", async () => {
    const [client, server] = await socketPair({ pauseOnConnect: false });
    server.read(0);
    const pipe = socketPipe(server);
    client.resetAndDestroy();
    await aWhile();
    const atServer = record(pipe);
    expect(atServer.calls).toEqual([]);
    await atServer.heard("closed");
    await aWhile();
    expect(atServer.calls).toEqual(["closed"]);
    expect(atServer.error).toMatchObject({ code: "closed", cause: { code: "ECONNRESET" } });
  });

  it("tells of a socket that was gone before the pipe was made", async () => {
    const [client] = await socketPair();
    client.destroy();
    await aWhile();
    const atClient = record(socketPipe(client));
    await atClient.heard("closed");
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toMatchObject({ code: "closed" });
  });

  it("aborts with a reset: here the reason, there an error and never an end", async () => {
    const [client, server] = await pipePair();
    const [atClient, atServer] = [record(client), record(server)];
    const reason = new Error("enough");
    client.abort(reason);
    client.abort(new Error("again"));
    expect(atClient.calls).toEqual([]);
    await Promise.all([atClient.heard("closed"), atServer.heard("closed")]);
    await aWhile();
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toBe(reason);
    expect(atServer.calls).toEqual(["closed"]);
    expect(atServer.error).toBeInstanceOf(SshError);
    expect(atServer.error).toMatchObject({ code: "closed", cause: { code: "ECONNRESET" } });
  });

  it.each([20, 4 * 1024 * 1024])("is an error there too when %i bytes were still unread", async (size) => {
    const [client, server] = await pipePair();
    record(client);
    client.write(pattern(size));
    await aWhile();
    client.abort();
    await aWhile();
    const atServer = record(server);
    await atServer.heard("closed");
    expect(atServer.events).toEqual(["closed"]);
    expect(atServer.error).toMatchObject({ code: "closed" });
  });

  it.each([
    ["at once", () => undefined],
    ["a microtask later", () => Promise.resolve()],
    ["a turn later", () => delay(0)],
  ])("can be aborted %s after end", async (_, wait) => {
    const [client, server] = await pipePair();
    record(server);
    const atClient = record(client);
    const reason = new Error("enough");
    client.end();
    await wait();
    client.abort(reason);
    await atClient.heard("closed");
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toBe(reason);
  });

  it("does not wait for what was written when it is aborted after end", async () => {
    const [client] = await pipePair();
    const atClient = record(client);
    client.write(pattern(16 * 1024 * 1024));
    client.end();
    client.abort();
    await atClient.heard("closed");
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toMatchObject({ code: "closed" });
  });

  it("can be aborted while it still connects", async () => {
    const [client] = await socketPair();
    const connected = vi.fn();
    const connecting = net.connect({ host: "127.0.0.1", port: client.remotePort as number });
    connecting.on("connect", connected);
    const pipe = socketPipe(connecting);
    const recorder = record(pipe);
    pipe.abort();
    await recorder.heard("closed");
    await aWhile();
    expect(connected).not.toHaveBeenCalled();
    expect(recorder.calls).toEqual(["closed"]);
  });

  it("closes a socket that cannot be reset", async () => {
    const folder = await mkdtemp(join(tmpdir(), "postern-"));
    const [a, b] = await socketPair({}, { path: join(folder, "socket") });
    const [client, server] = [socketPipe(a), socketPipe(b)];
    const [atClient, atServer] = [record(client), record(server)];
    client.abort();
    await Promise.all([atClient.heard("closed"), atServer.heard("end")]);
    expect(atServer.calls).toEqual(["end"]);
    await rm(folder, { recursive: true });
  });

  it("tells of an address that refuses", async () => {
    const [client] = await socketPair();
    const port = client.remotePort as number;
    for (const server of servers.splice(0)) server.close();
    const recorder = record(socketPipe(net.connect({ host: "127.0.0.1", port })));
    await recorder.heard("closed");
    expect(recorder.error).toMatchObject({ code: "closed", cause: { code: "ECONNREFUSED" } });
  });

  // A reset in any state must reach `closed` or stay unseen; an unhandled 'error' would fail the run.
  it.each<[string, (pipe: BytePipe) => void]>([
    ["before start", () => {}],
    ["after start", (pipe) => record(pipe)],
    ["paused", (pipe) => [pipe.pause(), record(pipe)]],
    ["after end", (pipe) => [record(pipe), pipe.end()]],
    ["with bytes to write", (pipe) => [record(pipe), pipe.write(pattern(4_000_000))]],
    ["with bytes to write and an end", (pipe) => [record(pipe), pipe.write(pattern(4_000_000)), pipe.end()]],
  ])("outlives a reset %s, and drops what is written then", async (_, prepare) => {
    const [client, server] = await socketPair();
    const pipe = socketPipe(client);
    prepare(pipe);
    server.resetAndDestroy();
    await aWhile();
    pipe.resume();
    await aWhile();
    client.destroy();
    await aWhile();
    expect(pipe.write(utf8("late"))).toBe(false);
    pipe.end();
    pipe.abort();
  });

  it("tells of a socket that somebody else destroyed", async () => {
    const [client] = await socketPair();
    const recorder = record(socketPipe(client));
    client.destroy();
    await recorder.heard("closed");
    expect(recorder.calls).toEqual(["closed"]);
    expect(recorder.error).toMatchObject({ code: "closed" });
  });

  it("refuses misuse: a write after end, a second start, a socket that decodes text", async () => {
    const [client] = await socketPair();
    const pipe = socketPipe(client);
    record(pipe);
    pipe.end();
    expect(() => pipe.write(utf8("late"))).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(() => record(pipe)).toThrow(expect.objectContaining({ code: "misuse" }));
    client.setEncoding("utf8");
    expect(() => socketPipe(client)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});
