/** Reports about host keys, as ssh prints them: details of the dialogue, and warnings of a refusal. @module */
import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import {
  checkKnownHosts,
  describePublicKey,
  type HmacSha1,
  type KnownHostsLine,
  keyType,
  knownKey,
  namesToLookUp,
  parseKnownHosts,
} from "@postern/keys";
import type { UnknownHostKey } from "@postern/tunnel";
import { type Bytes, equal, toBase64, toHex } from "@postern/wire";
import { changedHostKeyWarning, keyTypeName, revokedHostKeyWarning, unknownHostKeyWarning } from "./host-key-texts.ts";
import type { HostKeyDescription } from "./prompts.ts";
import { randomart } from "./randomart.ts";

/** The settings of ssh_config(5) that change what ssh prints about host keys. */
export interface HostKeyReportOptions {
  /** UserKnownHostsFile, with paths that are expanded */
  readonly files: readonly string[];
  /** GlobalKnownHostsFile */
  readonly globalFiles: readonly string[];
  /** FingerprintHash; default `sha256` */
  readonly fingerprintHash?: "sha256" | "md5";
  /** VisualHostKey; default `false` */
  readonly visualHostKey?: boolean;
  /** Returns the IP address of the server. `undefined` behind a proxy. */
  readonly address?: () => string | undefined;
}

/** A host key, and the server that presented it. */
type PresentedKey = Pick<UnknownHostKey, "host" | "port" | "hostKeyAlias" | "key">;

/** Reports about the host keys of a connection. */
export interface HostKeyReport {
  /** Returns the details that the dialogue shows: for the option `describeHostKey` of `createPrompts`. */
  describe(key: UnknownHostKey): Promise<HostKeyDescription>;
  /** Returns the warning about a key that was refused, in lines. `key` is the plain key, not a certificate. */
  explain(key: PresentedKey): Promise<readonly string[]>;
  /** Returns `Host key fingerprint is …` and the picture, which VisualHostKey prints at each login. */
  picture(key: Bytes): string;
}

/** ssh shows the names of at most eight lines. */
const mostNames = 8;

/** Creates the reports. Files that cannot be read are empty; the check of the key has reported them. */
export function createHostKeyReport(options: HostKeyReportOptions): HostKeyReport {
  const { files, globalFiles, fingerprintHash = "sha256", visualHostKey = false, address } = options;
  const load = async (): Promise<readonly KnownHostsLine[]> => {
    const texts = await Promise.all([...files, ...globalFiles].map(readLines));
    return texts.flat();
  };
  const digestOf = (key: Bytes): Bytes => createHash(fingerprintHash).update(key).digest();
  const fingerprintOf = (key: Bytes): string => {
    const digest = digestOf(key);
    if (fingerprintHash === "md5") return `MD5:${toHex(digest).replace(/(..)(?!$)/g, "$1:")}`;
    return `SHA256:${toBase64(digest).replace(/=+$/, "")}`;
  };
  const pictureOf = (key: Bytes): string =>
    randomart(digestOf(key), `${keyTypeName(keyType(key))} ${bitsOf(key)}`, fingerprintHash.toUpperCase());
  return {
    async describe({ key }) {
      const same = (await load()).filter((line) => {
        const blob = line.marker === undefined ? knownKey(line)?.blob : undefined;
        return blob !== undefined && equal(blob, key);
      });
      const names = same.slice(0, mostNames).map(nameOfLine);
      const more = same.length - names.length;
      return {
        address: address?.(),
        fingerprint: fingerprintOf(key),
        ...(visualHostKey && { picture: pictureOf(key) }),
        otherNames: more > 0 ? [...names, `(${more} additional names omitted)`] : names,
      };
    },
    async explain(query) {
      const { key } = query;
      const verdict = checkKnownHosts(await load(), query, hmacSha1);
      const refused = { name: namesToLookUp(query)[0], keyType: keyType(key), fingerprint: fingerprintOf(key) };
      if (verdict.status === "changed") return changedHostKeyWarning(refused, files[0], verdict.line);
      if (verdict.status === "revoked") return revokedHostKeyWarning(refused);
      return verdict.status === "unknown" ? unknownHostKeyWarning(refused) : [];
    },
    picture: (key) => `Host key fingerprint is ${fingerprintOf(key)}\n${pictureOf(key)}`,
  };
}

const hmacSha1: HmacSha1 = (key, data) => createHmac("sha1", key).update(data).digest();

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
