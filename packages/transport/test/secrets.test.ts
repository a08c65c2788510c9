/** K and the ephemeral private key are overwritten at every end of a key exchange. */

import type { KexMethod } from "@postern/crypto";
import { ecdhNistp256, modernAlgorithms, sshEd25519 } from "@postern/noble";
import { seededRandom } from "@postern/testkit";
import { type Bytes, Disconnect, KexEcdhReply } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import type { TransportMachine, TransportOptions } from "../src/transport-machine.ts";
import type { Role } from "../src/version-exchange.ts";
import { events, machine, otherHostKey, RawPeer } from "./raw-peer.ts";

/** Returns a machine and the secrets of its exchanges: the random bytes of private keys, and each K. */
function watched(role: Role, method: KexMethod, more: Partial<TransportOptions> = {}) {
  const secrets: Bytes[] = [];
  const random = seededRandom(`secrets of a ${role}`);
  const drawing = (size: number): Bytes => {
    const drawn = random(size);
    secrets.push(drawn);
    return drawn;
  };
  const kex: KexMethod = {
    ...method,
    start() {
      const started = method.start(drawing);
      const finish = (theirs: Bytes): Bytes => {
        const secret = started.finish(theirs);
        secrets.push(secret);
        return secret;
      };
      return { ...started, finish };
    },
    respond(theirs) {
      const answer = method.respond(theirs, drawing);
      secrets.push(answer.secret);
      return answer;
    },
  };
  const algorithms = { ...modernAlgorithms, ...more.algorithms, kex: [kex] };
  return { ours: machine(role, { ...more, algorithms }), secrets };
}

/** Reads events up to the first of that type. */
function until(ours: TransportMachine, type: string): void {
  for (let event = ours.next(); event !== undefined; event = ours.next()) if (event.type === type) return;
  throw new Error(`expected the event ${type}`);
}

const disconnect = Disconnect.encode({ reason: 11, description: "", language: "" });
const ends: Record<string, (ours: TransportMachine) => void> = {
  "is closed by us": (ours) => ours.disconnect(11, ""),
  "is lost": (ours) => void ours.inputEnded(),
};

describe.each([modernAlgorithms.kex[0], ecdhNistp256].map((method) => method ?? expect.unreachable()))(
  "$name",
  (method) => {
    const peerOptions = { algorithms: { ...modernAlgorithms, kex: [method] } };
    const expectWiped = (secrets: readonly Bytes[], max: number): void => {
      expect(secrets.length).toBeGreaterThan(0);
      // A hybrid has two private keys.
      expect(secrets.length).toBeLessThanOrEqual(method.isPostQuantum === true ? max + 1 : max);
      for (const secret of secrets) expect(secret).toEqual(new Uint8Array(secret.length));
    };

    /** A client that has received KEXINIT and sent KEX_ECDH_INIT. */
    const started = (more: Partial<TransportOptions> = {}, server = peerOptions) => {
      const { ours, secrets } = watched("client", method, more);
      const peer = new RawPeer("server", server).start();
      ours.receive(peer.writer.take() ?? expect.unreachable());
      events(ours);
      expect(secrets.some((secret) => secret.some((byte) => byte !== 0))).toBe(true);
      return { ours, secrets, peer };
    };
    /** The same client, with KEX_ECDH_REPLY received but not read. */
    const replied = (more: Partial<TransportOptions> = {}, server = peerOptions) => {
      const all = started(more, server);
      all.peer.receive(all.ours.takeOutput());
      all.ours.receive(all.peer.writer.take() ?? expect.unreachable());
      return all;
    };

    it("wipes the secrets of a client after its exchange", () => {
      const { ours, secrets } = replied();
      events(ours);
      expectWiped(secrets, 2);
    });

    it.each(Object.entries(ends))(
      "wipes the secrets of a client whose connection %s before the reply",
      (_name, end) => {
        const { ours, secrets } = started();
        end(ours);
        expectWiped(secrets, 1);
      },
    );

    it("wipes the secrets of a client whose peer disconnects or times out", () => {
      const disconnected = started();
      disconnected.peer.send(disconnect);
      disconnected.ours.receive(disconnected.peer.writer.take() ?? expect.unreachable());
      until(disconnected.ours, "disconnect");
      expectWiped(disconnected.secrets, 1);
      const silent = started();
      expect(() => silent.ours.tick(Limits.kexTimeoutMs)).toThrow(expect.objectContaining({ code: "timeout" }));
      expectWiped(silent.secrets, 1);
    });

    it.each(Object.entries(ends))(
      "wipes the secrets of a client whose connection %s before acceptHostKey()",
      (_name, end) => {
        const { ours, secrets } = replied();
        until(ours, "hostKey");
        expect(secrets.at(-1)?.some((byte) => byte !== 0)).toBe(true);
        end(ours);
        expectWiped(secrets, 2);
        expect(() => ours.acceptHostKey()).toThrow(expect.objectContaining({ code: "misuse" }));
      },
    );

    it.each(Object.entries(ends))(
      "wipes the secrets of a client whose connection %s before the verdict",
      (_name, end) => {
        const verify = () => new Promise<boolean>(() => {});
        const { ours, secrets } = replied({
          algorithms: { ...modernAlgorithms, hostKeys: [{ ...sshEd25519, verify }] },
        });
        until(ours, "verify");
        end(ours);
        expectWiped(secrets, 2);
      },
    );

    it("wipes the secrets of a client that rejects a signature, synchronously or not", () => {
      for (const verify of [() => false, () => new Promise<boolean>(() => {})]) {
        const { ours, secrets } = replied({
          algorithms: { ...modernAlgorithms, hostKeys: [{ ...sshEd25519, verify }] },
        });
        expect(() => {
          until(ours, "verify");
          ours.verified(false);
        }).toThrow(expect.objectContaining({ code: "kex" }));
        expectWiped(secrets, 2);
      }
    });

    it.each([
      ["host key", { hostKey: Uint8Array.of(1, 2, 3) }],
      ["public value", { serverPublic: Uint8Array.of(4) }],
    ])("wipes the secrets of a client that receives a malformed %s", (_field, wrong) => {
      const { ours, secrets, peer } = started();
      const good = { hostKey: otherHostKey().publicKey, signature: new Uint8Array(83) };
      const serverPublic = method.start(seededRandom("server")).clientPublic;
      peer.send(KexEcdhReply.encode({ ...good, serverPublic, ...wrong }));
      ours.receive(peer.writer.take() ?? expect.unreachable());
      expect(() => events(ours)).toThrow();
      expectWiped(secrets, 2);
    });

    it.each(Object.entries(ends))("wipes the secrets of a server whose connection %s before signed()", (_name, end) => {
      const { ours, secrets } = watched("server", method);
      const peer = new RawPeer("client", peerOptions).start();
      peer.receive(ours.takeOutput());
      ours.receive(peer.writer.take() ?? expect.unreachable());
      until(ours, "sign");
      expect(secrets.at(-1)?.some((byte) => byte !== 0)).toBe(true);
      end(ours);
      expectWiped(secrets, 2);
      expect(() => ours.signed(new Uint8Array(83))).toThrow(expect.objectContaining({ code: "misuse" }));
    });
  },
);
