/** `createKnownHosts` at the moments between a lookup and the write that follows it, and the cost of lookups. */
import { createHmac } from "node:crypto";
import { formatKnownHostsLine, type HmacSha1, keyType } from "@postern/keys";
import { ecdsaNistp256, ecdsaNistp384, modernAlgorithms, rsaSha2_512, sha256, sshEd25519 } from "@postern/noble";
import { deferred } from "@postern/ssh";
import { otherHostKey, rejection, seededRandom, testHostKey } from "@postern/testkit";
import { type Bytes, fromHex, toBase64, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { HostKeyOffer } from "../src/host-key.ts";
import { createKnownHosts } from "../src/known-hosts.ts";
import { type HostKeyUpdate, type KnownHostsOptions, portableBackend } from "../src/known-hosts-options.ts";

const [ours, others] = [testHostKey().publicKey, otherHostKey().publicKey];
const hmacSha1: HmacSha1 = (key, data) => createHmac("sha1", key).update(data).digest();

function offer(key: Bytes): HostKeyOffer {
  const names = { host: "ssh.example.com", port: 22, keyType: "ssh-ed25519", algorithm: "ssh-ed25519" };
  return { ...names, key, fingerprint: "SHA256:x", hostKeyAlgorithms: modernAlgorithms.hostKeys };
}

function world(options: KnownHostsOptions, lines: string[] = [], hmac = hmacSha1) {
  const store = {
    load: async () => lines.join("\n"),
    add: async (line: string) => void lines.push(line),
    remove: async (line: string) => void lines.splice(lines.indexOf(line), 1),
  };
  const random = seededRandom("known hosts");
  const moreHostKeys = () => [ecdsaNistp256, ecdsaNistp384];
  const primitives = { hmacSha1: hmac, sha256, random, moreHostKeys };
  const verifier = createKnownHosts(portableBackend({ store }), options, primitives);
  return { lines, verifier, check: async (key: Bytes) => await verifier.check(offer(key)) };
}

describe("accepting a key", () => {
  it("accepts one of two keys that a host presents at the same time in the mode accept-new", async () => {
    const { lines, check } = world({ mode: "accept-new" });
    const [first, second] = await Promise.allSettled([check(ours), check(others)]);
    expect(first).toEqual({ status: "fulfilled", value: true });
    expect(second).toMatchObject({ reason: { code: "hostkey", message: expect.stringContaining("has changed") } });
    expect(lines).toEqual([formatKnownHostsLine("ssh.example.com", ours)]);
  });

  it("stores a key once that two connections see at the same time", async () => {
    const { lines, check } = world({ mode: "accept-new" });
    expect(await Promise.all([check(ours), check(ours)])).toEqual([true, true]);
    expect(lines).toHaveLength(1);
  });

  it.each(["", "@revoked "])("refuses a key if the line %j… has come while the user was asked", async (marker) => {
    const answer = deferred<boolean>();
    const { lines, check } = world({ ask: () => answer.promise });
    const checked = rejection(check(ours));
    const line = `${marker}${formatKnownHostsLine("ssh.example.com", marker === "" ? others : ours)}`;
    lines.push(line);
    answer.resolve(true);
    expect(await checked).toMatchObject({ code: "hostkey" });
    expect(lines).toEqual([line]);
  });

  it("stores the next key after one that could not be stored", async () => {
    const lines: string[] = [];
    const { verifier, check } = world({ mode: "accept-new" }, lines);
    const error = await rejection(Promise.resolve(verifier.check({ ...offer(ours), host: "a b" })));
    expect(error.code).toBe("hostkey");
    expect(await check(ours)).toBe(true);
    expect(lines).toHaveLength(1);
  });
});

describe("lookups", () => {
  it("compute the HMAC of a hashed line once for the order of algorithms and the key, and again for other lines", async () => {
    let count = 0;
    const counting: HmacSha1 = (key, data) => {
      count++;
      return hmacSha1(key, data);
    };
    const salt = { bytes: new Uint8Array(20), hmacSha1 };
    const lines = Array.from({ length: 10 }, (_, n) => formatKnownHostsLine(`host-${n}`, others, salt));
    lines.push(formatKnownHostsLine("ssh.example.com", ours));
    const { verifier, check } = world({}, lines, counting);
    await verifier.algorithms?.(offer(ours), modernAlgorithms.hostKeys);
    expect(count).toBe(10);
    expect(await check(ours)).toBe(true);
    expect(count).toBe(10);
    lines[0] = formatKnownHostsLine("ssh.example.com", others, salt);
    lines.pop();
    expect(await rejection(check(ours))).toMatchObject({
      code: "hostkey",
      message: expect.stringContaining("changed"),
    });
    // The line that matches is looked up by the verdict, too.
    expect(count).toBe(21);
  });
});

describe("algorithms of known ECDSA keys", () => {
  const ecdsa = new Writer()
    .text("ecdsa-sha2-nistp256")
    .text("nistp256")
    .string(fromHex(`04${"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296".repeat(2)}`))
    .finish();
  const line = (names: string, key: Bytes = ecdsa) => `${names} ${keyType(key)} ${toBase64(key)}`;
  const modern = [sshEd25519, rsaSha2_512];
  const plain = ["ssh-ed25519", "rsa-sha2-512"];
  const certified = (names: readonly string[]) => names.map((name) => `${name}-cert-v01@openssh.com`);
  const all = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "rsa-sha2-512"];

  it.each([
    ["are added first if only such a key is known", [line("ssh.example.com")], ["ecdsa-sha2-nistp256", ...plain]],
    [
      "are added after Ed25519 if that is known, too (order_hostkeyalgs of OpenSSH)",
      [line("ssh.example.com"), line("ssh.example.com", ours)],
      ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"],
    ],
    ["are all added for a CA", [`@cert-authority ${line("*.example.com", ours)}`], [...certified(all), ...all]],
    ["are not added for other hosts", [line("ssh.example.net")], plain],
    ["are not added for a revoked key", [`@revoked ${line("ssh.example.com")}`], plain],
    ["are not added if nothing is known", [], plain],
  ] as const)("%s", async (_what, lines, expected) => {
    const { verifier } = world({}, [...lines]);
    const chosen = await verifier.algorithms?.(offer(ours), modern, true);
    expect(chosen?.map(({ name }) => name)).toEqual(expected);
  });

  it("are not added to algorithms that the program chose", async () => {
    const { verifier } = world({}, [line("ssh.example.com")]);
    expect(await verifier.algorithms?.(offer(ours), modern, false)).toEqual(modern);
  });
});

