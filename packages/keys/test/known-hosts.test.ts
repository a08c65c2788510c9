/** The text of known_hosts, where the vectors do not reach: hostile input, formatting, names. */
import { createHmac } from "node:crypto";
import { type Bytes, toBase64, utf8, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  checkKnownHosts,
  formatKnownHostsLine,
  type HmacSha1,
  KnownHostsLimits,
  knownHostsName,
  knownKeys,
  matchesKnownHost,
  orderHostKeyAlgorithms,
  parseKnownHosts,
} from "../src/index.ts";

const hmacSha1: HmacSha1 = (key, data) => createHmac("sha1", key).update(data).digest();
const ed25519 = (fill: number): Bytes =>
  new Writer().text("ssh-ed25519").string(new Uint8Array(32).fill(fill)).finish();
const line = (fill: number) => `ssh-ed25519 ${toBase64(ed25519(fill))}`;
const host = "ssh.example.com";
const verdict = (text: string, port = 22) =>
  checkKnownHosts(parseKnownHosts(text, "file"), { host, port, key: ed25519(1) }, hmacSha1);

describe("hostile known hosts", () => {
  it.each([
    ["80 KB of =", "=".repeat(80_000)],
    ["80 KB of = as a key", `${host} ssh-ed25519 ${"=".repeat(80_000)}`],
    ["80 KB of = as a hash", `|1|${"=".repeat(80_000)}|x ${line(2)}`],
    ["a million stars", `${"*".repeat(1_000_000)} ${line(2)}`],
    ["a pattern that backtracks", `${"*a".repeat(500)}b ${line(2)}`],
    ["a hundred thousand empty patterns", `${",".repeat(100_000)} ${line(2)}`],
    ["a hundred thousand spaces", `${" ".repeat(100_000)}#`],
    ["a hundred thousand spaces between fields", `${host}${" ".repeat(100_000)}#`],
    ["a key of a million characters", `${host} ssh-ed25519 ${"A".repeat(1_000_000)}`],
    ["a key type of a million characters", `${host} ${"a".repeat(1_000_000)} AAAA`],
    ["a marker of a million characters", `@${"a".repeat(1_000_000)} ${host} ${line(2)}`],
    ["NUL before the key", `${host}\0 ${line(2)}`],
    ["a blob whose length lies", `${host} ssh-ed25519 ${toBase64(new Uint8Array([0x40, 0, 0, 0, 1]))}`],
    ["unpaired surrogates", `\ud800\udc00\ud800 ${line(2)}`],
  ])("ignores %s, and finds the line after it", (_title, text) => {
    expect(verdict(text)).toEqual({ status: "unknown" });
    expect(verdict(`${text}\n${host} ${line(1)}\n`)).toMatchObject({ status: "trusted", line: { number: 2 } });
  });

  it("trusts, refuses or ignores every prefix of a file, and never throws", () => {
    const text = `@revoked * ${line(3)}\n@cert-authority *.org ${line(4)}\n${host},x ${line(1)} comment\n`;
    for (let size = 0; size <= text.length; size++) {
      const { status } = verdict(text.slice(0, size));
      expect(status).toBe(size >= text.indexOf(" comment") ? "trusted" : "unknown");
    }
  });

  it("refuses a text that is too long", () => {
    expect(() => parseKnownHosts("\n".repeat(KnownHostsLimits.characters + 1), "/x")).toThrow(
      expect.objectContaining({ code: "key", message: expect.stringContaining("in /x") }),
    );
    expect(() => parseKnownHosts("\n".repeat(KnownHostsLimits.characters + 1))).toThrow(/got 16777217$/);
  });

  it("computes one HMAC per hashed line and name, and none for other lines", () => {
    let count = 0;
    const counting: HmacSha1 = (key, data) => {
      count++;
      return hmacSha1(key, data);
    };
    const hashed = formatKnownHostsLine("x", ed25519(2), { bytes: new Uint8Array(20), hmacSha1 });
    const text = `${`${hashed}\n`.repeat(100)}${`y ${line(2)}\n|1|AAAA|AAAA ${line(2)}\n`.repeat(100)}`;
    checkKnownHosts(parseKnownHosts(text), { host, port: 2222, key: ed25519(1) }, counting);
    expect(count).toBe(200);
  });

  it("compares a name of more than 1024 characters with nothing", () => {
    expect(matchesKnownHost("*", "a".repeat(1024), hmacSha1)).toBe(true);
    expect(matchesKnownHost("*", "a".repeat(1025), hmacSha1)).toBe(false);
  });
});

