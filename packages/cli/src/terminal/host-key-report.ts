/** Reports about host keys, as ssh prints them: details of the dialogue, and warnings of a refusal. @module */
import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import {
  checkKnownHosts,
  describePublicKey,
  type HmacSha1,
  type KnownHostsLine,
  type KnownHostsVerdict,
  keyType,
  knownKey,
  namesToLookUp,
  parseKnownHosts,
} from "@postern/keys";
import type { HostKeyCheck, HostKeyVerifier, UnknownHostKey } from "@postern/tunnel";
import { type Bytes, equal, toBase64, toHex } from "@postern/wire";
import {
  addedHostKeyWarning,
  changedHostKeyWarning,
  keyTypeName,
  type PresentedKey,
  revokedHostKeyWarning,
  unknownHostKeyWarning,
} from "./host-key-texts.ts";
import type { HostKeyDescription } from "./prompts.ts";
import { randomart } from "./randomart.ts";

/** The settings of ssh_config(5) that change what ssh prints about host keys. */
export interface HostKeyReportOptions {
  /** UserKnownHostsFile, with paths that are expanded */
  readonly files: readonly string[];
  /** GlobalKnownHostsFile */
  readonly globalFiles: readonly string[];
  /** FingerprintHash, the name of a hash; default `SHA256` */
  readonly fingerprintHash?: string | undefined;
  /** VisualHostKey; default `false` */
  readonly visualHostKey?: boolean | undefined;
  /** whether KnownHostsCommand may know the key, too; default `false` */
  readonly hasCommand?: boolean;
  /** Returns the IP address of the server. `undefined` behind a proxy or a jump host. */
  readonly address?: (key: UnknownHostKey) => string | undefined;
}

/** Reports about the host keys of a connection. */
export interface HostKeyReport {
  /** Returns the details that the dialogue shows: for `confirmHostKey` of `createPrompts`. */
  describe(key: UnknownHostKey): Promise<HostKeyDescription>;
  /**
   * Returns a check that decides as the given verifier, and prints what ssh prints: that a key was added, or why it is
   * refused. Other checks are returned as they are. The caller prints `Host key verification failed.`, the last line.
   */
  observe(check: HostKeyCheck, print: (line: string, level: "error" | "info") => void): HostKeyCheck;
  /** Returns `Host key fingerprint is …` and the picture, which VisualHostKey prints at each login. */
  picture(key: Bytes): string;
}

/** ssh shows the names of at most eight lines. */
const mostNames = 8;

/** Creates the reports. Files that cannot be read are empty; the check of the key has reported them. */
export function createHostKeyReport(options: HostKeyReportOptions): HostKeyReport {
  const {
    files,
    globalFiles,
    fingerprintHash = "SHA256",
    visualHostKey = false,
    hasCommand = false,
    address,
  } = options;
  const hash = fingerprintHash.toUpperCase();
  const load = async (): Promise<readonly KnownHostsLine[]> => {
    const texts = await Promise.all([...files, ...globalFiles].map(readLines));
    return texts.flat();
  };
  const digestOf = (key: Bytes): Bytes => createHash(fingerprintHash.toLowerCase()).update(key).digest();
  const fingerprintOf = (key: Bytes): string => {
    const digest = digestOf(key);
    const text = hash === "MD5" ? toHex(digest).replace(/(..)(?!$)/g, "$1:") : toBase64(digest).replace(/=+$/, "");
    return `${hash}:${text}`;
  };
  const pictureOf = (key: Bytes): string =>
    randomart(digestOf(key), `${keyTypeName(keyType(key))} ${bitsOf(key)}`, hash);
  return {
    async describe(unknown) {
      const { key } = unknown;
      const same = (await load()).filter((line) => {
        const blob = line.marker === undefined ? knownKey(line)?.blob : undefined;
        return blob !== undefined && equal(blob, key);
      });
      const names = same.slice(0, mostNames).map(nameOfLine);
      const more = same.length - names.length;
      return {
        address: address?.(unknown),
        fingerprint: fingerprintOf(key),
        ...(visualHostKey && { picture: pictureOf(key) }),
        otherNames: more > 0 ? [...names, `(${more} additional names omitted)`] : names,
      };
    },
    observe(check, print) {
      if (typeof check !== "object" || !("check" in check)) return check;
      const verifier: HostKeyVerifier = check;
      return {
        ...verifier,
        async check(offer) {
          const key = offer.certificate?.publicKey ?? offer.key;
          const lookUp = async (): Promise<KnownHostsVerdict> =>
            checkKnownHosts(await load(), { ...offer, key, certificate: undefined }, hmacSha1);
          const presented = { name: namesToLookUp(offer)[0], keyType: keyType(key), fingerprint: fingerprintOf(key) };
          const before = await lookUp();
          try {
            const isTrusted = await verifier.check(offer);
            // As ssh: a key that is written to /dev/null counts as added.
            const isDiscarded = files[0] === "/dev/null" && !hasCommand;
            if (before.status === "unknown" && (isDiscarded || (await lookUp()).status === "trusted"))
              print(addedHostKeyWarning(presented), "info");
            return isTrusted;
          } catch (error) {
            for (const line of refusalOf(before, presented, files[0], (error as Error).message)) print(line, "error");
            throw error;
          }
        },
      };
    },
    picture: (key) => `Host key fingerprint is ${fingerprintOf(key)}\n${pictureOf(key)}`,
  };
}

const hmacSha1: HmacSha1 = (key, data) => createHmac("sha1", key).update(data).digest();

/** Returns the lines of ssh. A refusal for another reason, such as RevokedHostKeys, keeps its message. */
function refusalOf(
  verdict: KnownHostsVerdict,
  presented: PresentedKey,
  userFile: string | undefined,
  message: string,
): readonly string[] {
  if (verdict.status === "changed") return changedHostKeyWarning(presented, userFile, verdict.line);
  if (verdict.status === "revoked") return revokedHostKeyWarning(presented);
  // The user has refused it.
  if (message.startsWith("expected ask to accept")) return [];
  return message.startsWith("expected a known host key") ? unknownHostKeyWarning(presented) : [message];
}

async function readLines(file: string): Promise<readonly KnownHostsLine[]> {
  try {
    return parseKnownHosts(await readFile(file, "latin1"), file);
  } catch {
    return [];
  }
}

function nameOfLine({ file = "", number, hosts }: KnownHostsLine): string {
  const home = `${homedir()}/`;
  const place = file.startsWith(home) ? `~/${file.slice(home.length)}` : file;
  return `${place}:${number}: ${hosts.startsWith("|") ? "[hashed name]" : hosts}`;
}

/** The size of a key in bits, as `ssh-keygen -l` prints it. */
function bitsOf(key: Bytes): number {
  const [, bits] = /(\d+) bits/.exec(describePublicKey(key)) ?? [];
  if (bits !== undefined) return Number(bits);
  const [, curve = "256"] = /nistp(\d+)/.exec(keyType(key)) ?? [];
  return Number(curve);
}
