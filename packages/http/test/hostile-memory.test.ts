/** The heap that requests occupy while a visitor pushes. */
import type { BytePipe } from "@postern/ssh";
import { bytesInUse, collectGarbage, pipePair, turns, visitorQueue } from "@postern/testkit";
import { utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type HttpHandler, serve } from "../src/index.ts";
import { RequestMachine } from "../src/request-machine.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const limits = { maxHeaderBytes: 16 * KiB, maxHeaders: 100, maxBodyBytes: 16 * MiB };
const get = "GET / HTTP/1.1\r\nHost: a\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Sends a text, then another one again and again in pieces, until the machine fails or has read `most` bytes. */
function push(first: string, repeated: string, piece: number, most: number) {
  const machine = new RequestMachine(limits);
  const before = collectGarbage();
  let [grown, sent, status] = [0, 0, 0];
  const read = (): void => {
    for (let event = machine.next(); event !== undefined; event = machine.next()) {
      if (event.type !== "error") continue;
      status = event.error.status;
      return;
    }
  };
  machine.receive(utf8(first));
  read();
  const text = utf8(repeated.repeat(Math.ceil((2 * piece) / repeated.length)));
  for (let next = most / 4; sent < most && status === 0; ) {
    const at = sent % repeated.length;
    machine.receive(text.slice(at, at + piece));
    sent += piece;
    read();
    if (sent < next) continue;
    next += most / 4;
    grown = Math.max(grown, collectGarbage() - before);
  }
  // Keeps the machine alive until here.
  expect(machine.idle).toBe(false);
  return { grown, sent, status };
}

const pieces = [
  ["one byte at a time", 1],
  ["4 KiB at a time", 4 * KiB],
] as const;

describe.each(pieces)("the heap of a request that comes %s", (_how, piece) => {
  it.each([
    ["a target", "GET /", "a", 414],
    ["a field", `${get}x: `, "a", 431],
    ["fields", get, "a: b\r\n", 431],
    ["the name of a field", get, "a", 431],
    ["the digits of a chunk's size", post, "0", 400],
    ["a chunk extension", `${post}1;a=`, "b", 400],
    ["chunks with extensions", post, "1;a=b\r\nx\r\n", 400],
    ["a trailer", `${post}0\r\n`, "a: b\r\n", 431],
  ])("is bounded by maxHeaderBytes: %s", (_what, first, repeated, status) => {
    // In chunks with extensions, only these count.
    const got = push(first, repeated, piece, 8 * limits.maxHeaderBytes);
    expect(got.status).toBe(status);
    expect(got.grown).toBeLessThan(MiB);
  });

  it("does not grow with content that the handler reads", () => {
    const content = 32 * KiB;
    const first = `${get.replace("GET", "POST")}Content-Length: 1000000\r\n\r\n`;
    const got = push(first, "x", piece, content);
    expect(got).toMatchObject({ status: 0, sent: content });
    expect(got.grown).toBeLessThan(MiB);
  });
});

const origin = { host: "192.0.2.7", port: 4711 };

/** Serves visitors, whose pipes hold up to 64 KiB. */
function served(handler: HttpHandler) {
  const forwarding = visitorQueue<BytePipe & { readonly origin: typeof origin }>();
  const service = serve(forwarding, handler);
  const visit = (drain = (): void => {}, data = (): void => {}): BytePipe => {
    const [ours, theirs] = pipePair({ highWater: 64 * KiB });
    forwarding.push(Object.assign(ours, { origin }));
    theirs.start({ data, end() {}, drain, closed() {} });
    return theirs;
  };
  return { service, visit, end: () => forwarding.end() };
}

describe("the heap of a service", () => {
  it("holds a visitor's window while its handler works, whatever the visitor pipelines", async () => {
    let calls = 0;
    const { visit, end } = served((request) => {
      calls++;
      return request.url.endsWith("/first") ? new Response(null) : new Promise(() => {});
    });
    // The first request loads parts of the platform.
    await new Promise<void>((resolve) => visit(undefined, resolve).write(utf8(`${get.replace("/", "/first")}\r\n`)));
    const requests = utf8(`${get}\r\n`.repeat(100));
    const before = await bytesInUse();
    let [sent, writable] = [0, true];
    const visitor = visit(() => {
      writable = true;
    });
    for (let turn = 0; turn < 100; turn++) {
      for (; writable; sent += requests.length) writable = visitor.write(requests.slice());
      await turns();
    }
    expect(calls).toBe(2);
    expect(sent).toBeLessThan(256 * KiB);
    expect((await bytesInUse()) - before).toBeLessThan(2 * MiB);
    visitor.abort();
    end();
  });

  it("grows by a small multiple of the head of each visitor that does not end it", async () => {
    const { service, visit, end } = served(() => new Response(null));
    const before = await bytesInUse();
    const count = 100;
    const visitors = Array.from({ length: count }, () => visit());
    for (const visitor of visitors) visitor.write(utf8(`${get}x: `));
    for (let sent = 0; sent < 15; sent++) {
      for (const visitor of visitors) visitor.write(utf8("a".repeat(KiB)));
      await turns();
    }
    expect(service.connections).toBe(count);
    expect((await bytesInUse()) - before).toBeLessThan(count * 4 * limits.maxHeaderBytes);
    for (const visitor of visitors) visitor.abort();
    end();
  });
});