describe("formatKnownHostsLine", () => {
  it("writes a line that is read back", () => {
    const name = knownHostsName("SSH.example.com", 2222);
    for (const salt of [undefined, { bytes: new Uint8Array(20).fill(7), hmacSha1 }]) {
      const text = formatKnownHostsLine(name, ed25519(1), salt);
      expect(text.includes(host)).toBe(salt === undefined);
      expect(verdict(text, 2222)).toMatchObject({ status: "trusted", name: "[ssh.example.com]:2222" });
      expect(verdict(text, 2223)).toEqual({ status: "unknown" });
    }
  });

  it("hashes as OpenSSH does: HMAC-SHA1 with the salt as the key", () => {
    const salt = utf8("0123456789abcdefghij");
    const mac = createHmac("sha1", salt).update("x").digest("base64");
    const text = formatKnownHostsLine("x", ed25519(1), { bytes: salt, hmacSha1 });
    expect(text).toBe(`|1|${toBase64(salt)}|${mac} ${line(1)}`);
  });

  it.each([
    "",
    "a b",
    "a,b",
    "*.example.com",
    "a?",
    "!a",
    "|1|a",
    "a\n",
    "@revoked",
    "#a",
    "a\0",
    "a\x1b",
    "a\u4e2a",
    "\u4e0aa",
  ])("refuses %j, which would match other hosts or none", (name) => {
    expect(() => formatKnownHostsLine(name, ed25519(1))).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});

describe("a key that a lookup would ignore", () => {
  it.each([
    [
      "too large",
      new Writer().text("sk-ssh-ed25519@openssh.com").string(new Uint8Array(32)).string(new Uint8Array(16_000)),
    ],
    ["of another type", new Writer().text("ssh-future").string(new Uint8Array(32))],
  ])("is not formatted if it is %s", (_title, key) => {
    expect(() => formatKnownHostsLine("x", key.finish())).toThrow(expect.objectContaining({ code: "key" }));
  });
});

describe("orderHostKeyAlgorithms", () => {
  const rsa = new Writer().text("ssh-rsa").mpint(Uint8Array.of(3)).mpint(new Uint8Array(128).fill(0x7f)).finish();
  const rsaLine = `${host} ssh-rsa ${toBase64(rsa)}`;
  const certificate = "ssh-ed25519-cert-v01@openssh.com";
  const names = ["ecdsa-sha2-nistp256", certificate, "ssh-ed25519", "rsa-sha2-512"];

  it.each([
    ["nothing is known", "", names],
    ["only another host is known", `x ${line(1)}`, names],
    ["a key is known", `${host} ${line(1)}`, [certificate, "ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"]],
    ["an RSA key is known", rsaLine, ["rsa-sha2-512", "ecdsa-sha2-nistp256", certificate, "ssh-ed25519"]],
    ["a key is revoked", `@revoked ${host} ${line(1)}`, names],
    [
      "a CA is known",
      `@cert-authority ${host} ${line(1)}`,
      [certificate, "ecdsa-sha2-nistp256", "ssh-ed25519", "rsa-sha2-512"],
    ],
  ])("puts first what is known: %s", (_, text, ordered) => {
    expect(orderHostKeyAlgorithms(names, parseKnownHosts(text), { host, port: 22 }, hmacSha1)).toEqual(ordered);
  });

  it("keeps the order if the first algorithm has a known key, and of an empty list", () => {
    const lines = parseKnownHosts(`${host} ${line(1)}\n${rsaLine}`);
    const order = (...list: readonly string[]) => orderHostKeyAlgorithms(list, lines, { host, port: 22 }, hmacSha1);
    expect(order("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256")).toEqual([
      "ssh-ed25519",
      "ecdsa-sha2-nistp256",
      "rsa-sha2-256",
    ]);
    expect(order()).toEqual([]);
  });
});

describe("parseKnownHosts", () => {
  it("keeps the text of each line", () => {
    const text = `  x ${line(1)}  a comment \r\n`;
    expect(parseKnownHosts(text, "f")).toMatchObject([{ text: text.slice(0, -1), number: 1, file: "f", hosts: "x" }]);
  });

  it("reads a text of another charset, one character per byte", () => {
    const text = `h\u00f6st ${line(1)} \u00ff\u00fe\nx ${line(1)} \u0080\n`;
    expect(knownKeys(parseKnownHosts(text), "x", hmacSha1)).toHaveLength(1);
  });

  it("rejects anything but a string", () => {
    expect(() => parseKnownHosts(undefined as unknown as string)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});
