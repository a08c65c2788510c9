/** The client's side of UpdateHostKeys against servers that lie (OpenSSH PROTOCOL section 2.5). */
import type { Signer } from "@postern/crypto";
import { generatePrivateKey, modernAlgorithms, readPrivateKey } from "@postern/noble";
import { otherHostKey, rejection, testHostKey } from "@postern/testkit";
import { type Bytes, concat, SshError, utf8, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { proveHostKeys, readAnnouncement } from "../src/update-host-keys.ts";

const { hostKeys: algorithms } = modernAlgorithms;
const sessionId = utf8("the session");
const [first, second] = [testHostKey(), otherHostKey()];

function strings(...parts: readonly Bytes[]): Bytes {
  const writer = new Writer();
  for (const part of parts) writer.string(part);
  return writer.finish();
}

describe("an announcement", () => {
  const read = (...keys: readonly Bytes[]) => readAnnouncement(strings(...keys), algorithms);

  it("lists the keys that the connection could use", () => {
    const certificate = new Writer().text("ssh-ed25519-cert-v01@openssh.com").string(new Uint8Array(8)).finish();
    const dsa = new Writer().text("ssh-dss").string(new Uint8Array(8)).finish();
    expect(read(first.publicKey, certificate, dsa, second.publicKey)).toEqual([first.publicKey, second.publicKey]);
    expect(readAnnouncement(strings(first.publicKey), [])).toEqual([]);
    expect(read()).toEqual([]);
  });

  it.each([
    ["a key twice", "protocol", [first.publicKey, first.publicKey]],
    ["a malformed key", "key", [first.publicKey.slice(0, -1)]],
    ["an empty key", "key", [new Uint8Array(0)]],
    ["a key of 4097 bytes", "limit", [new Uint8Array(4097)]],
    ["33 keys", "limit", Array.from({ length: 33 }, (_, n) => new Writer().text(`type-${n}`).finish())],
  ] as const)("rejects %s", (_title, code, keys) => {
    expect(() => read(...keys)).toThrow(expect.objectContaining({ code }));
  });

  it("rejects data that is truncated at any byte", () => {
    const data = strings(first.publicKey, second.publicKey);
    const boundary = strings(first.publicKey).length;
    for (let size = 1; size < data.length; size++) {
      const run = () => readAnnouncement(data.slice(0, size), algorithms);
      if (size === boundary) expect(run()).toHaveLength(1);
      else expect(run).toThrow(SshError);
    }
  });
});

describe("a proof", () => {
  const sign = (
    signer: Signer,
    { name = "hostkeys-prove-00@openssh.com", session = sessionId, key = signer.publicKey } = {},
  ) => signer.sign(new Writer().text(name).string(session).string(key).finish(), signer.algorithms[0] ?? "") as Bytes;

  function prove(reply: Bytes, { ok = true, session = sessionId as Bytes } = {}): Promise<void> {
    const requests: Bytes[] = [];
    const connection = {
      sessionId: session,
      async request(name: string, data: Bytes) {
        expect(name).toBe("hostkeys-prove-00@openssh.com");
        requests.push(data);
        expect(data).toEqual(strings(first.publicKey, second.publicKey));
        return ok ? reply : undefined;
      },
    };
    return proveHostKeys(connection, [first.publicKey, second.publicKey], algorithms);
  }

  it("signs the request's name, the session and each key, in the order of the request", async () => {
    await prove(strings(sign(first), sign(second)));
  });

  it("of an RSA key uses SHA-2", async () => {
    const rsa = new Writer()
      .text("ssh-rsa")
      .mpint(Uint8Array.of(1, 0, 1))
      .mpint(new Uint8Array(256).fill(0xff))
      .finish();
    const signature = new Writer().text("ssh-rsa").string(new Uint8Array(256)).finish();
    const connection = {
      sessionId,
      request: async () => strings(signature),
    };
    const error = await rejection(proveHostKeys(connection, [rsa], algorithms));
    expect(error).toMatchObject({ code: "refused", message: expect.stringContaining("another algorithm") });
  });

  const stranger = readPrivateKey(generatePrivateKey());
  it.each([
    ["signatures in another order", () => strings(sign(second), sign(first))],
    ["the same signature twice", () => strings(sign(first), sign(first))],
    ["a signature by another key", async () => strings(sign(first), sign(await stranger, { key: second.publicKey }))],
    [
      "a signature of another session",
      () => strings(sign(first), sign(second, { session: utf8("x") as Bytes as never })),
    ],
    ["a signature of another request", () => strings(sign(first), sign(second, { name: "x" }))],
    ["a signature of another key's blob", () => strings(sign(first), sign(second, { key: first.publicKey }))],
    ["one signature less", () => strings(sign(first))],
    ["one signature more", () => strings(sign(first), sign(second), sign(second))],
    ["bytes after the signatures", () => concat(strings(sign(first), sign(second)), Uint8Array.of(0))],
    ["nothing", () => new Uint8Array(0)],
    ["an empty signature", () => strings(sign(first), new Uint8Array(0))],
  ])("is rejected with %s", async (_title, reply) => {
    expect(await rejection(prove(await reply()))).toBeInstanceOf(SshError);
  });

  it("is rejected if the server refuses, or there is no session", async () => {
    expect(await rejection(prove(new Uint8Array(0), { ok: false }))).toMatchObject({ code: "refused" });
    const reply = strings(sign(first), sign(second));
    expect(await rejection(prove(reply, { session: new Uint8Array(0) }))).toMatchObject({ code: "refused" });
  });
});
