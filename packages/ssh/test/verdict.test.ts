/** Host keys whose signature is verified asynchronously, for example by WebCrypto. */
import { publickey } from "@postern/auth";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { modernAlgorithms, sshEd25519 } from "@postern/noble";
import { pipePair, testHostKey } from "@postern/testkit";
import { webSshEd25519 } from "@postern/web";
import { describe, expect, it } from "vitest";
import { accept, connect } from "../src/index.ts";
import { lyingServer, nothing, rejection, tapped, turns } from "./helpers.ts";
import { clientOptions, serverOptions, world } from "./world.ts";

const withKey = (hostKey: PublicKeyAlgorithm) => ({ algorithms: { ...modernAlgorithms, hostKeys: [hostKey] } });
const web = withKey(webSshEd25519);
const giving = (verdict: () => unknown) => withKey({ ...sshEd25519, verify: () => verdict() as boolean });

describe("a client that verifies host keys with WebCrypto", () => {
  it("logs in, carries bytes and exchanges keys again", async () => {
    const asked: string[] = [];
    const { client, server } = await world({
      client: {
        ...web,
        hostKey: ({ algorithm }) => asked.push(algorithm) === 1,
      },
      server: {
        onChannelOpen: (open) => {
          open
            .accept()
            .readable.pipeTo(new WritableStream())
            .catch(() => {});
        },
      },
    });
    expect(client.peer.algorithms.hostKey).toBe("ssh-ed25519");
    const channel = await client.openChannel("test", nothing);
    const writer = channel.writable.getWriter();
    for (const side of [client, server]) {
      side.rekey();
      await writer.write(new Uint8Array(100_000));
      await client.request("x", nothing);
    }
    expect([client.stats().rekeys, server.stats().rekeys]).toEqual([2, 2]);
    expect(asked).toEqual(["ssh-ed25519"]);
    await client.close();
  });

  it("rejects a signature of another key without asking the program", async () => {
    const forger = { ...testHostKey(), sign: (data: Uint8Array) => testHostKey().sign(data.slice(1), "ssh-ed25519") };
    const { liar, connected } = lyingServer(
      { hostKeys: [forger] },
      { ...web, hostKey: () => expect.unreachable("nobody is to be asked") },
    );
    expect(await rejection(connected)).toMatchObject({
      code: "kex",
      message: expect.stringContaining("does not verify"),
    });
    await turns();
    expect(liar.events.at(-1)).toMatchObject({ type: "disconnect", reason: 3 });
    liar.end();
  });

  it("sends its login request in one write with its NEWKEYS", async () => {
    const [left, right] = pipePair();
    const chunks: Uint8Array[] = [];
    const served = accept(
      tapped(right, (chunk) => chunks.push(chunk)),
      serverOptions("writes"),
    );
    const [client] = await Promise.all([connect(left, { ...clientOptions("writes"), ...web }), served]);
    // Version and KEXINIT; KEX_ECDH_INIT; NEWKEYS, SERVICE_REQUEST and USERAUTH_REQUEST.
    expect(chunks).toHaveLength(3);
    await client.close();
  });
});

describe("an asynchronous verdict", () => {
  it.each<[string, () => unknown]>([
    ["false", () => Promise.resolve(false)],
    ["something truthy", () => Promise.resolve("yes")],
    ["something truthy at once", () => 1],
    ["nothing", () => Promise.resolve(undefined)],
  ])("fails the key exchange when it is %s", async (_what, verdict) => {
    const { liar, connected } = lyingServer(
      {},
      { ...giving(verdict), hostKey: () => expect.unreachable("nobody is to be asked") },
    );
    expect(await rejection(connected)).toMatchObject({ code: "kex" });
    liar.end();
  });

  it("fails the key exchange and names the cause when the platform cannot verify", async () => {
    const { liar, connected } = lyingServer(
      {},
      giving(() => Promise.reject(new TypeError("no such algorithm"))),
    );
    expect(await rejection(connected)).toMatchObject({
      code: "kex",
      message: expect.stringContaining("got an error"),
      cause: expect.any(TypeError),
    });
    liar.end();
  });

  it("is awaited until the login times out, and ignored after the connection has ended", async () => {
    let settle = (_good: boolean): void => {};
    const slow = giving(() => new Promise<boolean>((resolve) => (settle = resolve)));
    const { liar, connected } = lyingServer({}, { ...slow, loginTimeoutMs: 20 });
    expect(await rejection(connected)).toMatchObject({ code: "timeout" });
    settle(true);
    await turns();
    liar.end();
  });
});

describe("a server whose algorithms verify asynchronously", () => {
  it("accepts no user key", async () => {
    const [left, right] = pipePair();
    const served = rejection(
      accept(right, { ...serverOptions("later"), ...web, authenticate: () => expect.unreachable("nothing is proved") }),
    );
    const connected = rejection(connect(left, { ...clientOptions("later"), auth: [publickey(testHostKey())] }));
    expect(await served).toMatchObject({ code: "misuse", message: expect.stringContaining("ssh-ed25519") });
    expect(await connected).toMatchObject({ code: "disconnected" });
  });
});
