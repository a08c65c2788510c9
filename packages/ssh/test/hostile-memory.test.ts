/** The heap that floods of messages occupy: before and after login, in both roles. */
import { bytesInUse, ToyPeer, ToySession, toyLogin, toyMessages } from "@postern/testkit";
import {
  type Bytes,
  ChannelOpen,
  concat,
  Debug,
  ExtInfo,
  Ignore,
  Ping,
  SshError,
  UserauthBanner,
  UserauthInfoRequest,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";

const KiB = 1024;
const MiB = 1024 * KiB;
const roles = ["client", "server"] as const;
type Role = (typeof roles)[number];
const otherRole = (role: Role): Role => (role === "client" ? "server" : "client");

interface Victim {
  readonly session: ToySession;
  readonly peer: ToyPeer;
}

/** A session that has read the first messages of a login. */
function victim(role: Role, messages: readonly string[]): Victim {
  const session = new ToySession(role, { records: false });
  const peer = new ToyPeer(otherRole(role));
  const all = toyMessages(otherRole(role));
  session.receive(peer.identification());
  for (const name of messages) session.receive(peer.packet(all[name] ?? expect.unreachable(name)));
  return { session, peer };
}

/** Sends payloads until the session ends or wants no more input. Returns the error and the growth of the heap. */
async function flood(
  { session, peer }: Victim,
  payloads: readonly Bytes[],
  count: number,
  takesOutput = true,
): Promise<{ readonly error: unknown; readonly grown: number; readonly sent: number }> {
  const before = await bytesInUse();
  let error: unknown;
  let sent = 0;
  try {
    while (sent < count && session.machine.wantsInput) {
      const packets = concat(...payloads.map((payload) => peer.packet(payload)));
      if (takesOutput) session.receive(packets);
      else {
        session.machine.receive(packets);
        while (session.machine.wantsInput && session.machine.next() !== undefined);
      }
      sent += payloads.length;
    }
  } catch (thrown) {
    error = thrown;
  }
  const grown = (await bytesInUse()) - before;
  // Keeps the session alive until here.
  expect(session.machine).toBeDefined();
  return { error, grown, sent };
}

const login = (role: Role): readonly string[] => toyLogin(otherRole(role));
/** Up to the new keys; a client has sent its first request. */
const beforeLogin = (role: Role): readonly string[] => login(role).slice(0, role === "client" ? 6 : 4);
const floods: Readonly<Record<string, Bytes>> = {
  IGNORE: Ignore.encode({ data: new Uint8Array(1000) }),
  DEBUG: Debug.encode({ alwaysDisplay: true, message: "x".repeat(1000), language: "" }),
  PING: Ping.encode({ data: new Uint8Array(1000) }),
  EXT_INFO: ExtInfo.encode({ extensions: new Map([["server-sig-algs", new Uint8Array(30_000).fill(0x61)]]) }),
  "unknown messages": new Uint8Array(1000).fill(200),
  banners: UserauthBanner.encode({ message: "x".repeat(1000), language: "" }),
  prompts: UserauthInfoRequest.encode({
    name: "x".repeat(1000),
    instruction: "",
    language: "",
    prompts: Array.from({ length: 64 }, () => ({ prompt: "y".repeat(100), echo: false })),
  }),
};

describe.each(roles)("the heap of a %s", (role) => {
  it.each(Object.entries(floods))(
    "grows by less than 1 MiB during a flood of %s before login",
    async (_name, payload) => {
      const { error, grown, sent } = await flood(victim(role, beforeLogin(role)), [payload], 20_000);
      // Each of them ends in an error at a limit, except messages that are errors on their own.
      expect(error).toBeInstanceOf(SshError);
      expect(sent * payload.length).toBeLessThan(2 * MiB);
      expect(grown).toBeLessThan(MiB);
    },
  );

  it.each(["IGNORE", "DEBUG", "PING", "unknown messages"])(
    "does not grow with the number of messages during a flood of %s after login",
    async (name) => {
      const { error, grown, sent } = await flood(
        victim(role, login(role)),
        [floods[name] ?? expect.unreachable()],
        20_000,
      );
      expect(error).toBeUndefined();
      expect(sent).toBe(20_000);
      expect(grown).toBeLessThan(MiB);
    },
  );

  it("does not grow with the number of requests and channel opens that are refused", async () => {
    const all = toyMessages(otherRole(role));
    const names = ["GLOBAL_REQUEST", "CHANNEL_OPEN, refused"];
    const payloads = names.map((name) => all[name] ?? expect.unreachable());
    const { error, grown, sent } = await flood(victim(role, login(role)), payloads, 20_000);
    expect(error).toBeUndefined();
    expect(sent).toBe(20_000);
    expect(grown).toBeLessThan(MiB);
  });

  it.each(["PING", "unknown messages", "GLOBAL_REQUEST"])(
    "grows by at most the output that is held for a peer that reads nothing and floods with %s",
    async (name) => {
      const payload = floods[name] ?? toyMessages(otherRole(role))[name] ?? expect.unreachable();
      const { grown } = await flood(victim(role, login(role)), [payload], 200_000, false);
      expect(grown).toBeLessThan(2 * Limits.outputCeiling + MiB);
    },
  );

  it("grows by less than 1 KiB for each channel that the program has not decided, up to 16,384", async () => {
    const open = ChannelOpen.encode({
      channelType: "later",
      senderChannel: 7,
      initialWindow: 100,
      maxPacket: 100,
      specificData: new Uint8Array(0),
    });
    const attacked = victim(role, login(role));
    const { error, grown } = await flood(attacked, [open], 2 * Limits.channels);
    expect(error).toBeUndefined();
    expect(attacked.session.machine.connection.channelCount).toBe(Limits.channels);
    expect(grown).toBeLessThan(Limits.channels * KiB);
  });

  it("grows by less than two packets of the largest size when a packet comes in small chunks and never ends", async () => {
    const { session } = victim(role, login(role));
    const before = await bytesInUse();
    session.receive(Uint8Array.of(0, 3, 0xff, 0xfc));
    for (let at = 0; at < 10_000; at++) session.receive(new Uint8Array(10));
    expect((await bytesInUse()) - before).toBeLessThan(2 * Limits.packetLength);
    expect(session.failure).toBeUndefined();
  });
});
