import { spawnSync } from "node:child_process";
import * as net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type ConnectionOptions, createServer as createTlsServer } from "node:tls";
import { Worker } from "node:worker_threads";
import type { Address, BytePipe } from "@postern/ssh";
import { readToEnd } from "@postern/testkit";
import { SshError } from "@postern/wire";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type DialOptions, dialPipe, dialTcpTarget, type HostAddress } from "../src/dial.ts";

const servers: net.Server[] = [];
const sockets: net.Socket[] = [];
const pipes: BytePipe[] = [];
afterEach(async () => {
  for (const pipe of pipes.splice(0)) pipe.abort();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A server and its accepted sockets. */
async function serve(host: string, port = 0): Promise<{ port: number; accepted: net.Socket[] }> {
  const accepted: net.Socket[] = [];
  const server = net.createServer((socket) => {
    accepted.push(socket);
    sockets.push(socket.on("error", () => {}).resume());
  });
  servers.push(server);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  return { port: (server.address() as net.AddressInfo).port, accepted };
}

/** Returns a port of the address on which nothing listens. */
async function closedPort(host: string): Promise<number> {
  const { port } = await serve(host);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return port;
}

function dial({ host, port, ...options }: Address & DialOptions): Promise<BytePipe> {
  return dialPipe({ host, port }, options);
}

const finds =
  (...addresses: string[]) =>
  async (): Promise<HostAddress[]> =>
    addresses.map((address) => ({ address, family: net.isIP(address) }));

async function failure(promise: Promise<unknown>): Promise<SshError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SshError);
  return error as SshError;
}

async function won(promise: Promise<BytePipe>): Promise<BytePipe> {
  const pipe = await promise;
  pipes.push(pipe);
  return pipe;
}

/** Waits for a server's first connection. */
async function first(accepted: readonly net.Socket[]): Promise<net.Socket> {
  for (;;) {
    const socket = accepted[0];
    if (socket) return socket;
    await delay(1);
  }
}

const idle = { data() {}, end() {}, drain() {}, closed() {} };

/** The sockets and timers that keep the process alive. */
const busy = () =>
  process.getActiveResourcesInfo().filter((name) => /^(?:TCPSocketWrap|TCPConnectWrap|Timeout)$/.test(name));

async function expectNothingLeft(before: string[]): Promise<void> {
  await delay(20);
  expect(busy().length).toBeLessThanOrEqual(before.length);
}

const ipv6 = await serve("::1").then(
  () => true,
  () => false,
);
if (!ipv6) process.stderr.write("skipped: tests that need ::1, which this machine has not\n");

