/** Finds the public keys in a file. @module */
import { needsKeyFileReader, parseKnownHosts, parsePublicKey, publicKeyIn } from "@postern/keys";
import { rewritePrivateKey } from "@postern/node";
import { type Bytes, equal, SshError, toBase64 } from "@postern/wire";
import { readTextFile } from "../system/read-text-file.ts";

/** A public key, and what stands beside it: a comment, or the names of hosts. */
export interface FoundKey {
  readonly blob: Bytes;
  readonly comment: string;
}

/**
 * Returns the public keys of a file: a private key, a public key or certificate, or any number of them as in
 * authorized_keys and known_hosts. Lines that are no keys are left out, as by `ssh-keygen -l`.
 *
 * @param passphrase asks for the passphrase of formats whose public key is encrypted, too
 * @throws SshError `key` if there is none
 */
export async function keysIn(path: string, passphrase: () => Promise<string>): Promise<readonly FoundKey[]> {
  const text = await readTextFile(path);
  if (/^\s*(?:-----BEGIN |PuTTY-User-Key-File|\{)/.test(text)) return [await publicPart(path, text, passphrase)];
  const found = text.split("\n").flatMap((line) => keyOfLine(line) ?? []);
  if (found.length === 0) throw new SshError("key", `expected a key in ${path}, got none`);
  return found;
}

async function publicPart(path: string, text: string, passphrase: () => Promise<string>): Promise<FoundKey> {
  if (!text.includes("BEGIN OPENSSH PRIVATE KEY") || !needsKeyFileReader(text)) {
    const { publicKey, comment } = await rewritePrivateKey(text, { passphrase, newPassphrase: "" });
    return { blob: publicKey, comment };
  }
  // The comment is encrypted, but the file beside it has it, too.
  const blob = publicKeyIn(text);
  const beside = keyOfLine(await readTextFile(`${path}.pub`).catch(() => ""));
  return beside !== undefined && equal(beside.blob, blob) ? beside : { blob, comment: "" };
}

/** A line of known_hosts begins with hosts, and one of authorized_keys may begin with options. */
function keyOfLine(line: string): FoundKey | undefined {
  if (/^\s*(?:#|$)/.test(line)) return undefined;
  const types = /(?:^|\s)((?:sk-)?(?:ssh|ecdsa)-[\w@.-]+)\s+AAAA/g;
  for (const { 1: type = "", index } of line.matchAll(types)) {
    const rest = line.slice(line.indexOf(type, index));
    try {
      const { blob, comment } = parsePublicKey(rest);
      const [known] = index === 0 ? [] : parseKnownHosts(line);
      return { blob, comment: known?.base64 === toBase64(blob) ? known.hosts : comment };
    } catch {
      // Not this place, or no key.
    }
  }
  return undefined;
}
