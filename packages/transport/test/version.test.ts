/** Protocol version exchange, RFC 4253 section 4.2. */
import { chunkings, seededRandom } from "@postern/testkit";
import { concat, fromHex, Limits, SshError, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { identification, VersionReader } from "../src/version-exchange.ts";
import { events, failure, machine, options } from "./raw-peer.ts";

/** Reads a stream under every chunking, and gives what is the same under all. */
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
  it("ends at CR LF, or at LF alone as older peers send it; what follows belongs to the packets", () => {
    const version = "SSH-2.0-OpenSSH_10.5 Debian-1";
    expect(read(`${version}\r\nrest`)).toEqual({ version, rest: "rest", lines: [] });
    expect(read(`${version}\nrest`)).toEqual({ version, rest: "rest", lines: [] });
    expect(read(`${version}\r\n`)).toEqual({ version, rest: "", lines: [] });
  });

  it.each([
    ["an escape sequence", "SSH-2.0-a\x1b[2J"],
    ["a second CR", "SSH-2.0-odd\r"],
    ["a tab", "SSH-2.0-a\tb"],
    ["DEL", "SSH-2.0-a\x7f"],
    ["UTF-8", "SSH-2.0-é"],
    ["a bidirectional control", "SSH-2.0-a\u202eb"],
    ["malformed UTF-8 in its comment", Uint8Array.of(...utf8("SSH-2.0-a "), 0xff)],
  ])("is printable US-ASCII: %s is refused in either role (RFC 4253 section 4.2)", (_what, line) => {
    const stream = concat(typeof line === "string" ? utf8(line) : line, utf8("\r\n"));
    for (const role of ["client", "server"] as const) {
      expect(read(stream, role)).toMatch(/^expected an identification line of printable US-ASCII, got "[ -~…�é]+"$/);
    }
  });

  it("may follow other lines of a server, which are kept: a server that turns us away says why there", () => {
    expect(read("Welcome\r\n\r\nto the jungle\nSSH-2.0-x\r\n")).toMatchObject({
      version: "SSH-2.0-x",
      lines: ["Welcome", "", "to the jungle"],
    });
    expect(read("Not allowed at this time\r\n")).toBe(
      'waits; expected an SSH identification line ("SSH-2.0-…"), got "Not allowed at this time"',
    );
  });

  it("may follow lines of any bytes, which reach errors and events as printable text", () => {
    expect(read("\x1b[2J\u202eevil\xff\r\nSSH-2.0-x\r\n")).toMatchObject({
      version: "SSH-2.0-x",
      lines: ["\\u{1b}[2J\\u{202e}evilÿ"],
    });
    expect(read("\x1b[2J\r\n\x07")).toMatch(/got "\\u\{1b\}\[2J \/ \\u\{7\}"$/);
  });

  it("of a client comes first: a server accepts no line before it, not even an empty one", () => {
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

  it("holds no NUL, nor do the lines before it", () => {
    expect(read("SSH-2.0-a\0b\r\n")).toMatch(/^expected an SSH identification line/);
    expect(read("hello\0\r\nSSH-2.0-x\r\n")).toMatch(/^expected an SSH identification line/);
  });

  it("names version 2.0, or 1.99, which speaks 2.0 too (RFC 4253 section 5.1)", () => {
    expect(read("SSH-1.99-Cisco\r\n")).toMatchObject({ version: "SSH-1.99-Cisco" });
    expect(read("SSH-1.5-old\r\n")).toBe('expected protocol version 2.0, got "SSH-1.5-old"');
    expect(read("SSH-2.1-new\r\n")).toMatch(/^expected protocol version 2.0/);
    expect(read("SSH-2.0\r\n")).toMatch(/^expected protocol version 2.0/);
  });
});

describe("a peer that speaks no SSH", () => {
  it("a web server is told apart by its answer", () => {
    expect(read("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")).toMatch(
      /^waits; .*got "HTTP\/1.1 400 Bad Request \/ Connection: close"$/,
    );
  });

  it("a TLS server is told apart by its alert, which holds a NUL", () => {
    expect(read(fromHex("15030100020246"))).toMatch(/^expected an SSH identification line/);
  });

  it("a peer that sends nothing is missed", () => {
    expect(read("")).toBe('waits; expected an SSH identification line ("SSH-2.0-…"), got nothing');
  });

  it("lines without end, and a line without end, are refused within their limits", () => {
    expect(read("x\n".repeat(Limits.linesBeforeIdentification + 1))).toMatch(/^expected an SSH identification line/);
    expect(read("x".repeat(Limits.bytesBeforeIdentification + 1))).toMatch(/^expected an SSH identification line/);
    expect(read(`${"x\n".repeat(Limits.linesBeforeIdentification)}SSH-2.0-x\n`)).toMatchObject({
      version: "SSH-2.0-x",
    });
  });
});

describe("a machine", () => {
  it("begins with its own line and KEXINIT, whatever the peer says (RFC 4253 section 4.2)", () => {
    const output = machine("client").takeOutput() ?? expect.unreachable();
    expect(String.fromCharCode(...output.subarray(0, 16))).toBe("SSH-2.0-client\r\n");
    expect(output[16 + 5]).toBe(20);
  });

  it("reports each line before the identification at once, made printable, and empty ones never", () => {
    const client = machine("client");
    client.receive(utf8("Welcome\r\n\r\nNot allowed\x07 at"));
    expect(events(client)).toEqual([{ type: "notice", message: "Welcome" }]);
    client.receive(utf8(" this time\r\nSSH-2.0-x\r\n"));
    expect(events(client)).toEqual([
      { type: "notice", message: "Not allowed\\u{7} at this time" },
      { type: "identified", version: "SSH-2.0-x", lines: ["Welcome", "", "Not allowed\\u{7} at this time"] },
    ]);
  });

  it("throws the same error ever after", () => {
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
    ["Not allowed at this time\r\n", "busy", "Not allowed at this time"],
    [`${"Welcome\r\n".repeat(50)}Not allowed at this time\r\n`, "busy", "Not allowed at this time"],
  ])("misses the line when the peer closes after %j: that is the code %s", (said, code, words) => {
    const client = machine("client");
    client.receive(utf8(said));
    expect(client.inputEnded()).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it("refuses a software version with spaces, minus signs or controls", () => {
    for (const software of ["", "a b", "a-b", "é", "a\r\n", "x".repeat(201)]) {
      expect(() => identification(software)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
    expect(identification("Postern_1.0")).toBe("SSH-2.0-Postern_1.0");
  });

  it("gives up on a peer that never identifies itself", () => {
    const client = machine("client");
    expect(client.deadline).toBe(Limits.kexTimeoutMs);
    client.tick(Limits.kexTimeoutMs - 1);
    expect(() => client.tick(Limits.kexTimeoutMs)).toThrow(
      expect.objectContaining({ code: "timeout", message: expect.stringContaining("identification") }),
    );
  });

  it("reads packets that follow the line in the same segment", () => {
    const server = machine("server");
    server.receive(concat(utf8(`${options("client").version}\r\n`), Uint8Array.of(0, 0, 0, 1)));
    expect(failure(server)).toMatchObject({ code: "protocol", message: expect.stringContaining("packet_length") });
  });
});
