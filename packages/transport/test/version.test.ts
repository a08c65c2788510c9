/** Protocol version exchange, RFC 4253 section 4.2. */
import { chunkings, seededRandom } from "@postern/testkit";
import { concat, fromHex, SshError, utf8 } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { identification, VersionReader } from "../src/version-exchange.ts";
import { events, failure, machine, options } from "./raw-peer.ts";

/** Reads a stream under every chunking, and returns the result, which must be the same for all. */
function read(
  text: string | Uint8Array,
  role: "client" | "server" = "client",
): { version: string; rest: string; lines: string[] } | string {
  const stream = typeof text === "string" ? utf8(text) : text;
  const outcomes = [...chunkings(stream, seededRandom("version"))].map(({ chunks }) => {
    const reader = new VersionReader(role);
    try {
      let at = 0;
      for (const chunk of chunks) {
        at += chunk.length;
        const got = reader.read(chunk);
        if (got === undefined) continue;
        const rest = stream.subarray(at - got.rest.length);
        return { version: got.version, rest: String.fromCharCode(...rest), lines: reader.lines };
      }
      return `waits; ${reader.missing().message}`;
    } catch (error) {
      if (!(error instanceof SshError)) throw error;
      expect(error.code).toBe("version");
      return error.message;
    }
  });
  for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
  return outcomes[0] ?? expect.unreachable();
}

describe("the identification line", () => {
  it("ends at CR LF or LF, and returns the rest", () => {
    const version = "SSH-2.0-OpenSSH_10.5 Debian-1";
    expect(read(`${version}\r\nrest`)).toEqual({ version, rest: "rest", lines: [] });
    expect(read(`${version}\nrest`)).toEqual({ version, rest: "rest", lines: [] });
    expect(read(`${version}\r\n`)).toEqual({ version, rest: "", lines: [] });
  });

  it("is returned as bytes without CR LF or LF, as the exchange hash needs it (RFC 4253 section 8)", () => {
    for (const end of ["\r\n", "\n"]) {
      expect(new VersionReader("client").read(utf8(`SSH-2.0-x${end}`))?.bytes).toEqual(utf8("SSH-2.0-x"));
    }
  });

  it("contains no CR but the one before LF", () => {
    expect(read("SSH-2.0-a\rb\n")).toMatch(/^expected an identification line of printable US-ASCII/);
  });

  it.each([
    ["an escape sequence", "SSH-2.0-a\x1b[2J"],
    ["a second CR", "SSH-2.0-odd\r"],
    ["a tab", "SSH-2.0-a\tb"],
    ["DEL", "SSH-2.0-a\x7f"],
    ["UTF-8", "SSH-2.0-é"],
    ["a bidirectional control", "SSH-2.0-a\u202eb"],
    ["malformed UTF-8 in its comment", Uint8Array.of(...utf8("SSH-2.0-a "), 0xff)],
  ])("must be printable US-ASCII: rejects %s in either role (RFC 4253 section 4.2)", (_defect, line) => {
    const stream = concat(typeof line === "string" ? utf8(line) : line, utf8("\r\n"));
    for (const role of ["client", "server"] as const) {
      expect(read(stream, role)).toMatch(/^expected an identification line of printable US-ASCII, got "[ -~…�é]+"$/);
    }
  });

  it("may follow other lines of a server, which are kept", () => {
    expect(read("Welcome\r\n\r\nto the jungle\nSSH-2.0-x\r\n")).toMatchObject({
      version: "SSH-2.0-x",
      lines: ["Welcome", "", "to the jungle"],
    });
    expect(read("Not allowed at this time\r\n")).toBe(
      'waits; expected an SSH identification line ("SSH-2.0-…"), got "Not allowed at this time"',
    );
  });

  it("may follow lines of any bytes, which are made printable", () => {
    expect(read("\x1b[2J\u202eevil\xff\r\nSSH-2.0-x\r\n")).toMatchObject({
      version: "SSH-2.0-x",
      lines: ["\\u{1b}[2J\\u{202e}evilÿ"],
    });
    expect(read("\x1b[2J\r\n\x07")).toMatch(/got "\\u\{1b\}\[2J \/ \\u\{7\}"$/);
  });

  it("must be the first line of a client", () => {
    for (const text of ["GET / HTTP/1.1\r\n", "\r\nSSH-2.0-x\r\n", "\nSSH-2.0-x\r\n", "SS\nSSH-2.0-x\r\n"]) {
      expect(read(text, "server"), text).toMatch(/^expected an SSH identification line/);
    }
    expect(read("SSH-2.0-x\r\n", "server")).toMatchObject({ version: "SSH-2.0-x" });
  });

  it("has at most 255 bytes, CR LF included", () => {
    const start = "SSH-2.0-";
    expect(read(`${start}${"x".repeat(253 - start.length)}\r\n`)).toMatchObject({ rest: "" });
    expect(read(`${start}${"x".repeat(254 - start.length)}\r\n`)).toMatch(/^expected an SSH identification line/);
    expect(read(`${start}${"x".repeat(500)}`)).toMatch(/^expected/);
  });

  it("must not contain NUL, nor must the lines before it", () => {
    expect(read("SSH-2.0-a\0b\r\n")).toMatch(/^expected an SSH identification line/);
    expect(read("hello\0\r\nSSH-2.0-x\r\n")).toMatch(/^expected an SSH identification line/);
  });

  it("must announce version 2.0 or 1.99 (RFC 4253 section 5.1)", () => {
    expect(read("SSH-1.99-Cisco\r\n")).toMatchObject({ version: "SSH-1.99-Cisco" });
    expect(read("SSH-1.5-old\r\n")).toBe('expected protocol version 2.0, got "SSH-1.5-old"');
    expect(read("SSH-2.1-new\r\n")).toMatch(/^expected protocol version 2.0/);
    expect(read("SSH-2.0\r\n")).toMatch(/^expected protocol version 2.0/);
  });
});

