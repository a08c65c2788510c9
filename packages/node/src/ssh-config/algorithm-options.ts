/** Ciphers, MACs, KexAlgorithms and HostKeyAlgorithms: those that we have, too. @module */
import { type Algorithms, plainName } from "@postern/crypto";
import { createCertificateAlgorithm } from "@postern/keys";
import { compatibleAlgorithms } from "../algorithm-sets.ts";
import { type SshConfigAlgorithms, selectAlgorithms } from "./algorithm-lists.ts";
import { configError, quoteFree } from "./config-line.ts";
import type { Resolution } from "./resolve.ts";

/** The words of ssh for a value that it does not know. */
const specNames = {
  ciphers: "SSH2 cipher spec",
  macs: "SSH2 MAC spec",
  kexAlgorithms: "SSH2 KexAlgorithms",
  hostKeyAlgorithms: "key types",
} as const;

/**
 * Returns the names of HostKeyAlgorithms, best first, with those of certificates. As in ssh, these come first unless
 * the list says otherwise.
 */
export function hostKeyNamesOf({ config }: Pick<Resolution, "config">): readonly string[] {
  const { hostKeys } = compatibleAlgorithms;
  const known = [...hostKeys.map(createCertificateAlgorithm), ...hostKeys].map(({ name }) => name);
  return config.hostKeyAlgorithms === undefined ? known : selectAlgorithms(config.hostKeyAlgorithms, known, known);
}

/**
 * Returns the algorithms of the configuration. The defaults are {@link compatibleAlgorithms}, because ssh offers them,
 * too.
 *
 * @throws SshError `misuse` in the words of ssh if none of a list is left
 */
export function algorithmsOf({ config, positionOf }: Pick<Resolution, "config" | "positionOf">): Algorithms {
  const all = compatibleAlgorithms;
  const ciphers = select("ciphers", all.ciphers);
  return {
    kex: select("kexAlgorithms", all.kex),
    hostKeys: hostKeys(),
    ciphers,
    // An AEAD needs no MAC.
    macs: select(
      "macs",
      all.macs,
      ciphers.every(({ isAead }) => isAead),
    ),
  };

  /** Plain ones. The check of host keys makes those of certificates of them. */
  function hostKeys(): Algorithms["hostKeys"] {
    const names = new Set(hostKeyNamesOf({ config }).map((name) => plainName(name) ?? name));
    const selected = [...names].flatMap((name) => all.hostKeys.find((one) => one.name === name) ?? []);
    return selected.length > 0 ? selected : select("hostKeyAlgorithms", all.hostKeys);
  }

  function select<Algorithm extends { readonly name: string }>(
    name: "ciphers" | "macs" | "kexAlgorithms" | "hostKeyAlgorithms",
    known: readonly Algorithm[],
    isOptional = false,
  ): readonly Algorithm[] {
    const list: SshConfigAlgorithms | undefined = config[name];
    if (list === undefined) return known;
    const names = known.map((one) => one.name);
    const selected = selectAlgorithms(list, names, names).flatMap(
      (one) => known.find((each) => each.name === one) ?? [],
    );
    if (selected.length > 0) return selected;
    if (isOptional) return known;
    throw configError(positionOf(name), `Bad ${specNames[name]} '${quoteFree(textOf(list))}'.`);
  }
}

/** A list as it is written. */
function textOf({ change, names }: SshConfigAlgorithms): string {
  return `${change === "=" ? "" : change}${names.join(",")}`.slice(0, 80);
}