describe("UpdateHostKeys", () => {
  const request = async () => undefined;
  const announcement = (keys: readonly Bytes[]) => {
    const writer = new Writer();
    for (const key of keys) writer.string(key);
    return { data: writer.finish(), sessionId: new Uint8Array(32), request };
  };

  it("computes the HMAC of a hashed line a few times, however many keys are announced", async () => {
    let count = 0;
    const counting: HmacSha1 = (key, data) => {
      count++;
      return hmacSha1(key, data);
    };
    const salt = { bytes: new Uint8Array(20), hmacSha1 };
    const hashed = Array.from({ length: 100 }, (_, n) => formatKnownHostsLine(`host-${n}`, others, salt));
    const lines = [formatKnownHostsLine("ssh.example.com", ours), ...hashed];
    const { verifier } = world({ updateHostKeys: true }, lines, counting);
    const keys = Array.from({ length: 31 }, (_, n) =>
      new Writer().text("ssh-ed25519").string(new Uint8Array(32).fill(n)).finish(),
    );
    await verifier.updateHostKeys?.(offer(ours), announcement([ours, ...keys]));
    expect(count).toBeGreaterThanOrEqual(hashed.length);
    expect(count).toBeLessThanOrEqual(3 * hashed.length);
  });

  it("calls onUpdate once, even if it throws", async () => {
    const updates: HostKeyUpdate[] = [];
    const onUpdate = (update: HostKeyUpdate): void => {
      updates.push(update);
      throw new Error("a mistake in the program");
    };
    const lines = [ours, others].map((key) => formatKnownHostsLine("ssh.example.com", key));
    const { verifier } = world({ updateHostKeys: true, onUpdate }, [...lines]);
    const updating = async () => await verifier.updateHostKeys?.(offer(ours), announcement([ours]));
    await expect(updating()).rejects.toThrow("a mistake");
    expect(updates).toMatchObject([{ removed: [lines[1]], added: [] }]);
  });

  it("keeps keys that the server may have, but this connection could not use", async () => {
    const rsa = new Writer()
      .text("ssh-rsa")
      .mpint(Uint8Array.of(1, 0, 1))
      .mpint(new Uint8Array(256).fill(0xff))
      .finish();
    const lines = [ours, rsa].map((key) => formatKnownHostsLine("ssh.example.com", key));
    const { verifier, lines: after } = world({ updateHostKeys: true }, [...lines]);
    const hostKeyAlgorithms = modernAlgorithms.hostKeys.filter(({ keyType }) => keyType === "ssh-ed25519");
    await verifier.updateHostKeys?.({ ...offer(ours), hostKeyAlgorithms }, announcement([ours, rsa]));
    expect(after).toEqual(lines);
  });
});
