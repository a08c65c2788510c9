/** SOCKS5 and HTTP CONNECT against proxies that answer what the test says. */
import { inspect } from "node:util";
import { pipePair } from "@postern/testkit";
import { type Bytes, concat, fromUtf8, toHex, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type BytePipe, httpConnect, type ProxyServer, socks5 } from "../src/index.ts";
import { recorder, rejection, turns } from "./helpers.ts";

const bytes = (...values: number[]): Bytes => Uint8Array.from(values);
const name = { host: "ssh.example.com", port: 22 };
const greeting = "SSH-2.0-Test\r\n";
const banner = utf8(greeting);

/** A proxy that sends its answers one after the other, each after it has received something. */
interface FakeProxy {
  readonly pipe: BytePipe;
  readonly far: BytePipe;
  /** what it received, one entry for each answer */
  readonly received: Bytes[];
  readonly closed: Promise<Error | undefined>;
}

function fakeProxy(answers: readonly Bytes[], { pieces = Number.POSITIVE_INFINITY, ends = false } = {}): FakeProxy {
  const [pipe, far] = pipePair();
  const received: Bytes[] = [];
  const left = [...answers];
  const closed = new Promise<Error | undefined>((resolve) =>
    far.start({
      memory: { borrows: true },
      data(chunk) {
        received.push(chunk.slice());
        const answer = left.shift();
        if (answer === undefined) return;
        for (let at = 0; at < answer.length; at += pieces) far.write(answer.slice(at, at + pieces));
        if (ends && left.length === 0) far.end();
      },
      end: () => far.end(),
      drain() {},
      closed: resolve,
    }),
  );
  return { pipe, far, received, closed };
}

/** Opens a pipe through a proxy that gives these answers, and returns the error. The pipe must be closed then. */
async function refusal(proxy: ProxyServer, answers: readonly Bytes[], more = {}, target = name) {
  const fake = fakeProxy(answers, more);
  const error = await rejection(proxy.open(fake.pipe, target));
  await fake.closed;
  return error;
}

const anonymous = socks5("socks5://proxy.example.com");
const secret = "pa%ss wörd";
const known = socks5({ host: "proxy.example.com", username: "me", password: secret });
const web = httpConnect("http://proxy.example.com:3128");
const knownWeb = httpConnect({ host: "proxy.example.com", port: 3128, username: "me", password: secret });
const granted = bytes(5, 0, 0, 1, 127, 0, 0, 1, 0, 80);
const ok = utf8("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n");

