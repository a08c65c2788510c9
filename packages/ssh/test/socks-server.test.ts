/** The server of SOCKS5, SOCKS4 and SOCKS4a, and clients that do not follow the protocol. */
import { pipePair } from "@postern/testkit";
import { type Bytes, concat, SshError, type SshErrorCode, toHex, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  type Address,
  acceptSocks,
  type BytePipe,
  deferred,
  pump,
  type SocksServerOptions,
  socks5,
} from "../src/index.ts";
import { rejection } from "./helpers.ts";

const bytes = (...values: number[]): Bytes => Uint8Array.from(values);
const name = utf8("web.internal");

/** Accepts a client, and joins it with its target. */
async function serveSocks(pipe: BytePipe, options: SocksServerOptions<BytePipe>): Promise<void> {
  const { client, target } = await acceptSocks(pipe, options);
  pump(client, target);
}

/** A client that has sent `sent`, in pieces; what it received, and the targets that were requested. */
async function served(sent: Bytes, options: { pieces?: number; ends?: boolean; fails?: unknown } = {}) {
  const { pieces = sent.length, ends = false, fails } = options;
  const [near, far] = pipePair();
  const received: Bytes[] = [];
  const closed = new Promise<Error | undefined>((resolve) =>
    far.start({
      memory: { borrows: true },
      data: (chunk) => void received.push(chunk.slice()),
      end: () => far.end(),
      drain() {},
      closed: resolve,
    }),
  );
  const targets: Address[] = [];
  const [ours, theirs] = pipePair();
  echo(theirs);
  const connect = async (target: Address): Promise<BytePipe> => {
    targets.push(target);
    if (fails !== undefined) throw fails;
    return ours;
  };
  const serving = serveSocks(near, { connect, handshakeMs: 100 });
  serving.catch(() => {});
  for (let at = 0; at < sent.length; at += pieces) far.write(sent.slice(at, at + pieces));
  if (ends) far.end();
  return { serving, far, closed, targets, received: () => toHex(concat(...received)) };
}

function echo(pipe: BytePipe): void {
  pipe.start({
    data: (chunk) => void pipe.write(chunk.slice()),
    end: () => pipe.end(),
    drain() {},
    closed() {},
  });
}

const requests: readonly (readonly [string, Bytes, Address, string])[] = [
  [
    "an IPv4 address over SOCKS5",
    bytes(5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 7, 0, 80),
    { host: "192.0.2.7", port: 80 },
    "0500 05000001000000000000",
  ],
  [
    "a name over SOCKS5",
    concat(bytes(5, 2, 2, 0, 5, 1, 0, 3, name.length), name, bytes(1, 187)),
    { host: "web.internal", port: 443 },
    "0500 05000001000000000000",
  ],
  [
    "an IPv6 address over SOCKS5",
    bytes(5, 1, 0, 5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255),
    { host: "2001:db8::1", port: 65_535 },
    "0500 05000001000000000000",
  ],
  [
    "an IPv4 address over SOCKS4",
    concat(bytes(4, 1, 0, 80, 192, 0, 2, 7), utf8("me"), bytes(0)),
    { host: "192.0.2.7", port: 80 },
    "005a000000000000",
  ],
  [
    "a name over SOCKS4a",
    concat(bytes(4, 1, 0, 80, 0, 0, 0, 1, 0), name, bytes(0)),
    { host: "web.internal", port: 80 },
    "005a000000000000",
  ],
];

