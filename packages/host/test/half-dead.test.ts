/** Clients that close channels incompletely: what they hold counts until it is freed. */
import { bytesInUse, Liar, pipePair, turns } from "@postern/testkit";
import {
  type Bytes,
  ChannelClose,
  ChannelEof,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ChannelRequest,
  DirectTcpip,
  GlobalRequest,
  RequestSuccess,
  TcpipForward,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type HostWorld, hostWorld } from "./world.ts";

const MiB = 1024 * 1024;
const nothing = new Uint8Array(0);

/** The messages with which a client answers CHANNEL_OPEN. */
type Answer = (senderChannel: number) => readonly Bytes[];

const confirm = (recipientChannel: number, initialWindow = 0): Bytes =>
  ChannelOpenConfirmation.encode({
    recipientChannel,
    senderChannel: recipientChannel,
    initialWindow,
    maxPacket: 32_768,
    specificData: nothing,
  });

/** A client that listens on port 8080 and answers each visitor with these messages. It ignores all other input. */
async function hostileClient(world: HostWorld, answer: Answer): Promise<Liar> {
  const [ours, theirs] = pipePair();
  void world.host.serve(theirs);
  const liar = new Liar("client", ours);
  await liar.logIn();
  const specificData = TcpipForward.encode({ address: "localhost", port: 8080 });
  liar.send(GlobalRequest.encode({ name: "tcpip-forward", wantReply: true, specificData }));
  await liar.until(RequestSuccess.number);
  void (async () => {
    for (let payload = await liar.next(); payload !== undefined; payload = await liar.next()) {
      if (payload[0] === ChannelOpen.number) liar.send(...answer(ChannelOpen.decode(payload).senderChannel));
    }
  })();
  return liar;
}

/** A visitor that sends 64 KiB and disconnects. Resolves when its pipe has closed. */
function visitAndLeave(world: HostWorld, chunk: Bytes): Promise<void> {
  return new Promise((resolve) => {
    const visitor = world.network.visit(8080);
    visitor.start({ data() {}, end() {}, drain() {}, closed: () => resolve() });
    visitor.write(chunk);
    visitor.end();
  });
}

/** Sends this number of visitors, 64 at a time. */
async function visitors(world: HostWorld, count: number): Promise<void> {
  const chunk = new Uint8Array(64 * 1024);
  for (let sent = 0; sent < count; sent += 64) {
    await Promise.all(Array.from({ length: 64 }, () => visitAndLeave(world, chunk)));
    await turns();
  }
}

describe("the share of a channel", () => {
  it("stays in use until the channel, too, has closed: half-closed channels stay within the limits", async () => {
    // All visitors have the same address.
    const world = hostWorld({ limits: { visitorsPerForwarding: 512, visitorsPerSource: 512 } });
    const liar = await hostileClient(world, (id) => [confirm(id), ChannelEof.encode({ recipientChannel: id })]);
    const before = await bytesInUse();
    await visitors(world, 2048);
    const growth = (await bytesInUse()) - before;
    expect(world.host.clients[0]?.channels).toBe(512);
    // 512 channels with 64 KiB each are 32 MiB.
    expect(growth).toBeLessThan(48 * MiB);
    liar.abort();
  });

  it("returns once both sides have sent CLOSE: a client that never answers CLOSE exhausts only its own channels", async () => {
    const world = hostWorld({ limits: { channels: 100, visitorsPerForwarding: 100, visitorsPerSource: 100 } });
    const closes: number[] = [];
    const liar = await hostileClient(world, (id) => {
      closes.push(id);
      return [confirm(id, 2 ** 31), ChannelEof.encode({ recipientChannel: id })];
    });
    await visitors(world, 192);
    expect(world.host.clients[0]?.channels).toBe(100);
    expect(closes).toHaveLength(100);
    for (const recipientChannel of closes) liar.send(ChannelClose.encode({ recipientChannel }));
    await expect.poll(() => world.host.clients[0]?.channels).toBe(0);
    liar.abort();
  });

  it("returns when the client refuses the visitor", async () => {
    const world = hostWorld({ limits: { channels: 2 } });
    const client = await world.client();
    await client.request("tcpip-forward", TcpipForward.encode({ address: "localhost", port: 8080 }));
    for (let round = 0; round < 5; round++) await visitAndLeave(world, new Uint8Array(10));
    expect(world.host.clients[0]?.channels).toBe(0);
    await client.close();
  });

  it("stays in use until the target has taken what the client sent before it disconnected", async () => {
    const world = hostWorld({ limits: { channels: 8 }, authorize: () => ({ permitOpen: ["stuck:80"] }) });
    world.network.targets.set("stuck:80", (pipe) => {
      pipe.pause();
      pipe.start({ data() {}, end() {}, drain() {}, closed() {} });
    });
    const client = await world.client();
    const specificData = DirectTcpip.encode({ host: "stuck", port: 80, originAddress: "", originPort: 0 });
    for (let round = 0; round < 8; round++) {
      const channel = await client.openChannel("direct-tcpip", specificData);
      channel.write(new Uint8Array(128 * 1024));
      channel.close();
      await channel.closed;
    }
    await expect(client.openChannel("direct-tcpip", specificData)).rejects.toMatchObject({
      code: "refused",
      reason: 4,
    });
    expect(world.host.clients[0]?.channels).toBe(8);
    await client.close();
  });

  it("returns for a session once both sides have sent CLOSE", async () => {
    const world = hostWorld({ limits: { sessions: 2 } });
    const [ours, theirs] = pipePair();
    void world.host.serve(theirs);
    const liar = new Liar("client", ours);
    await liar.logIn();
    const open = (senderChannel: number): void =>
      liar.send(
        ChannelOpen.encode({
          channelType: "session",
          senderChannel,
          initialWindow: 1000,
          maxPacket: 32_768,
          specificData: nothing,
        }),
      );
    const closed: number[] = [];
    for (const number of [0, 1]) {
      open(number);
      const { senderChannel } = ChannelOpenConfirmation.decode(await liar.until(ChannelOpenConfirmation.number));
      closed.push(senderChannel);
      // Without ports, a shell prints a line and closes.
      liar.send(
        ChannelRequest.encode({
          recipientChannel: senderChannel,
          requestType: "shell",
          wantReply: false,
          specificData: nothing,
        }),
      );
      await liar.until(ChannelClose.number);
    }
    open(2);
    expect(ChannelOpenFailure.decode(await liar.until(ChannelOpenFailure.number)).reason).toBe(4);
    for (const recipientChannel of closed) liar.send(ChannelClose.encode({ recipientChannel }));
    open(2);
    await liar.until(ChannelOpenConfirmation.number);
    liar.abort();
  });
});
