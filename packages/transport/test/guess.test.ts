/** A guessed key exchange (RFC 4253 section 7.1): sent by our client, and received by our server. */
import { compatibleAlgorithms, dhGroupExchangeSha256, modernAlgorithms } from "@postern/noble";
import { KexEcdhInit, KexInit } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { PacketReader } from "../src/packet-reader.ts";
import type { TappedPacket } from "../src/tap.ts";
import type { TransportEvent } from "../src/transport-events.ts";
import type { TransportMachine, TransportOptions } from "../src/transport-machine.ts";
import { classicalAlgorithms, events, machine, RawPeer, settle } from "./raw-peer.ts";

const [curve, curveLibssh] = classicalAlgorithms.kex as [TransportOptions["algorithms"]["kex"][0], never];
const nist = compatibleAlgorithms.kex.find(({ name }) => name === "ecdh-sha2-nistp256") ?? expect.unreachable();
const [ed25519 = expect.unreachable()] = modernAlgorithms.hostKeys;
const preferred = { kex: curve.name, hostKey: "ssh-ed25519" };
const withKex = (...kex: (typeof curve)[]) => ({ algorithms: { ...classicalAlgorithms, kex, hostKeys: [ed25519] } });

/** Delivers everything that one side has written at once. Returns the flights until the client has keys. */
function flights(client: TransportMachine, server: TransportMachine): number {
  for (let count = 1; count < 10; count++) {
    const [fromClient, fromServer] = [client.takeOutput(), server.takeOutput()];
    if (fromClient !== undefined) server.receive(fromClient);
    if (fromServer !== undefined) client.receive(fromServer);
    events(server);
    if (events(client).some(({ type }) => type === "keys")) return count;
  }
  return expect.unreachable();
}

const keysOf = (received: readonly TransportEvent[]) => received.find((event) => event.type === "keys");

describe("a guess", () => {
  it("saves a round trip, which is two flights of four", () => {
    expect(flights(machine("client", withKex(curve)), machine("server", withKex(curve)))).toBe(3);
    const guessing = machine("client", { ...withKex(curve), guess: preferred });
    expect(flights(guessing, machine("server", withKex(curve)))).toBe(2);
  });

  it("is sent with a hybrid, too", () => {
    const hybrid = { algorithms: { ...modernAlgorithms, hostKeys: [ed25519] } };
    const guess = { kex: "mlkem768x25519-sha256", hostKey: "ssh-ed25519" };
    expect(flights(machine("client", { ...hybrid, guess }), machine("server", hybrid))).toBe(2);
  });

  it.each([
    ["nothing is remembered", undefined],
    ["the server preferred another method", { ...preferred, kex: "ecdh-sha2-nistp256" }],
    ["the server preferred another host key algorithm", { ...preferred, hostKey: "rsa-sha2-512" }],
    ["the server offered nothing", { kex: undefined, hostKey: undefined }],
  ])("is not sent if %s", (_title, guess) => {
    const peer = new RawPeer("server").start();
    const client = machine("client", { ...withKex(curve), guess });
    peer.receive(client.takeOutput());
    expect(peer.numbers).toEqual([KexInit.number]);
    expect(KexInit.decode(peer.got[0] ?? expect.unreachable()).firstKexPacketFollows).toBe(false);
  });

  it("is not sent for a group exchange, whose first message is a request", () => {
    const client = machine("client", {
      ...withKex(dhGroupExchangeSha256),
      guess: { kex: dhGroupExchangeSha256.name, hostKey: "ssh-ed25519" },
    });
    const peer = new RawPeer("server", withKex(dhGroupExchangeSha256)).start();
    peer.receive(client.takeOutput());
    expect(peer.numbers[0]).toBe(KexInit.number);
    expect(KexInit.decode(peer.got[0] ?? expect.unreachable()).firstKexPacketFollows).toBe(false);
  });

  it.each([
    ["another method first", withKex(nist, curve), withKex(curve, nist), curve.name],
    ["the same method under another name first", withKex(curveLibssh, curve), withKex(curve, curveLibssh), curve.name],
    ["only another method", withKex(nist), withKex(curve, nist), nist.name],
  ])("that has become wrong is ignored: the server has %s", (_title, server, client, negotiated) => {
    const ours = machine("client", { ...client, guess: preferred });
    const theirs = machine("server", server);
    const [received, receivedByServer] = settle(ours, theirs);
    expect(keysOf(received)).toMatchObject({ names: { kex: negotiated } });
    expect(keysOf(receivedByServer)).toMatchObject({ names: { kex: negotiated, strict: true } });
    expect(ours.sessionId).toEqual(theirs.sessionId);
  });

  it("that has become wrong by the host key algorithm alone is repeated, with a new key", () => {
    const rsa = modernAlgorithms.hostKeys.find(({ name }) => name === "rsa-sha2-512") ?? expect.unreachable();
    const more = { algorithms: { ...classicalAlgorithms, kex: [curve], hostKeys: [ed25519, rsa] } };
    const client = machine("client", { ...more, guess: preferred });
    const peer = new RawPeer("server", { algorithms: { ...more.algorithms, hostKeys: [rsa, ed25519] } });
    // The peer's offer lists only algorithms that it can sign with. Its KEXINIT is replaced by one that prefers RSA.
    const send = peer.writer.send.bind(peer.writer);
    peer.writer.send = (head, body) => {
      if (head[0] !== KexInit.number) return send(head, body);
      const init = KexInit.decode(head);
      return send(KexInit.encode({ ...init, serverHostKeyAlgorithms: ["rsa-sha2-512", "ssh-ed25519"] }), body);
    };
    peer.kex.start();
    client.receive(peer.writer.take() ?? expect.unreachable());
    events(client);
    const output = client.takeOutput() ?? expect.unreachable();
    const reader = new PacketReader();
    reader.receive(output.subarray(output.indexOf(10) + 1));
    const sent: Uint8Array[] = [];
    for (let payload = reader.next(); payload !== undefined; payload = reader.next()) sent.push(payload.slice());
    const inits = sent.filter(([number]) => number === KexEcdhInit.number);
    expect(inits.length).toBe(2);
    expect(inits[0]).not.toEqual(inits[1]);
  });

  it("is sent in the first key exchange alone", () => {
    const guesses: boolean[] = [];
    const packet = ({ direction, payload }: TappedPacket): void => {
      if (direction === "sent" && payload[0] === KexInit.number)
        guesses.push(KexInit.decode(payload).firstKexPacketFollows);
    };
    const client = machine("client", { ...withKex(curve), guess: preferred, tap: { packet } });
    const server = machine("server", withKex(curve));
    settle(client, server);
    client.startRekey();
    const [received] = settle(client, server);
    expect(keysOf(received)).toMatchObject({ first: false });
    expect(guesses).toEqual([true, false]);
  });

  it("is overwritten if the connection ends before the server's KEXINIT", () => {
    const drawn: Uint8Array[] = [];
    const client = machine("client", {
      ...withKex(curve),
      guess: preferred,
      random: (size) => {
        const bytes = crypto.getRandomValues(new Uint8Array(size));
        drawn.push(bytes);
        return bytes;
      },
    });
    client.takeOutput();
    client.inputEnded();
    expect(drawn.filter((bytes) => bytes.length === 32)).toEqual([new Uint8Array(32)]);
  });
});
