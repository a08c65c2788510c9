/** Logs in to OpenSSH with keys of every format, and with keys that we generated. */
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
import { contentOf, type KeyFileVector, loadVectors } from "@postern/testkit/vectors";
import { privateKey as portablePrivateKey } from "@postern/web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Sshd, sshdVersions, startSshd, tempDir, verdictTable } from "./harness/index.ts";

const families = [
  "file-openssh",
  "file-pkcs8",
  "file-pkcs8-encrypted",
  "file-pem",
  "file-ppk",
  "file-pkcs12",
  "file-jwk",
] as const;
const vectors = families.flatMap((family) =>
  // One of each format and type of key, because the unit tests read all of them.
  [...firstOfEachKey(loadVectors("keys", family).vectors as KeyFileVector[])].map(
    (vector) => [family, vector] as const,
  ),
);

function firstOfEachKey(all: readonly KeyFileVector[]): Iterable<KeyFileVector> {
  return new Map(all.map((one) => [one.publicLine.split(" ")[0], one])).values();
}

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
    const lines = vectors.map(([, { publicLine }]) => publicLine);
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
  });
  afterAll(async () => {
    await sshd?.stop();
    dir.remove();
  });

  it.skipIf(lacks).each(vectors)("logs in with %s, by node:crypto and in JavaScript", async (family, vector) => {
    const ask = () => Promise.resolve(vector.passphrase ?? "");
    await logIn(privateKey(contentOf(vector), { passphrase: ask }));
    await logIn(portablePrivateKey(contentOf(vector), { passphrase: ask }));
    const encryption = vector.passphrase === undefined ? "" : ", encrypted";
    verdict(`${family} ${vector.publicLine.split(" ")[0]}${encryption}`, server, "accepted");
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
