/** Certificates made by `ssh-keygen -s`, and security keys in software. @module */
import { copyFileSync, readFileSync } from "node:fs";
import type { KeyPair } from "./keys.ts";
import { run } from "./process.ts";
import { lacksFile } from "./requirements.ts";
import type { TempDir } from "./temp-dir.ts";

export interface CertificateFile {
  /** the file that ends with `-cert.pub` */
  readonly file: string;
  /** its line */
  readonly text: string;
}

/** OpenSSH's security key in software, for `ssh-keygen -w` and the option SecurityKeyProvider. */
export const skProvider = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/** Returns undefined if security keys can be made, otherwise the reason, which it prints. */
export function noSecurityKeys(): string | undefined {
  const reason = lacksFile(skProvider, "openssh-tests");
  if (reason !== undefined) process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}

let next = 0;

/** Certifies the public key of a file. `args` are those of `ssh-keygen -s`, after the CA. */
export async function certify(
  dir: TempDir,
  authority: string,
  publicFile: string,
  ...args: readonly string[]
): Promise<CertificateFile> {
  const name = dir.file(`certified${next++}`);
  copyFileSync(publicFile, `${name}.pub`);
  await run("ssh-keygen", ["-q", "-s", authority, ...args, `${name}.pub`]);
  return { file: `${name}-cert.pub`, text: readFileSync(`${name}-cert.pub`, "utf8") };
}

/** Makes a security key in software. `args` are options of `ssh-keygen`, such as `-O no-touch-required`. */
export async function makeSecurityKey(
  type: "ed25519-sk" | "ecdsa-sk",
  file: string,
  ...args: readonly string[]
): Promise<Pick<KeyPair, "file" | "publicLine">> {
  await run("ssh-keygen", ["-q", "-t", type, "-w", skProvider, ...args, "-N", "", "-C", "", "-f", file]);
  return { file, publicLine: readFileSync(`${file}.pub`, "utf8").trim() };
}
