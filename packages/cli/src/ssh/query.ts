/** Lists what this program supports: `ssh -Q`. @module */
import { UsageError } from "../help/usage-error.ts";
import {
  aeadCiphers,
  certificateTypes,
  ciphers,
  hostKeyAlgorithms,
  kexAlgorithms,
  keyTypes,
  macs,
  signatures,
  userKeyAlgorithms,
} from "./algorithm-names.ts";

const keys = [...keyTypes, ...certificateTypes];

/** The lists, by the names of ssh(1). */
const lists: Readonly<Record<string, readonly string[]>> = {
  cipher: ciphers,
  "cipher-auth": aeadCiphers,
  compression: ["none"],
  kex: kexAlgorithms,
  "kex-gss": [],
  key: keys,
  "key-ca-sign": signatures,
  "key-cert": certificateTypes,
  "key-plain": keyTypes,
  "key-sig": userKeyAlgorithms,
  mac: macs,
  "protocol-version": ["2"],
  sig: signatures,
};

/** The lists by the keywords that take them. Their case does not matter. */
const keywords: readonly (readonly [string, readonly string[]])[] = [
  ["CASignatureAlgorithms", signatures],
  ["Ciphers", ciphers],
  ["HostbasedAcceptedAlgorithms", userKeyAlgorithms],
  ["HostbasedAcceptedKeyTypes", userKeyAlgorithms],
  ["HostbasedKeyTypes", userKeyAlgorithms],
  ["HostKeyAlgorithms", hostKeyAlgorithms],
  ["KexAlgorithms", kexAlgorithms],
  ["MACs", macs],
  ["PubkeyAcceptedAlgorithms", userKeyAlgorithms],
  ["PubkeyAcceptedKeyTypes", userKeyAlgorithms],
];

/** Returns the lines of `-Q name`. `help` lists the names. @throws UsageError for another name */
export function runQuery(name: string): string {
  const found = name === "help" ? Object.keys(lists) : (listOf(name) ?? listOfKeyword(name));
  if (found === undefined) throw new UsageError("", `Unsupported query "${name}"`);
  return `${found.join("\n")}\n`;
}

function listOf(name: string): readonly string[] | undefined {
  return Object.hasOwn(lists, name) ? lists[name] : undefined;
}

function listOfKeyword(name: string): readonly string[] | undefined {
  return keywords.find(([keyword]) => keyword.toLowerCase() === name.toLowerCase())?.[1];
}
