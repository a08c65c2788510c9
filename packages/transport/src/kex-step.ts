/** What a key exchange is made of, and what it asks of the transport machine. @module */
import type { Algorithms, Random, Signer, Verdict } from "@postern/crypto";
import type { Bytes } from "@postern/wire";
import type { Negotiated } from "./negotiate.ts";
import type { Role } from "./version-exchange.ts";

/** What a `KexMachine` is made of. */
export interface KexOptions {
  readonly role: Role;
  readonly algorithms: Algorithms;
  readonly random: Random;
  /** the server's keys; empty on the client */
  readonly hostKeys: readonly Signer[];
}

/** The names that were agreed on, for a program to show. */
export interface AlgorithmNames {
  readonly kex: string;
  readonly hostKey: string;
  readonly cipherC2s: string;
  readonly cipherS2c: string;
  readonly macC2s: string | undefined;
  readonly macS2c: string | undefined;
  /** whether both sides use strict key exchange (OpenSSH PROTOCOL section 1.9), which an attacker in the middle needs to be absent */
  readonly strict: boolean;
}

/** What the transport machine must do after a step. */
export type KexStep =
  /** the client's verdict about the host's signature comes later: wait for it, and answer with `verified` */
  | { readonly type: "verify"; readonly verdict: Exclude<Verdict, boolean>; readonly algorithm: string }
  /** the client's decision about a host key whose signature is good; answer with `acceptHostKey` */
  | { readonly type: "hostKey"; readonly hostKey: Bytes; readonly algorithm: string }
  /** the server's signature over the exchange hash; answer with `signed` */
  | { readonly type: "sign"; readonly signer: Signer; readonly data: Bytes; readonly algorithm: string }
  /** our NEWKEYS is out: output may go on */
  | { readonly type: "resumed" }
  /** the peer's NEWKEYS is in: the exchange is over */
  | { readonly type: "done"; readonly first: boolean; readonly names: AlgorithmNames };

/** The names of what was agreed on. */
export function algorithmNames({ kex, hostKeyAlgorithm, c2s, s2c }: Negotiated, strict: boolean): AlgorithmNames {
  return {
    kex: kex.name,
    hostKey: hostKeyAlgorithm,
    cipherC2s: c2s.cipher.name,
    cipherS2c: s2c.cipher.name,
    macC2s: c2s.mac?.name,
    macS2c: s2c.mac?.name,
    strict,
  };
}
