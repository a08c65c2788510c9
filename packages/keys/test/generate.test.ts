import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatePrivateKey, parsePrivateKey } from "@postern/noble";
import { seededRandom } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { formatPublicKey } from "../src/index.ts";

const keygen = "/usr/bin/ssh-keygen";
if (!existsSync(keygen)) process.stderr.write("skipped: ssh-keygen is not installed: apt-get install openssh-client\n");

describe("generatePrivateKey", () => {
  it("generates a key that parsePrivateKey accepts, with a comment of any length", () => {
    for (let length = 0; length < 20; length++) {
      const comment = "c".repeat(length);
      const key = parsePrivateKey(generatePrivateKey({ comment, random: seededRandom("key") }));
      expect(key).toMatchObject({ type: "ssh-ed25519", comment });
    }
  });

  it("rejects options of other types as misuse", () => {
    for (const options of [{ comment: 7 }, { comment: null }, { random: 7 }, null, "me@laptop"]) {
      expect(() => generatePrivateKey(options as never)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });

  it("generates different keys", () => {
    expect(generatePrivateKey()).not.toBe(generatePrivateKey());
  });

  it.skipIf(!existsSync(keygen))("generates a key that ssh-keygen accepts", () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-generate-"));
    try {
      const file = join(folder, "key");
      const text = generatePrivateKey({ comment: "made here" });
      writeFileSync(file, text, { mode: 0o600 });
      const line = execFileSync(keygen, ["-y", "-f", file], { encoding: "utf8" }).trim();
      expect(line).toBe(formatPublicKey(parsePrivateKey(text).publicKey, "made here"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