// Two tests have an upper time limit, and are retried in case the machine is busy.
describe("dialPipe", () => {
  it("connects to an address with one pipe that may half-close", async () => {
    const { port, accepted } = await serve("127.0.0.1");
    const pipe = await won(dial({ host: "127.0.0.1", port }));
    const peer = await first(accepted);
    const received = new Promise((resolve) => peer.once("data", (data) => resolve(data.toString())));
    peer.end();
    await new Promise<void>((resolve) => pipe.start({ ...idle, end: resolve }));
    pipe.write(new TextEncoder().encode("after the end"));
    expect(await received).toBe("after the end");
    expect(accepted.length).toBe(1);
  });

  it("reports a reset that arrives before `start`", async () => {
    const { port, accepted } = await serve("127.0.0.1");
    const pipe = await won(dial({ host: "127.0.0.1", port }));
    (await first(accepted)).resetAndDestroy();
    await delay(5);
    const error = await new Promise<Error | undefined>((resolve) => pipe.start({ ...idle, closed: resolve }));
    expect(error?.cause).toMatchObject({ code: "ECONNRESET" });
  });

  it.skipIf(!ipv6).each([
    ["127.0.0.1", ["::1", "127.0.0.1"]],
    ["::1", ["127.0.0.1", "::1"]],
  ])("reaches a server on %s alone, whatever address comes first", async (host, addresses) => {
    const { port, accepted } = await serve(host);
    await won(dial({ host: "localhost", port, lookup: finds(...addresses) }));
    expect((await first(accepted)).localAddress).toBe(host);
  });

  it("resolves localhost with the system's resolver", async () => {
    const { port, accepted } = await serve("127.0.0.1");
    await won(dial({ host: "localhost", port }));
    expect((await first(accepted)).localPort).toBe(port);
  });

  it("reports each address and its error, and alternates between families (RFC 8305 4)", async () => {
    const port = await closedPort("127.0.0.1");
    const before = busy();
    const lookup = finds("127.0.0.1", "127.0.0.2", "127.0.0.3", ...(ipv6 ? ["::1"] : []));
    const error = await failure(dial({ host: "db.example", port, lookup }));
    expect(error.code).toBe("connect");
    const second = ipv6 ? `[::1]:${port} ECONNREFUSED, ` : "";
    expect(error.message).toBe(
      `expected a connection to db.example:${port}, got 127.0.0.1:${port} ECONNREFUSED, ${second}` +
        `127.0.0.2:${port} ECONNREFUSED, 127.0.0.3:${port} ECONNREFUSED`,
    );
    expect((error.cause as AggregateError).errors[0]).toMatchObject({ code: "ECONNREFUSED" });
    await expectNothingLeft(before);
  });

  it("starts the next attempt at once when one fails (RFC 8305 5)", { retry: 3 }, async () => {
    const { port, accepted } = await serve("127.0.0.2");
    const start = performance.now();
    // The third is a documentation address (RFC 5737). It makes the delay 250 ms, and is never tried.
    const lookup = finds("127.0.0.1", "127.0.0.2", "192.0.2.1");
    await won(dial({ host: "x.example", port, lookup }));
    expect(performance.now() - start).toBeLessThan(200);
    expect((await first(accepted)).localAddress).toBe("127.0.0.2");
  });

  it("reports a name without an address", async () => {
    const missing = Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" });
    const error = await failure(dial({ host: "no.example", port: 22, lookup: () => Promise.reject(missing) }));
    expect(error).toMatchObject({
      code: "connect",
      message: "expected an address to reach no.example:22, got ENOTFOUND",
      cause: missing,
    });
    const none = await failure(dial({ host: "no.example", port: 22, lookup: finds() }));
    expect(none).toMatchObject({ code: "connect", message: "expected an address to reach no.example:22, got none" });
  });

  it.each([null, undefined, 5, {}])("rejects the host %o, which the system may take for loopback", async (host) => {
    expect(await failure(dial({ host: host as unknown as string, port: 22 }))).toMatchObject({ code: "misuse" });
  });

  it.each(["5000", null, Symbol("x")])("rejects the timeout %o", async (timeoutMs) => {
    const wrong = timeoutMs as unknown as number;
    expect(await failure(dial({ host: "127.0.0.1", port: 22, timeoutMs: wrong }))).toMatchObject({ code: "misuse" });
  });

  it.each([0, -1, 65_536, 1.5, Number.NaN])("rejects port %d", async (port) => {
    expect(await failure(dial({ host: "127.0.0.1", port }))).toMatchObject({ code: "misuse" });
  });

  it.each([0, -1, Number.NaN])("rejects a timeout of %d ms", async (timeoutMs) => {
    expect(await failure(dial({ host: "127.0.0.1", port: 22, timeoutMs }))).toMatchObject({ code: "misuse" });
  });

  it("rejects values of other types, which node:net would take for localhost", async () => {
    const at = { host: "127.0.0.1", port: 22 };
    for (const options of [
      { port: 22 },
      { ...at, host: "" },
      { ...at, host: 5 },
      { ...at, host: null },
      { ...at, host: ["127.0.0.1"] },
      { ...at, port: "22" },
      { ...at, port: null },
      { ...at, timeoutMs: "100" },
      { ...at, timeoutMs: null },
      { ...at, lookup: [] },
      { ...at, signal: {} },
      ...[undefined, null, "::1", [null], [{}], [{ address: "localhost", family: 4 }]].map((found) => ({
        ...at,
        host: "no.example",
        lookup: async () => found,
      })),
    ]) {
      expect(await failure(dial(options as never))).toMatchObject({ code: "misuse" });
    }
  });

  it("does not connect if its signal has fired", async () => {
    let asked = false;
    const reason = new Error("never mind");
    const lookup = async () => {
      asked = true;
      return [];
    };
    const error = await failure(dial({ host: "x.example", port: 22, signal: AbortSignal.abort(reason), lookup }));
    expect(error).toMatchObject({ code: "aborted", cause: reason });
    expect(asked).toBe(false);
  });

  it("stops at the timeout or the signal during a lookup, and does not connect afterwards", async () => {
    const { port, accepted } = await serve("127.0.0.1");
    const before = busy();
    const controller = new AbortController();
    let found: (addresses: HostAddress[]) => void = () => {};
    const lookup = () => new Promise<HostAddress[]>((resolve) => (found = resolve));
    const aborted = failure(dial({ host: "x.example", port, signal: controller.signal, lookup }));
    controller.abort("why");
    expect(await aborted).toMatchObject({ code: "aborted", cause: "why" });
    const late = await failure(dial({ host: "x.example", port, timeoutMs: 5, lookup }));
    expect(late).toMatchObject({
      code: "timeout",
      message: `expected a connection to x.example:${port} within 5 ms, got no address`,
    });
    found([{ address: "127.0.0.1", family: 4 }]);
    await expectNothingLeft(before);
    expect(accepted).toEqual([]);
  });

  it("stops its timer and listens no longer to its signal once connected", async () => {
    const { port } = await serve("127.0.0.1");
    const before = busy();
    const controller = new AbortController();
    const pipe = await won(dial({ host: "127.0.0.1", port, signal: controller.signal, timeoutMs: 60_000 }));
    controller.abort();
    await delay(5);
    expect(pipe.write(new Uint8Array(1))).toBe(true);
    expect(busy().filter((name) => name === "Timeout").length).toBeLessThanOrEqual(before.length);
  });

  describe("with an address that does not answer", () => {
    // A thread that listens with a full queue and accepts nothing, so that the system drops further SYNs.
    let worker: Worker;
    let port: number;
    const fill: net.Socket[] = [];
    beforeAll(async () => {
      worker = new Worker(
        `const { parentPort } = require("node:worker_threads");
         const server = require("node:net").createServer();
         server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
           parentPort.postMessage(server.address().port);
           setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 20);
         });`,
        { eval: true },
      );
      port = await new Promise<number>((resolve) => worker.once("message", resolve));
      await delay(60);
      for (let i = 0; i < 4; i++) fill.push(net.connect(port, "127.0.0.1").on("error", () => {}));
      await delay(60);
    });
    afterAll(async () => {
      for (const socket of fill) socket.destroy();
      await worker.terminate();
    });

    it("tries the next address after 10 ms on loopback, and closes the first", { retry: 3 }, async () => {
      const { accepted } = await serve("127.0.0.2", port);
      const before = busy();
      const start = performance.now();
      const pipe = await won(dial({ host: "x.example", port, lookup: finds("127.0.0.1", "127.0.0.2") }));
      // All are loopback addresses, so the delay is 10 ms. The limit is generous, but below 250 ms.
      expect(performance.now() - start).toBeLessThan(200);
      expect((await first(accepted)).localAddress).toBe("127.0.0.2");
      pipe.abort();
      while (accepted.some((peer) => !peer.destroyed)) await delay(1);
      await expectNothingLeft(before);
    });

    it("waits 250 ms before the next address unless all are loopback (RFC 8305 5)", async () => {
      const { accepted } = await serve("127.0.0.2", port);
      const start = performance.now();
      // The third is a documentation address (RFC 5737) and never tried, because the second answers.
      const lookup = finds("127.0.0.1", "127.0.0.2", "192.0.2.1");
      await won(dial({ host: "x.example", port, lookup }));
      expect(performance.now() - start).toBeGreaterThan(240);
      expect((await first(accepted)).localAddress).toBe("127.0.0.2");
    });

    it("stops at its timeout, and reports each address and its result", async () => {
      const before = busy();
      const lookup = finds("127.0.0.1", "127.0.0.2");
      const error = await failure(dial({ host: "x.example", port, lookup, timeoutMs: 100 }));
      expect(error.code).toBe("timeout");
      expect(error.message).toBe(
        `expected a connection to x.example:${port} within 100 ms, got 127.0.0.2:${port} ECONNREFUSED, 127.0.0.1:${port} no answer`,
      );
      await expectNothingLeft(before);
    });

    it("stops when its signal fires", async () => {
      const before = busy();
      const controller = new AbortController();
      const lookup = finds("127.0.0.1");
      const promise = failure(dial({ host: "x.example", port, lookup, timeoutMs: 60_000, signal: controller.signal }));
      await delay(20);
      const reason = new Error("enough");
      controller.abort(reason);
      expect(await promise).toMatchObject({ code: "aborted", cause: reason });
      await expectNothingLeft(before);
    });
  });
});