describe("a SOCKS5 proxy", () => {
  it.each([
    ["a name", "ssh.example.com", `0501 00 03 0f ${toHex(utf8("ssh.example.com"))} 0016`],
    ["an IPv4 address", "192.0.2.7", "0501 00 01 c0000207 0016"],
    ["an IPv6 address", "2001:db8::7", "0501 00 04 20010db8000000000000000000000007 0016"],
    ["the unspecified IPv6 address", "::", "0501 00 04 00000000000000000000000000000000 0016"],
    ["an IPv6 address that ends in IPv4", "::ffff:192.0.2.7", "0501 00 04 00000000000000000000ffffc0000207 0016"],
    ["digits that are no address, as a name", "010.0.0.1", `0501 00 03 09 ${toHex(utf8("010.0.0.1"))} 0016`],
  ])("is asked to connect to %s, which it resolves itself (RFC 1928 sections 3 to 5)", async (_, host, request) => {
    const fake = fakeProxy([bytes(5, 0), granted]);
    await anonymous.open(fake.pipe, { host, port: 22 });
    expect(fake.received.map(toHex)).toEqual(["050100", request.replaceAll(" ", "")]);
  });

  it("gets a user name and a password only if it asks for them (RFC 1929 section 2)", async () => {
    const asks = fakeProxy([bytes(5, 2), bytes(1, 0), granted]);
    await known.open(asks.pipe, name);
    const [username, password] = [utf8("me"), utf8(secret)];
    const login = concat(bytes(1, username.length), username, bytes(password.length), password);
    expect(asks.received.slice(0, 2).map(toHex)).toEqual(["05020002", toHex(login)]);
    const open = fakeProxy([bytes(5, 0), granted]);
    await known.open(open.pipe, name);
    expect(open.received).toHaveLength(2);
  });

  it.each([
    [1, "general SOCKS server failure"],
    [2, "connection not allowed by ruleset"],
    [3, "network unreachable"],
    [4, "host unreachable"],
    [5, "connection refused"],
    [6, "TTL expired"],
    [7, "command not supported"],
    [8, "address type not supported"],
    [99, "unassigned"],
  ])("refuses with reply %i, which is %s (RFC 1928 section 6)", async (reply, words) => {
    // It may omit the address.
    const error = await refusal(anonymous, [bytes(5, 0), bytes(5, reply, 0, 1)]);
    expect(error).toMatchObject({ name: "SshError", code: "connect" });
    expect(error.message).toBe(
      `expected the SOCKS proxy proxy.example.com:1080 to connect to ssh.example.com:22, got: ${words} (reply ${reply})`,
    );
  });

  it.each<[string, ProxyServer, Bytes[], RegExp]>([
    ["no method", anonymous, [bytes(5, 0xff)], /got none of them; it may require a username and a password/],
    ["no method, to a client with a password", known, [bytes(5, 0xff)], /methods 0, 2, got none of them$/],
    ["a method that was not offered", anonymous, [bytes(5, 2)], /got method 2/],
    ["a wrong password", known, [bytes(5, 2), bytes(1, 1)], /to accept the username and the password, got status 1/],
    ["another version", anonymous, [bytes(4, 0)], /to speak version 5, got 4; is it a SOCKS5 proxy\?/],
    ["HTTP", anonymous, [utf8("HTTP/1.1 400 Bad Request\r\n\r\n")], /to speak version 5, got 72/],
    ["another version of the login", known, [bytes(5, 2), bytes(5, 0)], /to speak version 1, got 5/],
    ["another version in the reply", anonymous, [bytes(5, 0), bytes(4, 0, 0, 1)], /to speak version 5, got 4/],
    ["an unknown address type", anonymous, [bytes(5, 0), bytes(5, 0, 0, 2)], /type 1, 3 or 4, got type 2/],
  ])("is refused if it answers with %s", async (_, proxy, answers, message) => {
    const error = await refusal(proxy, answers);
    expect(error).toMatchObject({ code: "connect", message: expect.stringMatching(message) });
  });

  it("may reply with an address of any type", async () => {
    for (const address of [
      bytes(1, 0, 0, 0, 0),
      bytes(3, 4, 110, 97, 109, 101),
      bytes(3, 0),
      concat(bytes(4), new Uint8Array(16)),
    ]) {
      const fake = fakeProxy([bytes(5, 0), concat(bytes(5, 0, 0), address, bytes(0, 80), banner)]);
      expect(await textOf(await anonymous.open(fake.pipe, name), fake.far)).toBe(greeting);
    }
  });

  it("may end its answers with bytes of the server, cut anywhere", async () => {
    for (let pieces = 1; pieces < 30; pieces++) {
      const fake = fakeProxy([bytes(5, 2), bytes(1, 0), concat(granted, banner)], { pieces });
      expect(await textOf(await known.open(fake.pipe, name), fake.far)).toBe(greeting);
    }
  });

  it("is refused if it ends at any byte of its answers", async () => {
    const answers = [bytes(5, 2), bytes(1, 0), granted];
    for (const [index, answer] of answers.entries()) {
      for (let size = 1; size < answer.length; size++) {
        const error = await refusal(known, [...answers.slice(0, index), answer.slice(0, size)], { ends: true });
        expect(error).toMatchObject({ code: "connect", message: expect.stringContaining("got the end") });
      }
    }
  });

  it("is refused if it claims a longer address than it sends", async () => {
    const lie = concat(bytes(5, 0, 0, 3, 255), banner);
    const error = await refusal(anonymous, [bytes(5, 0), lie], { ends: true });
    expect(error).toMatchObject({ code: "connect" });
  });

  it("is not asked for an address that it cannot take", async () => {
    for (const host of ["fe80::1%eth0", "::g", "1:2:3", "x".repeat(256), "", "a\0b", "a\r\nb", "a b"]) {
      expect(await refusal(anonymous, [], {}, { host, port: 22 })).toMatchObject({ code: "misuse" });
    }
    // The port has two bytes: 65558 would become 22.
    for (const port of [0, 65_558, -1, 1.5]) {
      expect(await refusal(anonymous, [], {}, { host: "a", port })).toMatchObject({ code: "misuse" });
      expect(await refusal(web, [], {}, { host: "a", port })).toMatchObject({ code: "misuse" });
    }
  });
});

