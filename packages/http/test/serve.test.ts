/** The service from a visitor's side: bytes in and out over a pipe in memory. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { BytePipe } from "@postern/ssh";
import { pipePair, readToEnd, visitorQueue } from "@postern/testkit";
import { type Bytes, concat, fromUtf8, utf8 } from "@postern/wire";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  allowAddresses,
  basicAuth,
  type HandlerErrorEvent,
  type HttpHandler,
  type HttpService,
  isUpgrade,
  type ServeOptions,
  serve,
  type TakeChannel,
  upgrade,
  type VisitorChannel,
} from "../src/index.ts";

const origin = { host: "192.0.2.7", port: 4711 };

/** A visitor that writes and reads text. */
class Client {
  readonly pipe: BytePipe;
  text = "";
  received = 0;
  ended = false;
  closed: { error: Error | undefined } | undefined;
  writable = true;
  #changed = (): void => {};

  constructor(pipe: BytePipe) {
    this.pipe = pipe;
    pipe.start({
      data: (chunk) => {
        this.received += chunk.length;
        this.text += fromUtf8(chunk);
        this.#changed();
      },
      end: () => {
        this.ended = true;
        this.#changed();
      },
      drain: () => {
        this.writable = true;
        this.#changed();
      },
      closed: (error) => {
        this.closed = { error };
        this.#changed();
      },
    });
  }

  send(text: string | Bytes): void {
    this.writable = this.pipe.write(typeof text === "string" ? utf8(text) : text);
  }

