/** Algorithm negotiation, RFC 4253 section 7.1. @module */
import type { Cipher, KexMethod, Mac } from "@postern/crypto";
import { type KexInit, quote, SshError, type ValuesOf } from "@postern/wire";
import type { Role } from "./version-exchange.ts";

/** What one end is willing to use, each list best first. */
export interface Offer {
  readonly kex: readonly KexMethod[];
  /** names of public key algorithms for the host key */
  readonly hostKeyAlgorithms: readonly string[];
  readonly ciphers: readonly Cipher[];
  readonly macs: readonly Mac[];
}

/** The algorithms of one direction. `mac` is undefined when the cipher isAead. */
export interface DirectionAlgorithms {
  readonly cipher: Cipher;
  readonly mac: Mac | undefined;
}

/** The outcome of a negotiation. */
export interface Negotiated {
  readonly kex: KexMethod;
  readonly hostKeyAlgorithm: string;
  readonly c2s: DirectionAlgorithms;
  readonly s2c: DirectionAlgorithms;
  /** the peer guessed wrong: its next key exchange packet is to be ignored (RFC 4253 section 7) */
  readonly ignoreGuess: boolean;
}

type Init = ValuesOf<typeof KexInit>;

/** Names in kex_algorithms that are markers, not methods (RFC 8308 section 2.1; OpenSSH PROTOCOL section 1.9). */
export const Marker = {
  extInfoClient: "ext-info-c",
  strictClient: "kex-strict-c-v00@openssh.com",
  strictServer: "kex-strict-s-v00@openssh.com",
} as const;

const markers: ReadonlySet<string> = /* @__PURE__ */ new Set([
  ...Object.values(Marker),
  "ext-info-s",
  "kex-strict-c",
  "kex-strict-s",
]);

/**
 * For each list the client's first name that the server has too.
 * @throws SshError `negotiation` naming both lists
 */
export function negotiate(role: Role, offer: Offer, theirs: Init): Negotiated {
  const pick = (what: string, ours: readonly string[], peers: readonly string[]): string => {
    const [client, server] = role === "client" ? [ours, peers] : [peers, ours];
    const name = client.find((one) => server.includes(one));
    if (name !== undefined) return name;
    throw new SshError(
      "negotiation",
      `expected a common ${what}: we offer ${list(ours)}, the ${role === "client" ? "host" : "client"} offers ${list(peers)}`,
    );
  };
  const pickValue = <T extends { readonly name: string }>(
    what: string,
    ours: readonly T[],
    peers: readonly string[],
  ): T => {
    const name = pick(what, names(ours), peers);
    return find(ours, name);
  };
  const direction = (what: string, ciphers: readonly string[], macs: readonly string[]): DirectionAlgorithms => {
    const cipher = pickValue(`cipher (${what})`, offer.ciphers, ciphers);
    // RFC 5647 section 5.1 and OpenSSH PROTOCOL: an AEAD needs no MAC, whatever the lists say.
    return { cipher, mac: cipher.isAead ? undefined : pickValue(`MAC (${what})`, offer.macs, macs) };
  };

  const theirKex = theirs.kexAlgorithms.filter((name) => !markers.has(name));
  const kex = pickValue("key exchange method", offer.kex, theirKex);
  const hostKeyAlgorithm = pick("host key algorithm", offer.hostKeyAlgorithms, theirs.serverHostKeyAlgorithms);
  // RFC 4253 7.1: the guess is right when both sides put the same method and the same host key algorithm first.
  const guessedRight =
    offer.kex[0]?.name === theirKex[0] && offer.hostKeyAlgorithms[0] === theirs.serverHostKeyAlgorithms[0];
  pick("compression", ["none"], theirs.compressionC2s);
  pick("compression", ["none"], theirs.compressionS2c);
  return {
    kex,
    hostKeyAlgorithm,
    c2s: direction("client to server", theirs.encryptionC2s, theirs.macC2s),
    s2c: direction("server to client", theirs.encryptionS2c, theirs.macS2c),
    ignoreGuess: theirs.firstKexPacketFollows && !guessedRight,
  };
}

/** Our KEXINIT for an offer. The markers are for the first exchange only. */
export function initFor(offer: Offer, cookie: Uint8Array, extra: readonly string[]): Init {
  const ciphers = names(offer.ciphers);
  const macs = names(offer.macs);
  return {
    cookie,
    kexAlgorithms: [...names(offer.kex), ...extra],
    serverHostKeyAlgorithms: offer.hostKeyAlgorithms,
    encryptionC2s: ciphers,
    encryptionS2c: ciphers,
    macC2s: macs,
    macS2c: macs,
    compressionC2s: ["none"],
    compressionS2c: ["none"],
    languagesC2s: [],
    languagesS2c: [],
    firstKexPacketFollows: false,
    reserved: 0,
  };
}

function names(values: readonly { readonly name: string }[]): string[] {
  return values.map(({ name }) => name);
}

function find<T extends { readonly name: string }>(values: readonly T[], name: string): T {
  const value = values.find((one) => one.name === name);
  if (value === undefined) throw new SshError("misuse", `expected ${name} among our algorithms`);
  return value;
}

function list(values: readonly string[]): string {
  return values.length === 0 ? "nothing" : quote(values.join(","), 600);
}
