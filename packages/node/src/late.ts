/** Where this platform's `node:crypto` lacks an algorithm the one in JavaScript steps in, and is loaded only then. @module */
import type { Algorithms, Cipher, KexMethod, PublicKeyAlgorithm } from "@postern/crypto";
import { cipherWorks, kexWorks } from "@postern/crypto";
import { SshError } from "@postern/wire";

/** Whether a value of this package works natively. Each is tried out once, at its first use. */
const trials = new WeakMap<object, () => boolean>();
let javascript: Algorithms | undefined;

/**
 * Loads, in JavaScript, what `node:crypto` lacks of these algorithms; nothing on Node.js, which has them all. `ReverseTunnel` and
 * `TunnelHost` do this by themselves. On Bun and Deno, who uses the values directly, such as for `connect` of `@postern/ssh`, awaits it first.
 *
 * @example
 * await prepareAlgorithms(modern);
 * const connection = await connect(pipe, { algorithms: modern, random: nodeRandom, user, auth, hostKey });
 */
export async function prepareAlgorithms(algorithms: Partial<Algorithms>): Promise<void> {
  await preparing(algorithms);
}

/** The same for callers that do not wait when there is nothing to wait for: undefined then. */
export function preparing({ kex = [], hostKeys = [], ciphers = [] }: Partial<Algorithms>): Promise<void> | undefined {
  if (javascript !== undefined) return undefined;
  const lacking = [...ciphers, ...kex, ...hostKeys].some((value) => trials.get(value)?.() === false);
  return lacking ? load() : undefined;
}

async function load(): Promise<void> {
  const { compatible } = await import("@postern/crypto");
  javascript = compatible;
}

/** `own` where it gives the known answer (see `cipherWorks`). */
export function lateCipher(own: Cipher, answer: string): Cipher {
  const works = once(() => cipherWorks(own, answer));
  const choose = () => (works() ? own : substitute("ciphers", own));
  return tried(works, { ...own, sealer: (keys) => choose().sealer(keys), opener: (keys) => choose().opener(keys) });
}

/** `own` where it can agree with itself; `twin` has another name for the same, and needs no trial of its own. */
export function lateKex(own: KexMethod, twin?: KexMethod): KexMethod {
  const works = (twin && trials.get(twin)) ?? once(() => kexWorks(own));
  const choose = () => (works() ? own : substitute("kex", own));
  return tried(works, {
    ...own,
    start: (random) => choose().start(random),
    respond: (clientPublic, random) => choose().respond(clientPublic, random),
  });
}

/** `own` where `take`, which takes a public key that is known to be good, does not throw: verifying would take milliseconds. */
export function lateKey(own: PublicKeyAlgorithm, take: () => void): PublicKeyAlgorithm {
  const works = once(() => {
    take();
    return true;
  });
  return tried(works, {
    ...own,
    verify(publicKey, data, signature) {
      try {
        return own.verify(publicKey, data, signature);
      } catch (cause) {
        if (!works()) return substitute("hostKeys", own).verify(publicKey, data, signature);
        // The platform is fit, so the key is not: by its form, or, as a point off the Ed25519 curve does, it verifies nothing.
        if (cause instanceof SshError) throw cause;
        return false;
      }
    },
  });
}

function substitute<Kind extends "kex" | "hostKeys" | "ciphers">(kind: Kind, { name }: Algorithms[Kind][number]) {
  if (javascript === undefined) {
    const why = "this platform's node:crypto lacks it, so await prepareAlgorithms() of @postern/node first";
    throw new SshError("misuse", `${name}: expected an algorithm that is prepared, got another; ${why}`);
  }
  const list: readonly Algorithms[Kind][number][] = javascript[kind];
  const found = list.find((value) => value.name === name);
  if (found === undefined) throw new SshError("misuse", `${name}: expected it in JavaScript, got none`);
  return found;
}

function tried<T extends object>(works: () => boolean, value: T): T {
  trials.set(value, works);
  return value;
}

function once(works: () => boolean): () => boolean {
  let verdict: boolean | undefined;
  return () => {
    try {
      verdict ??= works();
    } catch {
      verdict = false;
    }
    return verdict;
  };
}