  async until(what: string, test: () => boolean): Promise<void> {
    const deadline = setTimeout(() => this.#changed(), 2000);
    const start = Date.now();
    while (!test()) {
      if (Date.now() - start > 1900) throw new Error(`expected ${what}, got ${JSON.stringify(this.text)}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    clearTimeout(deadline);
  }

  /** Resolves with the received text up to and including `last`, without the date. */
  async upTo(last: string): Promise<string> {
    await this.until(last, () => this.text.includes(last));
    const at = this.text.indexOf(last) + last.length;
    const text = this.text.slice(0, at);
    this.text = this.text.slice(at);
    return text.replace(/date: [^\r]+ GMT\r\n/, "");
  }

  async all(): Promise<string> {
    await this.until("the end", () => this.ended || this.closed !== undefined);
    this.pipe.end();
    return this.text.replaceAll(/date: [^\r]+ GMT\r\n/g, "");
  }
}

interface Place {
  readonly forwarding: AsyncIterable<BytePipe & { readonly origin: typeof origin }>;
  readonly service: HttpService;
  readonly visit: (highWater?: number) => Client;
  readonly end: () => void;
}

const places: Place[] = [];
afterEach(() => {
  for (const place of places.splice(0)) place.end();
  vi.unstubAllGlobals();
});

function open(handler: HttpHandler, options?: ServeOptions): Place {
  const forwarding = visitorQueue<BytePipe & { readonly origin: typeof origin }>();
  const place: Place = {
    forwarding,
    service: serve(forwarding, handler, options),
    visit(highWater) {
      const [ours, theirs] = pipePair({ highWater });
      forwarding.push(Object.assign(ours, { origin }));
      return new Client(theirs);
    },
    end: () => forwarding.end(),
  };
  places.push(place);
  return place;
}

const get = (path = "/", more = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const post = (more: string, content = ""): string => `POST / HTTP/1.1\r\nHost: a\r\n${more}\r\n${content}`;
const kept = "connection: keep-alive\r\nkeep-alive: timeout=60\r\n\r\n";
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("an exchange", () => {
  it("passes a Request and the visitor's origin to the handler, and sends its Response", async () => {
    const place = open(async (request, info) => {
      const { method, url, headers } = request;
      const received = [method, url, [...headers], info.origin, await request.text()];
      return Response.json(received, { status: 201, statusText: "Made", headers: { "x-a": "b", "set-cookie": "c" } });
    });
    const visitor = place.visit();
    visitor.send(post("X-Y: z\r\nCookie: a=b\r\nContent-Length: 5\r\nTE: trailers\r\nConnection: TE\r\n", "hello"));
    expect(await visitor.upTo("\r\n0\r\n\r\n")).toBe(
      `HTTP/1.1 201 Made\r\ncontent-type: application/json\r\nset-cookie: c\r\nx-a: b\r\ntransfer-encoding: chunked\r\n${kept}80\r\n["POST","http://a/",[["content-length","5"],["cookie","a=b"],["host","a"],["x-y","z"]],{"host":"192.0.2.7","port":4711},"hello"]\r\n0\r\n\r\n`,
    );
    expect(place.service.requests).toBe(1);
    expect(place.service.connections).toBe(1);
  });

  it("sends a date (RFC 9110 6.6.1)", async () => {
    const visitor = open(() => new Response(null)).visit();
    visitor.send(get("/", "Connection: close\r\n"));
    await visitor.until("the end", () => visitor.ended);
    expect(visitor.text).toMatch(
      /^HTTP\/1.1 200 \r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\ncontent-length: 0\r\n/,
    );
  });

  const framings: [name: string, request: string, response: () => Response, expected: string][] = [
    [
      "sends a length of 0 without a body",
      get(),
      () => new Response(null),
      `HTTP/1.1 200 \r\ncontent-length: 0\r\n${kept}`,
    ],
    [
      "sends the length that the handler sets",
      get(),
      () => new Response("abc", { headers: { "content-length": "3", "content-type": "x/y" } }),
      `HTTP/1.1 200 \r\ncontent-type: x/y\r\ncontent-length: 3\r\n${kept}abc`,
    ],
    [
      "answers HEAD with the fields only (RFC 9110 9.3.2)",
      get().replace("GET", "HEAD"),
      () => new Response("abc", { headers: { "content-length": "3", "content-type": "x/y" } }),
      `HTTP/1.1 200 \r\ncontent-type: x/y\r\ncontent-length: 3\r\n${kept}`,
    ],
    [
      "sends 204 without a length (RFC 9110 8.6)",
      get(),
      () => new Response(null, { status: 204, headers: { "content-length": "0" } }),
      `HTTP/1.1 204 \r\n${kept}`,
    ],
    [
      "sends 304 with the length of the body that is not sent",
      get(),
      () => new Response(null, { status: 304, headers: { "content-length": "9" } }),
      `HTTP/1.1 304 \r\ncontent-length: 9\r\n${kept}`,
    ],
    [
      "sends 205 with a length of 0 (RFC 9110 15.3.6)",
      get(),
      () => new Response(null, { status: 205 }),
      `HTTP/1.1 205 \r\ncontent-length: 0\r\n${kept}`,
    ],
    [
      "corrects a length that is set without a body",
      get(),
      () => new Response(null, { headers: { "content-length": "9" } }),
      `HTTP/1.1 200 \r\ncontent-length: 0\r\n${kept}`,
    ],
    [
      "replaces fields of the connection",
      get(),
      () => new Response(null, { headers: { "transfer-encoding": "gzip", "keep-alive": "x", upgrade: "y" } }),
      `HTTP/1.1 200 \r\ncontent-length: 0\r\n${kept}`,
    ],
    [
      "answers OPTIONS * for the server as a whole (RFC 9110 9.3.7)",
      get("*").replace("GET", "OPTIONS"),
      () => new Response("no"),
      `HTTP/1.1 204 \r\n${kept}`,
    ],
    [
      "keeps an HTTP/1.0 connection alive on request",
      "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      () => new Response(null),
      `HTTP/1.1 200 \r\ncontent-length: 0\r\n${kept}`,
    ],
  ];
  for (const [name, request, response, expected] of framings) {
    it(name, async () => {
      const visitor = open(response).visit();
      visitor.send(request + get("/last", "Connection: close\r\n"));
      const text = await visitor.all();
      expect(text.slice(0, expected.length)).toBe(expected);
      expect(text.slice(expected.length)).toMatch(/^HTTP\/1.1 /);
    });
  }

  it("ends a body of unknown length with the connection in HTTP/1.0, which has no chunked coding (RFC 9112 6.3)", async () => {
    const visitor = open(() => new Response("abc", { headers: { "content-type": "x/y" } })).visit();
    visitor.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(await visitor.all()).toBe("HTTP/1.1 200 \r\ncontent-type: x/y\r\nconnection: close\r\n\r\nabc");
  });

  it("closes the connection after Connection: close of visitor or handler", async () => {
    const place = open(
      (request) => new Response(null, request.url.endsWith("y") ? { headers: { connection: "Close" } } : {}),
    );
    for (const request of [get("/x", "Connection: close\r\n"), get("/y")]) {
      const visitor = place.visit();
      visitor.send(request + get());
      expect(await visitor.all()).toBe("HTTP/1.1 200 \r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      await visitor.until("a clean end", () => visitor.closed !== undefined);
      expect(visitor.closed?.error).toBeUndefined();
    }
  });

  it("serves pipelined requests in order, one after the other (RFC 9112 9.3.2)", async () => {
    let running = 0;
    const place = open(async (request) => {
      expect(++running).toBe(1);
      await sleep(request.url.endsWith("1") ? 20 : 1);
      running--;
      return new Response(await request.text(), { headers: { "x-path": new URL(request.url).pathname } });
    });
    const visitor = place.visit();
    visitor.send(
      get("/1") + post("Content-Length: 1\r\n", "a").replace(" / ", " /2 ") + get("/3", "Connection: close\r\n"),
    );
    expect([...(await visitor.all()).matchAll(/x-path: (\S+)/g)].map((match) => match[1])).toEqual(["/1", "/2", "/3"]);
  });

  it("accepts a response of another class, and sends no line break in its fields (RFC 9112 11.1)", async () => {
    const fake = (fields: object): Response =>
      ({
        status: 200,
        statusText: "",
        headers: new Map(),
        body: null,
        bodyUsed: false,
        ...fields,
      }) as unknown as Response;
    const answers: Record<string, unknown> = {
      "/good": fake({ statusText: "a\r\nb: c" }),
      "/value": fake({ headers: new Map([["a", "b\r\nc: d"]]) }),
      "/name": fake({ headers: new Map([["a\r\nb", "c"]]) }),
      "/status": fake({ status: 101 }),
      "/error": Response.error(),
      "/undefined": undefined,
    };
    const place = open((request) => answers[new URL(request.url).pathname] as Response);
    for (const path of Object.keys(answers)) {
      const visitor = place.visit();
      visitor.send(get(path, "Connection: close\r\n"));
      const text = await visitor.all();
      expect(text).toMatch(path === "/good" ? /^HTTP\/1.1 200 \r\n/ : /^HTTP\/1.1 500 Internal Server Error\r\n/);
      expect(text).not.toMatch(/^(b|c):/m);
    }
  });
});

describe("content", () => {
  it("streams to the handler while the handler answers", async () => {
    const visitor = open((request) => new Response(request.body)).visit();
    visitor.send(post("Transfer-Encoding: chunked\r\n"));
    await visitor.upTo("\r\n\r\n");
    visitor.send("3\r\nabc\r\n");
    expect(await visitor.upTo("abc\r\n")).toBe("3\r\nabc\r\n");
    visitor.send("2\r\nde\r\n0\r\n\r\n");
    expect(await visitor.upTo("\r\n0\r\n\r\n")).toBe("2\r\nde\r\n0\r\n\r\n");
    visitor.send(get("/", "Connection: close\r\n"));
    expect(await visitor.all()).toMatch(/^HTTP\/1.1 200/);
  });

  it("is not read from the visitor until the handler reads it", async () => {
    let go = (): void => {};
    const visitor = open(async (request) => {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return new Response(String((await request.arrayBuffer()).byteLength));
    }).visit(1000);
    visitor.send(post("Content-Length: 5000\r\n"));
    await sleep(10);
    for (let i = 0; i < 5; i++) visitor.send(new Uint8Array(1000));
    await sleep(30);
    expect(visitor.writable).toBe(false);
    go();
    expect(await visitor.upTo("\r\n0\r\n\r\n")).toContain("4\r\n5000\r\n");
    expect(visitor.writable).toBe(true);
  });

  it("is discarded if it is small and unread; otherwise the connection ends", async () => {
    const place = open(() => new Response(null));
    const small = place.visit();
    small.send(post("Content-Length: 100000\r\n"));
    small.send(concat(new Uint8Array(100_000), utf8(get("/", "Connection: close\r\n"))));
    expect((await small.all()).match(/HTTP/g)).toHaveLength(2);
    const large = place.visit();
    large.send(post("Content-Length: 1000000\r\n"));
    for (let i = 0; i < 10; i++) large.send(new Uint8Array(100_000));
    large.send(get());
    expect((await large.all()).match(/HTTP/g)).toHaveLength(1);
    await large.until("a clean end", () => large.closed !== undefined);
    expect(large.closed?.error).toBeUndefined();
  });

  it("fails in the handler if it is malformed, and is answered with 400 instead of 500", async () => {
    const errors: unknown[] = [];
    const place = open(async (request) => new Response(await request.text()));
    place.service.addEventListener("handlererror", (event) => errors.push(event));
    const visitor = place.visit();
    visitor.send(post("Transfer-Encoding: chunked\r\n", "1\r\nxy\r\n0\r\n\r\n"));
    expect(await visitor.all()).toMatch(/^HTTP\/1.1 400 Bad Request\r\n[\s\S]*connection: close\r\n\r\nBad Request: /);
    expect(errors).toEqual([]);
  });

  it("fails in the handler if it is incomplete (RFC 9112 8)", async () => {
    let failure: unknown;
    const visitor = open(async (request) => {
      failure = await request.text().catch((error: unknown) => error);
      return new Response(null);
    }).visit();
    visitor.send(post("Content-Length: 10\r\n", "half"));
    visitor.pipe.end();
    expect(await visitor.all()).toMatch(/connection: close/);
    expect(failure).toMatchObject({ code: "closed" });
  });

  it("cannot be read after the response is complete", async () => {
    let body: ReadableStream<Uint8Array> | null = null;
    const visitor = open((request) => {
      body ??= request.body;
      return new Response(null);
    }).visit();
    visitor.send(post("Content-Length: 2\r\n", "ab") + get("/", "Connection: close\r\n"));
    await visitor.all();
    const reading = (body as unknown as ReadableStream<Uint8Array>).getReader().read();
    await expect(reading).rejects.toMatchObject({ code: "closed" });
  });
});

describe("Expect: 100-continue (RFC 9110 section 10.1.1)", () => {
  const expecting = post("Expect: 100-continue\r\nContent-Length: 2\r\n");

  it("is answered with 100 when the handler reads", async () => {
    const visitor = open(async (request) => new Response(await request.text())).visit();
    visitor.send(expecting);
    expect(await visitor.upTo("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    visitor.send("ab");
    expect(await visitor.upTo("\r\n0\r\n\r\n")).toMatch(/^HTTP\/1.1 200 [\s\S]*keep-alive[\s\S]*\r\n\r\n2\r\nab\r\n/);
  });

  it("is not answered with 100 if the handler does not read, and the connection ends because the content may come or not", async () => {
    const visitor = open(() => new Response(null, { status: 403 })).visit();
    visitor.send(expecting);
    expect(await visitor.all()).toBe("HTTP/1.1 403 \r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  });
});

describe("a response", () => {
  it("is pulled no faster than the visitor reads it", async () => {
    let pulled = 0;
    const place = open(
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              pulled++;
              controller.enqueue(new Uint8Array(1000));
              if (pulled === 200) controller.close();
            },
          }),
        ),
    );
    const visitor = place.visit(10_000);
    visitor.pipe.pause();
    visitor.send(get("/", "Connection: close\r\n"));
    await sleep(50);
    expect(pulled).toBeGreaterThan(5);
    expect(pulled).toBeLessThan(20);
    visitor.pipe.resume();
    await visitor.all();
    expect(pulled).toBe(200);
    expect(visitor.received).toBeGreaterThan(200_000);
  });

  const broken: [name: string, make: () => Response, code: string | undefined][] = [
    [
      "a body that fails",
      () =>
        new Response(
          new ReadableStream(
            { start: (c) => c.enqueue(utf8("secret")), pull: () => Promise.reject(new Error("boom")) },
            { highWaterMark: 0 },
          ),
        ),
      undefined,
    ],
    [
      "a body that is longer than its Content-Length",
      () => new Response("abc", { headers: { "content-length": "2" } }),
      "misuse",
    ],
    [
      "a body that is shorter than its Content-Length",
      () => new Response("abc", { headers: { "content-length": "4" } }),
      "misuse",
    ],
    ["a body of text", () => new Response(new ReadableStream({ start: (c) => c.enqueue("text") })), "misuse"],
  ];
  for (const [name, make, code] of broken) {
    it(`with ${name} resets the connection and fires handlererror`, async () => {
      const errors: HandlerErrorEvent[] = [];
      const place = open(make);
      place.service.addEventListener("handlererror", (event) => errors.push(event));
      const visitor = place.visit();
      visitor.send(get());
      await visitor.until("a cut", () => visitor.closed !== undefined);
      expect(visitor.closed?.error).toBeDefined();
      expect(errors).toHaveLength(1);
      expect(errors[0]?.origin).toBe(origin);
      if (code !== undefined) expect(errors[0]?.error).toMatchObject({ code });
    });
  }
});

describe("a handler that fails", () => {
  it("is answered with 500 without details, keeps the connection, and fires handlererror", async () => {
    const errors: HandlerErrorEvent[] = [];
    const place = open((request) => {
      if (request.url.endsWith("sync")) throw new Error("the secret");
      return Promise.reject(new Error("the secret"));
    });
    place.service.addEventListener("handlererror", (event) => errors.push(event));
    const visitor = place.visit();
    visitor.send(get("/sync") + get("/async", "Connection: close\r\n"));
    const text = await visitor.all();
    expect(text.match(/HTTP\/1.1 500 Internal Server Error/g)).toHaveLength(2);
    expect(text).not.toContain("secret");
    expect(errors.map(({ error, request }) => [String(error), request?.url])).toEqual([
      ["Error: the secret", "http://a/sync"],
      ["Error: the secret", "http://a/async"],
    ]);
  });
});

describe("a visitor that disconnects", () => {
  it("aborts the signal and cancels a later response of the handler", async () => {
    let signal: AbortSignal | undefined;
    let give: (response: Response) => void = () => {};
    const errors: unknown[] = [];
    const place = open((request) => {
      signal = request.signal;
      return new Promise((resolve) => {
        give = resolve;
      });
    });
    place.service.addEventListener("handlererror", (event) => errors.push(event));
    const visitor = place.visit();
    visitor.send(get());
    await sleep(10);
    expect(signal?.aborted).toBe(false);
    visitor.pipe.abort();
    await sleep(10);
    expect(signal?.aborted).toBe(true);
    expect(place.service.connections).toBe(0);
    const cancelled = new Promise((resolve) => give(new Response(new ReadableStream({ cancel: resolve }))));
    await cancelled;
    expect(errors).toEqual([]);
  });

  it("cancels a response that is pending", async () => {
    let cancel: (reason: unknown) => void = () => {};
    const cancelled = new Promise((resolve) => {
      cancel = resolve;
    });
    const place = open(() => new Response(new ReadableStream({ start: (c) => c.enqueue(utf8("event")), cancel })));
    const visitor = place.visit();
    visitor.send(get());
    await visitor.upTo("event");
    visitor.pipe.abort();
    expect(await cancelled).toMatchObject({ code: "closed" });
  });

  it("aborts the signal by a half-close, and still receives its response", async () => {
    let aborted = false;
    const visitor = open(async (request) => {
      const text = await request.text();
      if (!request.signal.aborted) await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      aborted = request.signal.aborted;
      return new Response(text);
    }).visit();
    visitor.send(post("Content-Length: 2\r\n", "ab"));
    visitor.pipe.end();
    expect(await visitor.all()).toMatch(/^HTTP\/1.1 200 [\s\S]*connection: close\r\n\r\n2\r\nab\r\n0\r\n\r\n$/);
    expect(aborted).toBe(true);
  });

  it("does not abort the signal after the complete response", async () => {
    let signal: AbortSignal | undefined;
    const place = open((request) => {
      signal = request.signal;
      return new Response(null);
    });
    const visitor = place.visit();
    visitor.send(get());
    await visitor.upTo("\r\n\r\n");
    visitor.pipe.end();
    await visitor.until("the end", () => visitor.closed !== undefined);
    expect(signal?.aborted).toBe(false);
  });
});

describe("a time limit", () => {
  it("answers an incomplete head with 408, even if bytes keep coming", async () => {
    const visitor = open(() => new Response(null), { headerTimeoutMs: 50 }).visit();
    const bytes = get("/", "X-Long: and very slow\r\n").split("");
    const timer = setInterval(() => visitor.writable && !visitor.ended && visitor.send(bytes.shift() ?? ""), 10);
    expect(await visitor.all()).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n[\s\S]*connection: close/);
    clearInterval(timer);
  });
  it("closes a connection without a request", async () => {
    const visitor = open(() => new Response(null), { headerTimeoutMs: 20 }).visit();
    expect(await visitor.all()).toBe("");
  });
  it("closes a connection that waits for its next request, after the announced time", async () => {
    const visitor = open(() => new Response(null), { keepAliveTimeoutMs: 1000 }).visit();
    visitor.send(get());
    const start = Date.now();
    expect(await visitor.all()).toMatch(/keep-alive: timeout=1\r\n\r\n$/);
    expect(Date.now() - start).toBeGreaterThan(900);
  });
  const drips: [name: string, head: string, drip: string, reads: boolean][] = [
    ["content", "Content-Length: 100000\r\n", "x", true],
    [
      "a chunk extension",
      "Transfer-Encoding: chunked\r\n",
      "1;a=bcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
      true,
    ],
    [
      "a trailer",
      "Transfer-Encoding: chunked\r\n",
      "0\r\na: bcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
      true,
    ],
    ["content the handler does not read", "Content-Length: 100000\r\n", "x", false],
  ];
  for (const [name, head, drip, reads] of drips) {
    it(`ends a request that sends ${name} one byte at a time, at requestTimeoutMs`, async () => {
      const answer = async (request: Request): Promise<Response> => new Response(reads ? await request.text() : null);
      const place = open(answer, { requestTimeoutMs: 150 });
      const visitor = place.visit();
      visitor.send(post(head));
      let sent = 0;
      const timer = setInterval(() => visitor.ended || visitor.send(drip[sent++ % drip.length] ?? ""), 10);
      try {
        expect(await visitor.all()).toMatch(reads ? /^HTTP\/1.1 408 [\s\S]*connection: close/ : /^HTTP\/1.1 200 /);
        await visitor.until("a closed connection", () => place.service.connections === 0);
      } finally {
        clearInterval(timer);
      }
    });
  }
  it("excludes time during which the handler does not read", async () => {
    const place = open(
      async (request) => {
        await sleep(100);
        return new Response(await request.text());
      },
      { requestTimeoutMs: 50 },
    );
    const visitor = place.visit(10);
    visitor.send(post("Connection: close\r\nContent-Length: 20\r\n", "0123456789"));
    visitor.send("0123456789");
    expect(await visitor.all()).toMatch(/^HTTP\/1.1 200 [\s\S]*0123456789/);
  });
  it("answers content that does not come with 408", async () => {
    const visitor = open(async (request) => new Response(await request.text()), { idleTimeoutMs: 30 }).visit();
    visitor.send(post("Content-Length: 2\r\n", "a"));
    expect(await visitor.all()).toMatch(/^HTTP\/1.1 408 /);
  });
  it("does not apply to the handler", async () => {
    const place = open(() => sleep(100).then(() => new Response(null)), { idleTimeoutMs: 10, headerTimeoutMs: 10 });
    const visitor = place.visit();
    visitor.send(get("/", "Connection: close\r\n"));
    expect(await visitor.all()).toMatch(/^HTTP\/1.1 200 /);
  });
  it("resets a visitor that does not read its response", async () => {
    const place = open(() => new Response(new Uint8Array(100_000)), { idleTimeoutMs: 30 });
    const visitor = place.visit(1000);
    visitor.pipe.pause();
    visitor.send(get());
    await visitor.until("a cut", () => visitor.closed !== undefined);
    expect(visitor.closed?.error).toBeDefined();
  });
});

/** Never answers `/slow`. */
const slowly = (request: Request): Response | Promise<Response> =>
  new URL(request.url).pathname === "/slow" ? new Promise<Response>(() => {}) : new Response(null);

describe("limits", () => {
  it("answers content above maxBodyBytes with 413 (RFC 9110 15.5.14), without calling the handler if it is announced", async () => {
    const errors: unknown[] = [];
    const place = open(async (request) => new Response(await request.text()), { maxBodyBytes: 10 });
    place.service.addEventListener("handlererror", (event) => errors.push(event));
    for (const [request, asked] of [
      [post("Content-Length: 11\r\n", "0123456789a"), 0],
      [post("Content-Length: 11\r\nExpect: 100-continue\r\n"), 0],
      [post("Transfer-Encoding: chunked\r\n", "8\r\n01234567\r\n3\r\n89a\r\n0\r\n\r\n"), 1],
    ] as const) {
      const before = place.service.requests;
      const visitor = place.visit();
      visitor.send(request);
      expect(await visitor.all()).toMatch(/^HTTP\/1.1 413 Content Too Large\r\n[\s\S]*connection: close/);
      expect(place.service.requests - before).toBe(asked);
    }
    const fits = place.visit();
    fits.send(post("Content-Length: 10\r\nConnection: close\r\n", "0123456789"));
    expect(await fits.all()).toMatch(/^HTTP\/1.1 200 /);
    expect(errors).toEqual([]);
  });

  it("rejects with SshError `limit` in a handler that reads content above maxBodyBytes", async () => {
    let failure: unknown;
    const visitor = open(
      async (request) => {
        failure = await request.text().catch((error: unknown) => error);
        return new Response(null);
      },
      { maxBodyBytes: 2 },
    ).visit();
    visitor.send(post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"));
    expect(await visitor.all()).toMatch(/connection: close/);
    expect(failure).toMatchObject({ code: "limit" });
  });

  it("answers visitors beyond maxConnections with 503 (RFC 9110 15.6.4) until one disconnects", async () => {
    const place = open(slowly, { maxConnections: 2 });
    const first = place.visit();
    const second = place.visit();
    for (const visitor of [first, second]) visitor.send(get("/slow"));
    await sleep(5);
    const third = place.visit();
    third.send(get());
    expect(await third.all()).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n[\s\S]*connection: close/);
    expect(place.service.connections).toBe(2);
    expect(place.service.requests).toBe(2);
    first.pipe.abort();
    await sleep(5);
    const fourth = place.visit();
    fourth.send(get("/", "Connection: close\r\n"));
    expect(await fourth.all()).toMatch(/^HTTP\/1.1 200 /);
    expect(second.closed).toBeUndefined();
  });

  it("serves visitors although others occupy every connection and send nothing", async () => {
    const place = open(() => new Response(null), { maxConnections: 3 });
    const silent = [place.visit(), place.visit(), place.visit()];
    await sleep(5);
    const honest = place.visit();
    honest.send(get());
    expect(await honest.upTo("\r\n\r\n")).toMatch(/^HTTP\/1.1 200 /);
    expect(await silent[0]?.all()).toBe("");
    expect(place.service.connections).toBe(3);
  });

  it("closes no connection whose next request has arrived", async () => {
    const handled: string[] = [];
    const place = open(
      (request) => {
        handled.push(new URL(request.url).pathname);
        return new Response(null);
      },
      { maxConnections: 1 },
    );
    const first = place.visit();
    first.send(get("/1"));
    await first.upTo("\r\n\r\n");
    first.send(get("/2"));
    const second = place.visit();
    second.send(get("/3"));
    const answers = [await first.upTo("\r\n\r\n"), await second.all()];
    expect(handled.includes("/2"), "a request that was handled is answered").toBe(/ 200 /.test(answers[0] ?? ""));
  });

  it("closes the connection that has been idle longest instead of refusing a visitor", async () => {
    const place = open(() => new Response(null), { maxConnections: 2 });
    const visitors = [place.visit(), place.visit()];
    for (const visitor of visitors) {
      visitor.send(get());
      await visitor.upTo("\r\n\r\n");
    }
    const third = place.visit();
    third.send(get());
    expect(await third.upTo("\r\n\r\n")).toMatch(/^HTTP\/1.1 200 /);
    expect(await visitors[0]?.all()).toBe("");
    visitors[1]?.send(get());
    expect(await visitors[1]?.upTo("\r\n\r\n")).toMatch(/^HTTP\/1.1 200 /);
    expect(place.service.connections).toBe(2);
  });

  it("disconnects visitors without a response if many are being refused", async () => {
    const place = open(slowly, { maxConnections: 1 });
    place.visit().send(get("/slow"));
    await sleep(5);
    const visitors = Array.from({ length: 200 }, () => place.visit());
    await sleep(20);
    expect(place.service.connections).toBe(1);
    expect(visitors.filter((visitor) => visitor.text !== "")).toHaveLength(64);
    for (const visitor of visitors) expect(visitor.ended).toBe(true);
  });
});

describe("a visitor that pipelines", () => {
  it("does not keep the event loop from other work", async () => {
    const place = open(() => new Response(null));
    const visitor = place.visit(1024 * 1024);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    for (let i = 0; i < 20; i++) visitor.send(get().repeat(16));
    visitor.send(get("/", "Connection: close\r\n"));
    await visitor.all();
    clearInterval(timer);
    expect(place.service.requests).toBe(321);
    expect(turns).toBeGreaterThan(10);
  });
});

describe("a visitor that sends content in many small chunks", () => {
  it("does not keep the event loop from other work", async () => {
    const place = open(async (request) => new Response((await request.text()).length.toString()));
    const visitor = place.visit(1024 * 1024);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    visitor.send(post("Connection: close\r\nTransfer-Encoding: chunked\r\n"));
    for (let i = 0; i < 60; i++) visitor.send("1\r\nx\r\n".repeat(512));
    visitor.send("0\r\n\r\n");
    expect(await visitor.all()).toMatch(/30720\r\n0\r\n\r\n$/);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });
});

describe("a response that fetch returned", () => {
  const text = "hello ".repeat(1000);
  const encoders: Record<string, (data: string) => Uint8Array> = {
    gzip: gzipSync,
    "x-gzip": gzipSync,
    deflate: deflateSync,
    br: brotliCompressSync,
    identity: (data) => utf8(data),
  };
  let upstream: Server;
  let url: string;
  beforeAll(async () => {
    upstream = createServer((request, response) => {
      const coding = String(request.url).slice(1);
      const data = encoders[coding]?.(text) ?? "";
      response.setHeader("content-length", data.length);
      if (coding !== "identity") response.setHeader("content-encoding", coding);
      response.end(data);
    }).listen(0, "127.0.0.1");
    await once(upstream, "listening");
    url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    upstream.closeAllConnections();
    upstream.close();
  });

  for (const coding of ["gzip", "x-gzip", "deflate", "br"]) {
    it(`is sent without its ${coding} coding, which fetch has decoded`, async () => {
      const errors: unknown[] = [];
      const place = open(() => fetch(`${url}/${coding}`));
      place.service.addEventListener("handlererror", (event) => errors.push(event));
      const visitor = place.visit();
      visitor.send(get("/", "Connection: close\r\n"));
      const all = await visitor.all();
      expect(errors).toEqual([]);
      const [head = "", ...body] = all.split("\r\n\r\n");
      expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
      expect(head).not.toMatch(/^content-(encoding|length):/m);
      expect(head).toMatch(/^transfer-encoding: chunked/m);
      expect(body.join("\r\n\r\n").replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, "")).toContain(text);
    });
  }

  it("keeps its Content-Length if it has no coding", async () => {
    const visitor = open(() => fetch(`${url}/identity`)).visit();
    visitor.send(get("/", "Connection: close\r\n"));
    expect(await visitor.all()).toMatch(/content-length: 6000\r\n/);
  });

  it("keeps its coding if the program created it", async () => {
    const headers = { "content-encoding": "gzip", "content-length": "3" };
    const visitor = open(() => new Response("abc", { headers })).visit();
    visitor.send(get("/", "Connection: close\r\n"));
    expect(await visitor.all()).toMatch(/content-encoding: gzip\r\n[\s\S]*content-length: 3\r\n[\s\S]*\r\n\r\nabc$/);
  });
});

describe("the service", () => {
  it("does not compile with a misspelt event name", () => {
    // @ts-expect-error: the event is `handlererror`
    open(() => new Response(null)).service.addEventListener("handlerError", () => {});
  });

  it("refuses malformed and oversized requests, and closes", async () => {
    const place = open(() => new Response(null), { maxHeaders: 3, maxHeaderBytes: 200 });
    for (const [request, status] of [
      ["GET / HTTP/1.1\r\n\r\n", "400 Bad Request"],
      [get("/", "A: b\r\n".repeat(3)), "431 Request Header Fields Too Large"],
      [`GET /${"a".repeat(300)}`, "414 URI Too Long"],
      ["CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "501 Not Implemented"],
      ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported"],
    ] as const) {
      const visitor = place.visit();
      visitor.send(request);
      expect(await visitor.all()).toMatch(
        new RegExp(`^HTTP/1.1 ${status}\\r\\n[\\s\\S]*content-length: [1-9][\\s\\S]*connection: close`),
      );
    }
    expect(place.service.requests).toBe(0);
  });

  it("ends with its forwarding: closes idle connections and completes responses", async () => {
    let go = (): void => {};
    const place = open(async () => {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return new Response("done");
    });
    const idle = place.visit();
    const busy = place.visit();
    busy.send(get());
    await sleep(10);
    expect(place.service.connections).toBe(2);
    place.end();
    expect(await idle.all()).toBe("");
    expect(busy.ended).toBe(false);
    go();
    expect(await busy.all()).toMatch(/connection: close\r\n\r\n4\r\ndone\r\n0\r\n\r\n$/);
    await place.service.closed;
    expect(place.service.connections).toBe(0);
  });

  it("resets connections when its signal fires", async () => {
    const abort = new AbortController();
    const place = open(() => new Promise(() => {}), { signal: abort.signal });
    const visitors = [place.visit(), place.visit()];
    visitors[0]?.send(get());
    await sleep(10);
    abort.abort();
    await place.service.closed;
    for (const visitor of visitors) await visitor.until("a cut", () => visitor.closed !== undefined);
    expect(visitors[0]?.closed?.error).toBeDefined();
  });

  it("leaves the next visitor to the next service of the same forwarding after an abort", async () => {
    const abort = new AbortController();
    const place = open(() => new Response("first"), { signal: abort.signal });
    await sleep(5);
    abort.abort();
    // In the same turn: the aborted service must already have released the forwarding.
    const visitor = place.visit();
    await place.service.closed;
    const again = serve(place.forwarding, () => new Response("second"));
    visitor.send(get("/", "Connection: close\r\n"));
    expect(await visitor.all()).toContain("second");
    expect(again.requests).toBe(1);
  });

  it("closes a visitor that came in the turn of the abort, before it", async () => {
    const abort = new AbortController();
    const place = open(() => new Response("first"), { signal: abort.signal });
    await sleep(5);
    const visitor = place.visit();
    abort.abort();
    await visitor.until("a closed connection", () => visitor.closed !== undefined || visitor.ended);
    expect(place.service.connections).toBe(0);
  });

  it("rejects `closed` with the error of its forwarding", async () => {
    const source = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("given up")) }),
    };
    const service = serve(source, () => new Response(null));
    await expect(service.closed).rejects.toThrow("given up");
  });

  it("refuses options that are unknown, of the wrong type or out of range, and names the type", () => {
    const none = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
    } as never;
    const options = (given: object) => () => serve(none, () => new Response(null), given);
    expect(options({ maxHeader: 1 })).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringContaining("maxHeaders") }),
    );
    for (const [given, named] of [
      [{ idleTimeoutMs: -1 }, "idleTimeoutMs"],
      [{ maxHeaders: 0.5 }, "maxHeaders"],
      [{ requestTimeoutMs: Number.POSITIVE_INFINITY }, "requestTimeoutMs"],
      [{ requestTimeoutMs: 2 ** 31 }, "requestTimeoutMs"],
      [{ maxBodyBytes: Number.NaN }, "maxBodyBytes"],
      [{ maxBodyBytes: "1000" }, "got a string"],
      [{ maxConnections: true }, "got a boolean"],
      [{ maxConnections: null }, "got null"],
      [{ headerTimeoutMs: [5] }, "got an array"],
      [{ keepAliveTimeoutMs: 5n }, "got a bigint"],
      [{ signal: null }, "got null"],
      [{ signal: "stop" }, "got a string"],
      [{ signal: new AbortController() }, "signal"],
    ] as const) {
      const message = expect.stringContaining(named);
      expect(options(given), named).toThrow(expect.objectContaining({ code: "misuse", message }));
    }
    for (const options of [null, "options", 5]) {
      const serving = (): HttpService => serve(none, () => new Response(null), options as never);
      expect(serving).toThrow(expect.objectContaining({ code: "misuse" }));
    }
    expect(() => serve(none, "handler" as never)).toThrow(expect.objectContaining({ code: "misuse" }));
    for (const [source, type] of [
      [undefined, "undefined"],
      [null, "null"],
      [{}, "an object"],
      [[], "an array"],
    ] as const) {
      const message = expect.stringContaining(`got ${type}`);
      const serving = (): HttpService => serve(source as never, () => new Response(null));
      expect(serving, type).toThrow(expect.objectContaining({ code: "misuse", message }));
    }
  });
});

describe("a forwarding", () => {
  const nothing = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
  const handler = (): Response => new Response(null);

  it("is refused if it has a target", () => {
    const source = { ...nothing, target: { host: "127.0.0.1", port: 80 } };
    const message =
      "expected a forwarding that listen() returned, got one with a target (127.0.0.1 port 80), which receives all visitors";
    expect(() => serve(source, handler)).toThrow(expect.objectContaining({ code: "misuse", message }));
  });

  it("is refused while another service uses it", async () => {
    const source = { ...nothing };
    const abort = new AbortController();
    const service = serve(source, handler, { signal: abort.signal });
    const message = "expected a forwarding that listen() returned, got one that serve() already uses";
    expect(() => serve(source, handler)).toThrow(expect.objectContaining({ code: "misuse", message }));
    abort.abort();
    expect(() => serve(source, handler)).not.toThrow();
    await service.closed;
    expect(() => serve(source, handler)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("can be used again after a call with wrong options, and after its end", async () => {
    const source = visitorQueue<BytePipe & { readonly origin: typeof origin }>();
    expect(() => serve(source, handler, { maxHeaders: 0 })).toThrow(expect.objectContaining({ code: "misuse" }));
    const service = serve(source, handler);
    source.end();
    await service.closed;
    expect(() => serve(source, handler)).not.toThrow();
  });
});

describe("a runtime whose Request is for clients", () => {
  it("passes all fields and the content to the handler", async () => {
    const Real = Request;
    // Behaves as in a browser without streaming uploads.
    vi.stubGlobal(
      "Request",
      class extends Real {
        constructor(url: string, { body, headers, ...init }: RequestInit = {}) {
          const kept = new Headers(headers);
          for (const name of ["cookie", "host", "content-length"]) kept.delete(name);
          super(url, { ...init, headers: kept, ...(body ? { body: "[object ReadableStream]" } : {}) });
        }
      },
    );
    const visitor = open(async (request) => {
      const { headers, body, bodyUsed } = request;
      const text = await request.text();
      return Response.json([
        headers.get("cookie"),
        headers.get("host"),
        body !== null,
        bodyUsed,
        request.bodyUsed,
        text,
      ]);
    }).visit();
    visitor.send(post("Cookie: a=b\r\nContent-Length: 5\r\nConnection: close\r\n", "hello"));
    expect(await visitor.all()).toContain('["a=b","a",true,false,true,"hello"]');
  });
});

describe("an upgrade to WebSocket (RFC 6455 section 4)", () => {
  const asking = (more = ""): string => get("/chat", `Connection: Upgrade\r\nUpgrade: websocket\r\n${more}`);
  const handTo =
    (take: TakeChannel): HttpHandler =>
    (request) =>
      upgrade(request, take);

  it("hands over the request and a channel that begins with the bytes after it", async () => {
    const requests: Request[] = [];
    const place = open((request) => {
      requests.push(request);
      return upgrade(request, (channel) => {
        expect(channel.origin).toEqual(origin);
        channel.start({
          data: (chunk) => void channel.write(concat(utf8("<"), chunk, utf8(">"))),
          end: () => channel.end(),
          drain() {},
          closed() {},
        });
        channel.write(utf8("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
      });
    });
    const visitor = place.visit();
    visitor.send(`${asking("Sec-WebSocket-Key: key\r\n")}first`);
    await visitor.until("an echo", () => visitor.text.endsWith("<first>"));
    visitor.send("second");
    await visitor.until("an echo", () => visitor.text.endsWith("<first><second>"));
    expect(visitor.text).toMatch(/^HTTP\/1\.1 101 /);
    const [request] = requests as [Request];
    expect(request.url).toBe("http://a/chat");
    expect(Object.fromEntries(request.headers)).toMatchObject({ "sec-websocket-key": "key", upgrade: "websocket" });
    expect(place.service.connections).toBe(1);
    visitor.pipe.end();
    await visitor.until("the end", () => visitor.ended);
    await sleep(0);
    expect(place.service.connections).toBe(0);
  });

  it("delivers bytes and ends only to a program that reads", async () => {
    let channel: VisitorChannel | undefined;
    const place = open(
      handTo((given) => {
        channel = given;
      }),
    );
    const visitor = place.visit(1000);
    visitor.send(`${asking()}early`);
    await vi.waitFor(() => expect(channel).toBeDefined());
    let sent = 0;
    while (visitor.writable && sent < 1_000_000) {
      visitor.send(new Uint8Array(100).fill(0x61));
      sent += 100;
      await sleep(0);
    }
    // Backpressure reached the visitor.
    expect(sent).toBeLessThan(100_000);
    visitor.pipe.end();
    const heard = await readToEnd(channel as VisitorChannel);
    expect(heard.text).toBe(`early${"a".repeat(sent)}`);
    expect(heard.error).toBeUndefined();
  });

  it("that throws resets the connection and fires handlererror", async () => {
    const place = open(
      handTo(() => {
        throw new TypeError("of the program");
      }),
    );
    const errors: unknown[] = [];
    place.service.addEventListener("handlererror", ({ error }) => void errors.push(error));
    const visitor = place.visit();
    visitor.send(asking());
    await visitor.until("the reset", () => visitor.closed?.error !== undefined);
    expect(errors).toEqual([expect.any(TypeError)]);
    expect(place.service.connections).toBe(0);
  });

  it("counts against maxConnections, and is reset by the signal, also after the forwarding has ended", async () => {
    const stop = new AbortController();
    const place = open(
      handTo(() => {}),
      { maxConnections: 1, signal: stop.signal },
    );
    const first = place.visit();
    first.send(asking());
    await sleep(10);
    const second = place.visit();
    second.send(get());
    expect(await second.all()).toMatch(/^HTTP\/1\.1 503 /);
    place.end();
    await place.service.closed;
    expect(first.closed).toBeUndefined();
    stop.abort();
    await first.until("the reset", () => first.closed !== undefined);
  });

  it.each([
    ["a method other than GET", asking().replace("GET", "PUT")],
    ["HTTP/1.0", asking().replace("HTTP/1.1", "HTTP/1.0")],
    ["Connection that does not say so", get("/", "Upgrade: websocket\r\n")],
    ["another protocol", get("/", "Connection: Upgrade\r\nUpgrade: h2c\r\n")],
  ])("is ignored with %s, and the handler cannot hand it over", async (_, text) => {
    const seen: unknown[] = [];
    const visitor = open((request) => {
      seen.push(isUpgrade(request));
      try {
        return upgrade(request, () => {});
      } catch (error) {
        seen.push(error);
        return new Response("plain", { headers: { connection: "close" } });
      }
    }).visit();
    visitor.send(text);
    expect(await visitor.all()).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen).toEqual([false, expect.objectContaining({ code: "misuse" })]);
  });

  it("may be answered like any request, and the connection goes on", async () => {
    const visitor = open((request) => new Response(String(isUpgrade(request)))).visit();
    visitor.send(asking() + get("/", "Connection: close\r\n"));
    const text = await visitor.all();
    expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
    expect(text).toContain("true");
  });

  it("passes through middleware, which may refuse it", async () => {
    let taken = 0;
    const place = open(allowAddresses(["10.0.0.0/8"])(basicAuth({ ada: "lovelace" })(handTo(() => void taken++))));
    const visitor = place.visit();
    visitor.send(asking("Connection: close\r\n"));
    expect(await visitor.upTo("forbidden")).toMatch(/^HTTP\/1\.1 403 /);
    expect(taken).toBe(0);
  });
});
