/** Algorithm negotiation, RFC 4253 section 7.1. @module */
import type { Cipher, KexMethod, Mac } from "@postern/crypto";
import { type KexInit, quote, SshError, type ValuesOf } from "@postern/wire";
import type { Role } from "./version-exchange.ts";

/** The algorithms that one side offers. Each list starts with the preferred one. */
export interface Offer {
  readonly kex: readonly KexMethod[];
  /** names of the signature algorithms for the host key */
  readonly hostKeyAlgorithms: readonly string[];
  readonly ciphers: readonly Cipher[];
  readonly macs: readonly Mac[];
}

/** The algorithms of one direction. `mac` is `undefined` if the cipher is an AEAD. */
export interface DirectionAlgorithms {
  readonly cipher: Cipher;
  readonly mac: Mac | undefined;
}

/** The result of a negotiation. */
export interface Negotiated {
  readonly kex: KexMethod;
  readonly hostKeyAlgorithm: string;
  readonly c2s: DirectionAlgorithms;
  readonly s2c: DirectionAlgorithms;
  /** whether the peer guessed wrong, so that its next key exchange packet must be ignored (RFC 4253 section 7) */
  readonly ignoreGuess: boolean;
  /** the peer's first choices */
  readonly preferred: Preferred;
  /** whether they are ours, too, so that a guess of either side is right */
  readonly guessesMatch: boolean;
}

/** The first key exchange method and the first host key algorithm of a side's lists. */
export interface Preferred {
  readonly kex: string | undefined;
  readonly hostKey: string | undefined;
}

/** The names of the negotiated algorithms. */
export interface AlgorithmNames {
  readonly kex: string;
  readonly hostKey: string;
  readonly cipherC2s: string;
  readonly cipherS2c: string;
  readonly macC2s: string | undefined;
  readonly macS2c: string | undefined;
  readonly compressionC2s: "none";
  readonly compressionS2c: "none";
  /** whether the key exchange is a hybrid, which protects recorded connections from future quantum computers */
  readonly postQuantum: boolean;
  /**
   * whether both sides use strict key exchange (OpenSSH PROTOCOL section 1.10); without it, an attacker on the network
   * can remove the first messages under the new keys
   */
  readonly strict: boolean;
}

type Init = ValuesOf<typeof KexInit>;

// Names in kex_algorithms that announce an extension (RFC 8308 section 2.1; OpenSSH PROTOCOL section 1.10).
export const extInfoClient = "ext-info-c";
export const strictClient = "kex-strict-c-v00@openssh.com";
export const strictServer = "kex-strict-s-v00@openssh.com";
const anyMarker = /^(?:ext-info-[cs]|kex-strict-[cs](?:-v00@openssh\.com)?)$/;

/**
 * Picks from each list the client's first name that the server offers, too.
 * @throws SshError `negotiation` if two lists have no name in common; its message contains both lists
 */
export function negotiate(role: Role, offer: Offer, theirs: Init): Negotiated {
  const pick = <T extends { readonly name: string }>(kind: string, ours: readonly T[], peers: readonly string[]): T => {
    const [client, server] = role === "client" ? [names(ours), peers] : [peers, names(ours)];
    const picked = client.find((one) => server.includes(one));
    const value = ours.find(({ name }) => name === picked);
    if (value !== undefined) return value;
    const peer = role === "client" ? "server" : "client";
    const hasEcdsa = role === "client" && peers.join().includes("ecdsa-sha2");
    const hint = hasEcdsa ? "; for its ECDSA host key pass algorithms: compatibleAlgorithms" : "";
    throw new SshError(
      "negotiation",
      `expected a common ${kind}: we offer ${list(names(ours))}, the ${peer} offers ${list(peers)}${hint}`,
    );
  };
  const pickDirection = (
    direction: string,
    ciphers: readonly string[],
    macs: readonly string[],
  ): DirectionAlgorithms => {
    const cipher = pick(`cipher (${direction})`, offer.ciphers, ciphers);
    // RFC 5647 section 5.1 and OpenSSH PROTOCOL section 1.6: the MAC lists do not count for an AEAD.
    return { cipher, mac: cipher.isAead ? undefined : pick(`MAC (${direction})`, offer.macs, macs) };
  };

  const theirKex = theirs.kexAlgorithms.filter((name) => !anyMarker.test(name));
  const kex = pick("key exchange method", offer.kex, theirKex);
  const hostKey = pick("host key algorithm", named(offer.hostKeyAlgorithms), theirs.serverHostKeyAlgorithms);
  // RFC 4253 section 7: a guess is right if both sides prefer the same method and the same host key algorithm.
  const preferred = { kex: theirKex[0], hostKey: theirs.serverHostKeyAlgorithms[0] };
  const guessesMatch = prefers(offer, preferred);
  pick("compression", named(["none"]), theirs.compressionC2s);
  pick("compression", named(["none"]), theirs.compressionS2c);
  return {
    kex,
    hostKeyAlgorithm: hostKey.name,
    c2s: pickDirection("client to server", theirs.encryptionC2s, theirs.macC2s),
    s2c: pickDirection("server to client", theirs.encryptionS2c, theirs.macS2c),
    ignoreGuess: theirs.firstKexPacketFollows && !guessesMatch,
    preferred,
    guessesMatch,
  };
}

/** Returns whether the first choices of an offer are these. */
export function prefers({ kex, hostKeyAlgorithms }: Offer, preferred: Preferred | undefined): boolean {
  return kex[0]?.name === preferred?.kex && hostKeyAlgorithms[0] === preferred?.hostKey;
}

/**
 * Returns our KEXINIT for an offer. `extensions` are markers that only the first exchange sends. With `guesses`, the
 * message of our first method follows.
 */
export function initFor(offer: Offer, cookie: Uint8Array, extensions: readonly string[], guesses: boolean): Init {
  const ciphers = names(offer.ciphers);
  const macs = names(offer.macs);
  return {
    cookie,
    kexAlgorithms: [...names(offer.kex), ...extensions],
    serverHostKeyAlgorithms: offer.hostKeyAlgorithms,
    encryptionC2s: ciphers,
    encryptionS2c: ciphers,
    macC2s: macs,
    macS2c: macs,
    compressionC2s: ["none"],
    compressionS2c: ["none"],
    languagesC2s: [],
    languagesS2c: [],
    firstKexPacketFollows: guesses,
    reserved: 0,
  };
}

/** Returns the names of the negotiated algorithms. They are empty before a negotiation. */
export function algorithmNames(negotiated: Partial<Negotiated>, strict: boolean): AlgorithmNames {
  const { kex, hostKeyAlgorithm = "", c2s, s2c } = negotiated;
  return {
    kex: kex?.name ?? "",
    hostKey: hostKeyAlgorithm,
    cipherC2s: c2s?.cipher.name ?? "",
    cipherS2c: s2c?.cipher.name ?? "",
    macC2s: c2s?.mac?.name,
    macS2c: s2c?.mac?.name,
    compressionC2s: "none",
    compressionS2c: "none",
    postQuantum: kex?.isPostQuantum === true,
    strict,
  };
}

function names(values: readonly { readonly name: string }[]): string[] {
  return values.map(({ name }) => name);
}

function named(values: readonly string[]): { readonly name: string }[] {
  return values.map((name) => ({ name }));
}

function list(values: readonly string[]): string {
  return values.length === 0 ? "nothing" : quote(values.join(","), 600);
}
