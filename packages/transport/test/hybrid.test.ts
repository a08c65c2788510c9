/** Attacks on the hybrids: an altered message never leads to keys. */
import { modernAlgorithms, sshEd25519 } from "@postern/noble";
import { KexEcdhInit, KexEcdhReply } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { converse, machine, RawPeer } from "./raw-peer.ts";

const hybrids = modernAlgorithms.kex.filter(({ isPostQuantum }) => isPostQuantum === true);
/** The first and last bits of the KEM's part and of X25519's, and some in between. The others take minutes. */
const bits = [0, 1, 7, 8, 4000, 8 * 1007 - 1, 8 * 1007, 8 * 1039 - 1, 8 * 1039, 8 * 1070, 8 * 1071 - 2];

describe.each(hybrids.map((method) => [method.name, method] as const))("%s", (_name, method) => {
  const algorithms = { ...modernAlgorithms, kex: [method], hostKeys: [sshEd25519] };

  /** Alters what the raw peer sends as its public value. */
  const altering = (role: "client" | "server", alter: (value: Uint8Array) => Uint8Array): RawPeer => {
    const peer = new RawPeer(role, { algorithms });
    const send = peer.writer.send.bind(peer.writer);
    peer.writer.send = (head, body) => {
      if (head[0] === KexEcdhInit.number) {
        return send(KexEcdhInit.encode({ clientPublic: alter(KexEcdhInit.decode(head).clientPublic.slice()) }));
      }
      if (head[0] === KexEcdhReply.number) {
        const reply = KexEcdhReply.decode(head);
        return send(KexEcdhReply.encode({ ...reply, serverPublic: alter(reply.serverPublic.slice()) }));
      }
      return send(head, body);
    };
    return peer.start();
  };

  it.each(bits)("a server's value with bit %i altered fails at the signature, or before", (bit) => {
    const peer = altering("server", (value) => {
      value[bit >> 3] = (value[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return value;
    });
    expect(() => converse(machine("client", { algorithms }), peer)).toThrow(expect.objectContaining({ code: "kex" }));
  });

  it.each(["client", "server"] as const)("a %s's value of another length is rejected", (role) => {
    for (const change of [-1, 1]) {
      const peer = altering(role, (value) => {
        const other = new Uint8Array(value.length + change);
        other.set(value.subarray(0, other.length));
        return other;
      });
      const ours = machine(role === "client" ? "server" : "client", { algorithms });
      expect(() => converse(ours, peer)).toThrow(expect.objectContaining({ code: "kex" }));
    }
  });

  it("a value without its X25519 half is rejected", () => {
    const peer = altering("client", (value) => value.fill(0, -32));
    expect(() => converse(machine("server", { algorithms }), peer)).toThrow(expect.objectContaining({ code: "kex" }));
  });
});
