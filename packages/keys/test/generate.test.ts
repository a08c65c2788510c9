import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatePrivateKey, parsePrivateKey, readPrivateKey } from "@postern/noble";
import { seededRandom } from "@postern/testkit";
import { afterAll, describe, expect, it } from "vitest";
import { formatPublicKey, type GenerateOptions } from "../src/index.ts";

const keygen = "/usr/bin/ssh-keygen";
const puttygen = "/usr/bin/puttygen";
if (!existsSync(keygen)) process.stderr.write("skipped: ssh-keygen is not installed: apt-get install openssh-client\n");
if (!existsSync(puttygen)) process.stderr.write("skipped: puttygen is not installed: apt-get install putty-tools\n");

const folder = mkdtempSync(join(tmpdir(), "postern-generate-"));
afterAll(() => rmSync(folder, { recursive: true }));
const save = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};

const passphrase = "pässwörd with spaces";
const kinds: readonly (readonly [string, GenerateOptions])[] = [
  ["ssh-ed25519", {}],
  ["ssh-ed25519", { type: "ed25519", passphrase }],
  ["ecdsa-sha2-nistp256", { type: "ecdsa" }],
  ["ecdsa-sha2-nistp256", { type: "ecdsa", passphrase }],
  ["ecdsa-sha2-nistp384", { type: "ecdsa", bits: 384, passphrase }],
  ["ecdsa-sha2-nistp521", { type: "ecdsa", bits: 521 }],
  ["ssh-rsa", { type: "rsa" }],
  ["ssh-rsa", { type: "rsa", bits: 2048, passphrase }],
];

describe("generatePrivateKey", () => {
  it("generates a key that parsePrivateKey accepts, with a comment of any length", () => {
    for (let length = 0; length < 20; length++) {
      const comment = "c".repeat(length);
      const key = parsePrivateKey(generatePrivateKey({ comment, random: seededRandom("key") }));
      expect(key).toMatchObject({ type: "ssh-ed25519", comment });
    }
  });

  it.each([
    { comment: 7 },
    { comment: null },
    { random: 7 },
    null,
    "me@laptop",
    { type: "dsa" },
    { type: 7 },
    { type: "ecdsa", bits: 255 },
    { type: "rsa", bits: 1024 },
    { type: "rsa", bits: 16_385 },
    { type: "rsa", bits: "2048" },
    { passphrase: "" },
    { passphrase: 7 },
    // A misspelt name must not write the key in plain text.
    { passPhrase: "secret" },
    { size: 2048 },
  ])("rejects options of other types as misuse: %j", (options) => {
    expect(() => generatePrivateKey(options as never)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("generates different keys, and different salts for equal ones", async () => {
    expect(generatePrivateKey()).not.toBe(generatePrivateKey());
    expect(await generatePrivateKey({ passphrase })).not.toBe(await generatePrivateKey({ passphrase }));
  });

  it("returns a text at once unless the key is RSA or encrypted", () => {
    expect(generatePrivateKey({ type: "ecdsa" })).toMatch(/^-----BEGIN OPENSSH/);
    expect(generatePrivateKey({ passphrase })).toBeInstanceOf(Promise);
  });

  it.each(kinds)("generates a key of type %s that readPrivateKey accepts (%j)", async (type, options) => {
    const text = await generatePrivateKey({ ...options, comment: "made here" });
    const signer = await readPrivateKey(text, { passphrase: options.passphrase });
    expect(formatPublicKey(signer.publicKey)).toMatch(new RegExp(`^${type} AAAA`));
    if (options.passphrase === undefined) return;
    await expect(readPrivateKey(text)).rejects.toMatchObject({ code: "passphrase" });
    await expect(readPrivateKey(text, { passphrase: "another" })).rejects.toMatchObject({ code: "passphrase" });
  });

  it.skipIf(!existsSync(keygen)).each(kinds)(
    "generates a key of type %s that ssh-keygen accepts (%j)",
    async (_type, options) => {
      const text = await generatePrivateKey({ ...options, comment: "made here" });
      const file = save("key", text);
      const line = execFileSync(keygen, ["-y", "-P", options.passphrase ?? "", "-f", file], { encoding: "utf8" });
      const signer = await readPrivateKey(text, { passphrase: options.passphrase });
      expect(line.trim()).toBe(formatPublicKey(signer.publicKey, "made here"));
    },
  );

  it.skipIf(!existsSync(puttygen)).each(kinds)(
    "generates a key of type %s that puttygen accepts (%j)",
    async (_type, options) => {
      const text = await generatePrivateKey({ ...options, comment: "made here" });
      const [file, phrase] = [save("key", text), save("phrase", options.passphrase ?? "")];
      const output = join(folder, "out.pub");
      execFileSync(puttygen, [file, "--old-passphrase", phrase, "-O", "public-openssh", "-o", output]);
      const signer = await readPrivateKey(text, { passphrase: options.passphrase });
      expect(readFileSync(output, "utf8").trim()).toBe(formatPublicKey(signer.publicKey, "made here"));
    },
  );
});
