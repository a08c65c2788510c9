/** Ciphers, MACs, KexAlgorithms and HostKeyAlgorithms: those that we have, too. @module */
import type { Algorithms } from "@postern/crypto";
import { compatibleAlgorithms } from "../algorithm-sets.ts";
import { type SshConfigAlgorithms, selectAlgorithms } from "./algorithm-lists.ts";
import { configError } from "./config-line.ts";
import type { Resolution } from "./resolve.ts";

/**
 * Returns the algorithms of the configuration. The defaults are {@link compatibleAlgorithms}, because ssh offers them,
 * too.
 *
 * @throws SshError `misuse` with file and line if none of a list is left
 */
export function algorithmsOf({ config, positionOf }: Pick<Resolution, "config" | "positionOf">): Algorithms {
  const all = compatibleAlgorithms;
  const ciphers = select("ciphers", all.ciphers);
  return {
    kex: select("kexAlgorithms", all.kex),
    hostKeys: select("hostKeyAlgorithms", all.hostKeys),
    ciphers,
    // An AEAD needs no MAC.
    macs: select(
      "macs",
      all.macs,
      ciphers.every(({ isAead }) => isAead),
    ),
  };

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
    throw configError(positionOf(name), `expected ${name} to leave one of ${names.join(", ")}, got none of them`);
  }
}
