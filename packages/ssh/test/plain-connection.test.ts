/** Connections without encryption, and channels that are passed on (OpenSSH PROTOCOL.mux section 9). */
import { pipePair, randomChunks, seededRandom } from "@postern/testkit";
import { type ArrayBufferBytes, concat, fromHex, toHex, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  type BytePipe,
  type Channel,
  type IncomingChannelRequest,
  type IncomingOpen,
  plainConnection,
  relayChannel,
  type SshConnection,
} from "../src/index.ts";
import { PlainSession } from "../src/plain-session.ts";

const nothing = new Uint8Array(0);
const refuse = (open: IncomingOpen): void => open.refuse(1, "no");

/** Records what arrives. */
function recorder(pipe: BytePipe) {
  const chunks: ArrayBufferBytes[] = [];
  let closed = false;
  pipe.start({
    data: (chunk) => void chunks.push(chunk.slice()),
    end() {},
    drain() {},
    closed: () => {
      closed = true;
    },
  });
  return { hex: () => toHex(concat(...chunks)), isClosed: () => closed };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe("plainConnection", () => {
  it("sends packets of length, no padding and payload", async () => {
    const [left, right] = pipePair();
    const seen = recorder(right);
    void plainConnection(left)
      .openChannel("a", nothing, { window: 5, maxPacket: 6 })
      .catch(() => undefined);
    await settle();
    expect(seen.hex()).toBe("00000013005a00000001610000000000000005 00000006".replace(" ", ""));
  });

  it("opens channels in both directions", async () => {
    const [left, right] = pipePair();
    const accepted: string[] = [];
    const accept = (open: IncomingOpen): void => {
      accepted.push(open.type);
      open.accept();
    };
    const ours = plainConnection(left, { onChannelOpen: accept });
    const theirs = plainConnection(right, { onChannelOpen: refuse });
    await expect(ours.openChannel("session", nothing)).rejects.toMatchObject({ code: "refused", reason: 1 });
    await theirs.openChannel("session", nothing);
    expect(accepted).toEqual(["session"]);
    await Promise.all([ours.close(), theirs.close()]);
  });

  it("sends no global request, because OpenSSH's master ends at those that it does not know", async () => {
    const [left, right] = pipePair();
    const seen = recorder(right);
    const connection = plainConnection(left);
    connection.notify("hostkeys-prove-00@openssh.com", nothing);
    expect(await connection.request("keepalive@openssh.com", nothing)).toMatchObject({ ok: false });
    expect(seen.hex()).toBe("");
  });

  for (const [title, hex, code = "protocol"] of [
    ["a packet without a payload", "0000000100"],
    ["an empty packet", "00000000"],
    ["a packet of 4 GiB", "ffffffff", "limit"],
    ["padding", "000000060450 00000000".replace(" ", "")],
    ["a message of the transport layer", "00000002 0001".replace(" ", "")],
    ["data for a channel that is not open", "0000000a005e 0000000000000000".replace(" ", "")],
  ] as const) {
    it(`ends at ${title}`, async () => {
      const [left, right] = pipePair();
      const connection = plainConnection(left);
      recorder(right);
      right.write(fromHex(hex));
      await expect(connection.closed).rejects.toMatchObject({ code });
    });
  }

  it("reads the same from every chunking", () => {
    const open = fromHex("00000013005a0000000161000000000000000500000006");
    const bytes = concat(...Array.from({ length: 50 }, () => open));
    for (let seed = 0; seed < 20; seed++) {
      const session = new PlainSession(0);
      let opened = 0;
      for (const chunk of randomChunks(bytes, seededRandom(`plain ${seed}`))) {
        session.receive(chunk);
        while (session.next() !== undefined) opened++;
        session.keepInput();
        chunk.fill(0xff);
      }
      expect(opened).toBe(50);
    }
  });
});

/** A client, a relay, and a server whose opens `serve` answers. */
function relayed(serve: (open: IncomingOpen) => void): {
  readonly client: SshConnection;
  readonly server: SshConnection;
} {
  const [clientSide, relayIn] = pipePair();
  const [relayOut, serverSide] = pipePair();
  const server = plainConnection(serverSide, { onChannelOpen: serve });
  const out = plainConnection(relayOut);
  plainConnection(relayIn, { onChannelOpen: (open) => relayChannel(open, out) });
  return { client: plainConnection(clientSide), server };
}

describe("relayChannel", () => {
  it("passes data in both directions, and the end of each", async () => {
    const { client } = relayed((open) => {
      const channel = open.accept();
      void channel.readable.pipeTo(channel.writable);
    });
    const channel = await client.openChannel("direct-tcpip", utf8("target"));
    const writer = channel.writable.getWriter();
    void writer.write(new Uint8Array(3_000_000).fill(7)).then(() => writer.close());
    const echoed = new Uint8Array(await new Response(channel.readable).arrayBuffer());
    expect(echoed.length).toBe(3_000_000);
    expect(echoed.every((byte) => byte === 7)).toBe(true);
    await channel.closed;
  });

  it("ends the connection of a client that does not read, while the server sends requests without end", async () => {
    const [clientSide, relayIn] = pipePair();
    const [relayOut, serverSide] = pipePair();
    let channel: Channel | undefined;
    plainConnection(serverSide, {
      onChannelOpen: (open) => {
        channel = open.accept();
      },
    });
    const out = plainConnection(relayOut);
    const relay = plainConnection(relayIn, { onChannelOpen: (open) => relayChannel(open, out) });
    await plainConnection(clientSide).openChannel("session", nothing);
    clientSide.pause();
    const closed = expect(relay.closed).rejects.toMatchObject({ code: "limit" });
    for (let i = 0; i < 600; i++) {
      channel?.notify("x", new Uint8Array(10_000));
      await settle();
    }
    await closed;
    await channel?.closed.catch(() => {});
    await out.close();
  });

  it("passes the type-specific data of an open, and the reason of its refusal", async () => {
    const seen: string[] = [];
    const { client } = relayed((open) => {
      seen.push(`${open.type} ${toHex(open.specificData)}`);
      open.refuse(2, "no route");
    });
    const refused = client.openChannel("direct-tcpip", utf8("ab"));
    await expect(refused).rejects.toMatchObject({ reason: 2, message: expect.stringContaining('"no route"') });
    expect(seen).toEqual(["direct-tcpip 6162"]);
  });

  it("passes requests in both directions, with their answers (RFC 4254 5.4)", async () => {
    const seen: string[] = [];
    const onRequest = (request: IncomingChannelRequest): void => {
      seen.push(`${request.type} ${toHex(request.specificData)} ${request.wantReply}`);
      if (request.type === "good") request.accept();
      else request.refuse();
    };
    const { client } = relayed((open) => {
      const channel = open.accept({ onRequest });
      channel.notify("exit-status", fromHex("00000003"));
      void channel.request("good", nothing).then((answer) => seen.push(`answer ${answer}`));
    });
    const channel = await client.openChannel("session", nothing, { onRequest });
    expect(await channel.request("good", fromHex("01"))).toBe(true);
    expect(await channel.request("bad", nothing)).toBe(false);
    channel.notify("signal", nothing);
    await settle();
    await settle();
    expect(seen.sort()).toEqual([
      "answer true",
      "bad  true",
      "exit-status 00000003 false",
      "good  true",
      "good 01 true",
      "signal  false",
    ]);
  });

  it("leaves a channel open after EOF in both directions, until its server closes it (RFC 4254 6.10)", async () => {
    let close = (): void => undefined;
    const { client } = relayed((open) => {
      const channel = open.accept();
      void channel.writable.close();
      close = () => channel.abort();
    });
    const channel = await client.openChannel("session", nothing);
    await channel.writable.close();
    await new Response(channel.readable).arrayBuffer();
    let isClosed = false;
    void channel.closed.then(() => {
      isClosed = true;
    });
    await settle();
    expect(isClosed).toBe(false);
    close();
    await channel.closed;
  });

  it("closes the channel on the other side if one side breaks", async () => {
    const { client, server } = relayed((open) => void open.accept());
    const channel = await client.openChannel("session", nothing);
    await server.close();
    await channel.closed;
  });
});
