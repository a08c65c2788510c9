/** Logs in to OpenSSH with keys that we generated. The formats of other programs are in identities.test.ts. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import {
  type AuthMethod,
  fingerprint,
  generatePrivateKey,
  privateKey,
  privateKeyFile,
  ReverseTunnel,
} from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Sshd, sshdVersions, startSshd, tempDir, verdictTable } from "./harness/index.ts";

const verdict = verdictTable();

describe.each(sshdVersions())("login to $name with key files", ({ name: server, lacks, root }) => {
  const dir = tempDir("postern-key-files");
  const passphrase = "secret words";
  let sshd: Sshd;

  async function logIn(method: AuthMethod): Promise<void> {
    const { port, user } = sshd;
    const hostKey = fingerprint(sshd.fingerprint());
    const tunnel = new ReverseTunnel({ host: "127.0.0.1", port, user, auth: method, hostKey });
    const before = sshd.log().length;
    await tunnel.connect();
    await tunnel.close();
    expect(sshd.log().slice(before)).toContain(`Accepted publickey for ${user} `);
  }

  const generated = new Map<string, string>();

  beforeAll(async () => {
    if (lacks !== undefined) return;
    const lines: string[] = [];
    for (const [name, options] of [
      ["rsa", { type: "rsa", passphrase }],
      ["ecdsa", { type: "ecdsa", bits: 384, passphrase }],
      ["ed25519", { passphrase }],
    ] as const) {
      const [text, file] = [await generatePrivateKey(options), dir.file(name)];
      writeFileSync(file, text, { mode: 0o600 });
      lines.push(execFileSync("ssh-keygen", ["-y", "-P", passphrase, "-f", file], { encoding: "utf8" }).trim());
      generated.set(name, file);
    }
    sshd = await startSshd({ ...root(), authorizedKeys: lines });
  }, 120_000);
  afterAll(async () => {
    await sshd?.stop();
    dir.remove();
  });

  it.skipIf(lacks).each(["rsa", "ecdsa", "ed25519"])("logs in with a generated key and its file: %s", async (name) => {
    const file = generated.get(name) ?? "";
    await logIn(privateKey(readFileSync(file), { passphrase }));
    await logIn(privateKeyFile(file, { passphrase }));
    verdict(`generated ${name} key, encrypted`, server, "accepted");
  });

  it.skipIf(lacks)("fails with the code credentials, caused by the wrong passphrase", async () => {
    const wrong = privateKeyFile(generated.get("ed25519") ?? "", { passphrase: "wrong" });
    await expect(logIn(wrong)).rejects.toMatchObject({ code: "credentials", cause: { code: "passphrase" } });
    verdict("encrypted key, wrong passphrase", server, "not sent");
  });
});