describe("a peer that does not speak SSH", () => {
  it("is quoted in the error, if it is a web server", () => {
    expect(read("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")).toMatch(
      /^waits; .*got "HTTP\/1.1 400 Bad Request \/ Connection: close"$/,
    );
  });

  it("is rejected at the NUL of its alert, if it is a TLS server", () => {
    expect(read(fromHex("15030100020246"))).toMatch(/^expected an SSH identification line/);
  });

  it("is reported if it sends nothing", () => {
    expect(read("")).toBe('waits; expected an SSH identification line ("SSH-2.0-…"), got nothing');
  });

  it("is rejected after too many lines or too many bytes", () => {
    expect(read("x\n".repeat(Limits.linesBeforeIdentification + 1))).toMatch(/^expected an SSH identification line/);
    expect(read("x".repeat(Limits.bytesBeforeIdentification + 1))).toMatch(/^expected an SSH identification line/);
    expect(read("x".repeat(Limits.bytesBeforeIdentification))).toMatch(/^waits/);
    expect(read(`${"x\n".repeat(Limits.linesBeforeIdentification)}SSH-2.0-x\n`)).toMatchObject({
      version: "SSH-2.0-x",
    });
  });
});

describe("a machine", () => {
  it.each(["client", "server"] as const)(
    "sends its identification and KEXINIT at once, as a %s (RFC 4253 section 4.2)",
    (role) => {
      const output = machine(role).takeOutput() ?? expect.unreachable();
      expect(String.fromCharCode(...output.subarray(0, 16))).toBe(`SSH-2.0-${role}\r\n`);
      expect(output[16 + 5]).toBe(20);
    },
  );

  it("emits the notices of a chunk that does not contain an identification line before the error", () => {
    for (const { name, chunks } of chunkings(utf8("Too many connections\r\nSSH-1.5-x\r\n"), seededRandom("notices"))) {
      const client = machine("client");
      for (const chunk of chunks) client.receive(chunk);
      expect(client.next(), name).toEqual({ type: "notice", message: "Too many connections" });
      expect(failure(client), name).toMatchObject({ code: "version" });
      expect(failure(client), name).toMatchObject({ code: "version" });
    }
  });

  it("emits a notice for each line before the identification that is not empty, made printable", () => {
    const client = machine("client");
    client.receive(utf8("Welcome\r\n\r\nNot allowed\x07 at"));
    expect(events(client)).toEqual([{ type: "notice", message: "Welcome" }]);
    client.receive(utf8(" this time\r\nSSH-2.0-x\r\n"));
    expect(events(client)).toEqual([
      { type: "notice", message: "Not allowed\\u{7} at this time" },
      { type: "identified", version: "SSH-2.0-x", lines: ["Welcome", "", "Not allowed\\u{7} at this time"] },
    ]);
  });

  it("throws the same error on every later call", () => {
    const client = machine("client");
    client.receive(utf8("SSH-1.5-old\r\n"));
    const first = failure(client);
    expect(first).toMatchObject({ code: "version" });
    client.receive(utf8("SSH-2.0-better\r\n"));
    expect(failure(client)).toBe(first);
    expect(client.inputEnded()).toBe(first);
    expect(client.wantsInput).toBe(false);
    expect(client.writable).toBe(false);
  });

  it.each([
    ["go away\r\n", "version", "go away"],
    ["", "version", "got nothing"],
    ["Exceeded MaxStartups\r\n", "busy", "Exceeded MaxStartups"],
    ["Never seen: Exceeded MaxStartups\r\n", "version", "Never seen"],
    ["Not allowed at this time\r\n", "busy", "Not allowed at this time"],
    [`${"Welcome\r\n".repeat(50)}Not allowed at this time\r\n`, "busy", "Not allowed at this time"],
  ])("reports a peer that closes after %j with the code %s", (said, code, words) => {
    const client = machine("client");
    client.receive(utf8(said));
    expect(client.inputEnded()).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it("rejects a software version with spaces, minus signs or control characters", () => {
    for (const software of ["", "a b", "a-b", "é", "a\r\n", "x".repeat(201)]) {
      expect(() => identification(software)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
    expect(identification("Postern_1.0")).toBe("SSH-2.0-Postern_1.0");
  });

  it("times out if the peer sends no identification", () => {
    const client = machine("client");
    expect(client.deadline).toBe(Limits.kexTimeoutMs);
    client.tick(Limits.kexTimeoutMs - 1);
    expect(() => client.tick(Limits.kexTimeoutMs)).toThrow(
      expect.objectContaining({ code: "timeout", message: expect.stringContaining("identification") }),
    );
  });

  it("reads packets that follow the identification in the same chunk", () => {
    const server = machine("server");
    server.receive(concat(utf8(`${options("client").version}\r\n`), Uint8Array.of(0, 0, 0, 1)));
    expect(failure(server)).toMatchObject({ code: "protocol", message: expect.stringContaining("packet_length") });
  });
});
