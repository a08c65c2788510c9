/** The messages and the framing of PROTOCOL.mux. */
import { concat, fromHex, type SshError, toHex, utf8 } from "@postern/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeForward, isSameForward, type MuxEnd, type MuxForward } from "../../src/mux/forward.ts";
import { decodeForward, encodeForward } from "../../src/mux/forward-fields.ts";
import { createMuxReader, encodeMuxFrame, maxMuxMessage } from "../../src/mux/frames.ts";
import * as messages from "../../src/mux/messages.ts";

const { MuxAlive, MuxHello, MuxInfo, MuxInfoRequest, MuxNewSession, MuxOpenFwd, readMuxHeader } = messages;

/** Section 11 without the messages of open sessions, and the two numbers that it lacks (mux.c). */
const numbers = {
  MUX_MSG_HELLO: 0x00000001,
  MUX_C_NEW_SESSION: 0x10000002,
  MUX_C_ALIVE_CHECK: 0x10000004,
  MUX_C_TERMINATE: 0x10000005,
  MUX_C_OPEN_FWD: 0x10000006,
  MUX_C_CLOSE_FWD: 0x10000007,
  MUX_C_NEW_STDIO_FWD: 0x10000008,
  MUX_C_STOP_LISTENING: 0x10000009,
  MUX_C_PROXY: 0x1000000f,
  MUX_S_OK: 0x80000001,
  MUX_S_PERMISSION_DENIED: 0x80000002,
  MUX_S_FAILURE: 0x80000003,
  MUX_S_ALIVE: 0x80000005,
  MUX_S_REMOTE_PORT: 0x80000007,
  MUX_S_PROXY: 0x8000000f,
  // Those that ssh 10.6 sends.
  MUX_C_EXT_INFO: 0x20000001,
  MUX_S_EXT_INFO: 0x90000001,
};

const host = fc.option(fc.stringMatching(/^[a-z*.]{1,9}$/), { nil: undefined });
const place = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) });
const target = fc.record({ host: fc.stringMatching(/^[a-z]{1,9}$/), port: fc.integer({ min: 1, max: 65_535 }) });
const path = fc.record({ path: fc.stringMatching(/^\/[a-z]{1,9}$/) });
const forward: fc.Arbitrary<MuxForward> = fc.oneof(
  fc.record({ type: fc.constant("local" as const), listen: fc.oneof(place, path), connect: fc.oneof(target, path) }),
  fc.record({
    type: fc.constant("remote" as const),
    listen: fc.oneof(place, path) as fc.Arbitrary<MuxEnd>,
    connect: fc.option(fc.oneof(target, path), { nil: undefined }),
  }),
  fc.record({ type: fc.constant("dynamic" as const), listen: place, connect: fc.constant(undefined) }),
);

describe("the messages", () => {
  it("have the numbers of section 11", () => {
    const ours = Object.values(messages).flatMap((one) =>
      typeof one === "object" ? [[one.name, one.type] as const] : [],
    );
    expect(Object.fromEntries(ours)).toEqual(numbers);
  });

  it("have the bytes that ssh 10.6 sends for -O conninfo, and that its master answers", () => {
    expect(toHex(encodeMuxFrame(MuxInfoRequest.encode({ requestId: 0, kind: "connection" })))).toBe(
      "00000016200000010000 00000000000a636f6e6e656374696f6e".replace(" ", ""),
    );
    const refusal = "9000000100000007000000000000001f696e666f20726571756573742074797065206e6f7420737570706f72746564";
    const text = "info request type not supported";
    expect(MuxInfo.decode(fromHex(refusal))).toEqual({ requestId: 7, success: 0, text });
    expect(toHex(MuxInfo.encode({ requestId: 7, success: 0, text }))).toBe(refusal);
    const hello = "000000010000000400000004696e666f0000000130";
    expect(MuxHello.decode(fromHex(hello)).extensions).toEqual([messages.muxInfo, "0"].map(utf8));
  });

  it("have the bytes that ssh sends", () => {
    const hello = MuxHello.encode({ version: 4, extensions: [] });
    expect(toHex(encodeMuxFrame(hello))).toBe("000000080000000100000004");
    const forward = encodeForward({ type: "dynamic", listen: { host: undefined, port: 1080 }, connect: undefined });
    expect(toHex(MuxOpenFwd.encode({ requestId: 7, ...forward }))).toBe(
      "10000006000000070000000300000000000004380000000573 6f636b7300000000".replace(" ", ""),
    );
  });

  it("survive a round trip, with the environment and extensions at their end", () => {
    const session = {
      requestId: 1,
      reserved: new Uint8Array(0),
      wantTty: 1,
      wantX11Forwarding: 0,
      wantAgent: 0,
      subsystem: 0,
      escapeChar: 0xffff_ffff,
      terminalType: "xterm",
      command: "uptime",
      environment: ["LANG=C", "A=b"],
    };
    expect(MuxNewSession.decode(MuxNewSession.encode(session))).toEqual(session);
    const extensions = [utf8("name"), utf8("value")];
    expect(MuxHello.decode(MuxHello.encode({ version: 4, extensions })).extensions).toEqual(extensions);
  });

  it("are refused if they are cut, too long, or of another type", () => {
    const alive = MuxAlive.encode({ requestId: 1, pid: 2 });
    for (let size = 0; size < alive.length; size++) {
      expect(() => MuxAlive.decode(alive.subarray(0, size))).toThrow();
    }
    expect(() => MuxAlive.decode(concat(alive, new Uint8Array(1)))).toThrow("expected the end");
    expect(() => MuxHello.decode(alive)).toThrow("expected MUX_MSG_HELLO (0x1), got 0x80000005");
    expect(() => readMuxHeader(fromHex("8000"))).toThrow("expected 4 bytes");
  });

  it("hold at most 4096 variables, as in mux.c", () => {
    const fields = { requestId: 1, reserved: new Uint8Array(0), wantTty: 0, wantX11Forwarding: 0, wantAgent: 0 };
    const rest = { subsystem: 0, escapeChar: 0, terminalType: "", command: "" };
    const environment = Array.from({ length: 4097 }, () => "A=b");
    const bytes = MuxNewSession.encode({ ...fields, ...rest, environment });
    expect(() => MuxNewSession.decode(bytes)).toThrow("at most 4096");
  });
});

