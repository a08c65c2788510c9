/** Lists of algorithms in sshd_config(5). Names that OpenSSH knows are accepted; those we have are used. @module */

import { matchPattern } from "@postern/keys";
import type { Algorithms, PublicKeyAlgorithm } from "@postern/node";
import { compatibleAlgorithms, hostAlgorithms } from "@postern/node";

/** Kinds of algorithms. */
export type AlgorithmKind = "ciphers" | "macs" | "kex" | "keys" | "hostKeys";

/** The kind of a keyword's algorithms, and sshd's words for a list with an unknown one. */
export const algorithmKinds: Readonly<Record<string, { readonly kind: AlgorithmKind; readonly problem: string }>> = {
  Ciphers: { kind: "ciphers", problem: "Bad SSH2 cipher spec" },
  MACs: { kind: "macs", problem: "Bad SSH2 mac spec" },
  KexAlgorithms: { kind: "kex", problem: "Bad SSH2 KexAlgorithms" },
  HostKeyAlgorithms: { kind: "hostKeys", problem: "Bad key types" },
  PubkeyAcceptedAlgorithms: { kind: "keys", problem: "Bad key types" },
  CASignatureAlgorithms: { kind: "keys", problem: "Bad key types" },
};

/** Everything that this host can offer, in the order of OpenSSH. */
export const offeredAlgorithms: Algorithms = {
  kex: compatibleAlgorithms.kex,
  ciphers: compatibleAlgorithms.ciphers,
  macs: compatibleAlgorithms.macs,
  hostKeys: hostAlgorithms.hostKeys,
};

/** Names that OpenSSH 9.2 to 10 knows (`ssh -Q`) and this host lacks. */
const foreign: Readonly<Record<Exclude<AlgorithmKind, "hostKeys">, string>> = {
  ciphers: "3des-cbc aes128-cbc aes192-cbc aes256-cbc rijndael-cbc@lysator.liu.se",
  macs:
    "hmac-sha1 hmac-sha1-96 hmac-md5 hmac-md5-96 umac-64@openssh.com umac-128@openssh.com " +
    "hmac-sha1-etm@openssh.com hmac-sha1-96-etm@openssh.com hmac-md5-etm@openssh.com hmac-md5-96-etm@openssh.com " +
    "umac-64-etm@openssh.com umac-128-etm@openssh.com",
  kex: "diffie-hellman-group1-sha1 diffie-hellman-group14-sha1 diffie-hellman-group-exchange-sha1",
  keys:
    "ssh-rsa ssh-rsa-cert-v01@openssh.com ssh-dss ssh-dss-cert-v01@openssh.com " +
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
};

/** Whether OpenSSH or this host knows an algorithm, or the text is a pattern. */
export function isKnownAlgorithm(kind: AlgorithmKind, name: string): boolean {
  if (/[*?]/.test(name)) return true;
  return (
    foreign[kind === "hostKeys" ? "keys" : kind].split(" ").includes(name) ||
    offered(kind).some((one) => one.name === name)
  );
}

/** Returns the names that a list selects, best first, relative to what this host offers. */
export function selectNames(kind: AlgorithmKind, list: string | undefined): readonly string[] {
  const defaults = offered(kind).map(({ name }) => name);
  if (list === undefined) return defaults;
  const [first = ""] = list;
  const given = list.replace(/^[+^-]/, "").split(",");
  const names = kind === "hostKeys" ? given.flatMap(withSha2) : given;
  const matching = names.flatMap((name) => defaults.filter((one) => matchPattern(one, name)));
  switch (first) {
    case "-":
      return defaults.filter((one) => !matching.includes(one));
    // Everything is on already.
    case "+":
      return defaults;
    case "^":
      return [...new Set([...matching, ...defaults])];
    default:
      return [...new Set(matching)];
  }
}

/** RSA keys never sign with SHA-1 here, so their old name stands for signatures with SHA-2. */
function withSha2(name: string): readonly string[] {
  return name === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [name];
}

/** The algorithms of names. */
export function pick<Algorithm extends { readonly name: string }>(
  all: readonly Algorithm[],
  names: readonly string[],
): readonly Algorithm[] {
  return names.flatMap((name) => all.find((one) => one.name === name) ?? []);
}

function offered(kind: AlgorithmKind): readonly { readonly name: string }[] {
  return kind === "keys" || kind === "hostKeys"
    ? (offeredAlgorithms.hostKeys as readonly PublicKeyAlgorithm[])
    : offeredAlgorithms[kind];
}