describe("an HTTP proxy", () => {
  it.each([
    ["ssh.example.com", "ssh.example.com:22"],
    ["192.0.2.7", "192.0.2.7:22"],
    ["2001:db8::7", "[2001:db8::7]:22"],
  ])("is asked to connect to %s (RFC 9110 section 9.3.6)", async (host, authority) => {
    const fake = fakeProxy([ok]);
    await web.open(fake.pipe, { host, port: 22 });
    expect(fake.received.map(fromUtf8)).toEqual([`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`]);
  });

  it("gets a user name and a password in UTF-8 (RFC 7617 section 2.1)", async () => {
    const fake = fakeProxy([ok]);
    await knownWeb.open(fake.pipe, name);
    const [, basic = ""] =
      /\r\nProxy-Authorization: Basic (\S+)\r\n\r\n$/.exec(fromUtf8(fake.received[0] as Bytes)) ?? [];
    expect(Buffer.from(basic, "base64").toString()).toBe(`me:${secret}`);
  });

  it.each([
    ["HTTP/1.0 200 OK", "\r\n"],
    ["HTTP/1.1 200", "\r\n"],
    ["HTTP/1.1 204 No Content", "\n"],
    ["HTTP/1.1 299 Any 2xx\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", "\r\n"],
    ["HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", "\r\n"],
  ])("begins the tunnel after %j, cut anywhere", async (head, end) => {
    const answer = concat(utf8(head + end + end), banner);
    for (let pieces = 1; pieces <= answer.length; pieces++) {
      const fake = fakeProxy([answer], { pieces });
      expect(await textOf(await web.open(fake.pipe, name), fake.far)).toBe(greeting);
    }
  });

  it.each<[string, ProxyServer, RegExp]>([
    [
      "HTTP/1.1 403 Filtered",
      web,
      /proxy.example.com:3128 to connect to ssh.example.com:22, got "HTTP\/1.1 403 Filtered"$/,
    ],
    ["HTTP/1.1 407 Authenticate", web, /407 Authenticate"; it requires a username and a password$/],
    ["HTTP/1.1 407 Authenticate", knownWeb, /407 Authenticate"; check the password$/],
    ["HTTP/1.1 302 Found", web, /302 Found"$/],
    ["HTTP/1.1 101 Switching Protocols", web, /101 Switching/],
    ["HTTP/2 200", web, /"HTTP\/2 200"$/],
    ["HTTP/1.1 2000 OK", web, /2000 OK"$/],
    ["HTTP/1.1 502 \u001b[31mred\u202e", web, /got "HTTP\/1.1 502 \\u\{1b\}\[31mred/],
  ])("refuses with %j", async (line, proxy, message) => {
    const error = await refusal(proxy, [utf8(`${line}\r\n\r\n`)]);
    expect(error).toMatchObject({ code: "connect", message: expect.stringMatching(message) });
  });

  it("is refused if it does not speak HTTP, even without an empty line", async () => {
    for (const answer of [banner, bytes(5, 0xff), utf8("HTTX")]) {
      const error = await refusal(web, [answer]);
      expect(error).toMatchObject({ code: "connect", message: expect.stringContaining("an answer that is not HTTP") });
    }
  });

  it("is refused if it ends at any byte of its answer", async () => {
    for (let size = 1; size < ok.length; size++) {
      const error = await refusal(web, [ok.slice(0, size)], { ends: true });
      expect(error).toMatchObject({ code: "connect", message: expect.stringContaining("got the end") });
    }
  });

  it("makes us hold at most 16 KiB, in one header or in many interim ones", async () => {
    for (const line of ["X-Padding: 0123456789\r\n", "\r\nHTTP/1.1 100 Continue\r\n"]) {
      const [pipe, far] = pipePair();
      let taken = 0;
      const counting: BytePipe = Object.assign(Object.create(pipe) as BytePipe, {
        start: (sink: Parameters<BytePipe["start"]>[0]) =>
          pipe.start({
            ...sink,
            data(chunk) {
              taken += chunk.length;
              sink.data(chunk);
            },
          }),
        write: (chunk: Bytes) => pipe.write(chunk),
        end: () => pipe.end(),
        pause: () => pipe.pause(),
        resume: () => pipe.resume(),
        close: () => pipe.close(),
        abort: (reason?: Error) => pipe.abort(reason),
      });
      const opening = rejection(web.open(counting, name));
      const closed = new Promise<void>((resolve) =>
        far.start({ data() {}, end() {}, drain: () => send(), closed: () => resolve() }),
      );
      const send = (): void => {
        while (far.write(utf8(line)));
      };
      far.write(utf8("HTTP/1.1 100 Continue\r\n"));
      send();
      expect(await opening).toMatchObject({
        code: "connect",
        message: expect.stringContaining("more than 16384 bytes of header"),
      });
      await closed;
      expect(taken).toBeLessThanOrEqual(16 * 1024 + line.length);
    }
  });

  it("is not asked for a host that could end the line or the request target", async () => {
    for (const host of ["a b", "a\r\nb", "a/b", "user@a", "münchen.example", "::1%eth0", "[::1]", "a:b"]) {
      const fake = fakeProxy([ok]);
      const error = await rejection(web.open(fake.pipe, { host, port: 22 }));
      if (host === "a:b") expect(error).toMatchObject({ code: "misuse" });
      else expect(error).toMatchObject({ code: "misuse", message: expect.stringContaining("ASCII form") });
      expect(fake.received).toEqual([]);
    }
  });
});

describe("the pipe behind a proxy", () => {
  it("is aborted with the signal's reason while the proxy hangs", async () => {
    for (const proxy of [anonymous, web]) {
      const stop = new AbortController();
      const fake = fakeProxy([]);
      const opening = rejection(proxy.open(fake.pipe, name, { signal: stop.signal }));
      await turns();
      stop.abort(new Error("enough"));
      expect(await opening).toMatchObject({ message: "enough" });
      expect(await fake.closed).toBeInstanceOf(Error);
    }
  });

  it("is aborted if the signal has aborted before", async () => {
    const fake = fakeProxy([ok]);
    expect(await rejection(web.open(fake.pipe, name, { signal: AbortSignal.abort("why") }))).toBe("why");
    expect(await fake.closed).toBeInstanceOf(Error);
  });

  it("reports bytes, end and close in this order, however late it is started", async () => {
    const fake = fakeProxy([concat(ok, banner)], { ends: true });
    const pipe = await web.open(fake.pipe, name);
    await turns();
    const sink = recorder();
    pipe.pause();
    pipe.start(sink);
    await turns();
    expect(sink.told).toEqual([]);
    pipe.resume();
    expect(sink.told.slice(0, 1)).toEqual([`data ${banner.length}`]);
    pipe.end();
    await turns();
    expect(sink.told).toEqual([`data ${banner.length}`, "end", "closed"]);
    expect(() => pipe.start(sink)).toThrow("expected one start");
  });

  it("delivers nothing inside start", async () => {
    const fake = fakeProxy([concat(ok, banner)]);
    const sink = recorder();
    (await web.open(fake.pipe, name)).start(sink);
    expect(sink.told).toEqual([]);
    await turns();
    expect(sink.told).toEqual([`data ${banner.length}`]);
  });

  it("does not read while the bytes are not taken", async () => {
    const fake = fakeProxy([ok]);
    const pipe = await web.open(fake.pipe, name);
    let sent = 0;
    while (fake.far.write(new Uint8Array(1024))) sent += 1024;
    await turns();
    // The pair holds 64 KiB in flight.
    expect(sent).toBe(63 * 1024);
    const sink = recorder();
    pipe.start(sink);
    await turns(500);
    expect(sink.bytes.reduce((sum, { length }) => sum + length, 0)).toBe(64 * 1024);
  });

  it("reports to the next writer only the chunks that it wrote", async () => {
    const fake = fakeProxy([ok, utf8("x")]);
    const pipe = await web.open(fake.pipe, name);
    const written: number[] = [];
    const far = recorder();
    pipe.start({ ...far, memory: { borrows: true, written: ({ length }) => void written.push(length) } });
    pipe.write(new Uint8Array(7));
    await turns();
    expect(written).toEqual([7]);
    expect(far.told).toEqual(["data 1"]);
  });

  it("drops what it holds when it is aborted or closed", async () => {
    for (const leave of [(pipe: BytePipe) => pipe.abort(new Error("why")), (pipe: BytePipe) => pipe.close()]) {
      const fake = fakeProxy([concat(ok, banner)]);
      const pipe = await web.open(fake.pipe, name);
      const sink = recorder();
      pipe.start(sink);
      leave(pipe);
      await fake.closed;
      await turns();
      expect(sink.bytes).toEqual([]);
      expect(sink.told.at(-1)).toMatch(/^closed/);
    }
  });
});

describe("the options of a proxy", () => {
  it("are a URL or an object", () => {
    expect(socks5("socks5://proxy.example.com")).toMatchObject({ host: "proxy.example.com", port: 1080 });
    expect(socks5("socks5h://[2001:db8::1]:9050")).toMatchObject({ host: "2001:db8::1", port: 9050 });
    expect(socks5(new URL("socks5://proxy:1"))).toMatchObject({ host: "proxy", port: 1 });
    expect(httpConnect("http://proxy.example.com")).toMatchObject({ port: 80 });
    expect(httpConnect({ host: "proxy", port: 8080 })).toMatchObject({ host: "proxy", port: 8080 });
  });

  it("decode the user name and the password of a URL", async () => {
    const fake = fakeProxy([bytes(5, 2), bytes(1, 0), granted]);
    await socks5("socks5://m%40e:p%3Aw@proxy").open(fake.pipe, name);
    expect(fake.received.map(fromUtf8)[1]).toBe("\u0001\u0003m@e\u0003p:w");
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      "no URL",
      () => socks5(`${secret}@proxy`),
      /expected socks5 to get a URL such as "socks5:\/\/user:password@host:port"/,
    ],
    ["another scheme", () => socks5("http://proxy"), /URL of socks5 or socks5h, got "http"/],
    ["TLS", () => httpConnect("https://proxy"), /URL of http, got "https"/],
    ["a path", () => socks5("socks5://proxy/x"), /with a path/],
    ["a malformed escape", () => socks5("socks5://%zz:secret@proxy"), /text that is not one/],
    ["a port out of range", () => socks5("socks5://proxy:70000"), /text that is not one/],
    ["a misspelling", () => socks5({ host: "proxy", user: "me" } as never), /unknown option "user" of socks5/],
    ["a port as text", () => socks5({ host: "proxy", port: "1080" } as never), /port of socks5/],
    ["no host", () => socks5({} as never), /host of socks5/],
    ["nothing", () => socks5(undefined as never), /or \{ host, port \}, got undefined/],
    ["a password alone", () => socks5({ host: "proxy", password: "x" }), /expected a username with the password/],
    ["a long password", () => socks5({ host: "p", username: "m", password: "x".repeat(256) }), /255 bytes, got 256/],
    ["a colon in the user name", () => httpConnect({ host: "p", username: "a:b", password: "x" }), /without a colon/],
    ["a line end", () => httpConnect({ host: "p", username: "a", password: "x\r\ny" }), /no control characters/],
  ])("are refused with %s", (_, make, message) => {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "misuse", message: expect.stringMatching(message) });
    expect(inspect(error, { depth: 9 })).not.toContain("secret");
  });

  it("keep the credentials out of errors and logs", async () => {
    const quiet = [known, knownWeb, socks5("socks5://me:pa%25ss%20w%C3%B6rd@proxy")];
    for (const proxy of quiet) {
      const error = await refusal(proxy, [bytes(5, 2), bytes(1, 1)]);
      expect(inspect([proxy, error], { depth: 9, showHidden: true }) + JSON.stringify(proxy)).not.toMatch(
        /pa%|w%C3|wörd/,
      );
    }
    expect(() => socks5(`socks5://me:${secret}@`)).toThrow(expect.not.objectContaining({ cause: expect.anything() }));
  });
});

/** Ends both sides and returns the text that arrives. */
async function textOf(pipe: BytePipe, far: BytePipe): Promise<string> {
  const sink = recorder();
  pipe.start(sink);
  far.end();
  pipe.end();
  while (!sink.told.some((one) => one.startsWith("closed"))) await turns();
  return fromUtf8(concat(...sink.bytes));
}
