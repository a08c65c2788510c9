/** Checks of whole key exchanges, from the randomness of both sides to the six keys. Runs in every runtime. @module */
import type { Algorithms, KexMethod } from "@postern/crypto";
import { deriveKeys, exchangeHash } from "@postern/transport";
import { type Bytes, fromHex, KexEcdhInit, KexEcdhReply, toHex } from "@postern/wire";
import { directions, type Letter } from "./exchange-checks.ts";
import { equal, ok, scripted, testsOf, type Vector, type VectorFile, type VectorTest } from "./vector-checks.ts";

interface HandshakeVector extends Vector {
  readonly algorithms: {
    readonly hostKey: string;
    readonly clientToServer: DirectionNames;
    readonly serverToClient: DirectionNames;
  };
  readonly clientVersion: string;
  readonly serverVersion: string;
  readonly clientInit: string;
  readonly serverInit: string;
  readonly hostKey: string;
  readonly clientRandom: string;
  readonly serverRandom: string;
  /** In order. Those of a group exchange start with the request and the group. */
  readonly messages: readonly { readonly from: "client" | "server"; readonly payload: string }[];
  readonly clientPublic: string;
  readonly serverPublic: string;
  readonly secret: string;
  readonly exchangeHash: string;
  readonly signature: string;
  readonly sessionId: string;
  readonly keys: Readonly<Record<Letter, string>>;
}

interface DirectionNames {
  readonly cipher: string;
  readonly mac?: string;
}

/** Runs both sides with their randomness, and compares messages, K, H, its signature and all keys. */
export function handshakeTests(file: VectorFile, method: KexMethod, algorithms: Algorithms): VectorTest[] {
  return testsOf<HandshakeVector>(file, method.name, async (vector) => {
    const payloads = vector.messages.map(({ payload }) => fromHex(payload));
    const [client, server] = methodsOf(method, payloads);
    checkClient(client, vector);
    if (server !== undefined) checkServer(server, vector);
    checkMessages(vector, payloads, client.hashed !== undefined);
    const inputs = {
      clientVersion: fromHex(vector.clientVersion),
      serverVersion: fromHex(vector.serverVersion),
      clientInit: fromHex(vector.clientInit),
      serverInit: fromHex(vector.serverInit),
      hostKey: fromHex(vector.hostKey),
      clientPublic: fromHex(vector.clientPublic),
      serverPublic: fromHex(vector.serverPublic),
      secret: fromHex(vector.secret),
    };
    const group = payloads.length > 2 ? payloads.slice(0, 2).map((payload) => toHex(payload.subarray(1))) : undefined;
    const hashed = group && fromHex(group.join(""));
    const digest = exchangeHash(method.hash, { ...inputs, group: hashed });
    equal(toHex(digest), vector.exchangeHash);
    const signer = find(algorithms.hostKeys, vector.algorithms.hostKey);
    equal(await signer.verify(inputs.hostKey, digest, fromHex(vector.signature)), true);
    checkKeys(vector, method, algorithms);
  });
}

/**
 * Returns the method of each side. In a group exchange it depends on the group; the server's is `undefined` if it would
 * choose another one.
 */
function methodsOf(method: KexMethod, payloads: readonly Bytes[]): [KexMethod, KexMethod | undefined] {
  const { groupExchange } = method;
  if (groupExchange === undefined) return [method, method];
  const [request, group] = payloads;
  ok(request !== undefined && group !== undefined);
  const chosen = groupExchange.choose(request);
  const client = groupExchange.accept(group);
  // The client hashes the bounds that it requests itself.
  if (toHex(request) === toHex(groupExchange.request)) {
    equal(toHex(client.hashed ?? group), toHex(request.subarray(1)) + toHex(group.subarray(1)));
  }
  if (toHex(chosen.answer) !== toHex(group)) return [client, undefined];
  equal(toHex(chosen.method.hashed ?? group), toHex(request.subarray(1)) + toHex(group.subarray(1)));
  return [client, chosen.method];
}

function checkClient(method: KexMethod, vector: HandshakeVector): void {
  const client = method.start(scripted(fromHex(vector.clientRandom)));
  equal(toHex(client.clientPublic), vector.clientPublic);
  equal(toHex(client.finish(fromHex(vector.serverPublic))), vector.secret);
}

/** A KEM that draws its randomness itself, as that of `node:crypto`, is checked for its sizes. */
function checkServer(method: KexMethod, vector: HandshakeVector): void {
  let drawn = 0;
  const script = scripted(fromHex(vector.serverRandom));
  const server = method.respond(fromHex(vector.clientPublic), (size) => {
    drawn += size;
    return script(size);
  });
  equal(server.serverPublic.length, vector.serverPublic.length / 2);
  if (drawn < vector.serverRandom.length / 2) return;
  equal(toHex(server.serverPublic), vector.serverPublic);
  equal(toHex(server.secret), vector.secret);
}

/** Compares the last two messages. After a group exchange their numbers are greater by two (RFC 4419 section 5). */
function checkMessages(vector: HandshakeVector, payloads: readonly Bytes[], hasGroup: boolean): void {
  const [clientPublic, serverPublic, hostKey, signature] = [
    vector.clientPublic,
    vector.serverPublic,
    vector.hostKey,
    vector.signature,
  ].map(fromHex);
  ok(clientPublic && serverPublic && hostKey && signature);
  const expected = [KexEcdhInit.encode({ clientPublic }), KexEcdhReply.encode({ hostKey, serverPublic, signature })];
  if (hasGroup) for (const payload of expected) payload[0] = (payload[0] ?? 0) + 2;
  equal(payloads.slice(-2).map(toHex).join(), expected.map(toHex).join());
}

function checkKeys(vector: HandshakeVector, { hash }: KexMethod, { ciphers, macs }: Algorithms): void {
  const { clientToServer, serverToClient } = vector.algorithms;
  const source = {
    hash,
    secret: fromHex(vector.secret),
    exchangeHash: fromHex(vector.exchangeHash),
    sessionId: fromHex(vector.sessionId),
  };
  for (const [direction, iv, key, mac] of directions) {
    const names = direction === "c2s" ? clientToServer : serverToClient;
    const cipher = find(ciphers, names.cipher);
    const derived = deriveKeys(direction, source, { cipher, mac: names.mac ? find(macs, names.mac) : undefined });
    equal(cipher.isAead, names.mac === undefined);
    equal(toHex(derived.iv), vector.keys[iv]);
    equal(toHex(derived.key), vector.keys[key]);
    equal(toHex(derived.mac?.key ?? new Uint8Array(0)), vector.keys[mac]);
  }
}

function find<T extends { readonly name: string }>(values: readonly T[], name: string): T {
  const found = values.find((value) => value.name === name);
  ok(found, `expected the algorithm ${name}`);
  return found;
}
