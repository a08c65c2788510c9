/** `postern fingerprint`, of files, of known_hosts and of a real server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatPublicKey } from "@postern/keys";
import { generatePrivateKey, readPrivateKey, TunnelHost } from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { runFingerprint } from "../src/fingerprint/fingerprint.ts";
import { fingerprintLine } from "../src/fingerprint/format.ts";
import { fingerprintHelp } from "../src/fingerprint/help.ts";

let folder = "";
let host: TunnelHost;
let blobs: readonly Uint8Array[] = [];
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "postern-fingerprint-"));
  const texts = [
    generatePrivateKey(),
    generatePrivateKey({ type: "ecdsa" }),
    await generatePrivateKey({ type: "rsa", bits: 2048 }),
  ];
  const hostKeys = await Promise.all(texts.map((text) => readPrivateKey(text)));
  blobs = hostKeys.map(({ publicKey }) => publicKey);
  host = await TunnelHost.listen({ port: 0, address: "127.0.0.1", hostKeys, authorize: () => false });
});
afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => void vi.restoreAllMocks());

async function fingerprint(...args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  const [out, err] = [process.stdout, process.stderr].map((stream) => {
    const printed: string[] = [];
    vi.spyOn(stream, "write").mockImplementation((text) => {
      printed.push(String(text));
      return true;
    });
    return printed;
  });
  const status = await runFingerprint(fingerprintHelp, args);
  vi.restoreAllMocks();
  return { status, out: out?.join("") ?? "", err: err?.join("") ?? "" };
}

describe("postern fingerprint", () => {
  it("prints each host key of a server that it can prove to own, and does not log in", async () => {
    const logins: unknown[] = [];
    host.addEventListener("login", (event) => void logins.push(event));
    const where = `127.0.0.1:${host.port}`;
    const { status, out } = await fingerprint(where);
    expect(out.trimEnd().split("\n")).toEqual(blobs.map((blob) => fingerprintLine(blob, where)));
    expect(status).toBe(0);
    expect(logins).toEqual([]);
  });

  it("prints lines for known_hosts, in which it finds the host afterwards", async () => {
    const { out } = await fingerprint("--keys", "-p", String(host.port), "me@127.0.0.1");
    expect(out).toBe(blobs.map((blob) => `[127.0.0.1]:${host.port} ${formatPublicKey(blob)}\n`).join(""));
    writeFileSync(path("known"), `# comment\n${out}`);
    const found = await fingerprint("-F", "-f", path("known"), `[127.0.0.1]:${host.port}`);
    expect(found.out).toContain(`# Host [127.0.0.1]:${host.port} found: ${path("known")}:2\n256 SHA256:`);
    expect(found.out.trimEnd().split("\n")).toHaveLength(6);
  });

  it("finds hashed names and patterns in known_hosts", async () => {
    const [blob = new Uint8Array()] = blobs;
    // Of ssh-keygen -H, with the name "host.example".
    const hashed = "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|NKTCwVk6nUyPDm+1tm63QsYZ5NM=";
    writeFileSync(
      path("patterns"),
      `*.example,!other.example ${formatPublicKey(blob)}\n${hashed} ${formatPublicKey(blob)}\n`,
    );
    expect((await fingerprint("-F", "-f", path("patterns"), "host.example")).out).toContain(`patterns:1\n`);
    const { status, err } = await fingerprint("-F", "-f", path("patterns"), "other.example");
    expect({ status, err }).toEqual({
      status: 1,
      err: "other.example: expected a key of other.example in known_hosts, got none\n",
    });
  });

  it("prints the key of a file with its picture", async () => {
    writeFileSync(path("key"), generatePrivateKey({ comment: "my key" }));
    const { out } = await fingerprint("-v", path("key"));
    expect(out).toMatch(
      /^256 SHA256:\S{43} my key \(ED25519\)\n\+--\[ED25519 256\]--\+\n(\|.{17}\|\n){9}\+----\[SHA256\]-----\+\n$/,
    );
  });

  it("names each file and host that has no key, and prints the others", async () => {
    writeFileSync(path("empty"), "nothing\n");
    writeFileSync(path("good"), generatePrivateKey());
    const { status, out, err } = await fingerprint(path("empty"), "127.0.0.1:1", path("good"));
    expect(status).toBe(1);
    expect(out).toMatch(/^256 SHA256:\S+ no comment \(ED25519\)\n$/);
    expect(err.split("\n").map((line) => line.split(": ")[0])).toEqual([path("empty"), "127.0.0.1:1", ""]);
  });

  it.each([["no/such/file"], ["-p", "70000", "host"], ["-E", "sha1", "host"], ["-F"], ["-T", "0", "host"]])(
    "rejects %s %s",
    async (...args) => {
      const outcome = await fingerprint(...args).catch((error: Error) => ({ status: 255, err: error.message }));
      expect(outcome.status).not.toBe(0);
      expect(outcome.err).toContain("expected");
    },
  );
});
