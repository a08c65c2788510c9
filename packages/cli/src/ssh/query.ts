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
const keywords: Readonly<Record<string, readonly string[]>> = {
  casignaturealgorithms: signatures,
  ciphers,
  hostbasedacceptedalgorithms: userKeyAlgorithms,
  hostbasedacceptedkeytypes: userKeyAlgorithms,
  hostbasedkeytypes: userKeyAlgorithms,
  hostkeyalgorithms: hostKeyAlgorithms,
  kexalgorithms: kexAlgorithms,
  macs,
  pubkeyacceptedalgorithms: userKeyAlgorithms,
  pubkeyacceptedkeytypes: userKeyAlgorithms,
};

/** Returns the lines of `-Q name`. `help` lists the names. @throws UsageError for another name */
export function runQuery(name: string): string {
  const found = name === "help" ? Object.keys(lists) : (lookUp(lists, name) ?? lookUp(keywords, name.toLowerCase()));
  if (found === undefined) throw new UsageError("", `Unsupported query "${name}"`);
  return `${found.join("\n")}\n`;
}

function lookUp(all: Readonly<Record<string, readonly string[]>>, name: string): readonly string[] | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}
