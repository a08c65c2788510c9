/** Web servers behind a real SSH server, without a local port: `serve` with a handler, `attach` with Node's servers. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import {
  attach,
  ChannelSocket,
  type HttpHandler,
  type HttpService,
  isUpgrade,
  type Listener,
  type ReverseTunnel,
  serve,
  upgrade,
} from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  exchange,
  missing,
  openTunnel,
  patternChunks,
  patternHash,
  patternStream,
  type Sshd,
  startSshd,
  userKey,
  visit,
} from "./harness/index.ts";

const size = 8 * 1024 * 1024;

describe.skipIf(missing("sshd"))("web servers through OpenSSH", () => {
  let sshd: Sshd;
  let tunnel: ReverseTunnel;
  let forwarding: Listener;
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
  });
  afterAll(() => sshd.stop());
  afterEach(() => tunnel.close());

  async function open(): Promise<string> {
    tunnel = await openTunnel(sshd);
    forwarding = await tunnel.listen({ port: 0 });
    return `http://127.0.0.1:${forwarding.port}`;
  }

  describe("serve", () => {
    let service: HttpService;
    async function answer(handler: HttpHandler<Listener>): Promise<string> {
      const url = await open();
      service = serve(forwarding, handler);
      return url;
    }

    it("answers fetch, with the visitor's address and its own forwarding", async () => {
      const url = await answer((request, info) => {
        expect(info.forwarding).toBe(forwarding);
        return Response.json({ url: request.url, from: info.origin.host, agent: request.headers.get("user-agent") });
      });
      const response = await fetch(`${url}/a?b`, { headers: { "user-agent": "visitor" } });
      expect(await response.json()).toEqual({ url: `${url}/a?b`, from: "127.0.0.1", agent: "visitor" });
    });

    it("hands WebSockets to a library, and answers other requests", async () => {
      const url = await open();
      const sockets = new WebSocketServer({ noServer: true });
      sockets.on("connection", (socket) => {
        socket.on("message", (data, binary) => socket.send(data, { binary }));
      });
      service = serve(forwarding, (request) => {
        if (!isUpgrade(request)) return new Response("plain");
        const { method, url, headers } = request;
        const message = { method, url, headers: Object.fromEntries(headers) } as unknown as IncomingMessage;
        return upgrade(request, (channel) => {
          const socket = new ChannelSocket(channel, channel.origin);
          sockets.handleUpgrade(message, socket, Buffer.alloc(0), (one) => sockets.emit("connection", one));
        });
      });
      const socket = new WebSocket(url.replace("http", "ws"));
      await once(socket, "open");
      const large = new Uint8Array(1024 * 1024).fill(7);
      socket.send(large);
      expect(Buffer.compare((await once(socket, "message"))[0] as Buffer, large)).toBe(0);
      socket.close(1000, "done");
      expect((await once(socket, "close"))[0]).toBe(1000);
      expect(await (await fetch(url)).text()).toBe("plain");
    });

    it("streams both ways at once, by length and in chunks", async () => {
      const url = await answer((request) => new Response(request.body));
      for (const headers of [{ "content-length": String(size) }, {}]) {
        const request = httpRequest(`${url}/`, { method: "POST", headers, agent: false });
        const sending = pipeline(patternStream(size, 5), request);
        const [response] = (await once(request, "response")) as [IncomingMessage];
        const hash = createHash("sha256");
        await pipeline(response, hash);
        await sending;
        expect(hash.digest("hex")).toBe(patternHash(size, 5));
      }
    });

    it("keeps connections alive, and 20 visitors apart", async () => {
      const url = await answer(async (request) => new Response(await request.text()));
      const agent = new Agent({ keepAlive: true, maxSockets: 20 });
      const ask = async (word: string): Promise<string> => {
        const request = httpRequest(url, { method: "POST", agent }).end(word);
        const [response] = (await once(request, "response")) as [IncomingMessage];
        return await text(response);
      };
      const words = Array.from({ length: 200 }, (_, i) => `visitor ${i}`);
      expect(await Promise.all(words.map(ask))).toEqual(words);
      expect(service.requests).toBe(200);
      expect(forwarding.stats().accepted).toBe(20);
      agent.destroy();
    });

    it("stops producing a body while the visitor does not read", async () => {
      let made = 0;
      const url = await answer(() => {
        const chunks = patternChunks(1024 * size, 1)[Symbol.iterator]();
        const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
          const { value } = chunks.next();
          made += value?.length ?? 0;
          if (value) controller.enqueue(value);
        };
        return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
      });
      const visitor = await visit(Number(new URL(url).port));
      await visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      let before = -1;
      // Until the window, the server's buffers and the sockets are full.
      while (made !== before) {
        before = made;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      expect(made).toBeLessThan(32 * 1024 * 1024);
      visitor.reset();
    });

    it("aborts the signal and cancels the body after a visitor has left", async () => {
      const seen: string[] = [];
      let cancelled: () => void = () => {};
      const done = new Promise<void>((resolve) => {
        cancelled = resolve;
      });
      const url = await answer((request) => {
        request.signal.addEventListener("abort", () => seen.push("abort"));
        let timer: ReturnType<typeof setInterval>;
        return new Response(
          new ReadableStream({
            start(controller) {
              timer = setInterval(() => controller.enqueue(new TextEncoder().encode("data: tick\n\n")), 20);
            },
            cancel() {
              clearInterval(timer);
              seen.push("cancel");
              cancelled();
            },
          }),
          { headers: { "content-type": "text/event-stream" } },
        );
      });
      const abort = new AbortController();
      const response = await fetch(url, { signal: abort.signal });
      await response.body?.getReader().read();
      abort.abort();
      await done;
      expect(seen).toEqual(["abort", "cancel"]);
    });

    it("answers a visitor that half-closes, and pipelined requests", async () => {
      const url = await answer((request) => new Response(new URL(request.url).pathname));
      const port = Number(new URL(url).port);
      const one = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
      const answers = (await exchange(port, one("/1") + one("/2") + one("/3"))).toString();
      expect(answers.match(/^\/\d/gm)).toEqual(["/1", "/2", "/3"]);
    });

    it("ends with its forwarding, after the requests under way", async () => {
      const url = await answer(async () => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        return new Response("whole");
      });
      const response = fetch(url);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await forwarding.close();
      expect(await (await response).text()).toBe("whole");
      await service.closed;
      expect(service.connections).toBe(0);
    });

    it("ends when the tunnel does", async () => {
      const url = await answer(() => new Response("served"));
      expect(await (await fetch(url, { headers: { connection: "close" } })).text()).toBe("served");
      await tunnel.close();
      await service.closed;
      expect(service.connections).toBe(0);
      await expect(fetch(url)).rejects.toThrow();
    });
  });

  describe("another loop over the same forwarding", () => {
    type Loop = (answer: string, signal: AbortSignal) => void;
    const response = (answer: string): string =>
      `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`;
    const loops: Record<string, Loop> = {
      serve: (answer, signal) => void serve(forwarding, () => new Response(answer), { signal }),
      attach: (answer, signal) => {
        const server = createServer((_request, response) => void response.end(answer));
        attach(forwarding, server, { signal });
      },
      iteration: (answer, signal) => {
        const iterator = forwarding[Symbol.asyncIterator]();
        signal.addEventListener("abort", () => void iterator.return?.());
        void iterator.next().then(({ value, done }) => {
          if (done === true) return;
          value.start({ data: () => {}, end: () => value.close(), drain: () => {}, closed: () => {} });
          value.write(new TextEncoder().encode(response(answer)));
          value.end();
        });
      },
    };
    for (const [first, stopped] of Object.entries(loops)) {
      it(`receives the first visitor after the abort of ${first}`, async () => {
        const url = await open();
        for (const [second, next] of Object.entries(loops)) {
          const abort = new AbortController();
          stopped(`${first} was stopped`, abort.signal);
          await new Promise((resolve) => setTimeout(resolve, 20));
          abort.abort();
          const visiting = fetch(url, { headers: { connection: "close" } });
          await new Promise((resolve) => setTimeout(resolve, 50));
          const done = new AbortController();
          next(`${second} goes on`, done.signal);
          expect(await (await visiting).text()).toBe(`${second} goes on`);
          done.abort();
        }
      });
    }
  });

  describe("attach", () => {
    it("ends idle connections at once during a drain, and lets requests under way finish", async () => {
      const url = await open();
      const server = createServer((request, response) => {
        if (request.url === "/idle") response.end("idle");
        else setTimeout(() => response.end("whole"), 300);
      });
      server.keepAliveTimeout = 600_000;
      attach(forwarding, server);
      const idle = await visit(Number(new URL(url).port));
      await idle.send("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n");
      await idle.read(1);
      const busy = fetch(`${url}/busy`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await tunnel.close({ drainMs: 600_000 });
      expect(await (await busy).text()).toBe("whole");
    });

    it("ends a request with an incomplete head at headersTimeout, also for a server that does not listen", async () => {
      const url = await open();
      const server = createServer({ headersTimeout: 300, requestTimeout: 300, connectionsCheckingInterval: 50 });
      const attached = attach(forwarding, server);
      const port = Number(new URL(url).port);
      const slow = await visit(port);
      await slow.send("GET / HTTP/1.1\r\n");
      let slowOpen = true;
      const timer = setInterval(() => void (slowOpen && slow.send("x").catch(() => {})), 50);
      const answer = (await slow.readAll()).toString();
      slowOpen = false;
      clearInterval(timer);
      expect(answer).toMatch(/^HTTP\/1.1 408 /);
      slow.end();
      while (attached.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    });

    it("passes visitors to a server of node:http, with large bodies", async () => {
      const url = await open();
      const server = createServer((request, response) => {
        response.setHeader("x-from", String(request.socket.remoteAddress));
        request.pipe(response);
      });
      const attached = attach(forwarding, server);
      const body = Readable.toWeb(patternStream(size, 9)) as BodyInit;
      const response = await fetch(url, { method: "POST", body, duplex: "half" } as RequestInit);
      expect(response.headers.get("x-from")).toBe("127.0.0.1");
      const hash = createHash("sha256").update(new Uint8Array(await response.arrayBuffer()));
      expect(hash.digest("hex")).toBe(patternHash(size, 9));
      await tunnel.close();
      await attached.closed;
      expect(attached.sockets.size).toBe(0);
    });

    it("closes the request after a visitor has left", async () => {
      const url = await open();
      const left = new Promise((resolve) => {
        const server = createServer((_request, response) => {
          response.write("some");
          const timer = setInterval(() => response.write("more"), 20);
          response.on("close", () => {
            clearInterval(timer);
            resolve("left");
          });
        });
        attach(forwarding, server);
      });
      const visitor = await visit(Number(new URL(url).port));
      await visitor.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await visitor.read(4);
      visitor.reset();
      expect(await left).toBe("left");
    });

    it("carries WebSockets", async () => {
      const url = await open();
      const server = createServer((_request, response) => void response.end("plain"));
      const sockets = new WebSocketServer({ server });
      sockets.on("connection", (socket) => {
        socket.on("message", (data, binary) => socket.send(data, { binary }));
      });
      attach(forwarding, server);
      const socket = new WebSocket(url.replace("http", "ws"));
      await once(socket, "open");
      socket.send("hello");
      expect(String((await once(socket, "message"))[0])).toBe("hello");
      const large = new Uint8Array(1024 * 1024).fill(7);
      socket.send(large);
      expect(Buffer.compare((await once(socket, "message"))[0] as Buffer, large)).toBe(0);
      socket.close(1000, "done");
      const [code] = (await once(socket, "close")) as [number];
      expect(code).toBe(1000);
      // The same port answers plain requests too.
      expect(await (await fetch(url)).text()).toBe("plain");
      sockets.close();
    });

    it("carries HTTP/2 (h2c by prior knowledge, RFC 9113 section 3.3)", async () => {
      const url = await open();
      const server = createHttp2Server((request, response) => {
        response.setHeader("x-path", request.url);
        request.pipe(response);
      });
      attach(forwarding, server);
      const client = connectHttp2(url);
      const ask = async (path: string): Promise<string> => {
        const stream = client.request({ ":method": "POST", ":path": path });
        stream.end(`hello ${path}`);
        const answer = text(stream);
        const [headers] = (await once(stream, "response")) as [Record<string, string>];
        return `${headers["x-path"]} ${await answer}`;
      };
      const paths = Array.from({ length: 20 }, (_, i) => `/${i}`);
      expect(await Promise.all(paths.map(ask))).toEqual(paths.map((path) => `${path} hello ${path}`));
      const stream = client.request({ ":method": "POST", ":path": "/large" });
      const hash = createHash("sha256");
      await Promise.all([pipeline(patternStream(size, 3), stream, { end: true }), pipeline(stream, hash)]);
      expect(hash.digest("hex")).toBe(patternHash(size, 3));
      client.close();
      await once(client, "close");
    });
  });
});
