/** Host keys in files, and the certificates for them. @module */
import { readFileSync, statSync } from "node:fs";
import { type CertificateSigner, createCertificateSigner } from "@postern/keys";
import { readPrivateKey, type Signer } from "@postern/node";
import { systemReason } from "./sshd-config/parse.ts";

const maxBytes = 1024 * 1024;
const bar = "@".repeat(59);

/** Reads a private key. @throws Error whose message has the lines that sshd prints */
export async function readHostKey(path: string): Promise<Signer> {
  let text: string;
  try {
    const { mode, uid, size } = statSync(path);
    // As sshd: the owner of the process must not let others read its key.
    if (uid === process.getuid?.() && (mode & 0o077) !== 0) throw new Error(tooOpen(path, mode));
    if (size > maxBytes) throw new Error(`expected ${path} to have at most ${maxBytes} bytes, got ${size}`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new Error(`Unable to load host key "${path}": ${systemReason(code)}`, { cause: error });
  }
  try {
    return await readPrivateKey(text);
  } catch (error) {
    throw new Error(`Unable to load host key "${path}": ${(error as Error).message}`);
  }
}

/** Reads a host certificate, and puts it on the key that it certifies. @throws Error in the words of sshd */
export function withCertificate(path: string, keys: readonly Signer[]): CertificateSigner {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(
      `Could not load host certificate "${path}": ${systemReason((error as NodeJS.ErrnoException).code ?? "")}`,
    );
  }
  for (const key of keys) {
    try {
      return createCertificateSigner(key, text, { type: "host" });
    } catch {
      // The certificate is for another key.
    }
  }
  throw new Error(`No matching private key for certificate: ${path}`);
}

function tooOpen(path: string, mode: number): string {
  return [
    bar,
    "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @",
    bar,
    `Permissions 0${(mode & 0o777).toString(8)} for '${path}' are too open.`,
    "It is required that your private key files are NOT accessible by others.",
    "This private key will be ignored.",
    `Unable to load host key "${path}": bad permissions`,
  ].join("\n");
}
