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

/** A sink that records its calls. */
class Recorder {
  readonly calls: string[] = [];
  readonly chunks: Bytes[] = [];
  error: Error | undefined;
  #waiting: (() => void)[] = [];

  data(chunk: Bytes): void {
    this.chunks.push(chunk);
    this.#record("data");
  }
  end(): void {
    this.#record("end");
  }
  drain(): void {
    this.#record("drain");
  }
  closed(error?: Error): void {
    this.error = error;
    this.#record("closed");
  }

  get bytes(): Bytes {
    return concat(...this.chunks);
  }

  /** The calls except data, whose number depends on the kernel. */
  get events(): string[] {
    return this.calls.filter((call) => call !== "data");
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  waitFor(call: string): Promise<void> {
    return this.until(() => this.calls.includes(call));
  }

  #record(call: string): void {
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

/** Waits long enough for an unexpected call to happen. */
const aWhile = () => delay(50);

describe("socketPipe", () => {
  it("carries bytes both ways, as plain Uint8Arrays", async () => {
    const [client, server] = await pipePair();
    const [atClient, atServer] = [record(client), record(server)];
    client.write(utf8("hello"));
    await atServer.waitFor("data");
    server.write(utf8("world"));
    await atClient.waitFor("data");
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

  it.each([true, false])("half-closes: the other direction continues after end (allowHalfOpen %s)", async (allow) => {
    const [a, b] = await socketPair({ allowHalfOpen: allow });
    const [client, server] = [socketPipe(a), socketPipe(b)];
    const [atClient, atServer] = [record(client), record(server)];
    client.write(utf8("question"));
    client.end();
    await atServer.waitFor("end");
    await aWhile();
    expect(atServer.events).toEqual(["end"]);
    server.write(utf8("answer"));
    server.end();
    await Promise.all([atClient.waitFor("closed"), atServer.waitFor("closed")]);
    expect(atClient.bytes).toEqual(utf8("answer"));
    expect(atClient.calls.slice(-2)).toEqual(["end", "closed"]);
    expect(atServer.events).toEqual(["end", "closed"]);
    expect([atClient.error, atServer.error]).toEqual([undefined, undefined]);
    expect([a.destroyed, b.destroyed]).toEqual([true, true]);
  });

  it("returns false while the other side does not read, and calls drain once when it reads again", async () => {
    const [client, server] = await pipePair();
    const atClient = record(client);
    const sent: Bytes[] = [];
    let more = true;
    while (more) {
      // Turns in between let the kernel take as much as it can.
      await delay(1);
      const chunk = pattern(1_000_003 + sent.length);
      sent.push(chunk.slice());
      expect(sent.length).toBeLessThan(100);
      more = client.write(chunk);
    }
    await aWhile();
    expect(atClient.calls).toEqual([]);
    const atServer = record(server);
    await atClient.waitFor("drain");
    expect(client.write(utf8("more"))).toBe(true);
    client.end();
    await atServer.waitFor("end");
    expect(equal(atServer.bytes, concat(...sent, utf8("more")))).toBe(true);
    expect(atClient.calls).toEqual(["drain"]);
  });

  it("delivers nothing while paused, and everything in order afterwards", async () => {
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

  it("respects a pause before start", async () => {
    const [client, server] = await pipePair();
    record(client);
    client.write(utf8("early"));
    server.pause();
    const atServer = record(server);
    await aWhile();
    expect(atServer.calls).toEqual([]);
    server.resume();
    await atServer.waitFor("data");
    expect(atServer.bytes).toEqual(utf8("early"));
  });

  it("keeps data and end that arrived before start", async () => {
    const [client, server] = await pipePair();
    record(client);
    client.write(utf8("early"));
    client.end();
    await aWhile();
    const atServer = record(server);
    expect(atServer.calls).toEqual([]);
    await atServer.waitFor("end");
    expect(atServer.calls).toEqual(["data", "end"]);
    expect(atServer.bytes).toEqual(utf8("early"));
  });

  it("pauses a socket that was already flowing", async () => {
    const [client, server] = await socketPair();
    const pipe = socketPipe(server.resume());
    client.write("early");
    await aWhile();
    const atServer = record(pipe);
    await atServer.waitFor("data");
    expect(atServer.bytes).toEqual(utf8("early"));
  });

  it("keeps data and end that arrived before the pipe was created", async () => {
    const [client, server] = await socketPair({ pauseOnConnect: false });
    client.end();
    await aWhile();
    const pipe = socketPipe(server);
    const atServer = record(pipe);
    await atServer.waitFor("end");
    pipe.end();
    await atServer.waitFor("closed");
    expect(atServer.calls).toEqual(["end", "closed"]);
    expect(atServer.error).toBeUndefined();
  });

  it("keeps an error that happened before start, and reports it once", async () => {
    const [client, server] = await socketPair({ pauseOnConnect: false });
    server.read(0);
    const pipe = socketPipe(server);
    client.resetAndDestroy();
    await aWhile();
    const atServer = record(pipe);
    expect(atServer.calls).toEqual([]);
    await atServer.waitFor("closed");
    await aWhile();
    expect(atServer.calls).toEqual(["closed"]);
    expect(atServer.error).toMatchObject({ code: "closed", cause: { code: "ECONNRESET" } });
  });

  it("reports a socket that was closed before the pipe was created", async () => {
    const [client] = await socketPair();
    client.destroy();
    await aWhile();
    const atClient = record(socketPipe(client));
    await atClient.waitFor("closed");
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toMatchObject({ code: "closed" });
  });

  it("aborts with a reset: reports the reason on this side, and an error without an end on the other", async () => {
    const [client, server] = await pipePair();
    const [atClient, atServer] = [record(client), record(server)];
    const reason = new Error("enough");
    client.abort(reason);
    client.abort(new Error("again"));
    expect(atClient.calls).toEqual([]);
    await Promise.all([atClient.waitFor("closed"), atServer.waitFor("closed")]);
    await aWhile();
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toBe(reason);
    expect(atServer.calls).toEqual(["closed"]);
    expect(atServer.error).toBeInstanceOf(SshError);
    expect(atServer.error).toMatchObject({ code: "closed", cause: { code: "ECONNRESET" } });
  });

  it.each([20, 4 * 1024 * 1024])("is an error on the other side, too, with %i unread bytes", async (size) => {
    const [client, server] = await pipePair();
    record(client);
    client.write(pattern(size));
    await aWhile();
    client.abort();
    await aWhile();
    const atServer = record(server);
    await atServer.waitFor("closed");
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
    await atClient.waitFor("closed");
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toBe(reason);
  });

  it("does not wait for pending writes when it is aborted after end", async () => {
    const [client] = await pipePair();
    const atClient = record(client);
    client.write(pattern(16 * 1024 * 1024));
    client.end();
    client.abort();
    await atClient.waitFor("closed");
    expect(atClient.calls).toEqual(["closed"]);
    expect(atClient.error).toMatchObject({ code: "closed" });
  });

  it("can be aborted while it connects", async () => {
    const [client] = await socketPair();
    const connected = vi.fn();
    const connecting = net.connect({ host: "127.0.0.1", port: client.remotePort as number });
    connecting.on("connect", connected);
    const pipe = socketPipe(connecting);
    const recorder = record(pipe);
    pipe.abort();
    await recorder.waitFor("closed");
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
    await Promise.all([atClient.waitFor("closed"), atServer.waitFor("end")]);
    expect(atServer.calls).toEqual(["end"]);
    await rm(folder, { recursive: true });
  });

  it("reports an address that refuses the connection", async () => {
    const [client] = await socketPair();
    const port = client.remotePort as number;
    for (const server of servers.splice(0)) server.close();
    const recorder = record(socketPipe(net.connect({ host: "127.0.0.1", port })));
    await recorder.waitFor("closed");
    expect(recorder.error).toMatchObject({ code: "closed", cause: { code: "ECONNREFUSED" } });
  });

  // A reset in any state must call `closed` or have no effect. An unhandled 'error' would fail the run.
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

  it("reports a socket that other code destroyed", async () => {
    const [client] = await socketPair();
    const recorder = record(socketPipe(client));
    client.destroy();
    await recorder.waitFor("closed");
    expect(recorder.calls).toEqual(["closed"]);
    expect(recorder.error).toMatchObject({ code: "closed" });
  });

  it("rejects a write after end, a second start, and a socket that decodes text", async () => {
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