describe("a SOCKS server", () => {
  it.each(requests)("connects to %s and joins the two (RFC 1928)", async (_, request, target, reply) => {
    for (const pieces of [request.length, 1, 3]) {
      const { serving, targets, received, far, closed } = await served(request, { pieces });
      await serving;
      expect(targets).toEqual([target]);
      far.write(utf8("hello"));
      far.end();
      expect(await closed).toBeUndefined();
      expect(received()).toBe(`${reply.replaceAll(" ", "")}${toHex(utf8("hello"))}`);
    }
  });

  it("passes on what the client sends behind its request, after the reply", async () => {
    const [, request] = requests[1] as (typeof requests)[number];
    const { serving, received, closed } = await served(concat(request, utf8("early")), { ends: true });
    await serving;
    expect(await closed).toBeUndefined();
    expect(received()).toBe(`050005000001000000000000${toHex(utf8("early"))}`);
  });

  it("understands our client, and returns an IPv4-mapped address as IPv4, to which rules of allow apply", async () => {
    const [near, far] = pipePair();
    const targets: Address[] = [];
    const connect = async (target: Address): Promise<BytePipe> => {
      targets.push(target);
      return pipePair()[0];
    };
    const target = { host: "::ffff:192.0.2.7", port: 22 };
    const client = socks5("socks5://127.0.0.1");
    await Promise.all([serveSocks(near, { connect }), client.open(far, target)]);
    expect(targets).toEqual([{ host: "192.0.2.7", port: 22 }]);
  });

  it.each([
    ["refuses BIND (RFC 1928 section 6)", bytes(5, 1, 0, 5, 2, 0, 1, 1, 1, 1, 1, 0, 80), "0500 05070001000000000000"],
    ["refuses UDP ASSOCIATE", bytes(5, 1, 0, 5, 3, 0, 1, 1, 1, 1, 1, 0, 80), "0500 05070001000000000000"],
    ["refuses an unknown type of address", bytes(5, 1, 0, 5, 1, 0, 2, 1, 1, 1, 1, 0, 80), "0500 05080001000000000000"],
    ["refuses port 0", bytes(5, 1, 0, 5, 1, 0, 1, 1, 1, 1, 1, 0, 0), "0500 05010001000000000000"],
    ["refuses an empty name", bytes(5, 1, 0, 5, 1, 0, 3, 0, 0, 80), "0500 05010001000000000000"],
    ["refuses a name with NUL", bytes(5, 1, 0, 5, 1, 0, 3, 3, 97, 0, 98, 0, 80), "0500 05010001000000000000"],
    ["refuses a path", bytes(5, 1, 0, 5, 1, 0, 3, 2, 47, 97, 0, 80), "0500 05010001000000000000"],
    ["refuses a name that is not UTF-8", bytes(5, 1, 0, 5, 1, 0, 3, 1, 255, 0, 80), "0500 05010001000000000000"],
    ["answers 255 without an acceptable method (section 3)", bytes(5, 2, 1, 2), "05ff"],
    ["answers 255 without any method", bytes(5, 0), "05ff"],
    [
      "refuses another version in the request",
      bytes(5, 1, 0, 4, 1, 0, 1, 1, 1, 1, 1, 0, 80),
      "0500 05010001000000000000",
    ],
    ["refuses BIND over SOCKS4", bytes(4, 2, 0, 80, 1, 1, 1, 1, 0), "005b000000000000"],
    [
      "refuses a long user id",
      concat(bytes(4, 1, 0, 80, 1, 1, 1, 1), new Uint8Array(300).fill(97)),
      "005b000000000000",
    ],
    [
      "refuses a long name",
      concat(bytes(4, 1, 0, 80, 0, 0, 0, 1, 0), new Uint8Array(300).fill(97)),
      "005b000000000000",
    ],
    ["answers nothing to HTTP", utf8("GET / HTTP/1.1\r\n\r\n"), ""],
    ["answers nothing to TLS", bytes(22, 3, 1, 0, 200), ""],
  ])("%s, and closes", async (_, request, reply) => {
    for (const pieces of [request.length, 1]) {
      const { serving, targets, received, closed } = await served(request, { pieces });
      expect(await rejection(serving)).toMatchObject({ code: "protocol" });
      await closed;
      expect(received()).toBe(reply.replaceAll(" ", ""));
      expect(targets).toEqual([]);
    }
  });

  const system = (code: string): Error => Object.assign(new Error(code), { code });
  const failed = (code: SshErrorCode, options = {}, message = "no"): SshError => new SshError(code, message, options);
  it.each([
    ["2, not allowed, if the program refuses", failed("denied"), 2],
    ["2, not allowed, if the server forbids it", failed("refused", { reason: 1 }), 2],
    ["5 if the server's system refused", failed("refused", { reason: 2 }, 'got "Connection refused"'), 5],
    ["4 if the server could not connect", failed("refused", { reason: 2 }), 4],
    ["1 if the server lacks resources", failed("refused", { reason: 4 }), 1],
    ["4 after a timeout", failed("timeout"), 4],
    ["5 if the target refused", failed("connect", { cause: new AggregateError([system("ECONNREFUSED")]) }), 5],
    ["3 without a network", failed("connect", { cause: system("ENETUNREACH") }), 3],
    ["4 for an unknown name", failed("connect", { cause: system("ENOTFOUND") }), 4],
    ["1 for any other error", new Error("boom"), 1],
  ])("replies %s (RFC 1928 section 6)", async (_, fails, reply) => {
    const five = await served(bytes(5, 1, 0, 5, 1, 0, 1, 1, 1, 1, 1, 0, 80), { fails });
    expect(await rejection(five.serving)).toBe(fails);
    expect(await five.closed).toBeUndefined();
    expect(five.received()).toBe(`0500050${reply}0001000000000000`);
    const four = await served(bytes(4, 1, 0, 80, 1, 1, 1, 1, 0), { fails });
    expect(await rejection(four.serving)).toBe(fails);
    await four.closed;
    expect(four.received()).toBe("005b000000000000");
  });

  it.each([
    ["says nothing", bytes()],
    ["stops within its methods", bytes(5, 255, 0)],
    ["stops within its name", bytes(5, 1, 0, 5, 1, 0, 3, 255, 97)],
    ["never ends its user id", bytes(4, 1, 0, 80, 1, 1, 1, 1, 97)],
  ])("drops a client that %s", async (_, request) => {
    const late = await served(request);
    expect(await rejection(late.serving)).toMatchObject({ code: "timeout" });
    await late.closed;
    const leaves = await served(request, { ends: true });
    expect(await rejection(leaves.serving)).toMatchObject({ code: "connect" });
    await leaves.closed;
  });

  it("drops the target if the client leaves while it connects", async () => {
    const [near, far] = pipePair();
    const [ours, theirs] = pipePair();
    let connected: (pipe: BytePipe) => void = () => {};
    const requested = deferred();
    const connect = (): Promise<BytePipe> => {
      requested.resolve();
      return new Promise((resolve) => {
        connected = resolve;
      });
    };
    const serving = serveSocks(near, { connect });
    const gone = new Promise((resolve) => theirs.start({ data() {}, end() {}, drain() {}, closed: resolve }));
    far.start({ data() {}, end() {}, drain() {}, closed() {} });
    far.write(bytes(4, 1, 0, 80, 1, 1, 1, 1, 0));
    await requested.promise;
    far.abort();
    connected(ours);
    await serving;
    expect(await gone).toBeInstanceOf(Error);
  });
});
