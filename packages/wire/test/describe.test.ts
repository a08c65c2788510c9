/** Descriptions of packets: names, sections, fields, channels and windows. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sectionOf } from "../src/describe/sources.ts";
import * as wire from "../src/index.ts";
import { codecs, tables } from "./arbitraries.ts";

const { createPacketDecoder } = wire;
const none = new Uint8Array(0);
const valuesOf = ({ fields }: wire.PacketDescription): Record<string, unknown> =>
  Object.fromEntries(fields.map(({ name, value }) => [name, value]));

describe("sections", () => {
  it("are those of the comments of the tables", () => {
    const comments = new Map<string, string>();
    for (const file of ["auth", "connection", "requests", "transport"]) {
      const text = readFileSync(new URL(`../src/messages/${file}.ts`, import.meta.url), "utf8");
      const found = text.matchAll(
        /\/\*\* ([^*\n]+) \*\/\nexport const \w+[^=]*=\s+(?:\/\* @__PURE__ \*\/ )?(?:message\(\d+, |record\()"([^"]+)"/g,
      );
      for (const [, comment = "", name = ""] of found) comments.set(name, comment);
    }
    for (const { name } of codecs) {
      const { document, section, url } = sectionOf(name) ?? expect.unreachable(name);
      const text = section === "" ? document : `${document} section ${section}`;
      expect(`${comments.get(name)}.`, name).toMatch(new RegExp(`^${text.replaceAll(".", "\\.")}[.: ]`));
      expect(url).toMatch(/^https:\/\/(www\.rfc-editor\.org\/rfc\/rfc\d{4}#section-[\d.]+|github\.com\/.+PROTOCOL)$/);
    }
  });
});

describe("a description", () => {
  it("has the number, the name and every field in wire order (every message)", () => {
    for (const [codec, fields] of tables) {
      if (!("number" in codec) || codec.number === 60) continue;
      const values = fc.record(fields as Record<string, fc.Arbitrary<unknown>>);
      fc.assert(
        fc.property(values, fc.constantFrom("sent", "received"), (given, direction) => {
          const described = createPacketDecoder().describe(direction as wire.Direction, codec.encode(given));
          expect(described).toMatchObject({ number: codec.number, name: codec.name, section: sectionOf(codec.name) });
          const names = described.fields.map(({ name }) => name);
          const plain = Object.keys(fields).filter((name) => name !== "specificData" && name !== "extensions");
          expect(names.slice(0, plain.length)).toEqual(plain);
        }),
        { numRuns: 20 },
      );
    }
  });

  it("never throws, and names the problem of a malformed payload", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 60 }))), (packets) => {
        const decoder = createPacketDecoder();
        for (const [isSent, payload] of packets) {
          const described = decoder.describe(isSent ? "sent" : "received", payload);
          expect(described.number).toBe(payload[0] ?? 0);
        }
      }),
      { numRuns: 500 },
    );
    const cut = createPacketDecoder().describe("received", Uint8Array.of(94, 0, 0));
    expect(cut).toMatchObject({ name: "CHANNEL_DATA", fields: [], problem: "CHANNEL_DATA: expected 4 bytes, got 2" });
  });

  it("shows the bytes of a message that it does not know", () => {
    const described = createPacketDecoder().describe("sent", Uint8Array.of(77, 1, 2));
    expect(described).toMatchObject({ name: "message 77", section: undefined, problem: undefined });
    expect(valuesOf(described)).toEqual({ data: Uint8Array.of(1, 2) });
    expect(createPacketDecoder().describe("sent", none)).toMatchObject({ number: 0, name: "message 0" });
  });

  it("decodes KEXINIT (RFC 4253 7.1), compression none, and the extensions of EXT_INFO (RFC 8308 2.3)", () => {
    const decoder = createPacketDecoder();
    const init = wire.KexInit.encode({
      cookie: new Uint8Array(16),
      kexAlgorithms: ["curve25519-sha256", "kex-strict-c-v00@openssh.com"],
      serverHostKeyAlgorithms: ["ssh-ed25519"],
      encryptionC2s: ["aes128-ctr"],
      encryptionS2c: ["aes128-ctr"],
      macC2s: [],
      macS2c: [],
      compressionC2s: ["none"],
      compressionS2c: ["none"],
      languagesC2s: [],
      languagesS2c: [],
      firstKexPacketFollows: false,
      reserved: 0,
    });
    expect(valuesOf(decoder.describe("sent", init))).toMatchObject({
      kexAlgorithms: ["curve25519-sha256", "kex-strict-c-v00@openssh.com"],
      compressionC2s: ["none"],
    });
    const extensions = new Map([["server-sig-algs", wire.utf8("ssh-ed25519")]]);
    const info = decoder.describe("received", wire.ExtInfo.encode({ extensions }));
    expect(valuesOf(info)).toEqual({ "server-sig-algs": wire.utf8("ssh-ed25519") });
  });

  it("decodes the login by its method, and marks secrets (RFC 4252, RFC 4256)", () => {
    const request = (method: string, specificData: Uint8Array): Uint8Array =>
      wire.UserauthRequest.encode({ user: "me", service: "ssh-connection", method, specificData });
    const key = { algorithm: "ssh-ed25519", publicKey: Uint8Array.of(1) };
    const decoder = createPacketDecoder();
    const password = wire.PasswordRequest.encode({ isChange: false, password: "secret" });
    const login = decoder.describe("sent", request("password", password));
    expect(login).toMatchObject({ about: "password", aboutSection: { document: "RFC 4252", section: "8" } });
    expect(login.fields.filter(({ isSecret }) => isSecret)).toEqual([
      { name: "password", value: "secret", meaning: undefined, isSecret: true },
    ]);
    const change = wire.UserauthPasswdChangereq.encode({ prompt: "new one", language: "" });
    expect(decoder.describe("received", change).name).toBe("USERAUTH_PASSWD_CHANGEREQ");

    const query = wire.PublickeyQuery.encode({ hasSignature: false, ...key });
    expect(valuesOf(decoder.describe("sent", request("publickey", query)))).toMatchObject(key);
    expect(decoder.describe("received", wire.UserauthPkOk.encode(key)).name).toBe("USERAUTH_PK_OK");
    const proof = wire.PublickeyProof.encode({ hasSignature: true, ...key, signature: Uint8Array.of(9) });
    expect(valuesOf(decoder.describe("sent", request("publickey", proof))).signature).toEqual(Uint8Array.of(9));
    const bound = { hasSignature: true, ...key, hostKey: Uint8Array.of(5), signature: Uint8Array.of(9) };
    const hostbound = request(wire.HOSTBOUND_METHOD, wire.HostboundProof.encode(bound));
    expect(valuesOf(decoder.describe("sent", hostbound)).hostKey).toEqual(Uint8Array.of(5));

    const interactive = wire.KeyboardInteractiveRequest.encode({ language: "", submethods: "" });
    decoder.describe("sent", request("keyboard-interactive", interactive));
    const prompts = [{ prompt: "PIN\u001b[2J", echo: false }];
    const asked = wire.UserauthInfoRequest.encode({ name: "", instruction: "", language: "", prompts });
    expect(valuesOf(decoder.describe("received", asked)).prompts).toEqual([{ prompt: "PIN\\u{1b}[2J", echo: false }]);
    const answers = decoder.describe("sent", wire.UserauthInfoResponse.encode({ responses: ["1234"] }));
    expect(answers.fields).toEqual([{ name: "responses", value: ["1234"], meaning: undefined, isSecret: true }]);
  });

  it("treats a method-specific part that it cannot decode as a secret", () => {
    const specificData = Uint8Array.of(0, 0, 0, 0, 9, 1);
    const broken = { user: "me", service: "ssh-connection", method: "password", specificData };
    const { fields, problem } = createPacketDecoder().describe("sent", wire.UserauthRequest.encode(broken));
    expect(fields.at(-1)).toMatchObject({ name: "specificData", value: specificData, isSecret: true });
    expect(problem).toBe("password request: expected 9 bytes, got 1");
  });

  it("treats the data of an unknown login method as a secret", () => {
    const request = {
      user: "me",
      service: "ssh-connection",
      method: "token@example.com",
      specificData: wire.utf8("s"),
    };
    const { fields, problem } = createPacketDecoder().describe("sent", wire.UserauthRequest.encode(request));
    expect(fields.at(-1)).toMatchObject({ name: "specificData", isSecret: true });
    expect(problem).toBeUndefined();
  });

  it("names the request that a reply answers, in order and by direction (RFC 4254 section 4)", () => {
    const decoder = createPacketDecoder();
    const ask = (name: string, specificData: Uint8Array): Uint8Array =>
      wire.GlobalRequest.encode({ name, wantReply: true, specificData });
    decoder.describe("sent", ask("tcpip-forward", wire.TcpipForward.encode({ address: "localhost", port: 0 })));
    decoder.describe("sent", ask("keepalive@openssh.com", none));
    decoder.describe("received", ask("no-more-sessions@openssh.com", none));
    const port = wire.TcpipForwardReply.encode({ port: 40_000 });
    const opened = decoder.describe("received", wire.RequestSuccess.encode({ specificData: port }));
    expect([opened.about, valuesOf(opened)]).toEqual(["tcpip-forward", { port: 40_000 }]);
    expect(decoder.describe("sent", wire.RequestFailure.encode({})).about).toBe("no-more-sessions@openssh.com");
    expect(decoder.describe("received", wire.RequestFailure.encode({})).about).toBe("keepalive@openssh.com");
    expect(decoder.describe("received", wire.RequestFailure.encode({})).about).toBeUndefined();
  });

  it("decodes requests and opens of UNIX sockets, by the exact name (OpenSSH PROTOCOL section 2.4)", () => {
    const path = wire.StreamlocalForward.encode({ path: "/run/web.sock" });
    for (const name of ["streamlocal-forward@openssh.com", "cancel-streamlocal-forward@openssh.com"]) {
      const request = wire.GlobalRequest.encode({ name, wantReply: true, specificData: path });
      const { fields, aboutSection } = createPacketDecoder().describe("sent", request);
      expect(fields.at(-1)).toEqual({ name: "path", value: "/run/web.sock", meaning: undefined, isSecret: false });
      expect(aboutSection?.section).toBe("2.4");
    }
    const limits = { senderChannel: 0, initialWindow: 1, maxPacket: 1 };
    const describeOpen = (channelType: string, specificData: Uint8Array) =>
      valuesOf(
        createPacketDecoder().describe("sent", wire.ChannelOpen.encode({ channelType, specificData, ...limits })),
      );
    const forwarded = wire.ForwardedStreamlocal.encode({ path: "/a", reserved: none });
    expect(describeOpen("forwarded-streamlocal@openssh.com", forwarded)).toMatchObject({ path: "/a" });
    const direct = wire.DirectStreamlocal.encode({ path: "/b", reserved: none, reservedNumber: 0 });
    expect(describeOpen("direct-streamlocal@openssh.com", direct)).toMatchObject({ path: "/b", reservedNumber: 0 });
    expect(describeOpen("constructor", none)).not.toHaveProperty("path");
  });

  it("names reason codes", () => {
    const decoder = createPacketDecoder();
    const meaning = (payload: Uint8Array): unknown =>
      decoder.describe("sent", payload).fields.find(({ name }) => name === "reason")?.meaning;
    expect(meaning(wire.Disconnect.encode({ reason: 5, description: "", language: "" }))).toBe("MAC_ERROR");
    const failure = { recipientChannel: 0, reason: 1, description: "", language: "" };
    expect(meaning(wire.ChannelOpenFailure.encode(failure))).toBe("ADMINISTRATIVELY_PROHIBITED");
  });
});

describe("channels (RFC 4254 section 5)", () => {
  const open = (senderChannel: number, initialWindow: number): Uint8Array =>
    wire.ChannelOpen.encode({
      channelType: "forwarded-tcpip",
      senderChannel,
      initialWindow,
      maxPacket: 1000,
      specificData: wire.ForwardedTcpip.encode({ address: "a", port: 1, originAddress: "b", originPort: 2 }),
    });
  const confirm = (recipientChannel: number, senderChannel: number, initialWindow: number): Uint8Array =>
    wire.ChannelOpenConfirmation.encode({
      recipientChannel,
      senderChannel,
      initialWindow,
      maxPacket: 1000,
      specificData: none,
    });
  const data = (recipientChannel: number, size: number): Uint8Array =>
    wire.ChannelData.encode({ recipientChannel, data: new Uint8Array(size) });

  it.each(["received", "sent"] as const)("have both numbers and both windows: CHANNEL_OPEN %s", (by) => {
    const [opener, other] = by === "sent" ? (["sent", "received"] as const) : (["received", "sent"] as const);
    const [mine, its] = by === "sent" ? (["ours", "theirs"] as const) : (["theirs", "ours"] as const);
    const decoder = createPacketDecoder();
    const see = (direction: wire.Direction, payload: Uint8Array): unknown => {
      const { channel, windows } = decoder.describe(direction, payload);
      return [channel?.[mine], channel?.[its], channel?.type, windows?.[mine], windows?.[its]];
    };
    const type = "forwarded-tcpip";
    expect(see(opener, open(7, 100))).toEqual([7, undefined, type, 100, undefined]);
    expect(see(other, confirm(7, 3, 50))).toEqual([7, 3, type, 100, 50]);
    expect(see(opener, data(3, 20))).toEqual([7, 3, type, 100, 30]);
    expect(see(other, data(7, 60))).toEqual([7, 3, type, 40, 30]);
    const adjust = wire.ChannelWindowAdjust.encode({ recipientChannel: 3, bytesToAdd: 500 });
    expect(see(opener, adjust)).toEqual([7, 3, type, 540, 30]);
    expect(see(opener, wire.ChannelClose.encode({ recipientChannel: 3 }))).toEqual([7, 3, type, 540, 30]);
    expect(see(other, wire.ChannelClose.encode({ recipientChannel: 7 }))).toEqual([7, 3, type, 540, 30]);
    // The numbers are free again.
    expect(see(opener, open(7, 1))).toEqual([7, undefined, type, 1, undefined]);
    const failure = { recipientChannel: 7, reason: 2, description: "", language: "" };
    expect(see(other, wire.ChannelOpenFailure.encode(failure))).toEqual([7, undefined, type, 1, undefined]);
    expect(see(other, data(7, 1))).toEqual([7, undefined, undefined, undefined, undefined]);
  });

  it("are known by one number alone if their start was not seen", () => {
    const { channel, windows } = createPacketDecoder().describe("received", data(4, 1));
    expect(channel).toEqual({ ours: 4, theirs: undefined, type: undefined });
    expect(windows).toEqual({ ours: undefined, theirs: undefined });
  });
});
