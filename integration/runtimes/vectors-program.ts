/** The program of `npm run vectors`: runs every file against each provider of the runtime, and reports. @module */

import { files } from "virtual:vectors";
import type { Algorithms, Cipher, Hash } from "@postern/crypto";
import * as noble from "@postern/noble";
import { type KeyFileReader, testsOfFile } from "@postern/testkit/portable";
import { chacha20Poly1305, compilesWebAssembly, scalarChacha20Poly1305 } from "@postern/wasm";
import { webSshEd25519 } from "@postern/web";

/** The results of one provider for one kind of vectors. */
export interface Cell {
  readonly provider: string;
  readonly kind: string;
  readonly passed: number;
  /** Titles and errors. */
  readonly failed: readonly string[];
  /** The reason why tests were not run, and their number. */
  readonly notApplicable: Readonly<Record<string, number>>;
}

export interface VectorsReport {
  readonly version: string;
  readonly cells: readonly Cell[];
}

/** Implementations of algorithms. */
export interface Provider {
  readonly name: string;
  readonly algorithms: Algorithms;
  readonly hashes: readonly Hash[];
  /** Reads key files. Default: the one of noble. */
  readonly keyFiles?: KeyFileReader;
  /** Returns the reason why a file does not apply to the provider. */
  excuse(kind: string, algorithm: string): string | undefined;
}

const hashes = [noble.sha256, noble.sha384, noble.sha512];
const none: Algorithms = { kex: [], hostKeys: [], ciphers: [], macs: [] };
/** Kinds that call no cryptography of a provider, or only noble's. They run once, with noble. */
const independent = ["agent", "authorized-keys", "fingerprint", "known-hosts", "transcripts", "wire"];

const nobleProvider: Provider = {
  name: "noble",
  algorithms: noble.compatibleAlgorithms,
  hashes,
  excuse: () => undefined,
};

/** `@postern/node`; algorithms that the runtime lacks are those of noble. */
export function nodeProvider(algorithms: Algorithms, keyFiles: KeyFileReader): Provider {
  const own = [...new Map(algorithms.kex.map(({ hash }) => [hash.name, hash])).values()];
  const excuse = (kind: string) => (independent.includes(kind) ? "calls nothing of the provider" : undefined);
  return { name: "node", algorithms, hashes: own, keyFiles, excuse };
}

/** The cipher in WebAssembly. GHASH, the other primitive there, runs with `node`, for packets of up to 148 bytes. */
const wasmProvider = (name: string, cipher: Cipher): Provider => ({
  name,
  algorithms: { ...none, ciphers: [cipher] },
  hashes,
  excuse(_kind, algorithm) {
    if (algorithm !== "chacha20-poly1305@openssh.com") return "no implementation in WebAssembly";
    return compilesWebAssembly() ? undefined : "the runtime does not compile WebAssembly";
  },
});

const webCryptoProvider: Provider = {
  name: "WebCrypto",
  algorithms: { ...none, hostKeys: [webSshEd25519] },
  hashes,
  excuse: (kind, algorithm) =>
    kind === "hostkey" && algorithm === "ssh-ed25519" ? undefined : "no implementation with WebCrypto",
};

export const webProviders: readonly Provider[] = [
  nobleProvider,
  wasmProvider("wasm", chacha20Poly1305),
  wasmProvider("wasm without SIMD", scalarChacha20Poly1305),
  webCryptoProvider,
];

/** Never rejects because of a failed test: failures are reported. */
export async function runVectors(url: string, version: string, providers: readonly Provider[]): Promise<void> {
  const cells: Cell[] = [];
  for (const provider of providers) {
    for (const kind of new Set(files.map((file) => file.kind))) cells.push(await runKind(provider, kind));
  }
  const report: VectorsReport = { version, cells };
  const response = await fetch(new URL("/report", url), { method: "POST", body: JSON.stringify(report) });
  if (!response.ok) throw new Error(`expected the report to be taken, got ${response.status}`);
}

async function runKind(provider: Provider, kind: string): Promise<Cell> {
  let passed = 0;
  const failed: string[] = [];
  const notApplicable: Record<string, number> = {};
  for (const file of files.filter((one) => one.kind === kind)) {
    const excuse = provider.excuse(kind, file.algorithm);
    if (excuse !== undefined) {
      notApplicable[excuse] = (notApplicable[excuse] ?? 0) + file.numberOfTests;
      continue;
    }
    try {
      for (const { title, run } of testsOfFile(file, provider.algorithms, provider.hashes, provider.keyFiles)) {
        try {
          await run();
          passed++;
        } catch (error) {
          failed.push(`${kind}: ${title}: ${String(error)}`);
        }
      }
    } catch (error) {
      failed.push(`${kind}/${file.algorithm}: ${String(error)}`);
    }
  }
  return { provider: provider.name, kind, passed, failed, notApplicable };
}