describe("dialTcpTarget with TLS", () => {
  const key = selfSigned();

  /** Dials a TLS server, which sends back what it gets. */
  async function dialTls(tls: true | ConnectionOptions, preface?: Uint8Array): Promise<BytePipe> {
    const server = createTlsServer({ ...key, allowHalfOpen: true }, (socket) => {
      sockets.push(socket.on("error", () => {}));
      socket.pipe(socket);
    });
    servers.push(server);
    server.on("connection", (socket) => void sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    const target = { host: "127.0.0.1", port, tls };
    return await new Promise<BytePipe>((resolve, reject) => dialTcpTarget(target, 5_000, resolve, reject, preface));
  }

  it("carries bytes both ways, and half-closes", async () => {
    const pipe = await dialTls({ ca: key.cert });
    pipes.push(pipe);
    const heard = readToEnd(pipe);
    const sent = new Uint8Array(1024 * 1024).fill(0x61);
    pipe.write(sent);
    pipe.end();
    const { text, error } = await heard;
    expect([text.length, error]).toEqual([sent.length, undefined]);
  });

  it("fails with connect and the reason if the certificate is not trusted", async () => {
    await expect(dialTls(true)).rejects.toMatchObject({
      code: "connect",
      message: expect.stringMatching(/DEPTH_ZERO_SELF_SIGNED_CERT|self-signed/),
    });
  });

  it.each([{ key: "garbage" }, { minVersion: "TLSv9" as "TLSv1" }])(
    "fails with misuse if the options are wrong: %j",
    async (tls) => {
      await expect(dialTls(tls)).rejects.toMatchObject({ code: "misuse", message: expect.stringContaining("tls") });
    },
  );

  it("sends the preface in plain text, before TLS", async () => {
    const heard: Buffer[] = [];
    const server = net.createServer((socket) => {
      sockets.push(socket.on("error", () => {}).on("data", (data) => heard.push(data)));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    const target = { host: "127.0.0.1", port, tls: true as const };
    const preface = new TextEncoder().encode("PROXY UNKNOWN\r\n");
    const failed = new Promise((resolve) => dialTcpTarget(target, 300, () => {}, resolve, preface));
    expect(await failed).toMatchObject({ code: "timeout" });
    const bytes = Buffer.concat(heard);
    expect(bytes.subarray(0, preface.length).toString()).toBe("PROXY UNKNOWN\r\n");
    // A TLS handshake record (RFC 8446 section 5.1).
    expect(bytes[preface.length]).toBe(22);
  });
});

function selfSigned(): { readonly key: string; readonly cert: string } {
  const { stdout } = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-keyout", "-", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
  ]);
  const text = stdout.toString();
  const at = text.indexOf("-----BEGIN CERTIFICATE-----");
  return { key: text.slice(0, at), cert: text.slice(at) };
}