describe("forwardings", () => {
  it("survive a round trip (sections 6 and 7)", () => {
    fc.assert(
      fc.property(forward, (one) => {
        const decoded = decodeForward(encodeForward(one));
        expect(decoded).toEqual(one);
        expect(decoded !== undefined && isSameForward(decoded, one)).toBe(true);
      }),
    );
  });

  it("are the same only if every field is", () => {
    fc.assert(
      fc.property(forward, forward, (one, other) => {
        expect(isSameForward(one, other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  it("that make no sense are refused: an unknown type, a SOCKS proxy at a path, no address to connect to", () => {
    const fields = { forwardingType: 1, listenHost: "", listenPort: 1, connectHost: "a", connectPort: 2 };
    for (const wrong of [
      { ...fields, forwardingType: 4 },
      { ...fields, forwardingType: 3, listenPort: 0xffff_fffe, listenHost: "/a" },
      { ...fields, connectHost: "" },
      { ...fields, connectPort: 0 },
      { ...fields, forwardingType: 2, connectHost: "" },
      { ...fields, listenPort: 0xffff_fffe },
    ]) {
      expect(decodeForward(wrong)).toBeUndefined();
    }
    expect(() => decodeForward({ ...fields, listenPort: 65_536 })).toThrow("expected a port, got 65536");
    expect(() => decodeForward({ ...fields, connectPort: 0xffff_ffff })).toThrow("expected a port");
  });

  it("have the names of ssh", () => {
    const listen = { host: undefined, port: 8080 };
    expect(describeForward({ type: "local", listen, connect: { host: "db", port: 1 } })).toBe(
      "local forward LOCALHOST:8080 -> db:1",
    );
    expect(describeForward({ type: "remote", listen: { path: "/a" }, connect: undefined })).toBe(
      "remote forward /a:-2 -> socks:0",
    );
    expect(describeForward({ type: "dynamic", listen, connect: undefined })).toBe(
      "dynamic forward LOCALHOST:8080 -> *",
    );
  });
});

describe("frames", () => {
  it("are found under every chunking, and bytes in between are skipped", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 7 }), (sizes, skipped, step) => {
        const sent = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
        const gap = new Uint8Array(skipped).fill(0xff);
        const stream = concat(...sent.flatMap((one) => [encodeMuxFrame(one), gap]), utf8("rest"));
        const reader = createMuxReader();
        const got: Uint8Array[] = [];
        for (let at = 0; at < stream.length; at += step) {
          reader.push(stream.subarray(at, at + step));
          for (let one = reader.next(); one !== undefined && got.length < sent.length; one = reader.next()) {
            got.push(one.slice());
            reader.skip(skipped);
            if (got.length === sent.length) break;
          }
          if (got.length === sent.length) {
            reader.push(stream.subarray(at + step));
            break;
          }
        }
        expect(got).toEqual(sent);
        expect(reader.takeRest()).toEqual(utf8("rest"));
      }),
    );
  });

  it("are limited to 256 KiB, before they arrive", () => {
    const reader = createMuxReader();
    reader.push(encodeMuxFrame(new Uint8Array(maxMuxMessage)));
    expect(reader.next()?.length).toBe(maxMuxMessage);
    reader.push(fromHex("00040001"));
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: "limit" } satisfies Partial<SshError>));
  });
});
