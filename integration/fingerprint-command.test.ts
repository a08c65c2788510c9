/** `postern fingerprint` beside ssh-keyscan, ssh-keygen and a real server. Needs `dist`, which `npm test` builds. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Sshd, startSshd, tempDir } from "./harness/index.ts";

const postern = fileURLToPath(new URL("../packages/cli/dist/postern.js", import.meta.url));

describe.skipIf(missing("sshd", "ssh"))("postern fingerprint of a real sshd", () => {
  const dir = tempDir("postern-fingerprint");
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd({ hostKeyTypes: ["ed25519", "ecdsa256", "rsa2048"] });
  });
  afterAll(async () => {
    await sshd.stop();
    dir.remove();
  });

  it("prints the lines that ssh-keyscan prints", () => {
    const port = String(sshd.port);
    const theirs = output("ssh-keyscan", "-p", port, "127.0.0.1");
    const ours = output(process.execPath, postern, "fingerprint", "--keys", "-p", port, "127.0.0.1");
    expect(linesOf(ours)).toEqual(linesOf(theirs));
    expect(linesOf(ours)).toHaveLength(3);
  });

  it("prints the fingerprints that ssh-keygen prints for these lines", () => {
    const where = `[127.0.0.1]:${sshd.port}`;
    const lines = output(process.execPath, postern, "fingerprint", "-k", where);
    const theirs = output("ssh-keygen", "-l", "-f", save(dir.file("known_hosts"), lines));
    expect(output(process.execPath, postern, "fingerprint", where)).toBe(theirs);
    expect(output(process.execPath, postern, "fingerprint", dir.file("known_hosts"))).toBe(theirs);
  });
});

function output(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}

function save(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}
