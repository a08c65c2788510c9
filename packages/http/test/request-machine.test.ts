/** Valid and invalid requests, with the same result for any division into chunks. */
import { chunkings, seededRandom } from "@postern/testkit";
import { type Bytes, fromUtf8, utf8 } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HeadLimits, type RequestEvent, RequestMachine } from "../src/request-machine.ts";

const limits: HeadLimits = { maxHeaderBytes: 2048, maxHeaders: 10, maxBodyBytes: 10_000_000 };

function latin1(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Returns the events as text, with content joined. */
function read(chunks: readonly Bytes[], given: HeadLimits = limits, end = false): unknown[] {
  const machine = new RequestMachine(given);
  const seen: unknown[] = [];
  const take = (): void => {
    for (let event = machine.next(); event !== undefined; event = machine.next()) note(seen, event);
  };
  for (const chunk of chunks) {
    machine.receive(chunk);
    take();
  }
  if (end) machine.receiveEnd();
  take();
  return seen;
}

function note(seen: unknown[], event: RequestEvent): void {
  const last = seen.at(-1);
  if (event.type === "data") {
    const text = fromUtf8(event.data);
    if (typeof last === "string" && last.startsWith("data ")) seen[seen.length - 1] = last + text;
    else seen.push(`data ${text}`);
  } else if (event.type === "error") seen.push(event.error.status);
  else if (event.type === "head") {
    const { method, url, framing } = event.head;
    seen.push(`${method} ${url} ${framing.by === "length" ? framing.length : framing.by}`);
  } else seen.push("end");
}

/** Reads a text, and checks that every chunking yields the same events. */
function readAll(text: string, end = false, given?: HeadLimits): unknown[] {
  const whole = read([latin1(text)], given, end);
  for (const { name, chunks } of chunkings(latin1(text), seededRandom(text))) {
    expect(read(chunks, given, end), name).toEqual(whole);
  }
  return whole;
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\n";

describe("the pieces of content", () => {
  const chunk = "1\r\nx\r\n";
  const head = `${post}Transfer-Encoding: chunked\r\n\r\n`;

  it("joins small chunks that are received together", () => {
    const machine = new RequestMachine(limits);
    machine.receive(latin1(`${head}${chunk.repeat(10_000)}0\r\n\r\n`));
    const seen: (string | number)[] = [];
    for (let event = machine.next(); event; event = machine.next()) {
      seen.push(event.type === "data" ? event.data.length : event.type);
    }
    expect(seen).toEqual(["head", ...Array.from({ length: 39 }, () => 256), 16, "end"]);
    expect(machine.idle).toBe(true);
  });

  it("limits small chunks that are received one at a time (RFC 9110 15.5.14)", () => {
    const maxBodyBytes = 1024 * 1024;
    const machine = new RequestMachine({ ...limits, maxBodyBytes });
    machine.receive(latin1(head));
    machine.next();
    let pieces = 0;
    let last: RequestEvent | undefined;
    while (last?.type !== "error" && pieces < maxBodyBytes) {
      machine.receive(latin1(chunk));
      last = machine.next();
      if (last?.type === "data") pieces++;
    }
    expect(last).toMatchObject({ type: "error", error: { status: 413 } });
    expect(pieces).toBe(1024 + maxBodyBytes / 256);
  });

  it("counts pieces per request", () => {
    const machine = new RequestMachine({ ...limits, maxBodyBytes: 4 });
    for (let request = 0; request < 1000; request++) {
      machine.receive(latin1(`${head}4\r\nabcd\r\n0\r\n\r\n${post}Content-Length: 4\r\n\r\nabcd`));
      for (const type of ["head", "data", "end", "head", "data", "end"]) expect(machine.next()?.type).toBe(type);
    }
  });
});

describe("content above maxBodyBytes", () => {
  const small: HeadLimits = { ...limits, maxBodyBytes: 3 };
  it("is refused with 413 before it is read if its length is announced (RFC 9110 15.5.14)", () => {
    expect(readAll(`${post}Content-Length: 4\r\n\r\nabcd`, false, small)).toEqual([413]);
    expect(readAll(`${post}Content-Length: 3\r\n\r\nabc`, false, small).at(-1)).toBe("end");
  });
  it("is refused with 413 at the chunk that exceeds it", () => {
    const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`;
    expect(readAll(`${chunked}2\r\ncd\r\n`, false, small).slice(1)).toEqual(["data ab", 413]);
    expect(readAll(`${chunked}1\r\nc\r\n0\r\n\r\n`, false, small).at(-1)).toBe("end");
  });
});

describe("valid requests", () => {
  const cases: [name: string, text: string, events: unknown[]][] = [
    ["a request without content", `${get}\r\n`, ["GET http://a/ 0", "end"]],
    [
      "two pipelined requests (RFC 9112 9.3.2)",
      `${get}\r\n${post}\r\n`,
      ["GET http://a/ 0", "end", "POST http://a/ 0", "end"],
    ],
    ["an empty line before a request (RFC 9112 2.2)", `\r\n${get}\r\n`, ["GET http://a/ 0", "end"]],
    ["content by length", `${post}Content-Length: 5\r\n\r\nhello`, ["POST http://a/ 5", "data hello", "end"]],
    [
      "a length with leading zeros",
      `${post}Content-Length: 0005\r\n\r\nhello`,
      ["POST http://a/ 5", "data hello", "end"],
    ],
    [
      "content in chunks",
      `${post}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`,
      ["POST http://a/ chunked", "data hello", "end"],
    ],
    ["a coding in upper case", `${post}Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n`, ["POST http://a/ chunked", "end"]],
    [
      "chunk extensions (RFC 9112 7.1.1)",
      `${post}Transfer-Encoding: chunked\r\n\r\n1;a;b=c ; d = "e;\\""\r\nx\r\n0\r\n\r\n`,
      ["POST http://a/ chunked", "data x", "end"],
    ],
    [
      "a trailer (RFC 9112 7.1.2)",
      `${post}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nDigest: y\r\n\r\n`,
      ["POST http://a/ chunked", "data x", "end"],
    ],
    [
      "chunk sizes in either case",
      `${post}Transfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n0b\r\n0123456789a\r\n0\r\n\r\n`,
      ["POST http://a/ chunked", "data 01234567890123456789a", "end"],
    ],
    ["HTTP/1.0 without Host", "GET /x HTTP/1.0\r\n\r\n", ["GET http://localhost/x 0", "end"]],
    ["a later minor version (RFC 9110 2.5)", "GET / HTTP/1.7\r\nHost: a\r\n\r\n", ["GET http://a/ 0", "end"]],
    ["an empty Host (RFC 9112 3.2)", "GET / HTTP/1.1\r\nHost:\r\n\r\n", ["GET http://localhost/ 0", "end"]],
    ["Host with a port", "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", ["GET http://a:8080/ 0", "end"]],
    ["Host with an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", ["GET http://[::1]/ 0", "end"]],
    [
      "absolute-form, which overrides Host (RFC 9112 3.2.2)",
      `GET http://b/x?y HTTP/1.1\r\nHost: a\r\n\r\n`,
      ["GET http://b/x?y 0", "end"],
    ],
    ["asterisk-form (RFC 9112 3.2.4)", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS undefined 0", "end"]],
    ["a path that looks like an authority", "GET //b/x HTTP/1.1\r\nHost: a\r\n\r\n", ["GET http://a//b/x 0", "end"]],
    [
      "a query with characters that browsers do not encode",
      "GET /?a={b|c}^`[d] HTTP/1.1\r\nHost: a\r\n\r\n",
      ["GET http://a/?a={b|c}^`[d] 0", "end"],
    ],
    ["a nonstandard method", "X-Y! / HTTP/1.1\r\nHost: a\r\n\r\n", ["X-Y! http://a/ 0", "end"]],
    ["a field without a value, and obs-text", `${get}X:\r\nY:\t\xe4 \r\n\r\n`, ["GET http://a/ 0", "end"]],
    [
      "Upgrade to something that is not WebSocket (RFC 9110 7.8)",
      `${get}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
      ["GET http://a/ 0", "end"],
    ],
  ];
  for (const [name, text, events] of cases) it(`reads ${name}`, () => expect(readAll(text)).toEqual(events));

  it("keeps order and repetitions of fields, with names in lower case and values trimmed", () => {
    const machine = new RequestMachine(limits);
    machine.receive(latin1(`${get}Cookie: a\r\nX-Y:  b c \t\r\ncookie: \xff\r\n\r\n`));
    const event = machine.next();
    expect(event?.type === "head" && event.head.fields).toEqual([
      ["host", "a"],
      ["cookie", "a"],
      ["x-y", "b c"],
      ["cookie", "\xff"],
    ]);
  });

  it("derives keep-alive from version and Connection (RFC 9112 9.3)", () => {
    const keepAlive = (version: string, connection: string): unknown => {
      const machine = new RequestMachine(limits);
      machine.receive(latin1(`GET / HTTP/${version}\r\nHost: a\r\n${connection}\r\n`));
      const event = machine.next();
      return event?.type === "head" && event.head.keepAlive;
    };
    expect(keepAlive("1.1", "")).toBe(true);
    expect(keepAlive("1.1", "Connection: foo, Close\r\n")).toBe(false);
    expect(keepAlive("1.0", "")).toBe(false);
    expect(keepAlive("1.0", "Connection: Keep-Alive\r\n")).toBe(true);
    expect(keepAlive("1.0", "Connection: keep-alive\r\nConnection: close\r\n")).toBe(false);
  });
});

describe("invalid requests (RFC 9112 sections 2, 3, 5, 6, 7 and 11.2)", () => {
  const length = (value: string): string => `${post}Content-Length: ${value}\r\n\r\nhello`;
  const coding = (value: string): string => `${post}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`;
  const chunk = (text: string): string => `${post}Transfer-Encoding: chunked\r\n\r\n${text}`;
  const line = (text: string): string => `${text}\r\nHost: a\r\n\r\n`;
  const field = (text: string): string => `${get}${text}\r\n\r\n`;
  const cases: [name: string, text: string, status: number][] = [
    [
      "Content-Length and Transfer-Encoding (6.3)",
      `${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      "Transfer-Encoding and Content-Length (6.3)",
      `${post}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ["two Content-Lengths that differ (6.3)", `${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 400],
    ["two Content-Lengths that agree", `${post}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 400],
    ["a list in Content-Length", length("5, 5"), 400],
    ["a signed Content-Length", length("+5"), 400],
    ["a negative Content-Length", length("-5"), 400],
    ["a hexadecimal Content-Length", length("0x5"), 400],
    ["a Content-Length with a space", length("5 5"), 400],
    ["an empty Content-Length", length(""), 400],
    ["a Content-Length with a fraction", length("5.0"), 400],
    ["a Content-Length that is not a safe integer", length("9999999999999999"), 400],
    ["a Content-Length that overflows", length("18446744073709551621"), 400],
    ["an unknown coding (6.1)", coding("gzip, chunked"), 501],
    ["chunked if it is not last (6.3)", coding("chunked, gzip"), 400],
    ["chunked twice (6.1)", coding("chunked, chunked"), 400],
    ["chunked in two fields", `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ["identity", coding("identity"), 400],
    [
      "identity and chunked in two fields",
      `${post}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n`,
      501,
    ],
    ["xchunked", coding("xchunked"), 400],
    ["chunked in quotes", coding('"chunked"'), 400],
    ["chunked with a parameter", coding("chunked;q=1"), 400],
    ["an empty element before chunked", coding(", chunked"), 400],
    ["a vertical tab before chunked", coding("\x0bchunked"), 400],
    ["an empty Transfer-Encoding", coding(""), 400],
    ["Transfer-Encoding in HTTP/1.0 (6.1)", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["content in a GET", `${get}Content-Length: 1\r\n\r\nx`, 400],
    ["content in a HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["a folded field (5.2)", field("X: a\r\n b"), 400],
    ["a folded Transfer-Encoding (5.2)", field("Transfer-Encoding:\r\n chunked"), 400],
    ["whitespace before the first field (2.2)", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400],
    ["a space before the colon (5.1)", field("X : a"), 400],
    ["a tab before the colon of Transfer-Encoding (5.1)", field("Transfer-Encoding\t: chunked"), 400],
    ["a field without a colon", field("X"), 400],
    ["a field without a name", field(": x"), 400],
    ["a field name that is not a token", field("X(): a"), 400],
    ["a field name beyond ASCII", field("\xc4: a"), 400],
    ["NUL in a value (RFC 9110 5.5)", field("X: a\0b"), 400],
    ["DEL in a value", field("X: a\x7fb"), 400],
    ["a lone LF after a field (2.2)", `GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n`, 400],
    ["a lone LF after the request line", "GET / HTTP/1.1\nHost: a\n\n", 400],
    ["a lone CR in a value (2.2)", field("X: a\rTransfer-Encoding: chunked"), 400],
    ["a CR before CR LF", field("X: a\r"), 400],
    ["a lone CR in the request line", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a lone LF at the end of the head", `${get}\n`, 400],
    ["repeated empty lines", "\r\n\r\n", 400],
    ["a request without Host (3.2)", "GET / HTTP/1.1\r\n\r\n", 400],
    ["two Hosts (3.2)", field("Host: a"), 400],
    ["a list in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400],
    ["a path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
    ["a user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400],
    ["a port out of range in Host", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400],
    ["an invalid IPv6 address", "GET / HTTP/1.1\r\nHost: [:::]\r\n\r\n", 400],
    ["two spaces in the request line (3)", line("GET  / HTTP/1.1"), 400],
    ["a tab in the request line (3)", line("GET\t/ HTTP/1.1"), 400],
    ["whitespace before the method", line(" GET / HTTP/1.1"), 400],
    ["whitespace after the version", line("GET / HTTP/1.1 "), 400],
    ["a request line without a version (HTTP/0.9)", line("GET /"), 400],
    ["a version in lower case (2.3)", line("GET / http/1.1"), 400],
    ["a version with two digits", line("GET / HTTP/1.10"), 400],
    ["HTTP/2.0", line("GET / HTTP/2.0"), 505],
    ["the preface of HTTP/2 (RFC 9113 3.4)", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ["a method that is not a token", line("G(T / HTTP/1.1"), 400],
    ["a method in quotes", line('"GET" / HTTP/1.1'), 400],
    ["get in lower case (RFC 9110 9.1)", line("get / HTTP/1.1"), 501],
    ["CONNECT", line("CONNECT a:80 HTTP/1.1"), 501],
    ["TRACE", line("TRACE / HTTP/1.1"), 501],
    ["a fragment", line("GET /#x HTTP/1.1"), 400],
    ["a backslash", line("GET /a\\..\\b HTTP/1.1"), 400],
    ["a quote in the target", line('GET /" HTTP/1.1'), 400],
    ["an angle bracket in the target", line("GET /< HTTP/1.1"), 400],
    ["a target beyond ASCII", line("GET /\xe4 HTTP/1.1"), 400],
    ["a target that is not a path", line("GET x HTTP/1.1"), 400],
    ["an asterisk for another method", line("GET * HTTP/1.1"), 400],
    ["absolute-form of another scheme", line("GET ftp://a/ HTTP/1.1"), 400],
    ["absolute-form with a user", line("GET http://u:p@a/ HTTP/1.1"), 400],
    ["absolute-form without a host", line("GET http:///x HTTP/1.1"), 400],
    ["an unknown expectation (RFC 9110 10.1.1)", `${post}Expect: tea\r\nContent-Length: 1\r\n\r\nx`, 417],
  ];
  for (const [name, text, status] of cases) it(`refuses ${name}`, () => expect(readAll(text)).toEqual([status]));

  const inContent: [name: string, text: string][] = [
    ["a chunk size that is not a number", "x\r\n"],
    ["an empty chunk size", "\r\n"],
    ["a signed chunk size", "+1\r\nx\r\n"],
    ["a chunk size with 0x", "0x1\r\nx\r\n"],
    ["whitespace before a chunk size", " 1\r\nx\r\n"],
    ["whitespace after a chunk size", "1 \r\nx\r\n"],
    ["a chunk size that overflows 2^64", "10000000000000001\r\nx\r\n"],
    ["a chunk size that is not a safe integer", "20000000000000\r\n"],
    ["a chunk size with too many zeros", "00000000000001\r\nx\r\n"],
    ["a lone LF after a chunk size", "1\nx\r\n0\r\n\r\n"],
    ["a CR in a chunk extension", "1;a=\rb\r\nx\r\n"],
    ["a lone LF in a chunk extension", "1;a\n0\r\n\r\n"],
    ["an extension that is not a token", "1;{}\r\nx\r\n"],
    ["an extension that is too long", `1;${"a".repeat(1100)}`],
  ];
  for (const [name, text] of inContent) {
    it(`refuses ${name}`, () => expect(readAll(chunk(text))).toEqual(["POST http://a/ chunked", 400]));
  }
  const afterData: [name: string, text: string, status: number][] = [
    ["a chunk that is longer than its size", "1\r\nxy\r\n0\r\n\r\n", 400],
    ["a chunk that ends with LF alone", "1\r\nx\n0\r\n\r\n", 400],
    ["a chunk that does not end", "1\r\nx0\r\n\r\n", 400],
    ["a folded trailer", "1\r\nx\r\n0\r\nA: b\r\n c\r\n\r\n", 400],
    ["a trailer with a space before the colon", "1\r\nx\r\n0\r\nA : b\r\n\r\n", 400],
    ["a trailer that is too long", `1\r\nx\r\n0\r\nA: ${"b".repeat(2100)}\r\n\r\n`, 431],
    ["a trailer with too many fields", `1\r\nx\r\n0\r\n${"A: b\r\n".repeat(11)}\r\n`, 431],
  ];
  for (const [name, text, status] of afterData) {
    it(`refuses ${name}`, () => {
      expect(readAll(chunk(text))).toEqual(["POST http://a/ chunked", "data x", status]);
    });
  }

  it("refuses many small chunk extensions", () => {
    const events = readAll(chunk(`1;${"a".repeat(200)}\r\nx\r\n`.repeat(20)));
    expect(events).toEqual(["POST http://a/ chunked", `data ${"x".repeat(10)}`, 400]);
  });

  it("reads many chunks without extensions", () => {
    const events = readAll(chunk(`${"1\r\nx\r\n".repeat(2000)}0\r\n\r\n`));
    expect(events).toEqual(["POST http://a/ chunked", `data ${"x".repeat(2000)}`, "end"]);
  });

  it("reads nothing after an invalid request", () => {
    expect(readAll(`${post}Content-Length: 1, 1\r\n\r\n${get}\r\n`)).toEqual([400]);
  });
});

describe("limits", () => {
  const small: HeadLimits = { ...limits, maxHeaderBytes: 64, maxHeaders: 2 };
  it("answers a target that is too long with 414 (RFC 9110 15.5.15)", () => {
    expect(readAll(`GET /${"a".repeat(64)}`, false, small)).toEqual([414]);
  });
  it("answers a head that is too long with 431 (RFC 6585 5)", () => {
    expect(readAll(`${get}X: ${"a".repeat(64)}`, false, small)).toEqual([431]);
  });
  it("reads a head of exactly the maximum length", () => {
    const rest = 64 - get.length - "X: \r\n\r\n".length;
    expect(readAll(`${get}X: ${"a".repeat(rest)}\r\n\r\n`, false, small)).toEqual(["GET http://a/ 0", "end"]);
    expect(readAll(`${get}X: ${"a".repeat(rest + 1)}\r\n\r\n`, false, small)).toEqual([431]);
  });
  it("answers too many fields with 431", () => {
    expect(readAll(`${get}A: b\r\n\r\n`, false, small)).toEqual(["GET http://a/ 0", "end"]);
    expect(readAll(`${get}A: b\r\nA: b\r\n\r\n`, false, small)).toEqual([431]);
  });
  it("applies limits per request", () => {
    const one = `${get}X: ${"a".repeat(30)}\r\n\r\n`;
    expect(readAll(one.repeat(3), false, small)).toHaveLength(6);
  });
});

describe("the end of a visitor", () => {
  it("yields no event between two requests", () => {
    expect(readAll(`${get}\r\n`, true)).toEqual(["GET http://a/ 0", "end"]);
    expect(readAll("", true)).toEqual([]);
  });
  it("makes a request incomplete in its head, content or chunk (RFC 9112 8)", () => {
    expect(readAll("GET / HT", true)).toEqual([400]);
    expect(readAll(`${get}`, true)).toEqual([400]);
    expect(readAll(`${post}Content-Length: 5\r\n\r\nhell`, true)).toEqual(["POST http://a/ 5", "data hell", 400]);
    expect(readAll(`${post}Transfer-Encoding: chunked\r\n\r\n5\r\nhell`, true)).toEqual([
      "POST http://a/ chunked",
      "data hell",
      400,
    ]);
    expect(readAll(`${post}Transfer-Encoding: chunked\r\n\r\n0\r\n`, true)).toEqual(["POST http://a/ chunked", 400]);
  });
});

describe("arbitrary bytes", () => {
  it("yield the same events in any chunks, and no exception", () => {
    const word = fc.constantFrom(
      "GET",
      "POST",
      " ",
      "/",
      "HTTP/1.1",
      "\r\n",
      "\n",
      "\r",
      "Host: a",
      ":",
      "Content-Length: 3",
      "Transfer-Encoding: chunked",
      "3",
      "abc",
      "0",
      ";",
      "\0",
      "\xff",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), fc.boolean(), (words, end) => {
        readAll(words.join(""), end);
        readAll(`${post}Transfer-Encoding: chunked\r\n\r\n${words.join("")}`, end);
      }),
      { numRuns: 200, seed: 9112 },
    );
  });

  it("pass through as content unchanged", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const head = utf8("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 256\r\n\r\n");
    const machine = new RequestMachine(limits);
    machine.receive(new Uint8Array([...head, ...bytes]));
    machine.next();
    const event = machine.next();
    expect(event?.type === "data" && event.data).toEqual(bytes);
  });
});
