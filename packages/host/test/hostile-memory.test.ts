/** The heap that files, clients before login and clients after login occupy at the limits. */
import { bytesInUse, collectGarbage, Liar, pipePair, turns, vectorTexts } from "@postern/testkit";
import {
  type Bytes,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ChannelRequest,
  DirectTcpip,
  GlobalRequest,
  RequestFailure,
  TcpipForward,
  utf8,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { authorizedKeys } from "../src/index.ts";
import { type HostWorld, hostWorld } from "./world.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

describe("the heap of authorized_keys", () => {
  const [key = ""] = vectorTexts("keys/ssh-ed25519.json", ["publicLine"]);

  it.each([
    ["keys", `${key}\n`],
    ["keys with options", `from="10.0.0.0/8,!10.1.*",permitlisten="8080",principals="a",cert-authority ${key}\n`],
    ["comments", "#\n"],
    ["malformed lines", `${"x".repeat(1000)} ${key}\n`],
    ["long lines without end", `command="${"x".repeat(100_000)}\n`],
  ])("grows by a small multiple of the text: %s", (_what, line) => {
    const text = line.repeat(Math.ceil((256 * KiB) / line.length));
    const before = collectGarbage();
    const keys = authorizedKeys(text);
    const grown = collectGarbage() - before;
    expect(grown).toBeLessThan(20 * text.length);
    // Keeps the keys alive until here.
    expect(keys.permissions(new Uint8Array(0))).toBeUndefined();
  });

  it("does not grow with a line of many options, addresses or names that is refused", () => {
    const many = 20_000;
    for (const line of [
      `${"restrict,".repeat(many)} ${key}`,
      `${'permitlisten="1",'.repeat(many)}x ${key}`,
      `from="${"10.0.0.1,".repeat(many)}" ${key}`,
      `principals="${"a,".repeat(many)}b" ${key}`,
    ]) {
      const before = collectGarbage();
      const { refused } = authorizedKeys(line);
      const grown = collectGarbage() - before;
      // Keeps the reasons alive until here.
      expect(refused).toHaveLength(1);
      expect(grown).toBeLessThan(MiB);
    }
  });
});

/** Clients that send bytes and wait. */
async function connect(world: HostWorld, count: number, bytes: Bytes): Promise<Liar["abort"]> {
  const pipes = Array.from({ length: count }, (_, index) => {
    const [ours, theirs] = pipePair();
    ours.start({ data() {}, end() {}, drain() {}, closed() {} });
    void world.host.serve(theirs, { origin: { host: `192.0.2.${index}`, port: 1 } });
    for (let at = 0; at < bytes.length; at += 16 * KiB) ours.write(bytes.slice(at, at + 16 * KiB));
    return ours;
  });
  await turns();
  return () => {
    for (const pipe of pipes.splice(0)) pipe.abort();
  };
}

describe("the heap of clients that have not logged in", () => {
  const identification = utf8("SSH-2.0-x\r\n");
  // The length of the largest packet, whose last byte never comes.
  const announced = new Uint8Array(identification.length + Limits.packetLength - 1);
  announced.set(identification);
  new DataView(announced.buffer).setUint32(identification.length, Limits.packetLength - 4);

  it.each([
    ["nothing", new Uint8Array(0), 64 * KiB],
    ["an identification line without its end", utf8(`SSH-2.0-${"x".repeat(240)}`), 64 * KiB],
    ["a packet of the largest size without its end", announced, 2 * Limits.packetLength + 64 * KiB],
  ])("is bounded for each of startups.full clients: %s", async (_what, bytes, each) => {
    const full = 20;
    const world = hostWorld({ limits: { startups: { start: full, rate: 100, full } } });
    const before = await bytesInUse();
    const abort = await connect(world, 2 * full, bytes);
    expect(world.host.clients).toHaveLength(full);
    expect((await bytesInUse()) - before).toBeLessThan(full * each);
    abort();
    await expect.poll(() => world.host.clients).toHaveLength(0);
    expect((await bytesInUse()) - before).toBeLessThan(2 * MiB);
  });
});

/** A client that has logged in. It counts the messages that it receives by their numbers. */
async function loggedIn(world: HostWorld): Promise<{ readonly liar: Liar; readonly got: Map<number, number> }> {
  const [ours, theirs] = pipePair();
  void world.host.serve(theirs);
  const liar = new Liar("client", ours);
  await liar.logIn();
  const got = new Map<number, number>();
  void (async () => {
    for (let payload = await liar.next(); payload !== undefined; payload = await liar.next()) {
      const number = payload[0] ?? 0;
      got.set(number, (got.get(number) ?? 0) + 1);
    }
  })();
  return { liar, got };
}

const open = (channelType: string, specificData: Bytes): Bytes =>
  ChannelOpen.encode({ channelType, senderChannel: 7, initialWindow: 0, maxPacket: 32_768, specificData });

describe("the heap of a client that has logged in", () => {
  it("is bounded while it opens sessions and sends requests on them", async () => {
    const world = hostWorld({ limits: { sessions: 10 } });
    const { liar, got } = await loggedIn(world);
    const before = await bytesInUse();
    const count = 300;
    for (let sent = 0; sent < count; sent++) liar.send(open("session", new Uint8Array(0)));
    await expect.poll(() => got.get(ChannelOpenFailure.number)).toBe(count - 10);
    expect(got.get(ChannelOpenConfirmation.number)).toBe(10);
    const specificData = new Uint8Array(8 * KiB);
    for (let sent = 0; sent < count; sent++) {
      liar.send(ChannelRequest.encode({ recipientChannel: 0, requestType: "env", wantReply: false, specificData }));
      if (sent % 50 === 0) await turns();
    }
    await turns();
    expect((await bytesInUse()) - before).toBeLessThan(MiB);
    expect(world.host.clients).toHaveLength(1);
    liar.abort();
  });

  it("is bounded while it requests ports", async () => {
    const world = hostWorld({ limits: { forwardings: 64 } });
    const { liar, got } = await loggedIn(world);
    const before = await bytesInUse();
    const count = 200;
    const address = "localhost";
    for (let port = 2000; port < 2000 + count; port++) {
      const specificData = TcpipForward.encode({ address, port });
      liar.send(GlobalRequest.encode({ name: "tcpip-forward", wantReply: true, specificData }));
      if (port % 10 === 0) await turns();
    }
    await expect.poll(() => got.get(RequestFailure.number)).toBe(count - 64);
    expect(world.network.listening).toHaveLength(64);
    expect((await bytesInUse()) - before).toBeLessThan(2 * MiB);
    liar.abort();
  });

  it("is bounded while it connects to targets that do not answer", async () => {
    const world = hostWorld({ limits: { channels: 64 }, authorize: () => ({ permitOpen: ["*:*"] }) });
    world.network.dial = (_target, { signal }) =>
      new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warn);
    const { liar, got } = await loggedIn(world);
    const before = await bytesInUse();
    const count = 300;
    const specificData = DirectTcpip.encode({ host: "a", port: 1, originAddress: "", originPort: 0 });
    for (let sent = 0; sent < count; sent++) liar.send(open("direct-tcpip", specificData));
    await expect.poll(() => got.get(ChannelOpenFailure.number)).toBe(count - 64);
    expect(world.host.clients[0]?.channels).toBe(64);
    expect((await bytesInUse()) - before).toBeLessThan(64 * 16 * KiB + MiB);
    liar.abort();
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });
});
