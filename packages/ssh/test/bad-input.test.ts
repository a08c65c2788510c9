/** Peers that misbehave before and after login. Each causes one SshError that names what was expected and what came. */
import { password } from "@postern/auth";
import { aes128Gcm, aes256Gcm, chacha20Poly1305, modernAlgorithms } from "@postern/noble";
import { noisyPipe, pipePair, seededRandom } from "@postern/testkit";
import {
  type Bytes,
  Debug,
  Disconnect,
  fromHex,
  Ignore,
  NewKeys,
  Ping,
  ServiceAccept,
  ServiceRequest,
  SshError,
  UserauthSuccess,
  utf8,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { accept, type ClientOptions, connect } from "../src/index.ts";
import { loggedIn, lyingClient, lyingServer, nothing, rejection, turns } from "./helpers.ts";
import { clientOptions, serverOptions, world } from "./world.ts";

/** A client whose server sends these bytes and ends. */
async function against(bytes: Bytes, options: Partial<ClientOptions> = {}): Promise<SshError> {
  const [left, right] = pipePair();
  right.start({ data() {}, end() {}, drain() {}, closed() {} });
  const failed = rejection(connect(left, { ...clientOptions("bad"), ...options }));
  if (bytes.length > 0) right.write(bytes);
  right.end();
  return await failed;
}

/** Counts the bytes that a liar sends. */
function counter(): { readonly bytes: number; readonly wire: (bytes: Bytes) => Bytes } {
  const count = {
    bytes: 0,
    wire(bytes: Bytes): Bytes {
      count.bytes += bytes.length;
      return bytes;
    },
  };
  return count;
}

describe("lines before the identification of a server", () => {
  it.each(["Not allowed at this time", "Exceeded MaxStartups"])(
    "are passed to onNotice and named in the error: %s",
    async (line) => {
      const notices: string[] = [];
      const error = await against(utf8(`${line}\r\n`), { onNotice: (message) => void notices.push(message) });
      expect(notices).toEqual([line]);
      expect(error.code).toBe("busy");
      expect(error.message).toContain(line);
    },
  );
});

describe("a client", () => {
  it("names the login methods it tried when the password is wrong", async () => {
    const [left, right] = pipePair();
    const served = rejection(accept(right, serverOptions("bad")));
    const error = await rejection(
      connect(left, { ...clientOptions("bad"), auth: [password("wrong"), password("worse")] }),
    );
    expect(error).toMatchObject({
      code: "auth",
      message: expect.stringContaining("tried password (refused), password (refused)"),
    });
    expect(error.message).not.toContain("wrong");
    expect(await served).toMatchObject({ code: "disconnected", reason: 14 });
  });

  it("sends no password when the program refuses the host key", async () => {
    const { liar, connected } = lyingServer({}, { hostKey: () => false });
    expect(await rejection(connected)).toMatchObject({
      code: "hostkey",
      message: "expected hostKey to return true for the ssh-ed25519 key, got another value",
    });
    liar.end();
    expect(await liar.next()).toBeUndefined();
  });

  it.each([
    [
      "a web server",
      utf8("HTTP/1.1 400 Bad Request\r\n\r\n"),
      /expected an SSH identification line .*, got "HTTP\/1.1 400 Bad Request"/,
    ],
    ["a TLS server", fromHex("15030100020246"), /expected an SSH identification line/],
    ["a server that says nothing", nothing, /expected an SSH identification line .*, got nothing/],
    ["an SSH 1 server", utf8("SSH-1.5-old\r\n"), /expected protocol version 2.0, got "SSH-1.5-old"/],
    [
      "a server that talks and talks",
      utf8("la ".repeat(Limits.bytesBeforeIdentification)),
      /expected an SSH identification line/,
    ],
  ])("rejects %s as a peer that does not speak SSH", async (_who, bytes, message) => {
    const error = await against(bytes);
    expect(error).toMatchObject({ name: "SshError", code: "version", message: expect.stringMatching(message) });
    expect(error.message.length).toBeLessThan(300);
  });

  it("names both lists when there is no common algorithm", async () => {
    for (const [ours, theirs] of [
      [{ ciphers: [aes128Gcm] }, { ciphers: [aes256Gcm] }],
      [{ kex: modernAlgorithms.kex.slice(0, 1) }, { kex: modernAlgorithms.kex.slice(1) }],
      [{ hostKeys: modernAlgorithms.hostKeys.slice(1) }, {}],
    ] as const) {
      const { liar, connected } = lyingServer(
        { algorithms: { ...modernAlgorithms, ...theirs } },
        { algorithms: { ...modernAlgorithms, ...ours } },
      );
      expect(await rejection(connected)).toMatchObject({
        code: "negotiation",
        message: expect.stringMatching(/^expected a common .*: we offer ".+", the server offers ".+"$/),
      });
      liar.end();
    }
  });

  it("rejects when the server closes, after any byte of the handshake", async () => {
    // The number of bytes a server sends until login is complete.
    const counted = counter();
    const { client, liar } = await loggedIn({}, { wire: counted.wire });
    liar.abort();
    await rejection(client.closed);
    const whole = counted.bytes;
    const step = Math.ceil(whole / 60);
    for (let most = 0; most < whole; most += step) {
      let left = most;
      const { liar: cut, connected } = lyingServer({
        wire(bytes) {
          const sent = bytes.slice(0, left);
          left -= sent.length;
          if (left === 0) setImmediate(() => cut.end());
          return sent.length === 0 ? undefined : sent;
        },
      });
      cut.letIn().catch(() => {});
      expect(await rejection(connected), `after ${most} bytes`).toMatchObject({
        name: "SshError",
        code: most < 22 ? "version" : "closed",
      });
      await cut.closed;
    }
  });
});

describe("a truncated packet", () => {
  it("waits for the rest, and rejects when the input ends instead", async () => {
    const { liar, client } = await loggedIn();
    liar.transport.send(Ignore.encode({ data: utf8("x") }));
    const packet = liar.transport.takeOutput() ?? expect.unreachable();
    liar.raw(packet.slice(0, -1));
    await turns();
    liar.end();
    expect(await rejection(client.closed)).toMatchObject({ code: "closed" });
  });
});

describe("a corrupted packet", () => {
  it.each([chacha20Poly1305, aes256Gcm])(
    "ends the connection under $name, whichever bit is flipped",
    async (cipher) => {
      const algorithms = { ...modernAlgorithms, ciphers: [cipher] };
      const spots = [0, 3, 4, 5, 20, 21, 30, 35, 36];
      for (const at of spots) {
        const { liar, client } = await loggedIn({ algorithms }, { algorithms });
        liar.transport.send(Debug.encode({ alwaysDisplay: true, message: "payload", language: "" }));
        const packet = liar.transport.takeOutput() ?? expect.unreachable();
        packet[at] = (packet[at] ?? 0) ^ 0x10;
        liar.raw(packet);
        // If the flipped bit makes a length larger, the client waits for more input, so send more.
        liar.raw(new Uint8Array(Limits.packetLength + 64));
        const error = await rejection(client.closed);
        expect(["mac", "protocol"], `byte ${at}: ${error.message}`).toContain(error.code);
        if (at > 3) expect(error.message).toMatch(/^packet \d+: expected its own tag, got another$/);
      }
    },
  );

  it("ends in one error or changes nothing, whichever byte of a server is corrupted", async () => {
    for (let at = 0; at < 1100; at += 23) {
      const [left, right] = pipePair();
      const served = accept(right, serverOptions("noise"));
      const connected = connect(noisyPipe(left, seededRandom(`noise ${at}`), { corruptAt: at }), {
        ...clientOptions("noise"),
        loginTimeoutMs: 200,
      });
      const [ours, theirs] = await Promise.allSettled([connected, served]);
      if (ours.status === "rejected") expect(ours.reason, `byte ${at}`).toBeInstanceOf(SshError);
      else await ours.value.close();
      if (theirs.status === "rejected") expect(theirs.reason).toBeInstanceOf(SshError);
      else expect(await rejection(theirs.value.closed)).toBeInstanceOf(SshError);
    }
  });
});

describe("a packet of 4 GiB", () => {
  it("is rejected by its length before the first keys", async () => {
    const bytes = new Uint8Array(22);
    bytes.set(utf8("SSH-2.0-x\r\n"));
    bytes.fill(0xff, 11);
    expect(await against(bytes)).toMatchObject({
      code: "protocol",
      message: "expected a packet_length of 5 to 262144, got 4294967295",
    });
  });

  it("is rejected by its length after login, without allocating memory for it", async () => {
    const algorithms = { ...modernAlgorithms, ciphers: [aes256Gcm] };
    const { liar, client } = await loggedIn({ algorithms }, { algorithms });
    const before = process.memoryUsage().arrayBuffers;
    liar.raw(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    expect(await rejection(client.closed)).toMatchObject({
      code: "protocol",
      message: expect.stringContaining("got 4294967295"),
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });
});

describe("a flood before login", () => {
  const pieces: [string, Bytes][] = [
    ["IGNORE", Ignore.encode({ data: new Uint8Array(30_000) })],
    ["DEBUG", Debug.encode({ alwaysDisplay: true, message: "x".repeat(30_000), language: "" })],
    ["PING", Ping.encode({ data: new Uint8Array(30_000) })],
    ["unknown messages", new Uint8Array(30_000).fill(200)],
  ];

  it.each(pieces)("ends with `limit` when it consists of %s, on a client and on a server", async (_what, payload) => {
    for (const role of ["client", "server"] as const) {
      const sent = counter();
      const { wire } = sent;
      const [liar, call] =
        role === "client"
          ? (({ liar, connected }) => [liar, connected] as const)(lyingServer({ wire }))
          : (({ liar, served }) => [liar, served] as const)(lyingClient({}, { wire }));
      const failed = rejection(call);
      let over = false;
      void failed.then(() => (over = true));
      if (role === "client") await liar.until(5);
      while (!over && sent.bytes < 10 * Limits.bytesBeforeLogin) {
        liar.send(payload);
        await turns(5);
      }
      expect(await failed, role).toMatchObject({
        code: "limit",
        message: `expected at most ${Limits.bytesBeforeLogin} bytes before login, got more`,
      });
      expect(sent.bytes).toBeLessThan(1.5 * Limits.bytesBeforeLogin);
      liar.end();
    }
  });

  it("ends with an error when it comes before the first keys", async () => {
    const [left, right] = pipePair();
    const failed = rejection(accept(right, serverOptions("flood")));
    left.start({ data() {}, end() {}, drain() {}, closed() {} });
    left.write(utf8("SSH-2.0-flood\r\n"));
    const ignore = new Uint8Array(16).fill(4);
    ignore.set([0, 0, 0, 12, 6, 2, 0, 0, 0, 0]);
    for (let n = 0; n < 200; n++) left.write(ignore.slice());
    expect(await failed).toMatchObject({
      code: "protocol",
      message: expect.stringContaining("messages during the first key exchange"),
    });
    left.end();
  });

  it("is not detected when a peer sends much after login", async () => {
    const { client, server } = await world({
      server: {
        onChannelOpen: (open) =>
          void open
            .accept()
            .readable.pipeTo(new WritableStream())
            .catch(() => {}),
      },
    });
    const writer = (await client.openChannel("x", nothing)).writable.getWriter();
    for (let n = 0; n < 3; n++) await writer.write(new Uint8Array(Limits.bytesBeforeLogin));
    await client.close();
    await rejection(server.closed);
  });
});

describe("messages of the connection layer before login", () => {
  it.each([80, 90, 94, 100, 127])("rejects message %i", async (number) => {
    const { liar, connected } = lyingServer();
    const failed = rejection(connected);
    await liar.until(5);
    liar.send(Uint8Array.of(number, 0, 0, 0, 0));
    expect(await failed).toMatchObject({
      code: "protocol",
      message: `expected an authentication message before login, got message ${number}`,
    });
    liar.end();
  });

  it.each([80, 90, 94, 100, 127])("disconnects a client that sends message %i (RFC 4252 section 6)", async (number) => {
    for (const before of [[], [ServiceRequest.encode({ service: "ssh-userauth" })]]) {
      const { liar, served } = lyingClient();
      const failed = rejection(served);
      liar.send(...before, Uint8Array.of(number, 0, 0, 0, 0));
      expect(await failed).toMatchObject({
        code: "protocol",
        message: `expected an authentication message before login, got message ${number}`,
      });
      await liar.closed;
      expect(liar.events.filter(({ type }) => type === "disconnect")).toMatchObject([{ reason: 2 }]);
    }
  });

  it("answers an unknown message with UNIMPLEMENTED, before and after login (RFC 4253 section 11.4)", async () => {
    const { liar, connected } = lyingServer();
    await liar.until(5);
    liar.send(Uint8Array.of(200), ServiceAccept.encode({ service: "ssh-userauth" }), UserauthSuccess.encode({}));
    await connected;
    liar.send(Uint8Array.of(200), Uint8Array.of(101));
    await turns();
    // Under the new keys EXT_INFO has sequence number 0, SERVICE_ACCEPT 2 and USERAUTH_SUCCESS 3.
    const told = liar.events.flatMap((event) => (event.type === "unimplemented" ? [event.sequence] : []));
    expect(told).toEqual([1, 4, 5]);
    liar.abort();
  });
});

describe("a request for a service after login", () => {
  it.each(["ssh-userauth", "ssh-connection", "x"])("ends the connection: %s (RFC 4253 section 10)", async (service) => {
    const { liar, served } = lyingClient();
    await liar.logIn();
    const server = await served;
    liar.send(ServiceRequest.encode({ service }));
    expect(await rejection(server.closed)).toMatchObject({
      code: "protocol",
      message: "expected no message 5 after USERAUTH_SUCCESS",
    });
    const events = liar.events.filter(({ type }) => type === "disconnect" || type === "unimplemented");
    expect(events).toMatchObject([{ type: "disconnect", reason: 2 }]);
  });

  it("is not answered by a server that accepts a service twice: the client ends the connection", async () => {
    const { liar, client } = await loggedIn();
    liar.send(ServiceAccept.encode({ service: "ssh-userauth" }));
    expect(await rejection(client.closed)).toMatchObject({ code: "protocol" });
  });
});

describe("a client that logs in in one flight", () => {
  it("does not treat a DISCONNECT before the server's NEWKEYS as a refusal, because nothing authenticates it", async () => {
    // 14: the server accepts no more attempts (RFC 4253 section 11.1).
    const forged = Disconnect.encode({ reason: 14, description: "no more methods", language: "" });
    const { liar, connected } = lyingServer({ wire: (bytes) => withPacketBefore(bytes, NewKeys.number, forged) });
    expect(await rejection(connected)).toMatchObject({ code: "disconnected", reason: 14 });
    liar.end();
  });
});

/** Inserts an unencrypted packet before the first message with this number, as an attacker on the network can. */
function withPacketBefore(bytes: Uint8Array, number: number, payload: Uint8Array): Uint8Array {
  for (let at = 0; at + 5 < bytes.length; at += 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(at)) {
    if (bytes[at] === 0x53) return bytes;
    if (bytes[at + 5] !== number) continue;
    const padding = 8 - ((5 + payload.length) % 8) + 8;
    const packet = new Uint8Array(5 + payload.length + padding);
    new DataView(packet.buffer).setUint32(0, 1 + payload.length + padding);
    packet[4] = padding;
    packet.set(payload, 5);
    return Uint8Array.of(...bytes.subarray(0, at), ...packet, ...bytes.subarray(at));
  }
  return bytes;
}
