/** Channels as Node.js sockets over a pipe in memory, attached to servers of Node.js. */
import { once } from "node:events";
import {
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2cServer,
  createSecureServer as createHttp2Server,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createNetServer } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import type { BytePipe } from "@postern/ssh";
import { collectGarbage, pipePair, visitorQueue } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { attach } from "../src/attach.ts";
import { ChannelSocket } from "../src/channel-socket.ts";

/** A self-signed certificate for the name `test`, and its key. Only these tests use it. */
const identity = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCzv+EFOP39JaJyuI
Ej6zIPOmxnDS7BK6wqvqtl9YJxChRANCAASC6vje70R9FeGboHQ2sJZ7ulsrLiUm
TfHIv1HfaxjotuD6VbT1n1DeKa1F4Q79yr3y9+v3rh5rciSPIccjnvJ+
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUHLXQC3KNa/eo281aAsM6TBE+5XQwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjcwOTE2MDBaGA8yMTI2MTEwMzA5MTYw
MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABILq
+N7vRH0V4ZugdDawlnu6WysuJSZN8ci/Ud9rGOi24PpVtPWfUN4prUXhDv3KvfL3
6/euHmtyJI8hxyOe8n6jUzBRMB0GA1UdDgQWBBRtdhiovh8yDZWr2zD5XBKaWtfs
DTAfBgNVHSMEGDAWgBRtdhiovh8yDZWr2zD5XBKaWtfsDTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCygw1dv7+y3gPlnegmprXMqkX+f+7IIhxe
8aeE6xR9jAIhAIMUwX2FtnhrhvnkFsR2/jamhLEiLoY0+DoQG42UF8Ee
-----END CERTIFICATE-----`,
};
const origin = { host: "192.0.2.7", port: 4711 };

/** Reads to the end. Unlike `text`, it does not destroy the socket. */
async function readAll(socket: Duplex): Promise<string> {
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

/** Creates a forwarding, and a function that visits it. */
function visits(): {
  readonly forwarding: AsyncIterable<BytePipe & { origin: typeof origin }>;
  readonly visit: (allowHalfOpen?: boolean) => ChannelSocket;
  readonly end: () => void;
} {
  const forwarding = visitorQueue<BytePipe & { origin: typeof origin }>();
  return {
    forwarding,
    visit(allowHalfOpen = false) {
      const [ours, theirs] = pipePair();
      forwarding.push(Object.assign(ours, { origin }));
      return new ChannelSocket(theirs, origin, allowHalfOpen);
    },
    end: () => forwarding.end(),
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
    expect(await readAll(other)).toBe("ping");
    expect(one.destroyed).toBe(false);
    other.end("pong");
    expect(await readAll(one)).toBe("pong");
    await closed;
    expect([one.bytesWritten, one.bytesRead, one.errored]).toEqual([4, 4, null]);
  });

  it("ends its writable side with its readable side if half-open is not allowed", async () => {
    const [one, other] = pair({ allowHalfOpen: false });
    one.resume();
    other.end();
    other.resume();
    await once(one, "close");
    expect(one.writableFinished).toBe(true);
  });

  it("has the properties of net.Socket that servers use", () => {
    const [one] = pair();
    expect([one.remoteAddress, one.remotePort, one.remoteFamily]).toEqual(["192.0.2.7", 4711, "IPv4"]);
    expect([one.connecting, one.pending, one.readyState]).toEqual([false, false, "open"]);
    expect(one.setNoDelay().setKeepAlive().ref().unref().address()).toEqual({});
    const [pipe] = pipePair();
    expect(new ChannelSocket(pipe, { host: "::1", port: 1 }).remoteFamily).toBe("IPv6");
  });

  it("applies backpressure in both directions", async () => {
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

  it("joins corked writes in order", async () => {
    const [one, other] = pair();
    one.cork();
    for (let i = 0; i < 50; i++) one.write(`${i},`);
    one.write(Buffer.alloc(100_000, "x"));
    one.uncork();
    one.end("end");
    const got = await readAll(other);
    expect(got.replace(/x+/, "")).toBe(`${Array.from({ length: 50 }, (_, i) => `${i},`).join("")}end`);
    expect(got).toHaveLength(100_000 + 143);
  });

  it("sends pending writes before it closes the channel when it is destroyed without an error", async () => {
    const [one, other] = pair();
    one.write("last words");
    one.destroy();
    expect(await readAll(other)).toBe("last words");
    other.end();
    await once(other, "close");
    expect(other.errored).toBeNull();
  });

  it("aborts the channel when it is destroyed with an error, without an uncaught error", async () => {
    const [one, other] = pair();
    one.destroy(new Error("boom"));
    await once(other, "close").catch(() => {});
    expect(other.errored).toMatchObject({ code: "closed" });
  });

  it("fails a pending write when it is destroyed", async () => {
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

  it("delivers all data before the end, even if the channel has closed meanwhile", async () => {
    const [one, other] = pair();
    one.end("to be read");
    other.end();
    await sleep(10);
    expect(await readAll(other)).toBe("to be read");
  });

  it("emits timeout after it was idle", async () => {
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

describe("a timeout of a socket", () => {
  it.each([Number.NaN, -1, "60"])("rejects %o", (ms) => {
    const [one] = pair();
    expect(() => one.setTimeout(ms as number)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("accepts more milliseconds than a timer can count", async () => {
    const [one] = pair();
    let fired = false;
    one.setTimeout(Number.POSITIVE_INFINITY, () => {
      fired = true;
    });
    // A timer that overflows fires after a millisecond.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(fired).toBe(false);
    one.destroy();
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

  it("closes idle connections after keepAliveTimeout", async () => {
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

  it("is created for a request handler, such as an Express application", async () => {
    const { forwarding, visit, end } = visits();
    const handler = (request: IncomingMessage, response: ServerResponse): unknown => response.end(request.url);
    // An Express application has the methods of an EventEmitter.
    const attached = attach(forwarding, Object.assign(handler, { emit: () => expect.unreachable() }));
    const { response } = ask(visit(), { path: "/path" });
    expect(await text(await response)).toBe("/path");
    end();
    await attached.closed;
  });

  it("destroys the request of a visitor that has left", async () => {
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

/** Sends text one byte every 10 ms until the socket closes; returns what came back. */
async function drip(socket: Duplex, head: string, text: string): Promise<string> {
  let got = "";
  socket.on("data", (chunk) => {
    got += String(chunk);
  });
  socket.on("error", () => {});
  socket.write(head);
  let sent = 0;
  const timer = setInterval(() => socket.writable && socket.write(text[sent++ % text.length] ?? ""), 10);
  await once(socket, "close");
  clearInterval(timer);
  return got;
}

describe("a server that never listens", () => {
  it("is not kept in memory once its attachment has ended", async () => {
    const used = async (): Promise<WeakRef<Server>> => {
      const { forwarding, visit, end } = visits();
      const server = createServer((_request, response) => void response.end("answer"));
      const attachment = attach(forwarding, server);
      const socket = visit();
      socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      expect(await text(socket)).toContain("answer");
      end();
      await attachment.closed;
      return new WeakRef(server);
    };
    const servers = await Promise.all(Array.from({ length: 5 }, used));
    for (let round = 0; round < 10; round++) {
      await sleep(20);
      collectGarbage();
    }
    expect(servers.filter((server) => server.deref() !== undefined).length).toBeLessThan(5);
  });
});

describe("a server that does not listen", () => {
  const limits = { headersTimeout: 200, requestTimeout: 300, connectionsCheckingInterval: 20 };
  const slow = "X-Long: abcdefghijklmnopqrstuvwxyz\r\n";
  const servers: [name: string, make: (listener: RequestListener) => Server, secure: boolean][] = [
    ["node:http", (listener) => createServer(limits, listener), false],
    ["node:https", (listener) => createHttpsServer({ ...limits, ...identity }, listener), true],
    [
      "node:http2 that allows HTTP/1.1",
      (listener) =>
        Object.assign(createHttp2Server({ ...identity, allowHTTP1: true }, listener as never), limits) as never,
      true,
    ],
  ];
  for (const [name, make, secure] of servers) {
    const enter = async (visit: (allowHalfOpen?: boolean) => ChannelSocket): Promise<Duplex> => {
      if (!secure) return visit();
      const socket = connectTls({ socket: visit(true), rejectUnauthorized: false });
      socket.once("end", () => socket.destroy());
      await once(socket, "secureConnect");
      return socket;
    };

    it(`enforces headersTimeout and requestTimeout: ${name}`, async () => {
      const { forwarding, visit } = visits();
      attach(
        forwarding,
        make((request, response) => void request.resume().on("end", () => response.end())),
      );
      const [head, content] = await Promise.all([
        drip(await enter(visit), "GET / HTTP/1.1\r\nHost: a\r\n", slow),
        drip(await enter(visit), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", "x"),
      ]);
      expect(head).toMatch(/^HTTP\/1.1 408 /);
      expect(content).toMatch(/^HTTP\/1.1 408 /);
    });

    it(`closes visitors with closeAllConnections, and idle ones with closeIdleConnections: ${name}`, async () => {
      const { forwarding, visit } = visits();
      const server = make((_request, response) => void response.end("answer"));
      const attached = attach(forwarding, server);
      const request = async (): Promise<Duplex> => {
        const socket = await enter(visit);
        socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await once(socket, "data");
        return socket;
      };
      const idle = await request();
      const busy = await enter(visit);
      busy.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
      await sleep(10);
      server.closeIdleConnections();
      await once(idle.resume(), "close");
      expect(attached.sockets.size).toBe(1);
      server.closeAllConnections?.();
      if (server.closeAllConnections === undefined) busy.destroy();
      await once(
        busy.resume().on("error", () => {}),
        "close",
      );
      await sleep(5);
      expect(attached.sockets.size).toBe(0);
    });

    it(`shows the address of each visitor: ${name}`, async () => {
      const { forwarding, visit } = visits();
      attach(
        forwarding,
        make(({ socket }, response) => {
          response.end([socket.remoteAddress, socket.remotePort, socket.remoteFamily].join());
        }),
      );
      const socket = await enter(visit);
      socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      expect(await text(socket)).toContain("192.0.2.7,4711,IPv4");
    });

    it(`ends idle connections when the forwarding ends, and others when their response is complete: ${name}`, async () => {
      const { forwarding, visit, end } = visits();
      const release: (() => void)[] = [];
      const server = make((request, response) => {
        if (request.url === "/begun") response.write("begun,");
        if (request.url === "/quick") response.end("done");
        else release.push(() => void response.end("done"));
      });
      server.keepAliveTimeout = 600_000;
      const attached = attach(forwarding, server);
      const request = async (path: string): Promise<{ whole: Promise<string> }> => {
        const socket = await enter(visit);
        const whole = readAll(socket);
        socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
        if (path !== "/waits") await once(socket, "data");
        return { whole };
      };
      const [silent, quick, waits, begun, late] = await Promise.all([
        enter(visit),
        request("/quick"),
        request("/waits"),
        request("/begun"),
        enter(visit),
      ]);
      late.write("GET /quick HTTP/1.1\r\n");
      await sleep(20);
      end();
      await attached.closed;
      expect(await readAll(silent)).toBe("");
      await quick.whole;
      await sleep(10);
      expect(attached.sockets.size).toBe(3);
      const answer = readAll(late);
      late.write("Host: a\r\n\r\n");
      expect(await answer).toMatch(/connection: close\r\n[\s\S]*done/i);
      for (const go of release) go();
      expect(await waits.whole).toMatch(/connection: close\r\n[\s\S]*done/i);
      expect(await begun.whole).toContain("done");
      await sleep(10);
      expect(attached.sockets.size).toBe(0);
    });
  }

  it("enforces timeouts after server.close(), and calls no `listening` listener of the program", async () => {
    const { forwarding, visit } = visits();
    let called = 0;
    const server = createServer(limits).on("listening", () => called++);
    server.prependListener("listening", () => called++);
    attach(forwarding, server);
    await sleep(5);
    server.close(() => {});
    await once(server, "close");
    expect(await drip(visit(), "GET / HTTP/1.1\r\nHost: a\r\n", slow)).toMatch(/^HTTP\/1.1 408 /);
    expect(called).toBe(0);
  });

  it("answers a malformed request with 400 (RFC 9110 15.5.1) before it closes the connection", async () => {
    const { forwarding, visit } = visits();
    attach(forwarding, createServer());
    const socket = visit();
    socket.write("GET / HTTP/1.1\r\nno field\r\n\r\n");
    expect(await readAll(socket)).toMatch(/^HTTP\/1.1 400 /);
  });

  it("keeps an upgraded connection when the forwarding ends", async () => {
    const { forwarding, visit, end } = visits();
    const server = createServer();
    server.on("upgrade", (_request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    const attached = attach(forwarding, server);
    const socket = visit();
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await once(socket, "data");
    end();
    await attached.closed;
    await sleep(10);
    socket.write("hello");
    expect(String((await once(socket, "data"))[0])).toBe("hello");
    socket.end();
    await once(socket.resume(), "close");
  });

  it("ends sessions of HTTP/2 when the forwarding ends and their streams are complete", async () => {
    for (const secure of [false, true]) {
      const { forwarding, visit, end } = visits();
      const server = secure ? createHttp2Server(identity) : createHttp2cServer();
      let release = (): void => {};
      let seen: unknown;
      let streams = 0;
      server.on("stream", (stream: ServerHttp2Stream) => {
        streams++;
        seen = stream.session?.socket.remoteAddress;
        stream.respond({ ":status": 200 });
        release = () => void stream.end("done");
      });
      const attached = attach(forwarding, server);
      const open = async (): Promise<ClientHttp2Session> => {
        const plain = visit(secure);
        if (!secure) return connectHttp2("http://a", { createConnection: () => plain });
        const socket = connectTls({ socket: plain, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
        await once(socket, "secureConnect");
        return connectHttp2("https://a", { createConnection: () => socket });
      };
      const [idle, busy] = await Promise.all([open(), open()]);
      const stream = busy.request({ ":path": "/" });
      const answer = text(stream);
      await Promise.all([once(idle, "remoteSettings"), once(stream, "response")]);
      end();
      await attached.closed;
      await once(idle, "close");
      expect(busy.destroyed).toBe(false);
      release();
      expect(await answer).toBe("done");
      await once(busy, "close");
      expect([seen, streams]).toEqual([secure ? "192.0.2.7" : undefined, 1]);
    }
  });

  it("removes its listeners from the server once the last visitor has left", async () => {
    const { forwarding, visit, end } = visits();
    const server = createHttpsServer(identity, (_request, response) => void response.end());
    const count = (): number =>
      server.eventNames().reduce((sum, name) => sum + server.listenerCount(name as string), 0);
    const before = count();
    const attached = attach(forwarding, server);
    const socket = visit();
    await sleep(5);
    expect(count()).toBeGreaterThan(before);
    end();
    await attached.closed;
    socket.destroy();
    await sleep(5);
    expect([attached.sockets.size, count()]).toEqual([0, before]);
  });
});

describe("attaching", () => {
  it("disconnects visitors beyond maxConnections, counting all attachments, and the server emits `drop`", async () => {
    const places = [visits(), visits()] as const;
    const server = createNetServer((socket) => void socket.resume());
    server.maxConnections = 2;
    const dropped: unknown[] = [];
    server.on("drop", (data) => dropped.push(data));
    const attached = places.map(({ forwarding }) => attach(forwarding, server));
    const open = [places[0].visit(), places[1].visit()];
    await sleep(5);
    const beyond = places[0].visit();
    await once(beyond.resume(), "close");
    expect(attached.map(({ sockets }) => sockets.size)).toEqual([1, 1]);
    expect(dropped).toEqual([{ remoteAddress: "192.0.2.7", remotePort: 4711 }]);
    open[0]?.destroy();
    await sleep(5);
    const next = places[1].visit();
    await sleep(5);
    expect(attached.map(({ sockets }) => sockets.size)).toEqual([0, 2]);
    expect(next.destroyed).toBe(false);
  });

  it("leaves the next visitor to the next loop over the same forwarding after an abort", async () => {
    const { forwarding, visit } = visits();
    const abort = new AbortController();
    const attached = attach(
      forwarding,
      createNetServer((socket) => void socket.end("first")),
      { signal: abort.signal },
    );
    await sleep(5);
    abort.abort();
    // In the same turn: the aborted loop must not take this visitor.
    const visitor = visit();
    await attached.closed;
    attach(
      forwarding,
      createNetServer((socket) => void socket.end("second")),
    );
    expect(await readAll(visitor)).toBe("second");
  });

  it("closes a visitor that arrived just before the abort, in the same turn", async () => {
    const { forwarding, visit } = visits();
    const abort = new AbortController();
    const attached = attach(
      forwarding,
      createNetServer((socket) => void socket.write("first")),
      { signal: abort.signal },
    );
    await sleep(5);
    const visitor = visit();
    abort.abort();
    expect(await readAll(visitor)).toBe("");
    await attached.closed;
    expect(attached.sockets.size).toBe(0);
  });

  it("respects allowHalfOpen of a net.Server", async () => {
    const { forwarding, visit } = visits();
    attach(
      forwarding,
      createNetServer((socket) => void socket.resume().write("hello")),
    );
    const visitor = visit();
    visitor.end();
    // As with a listening server, `allowHalfOpen` is false by default.
    expect(await readAll(visitor)).toBe("hello");
  });

  it("destroys only the socket of a listener that throws, and reports the error as uncaught", async () => {
    const { forwarding, visit } = visits();
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const thrown = once(process, "uncaughtException");
    let first = true;
    const server = createNetServer((socket) => {
      if (!first) return void socket.end("second");
      first = false;
      throw new Error("boom");
    });
    attach(forwarding, server);
    const one = visit();
    try {
      expect(String((await thrown)[0])).toBe("Error: boom");
    } finally {
      for (const listener of others) process.on("uncaughtException", listener);
    }
    expect(one.errored).not.toBeNull();
    expect(await readAll(visit())).toBe("second");
  });

  it("ends and destroys open sockets when its signal fires", async () => {
    const { forwarding, visit } = visits();
    const abort = new AbortController();
    const attached = attach(forwarding, createNetServer(), { signal: abort.signal });
    const visitor = visit();
    await sleep(5);
    expect(attached.sockets.size).toBe(1);
    abort.abort();
    await attached.closed;
    await once(visitor, "close").catch(() => {});
    expect(attached.sockets.size).toBe(0);
  });

  it("rejects a value that is not a server", () => {
    for (const [server, type] of [
      [{}, "an object"],
      [null, "null"],
      [undefined, "undefined"],
      ["server", "a string"],
    ] as const) {
      const message = expect.stringContaining(`got ${type}`);
      const attaching = (): unknown => attach(visits().forwarding, server as never);
      expect(attaching, type).toThrow(expect.objectContaining({ code: "misuse", message }));
    }
  });

  it("rejects unknown options and wrong types, and names the type", () => {
    for (const [options, named] of [
      [{ signals: undefined }, "signal"],
      [{ signal: null }, "got null"],
      [{ signal: 5 }, "got a number"],
      [{ signal: new AbortController() }, "signal"],
      [null, "options"],
      ["signal", "options"],
    ] as const) {
      const message = expect.stringContaining(named);
      const attaching = (): unknown => attach(visits().forwarding, () => {}, options as never);
      expect(attaching, named).toThrow(expect.objectContaining({ code: "misuse", message }));
    }
    for (const forwarding of [undefined, null, {}, "forwarding"]) {
      const attaching = (): unknown => attach(forwarding as never, () => {});
      expect(attaching).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });
});
