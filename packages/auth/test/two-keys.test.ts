/** A server that requires two keys, and a client whose certificate has other bytes than the key in it. */
import type { Certificate, PublicKeyAlgorithm } from "@postern/crypto";
import { sshEd25519 } from "@postern/noble";
import { testHostKey } from "@postern/testkit";
import {
  type Bytes,
  concat,
  PublickeyProof,
  PublickeyQuery,
  ServiceRequest,
  UserauthFailure,
  UserauthRequest,
  utf8,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { AuthServerMachine } from "../src/index.ts";

const plain = testHostKey().publicKey;
const certificate = concat(utf8("a certificate of "), plain);
const key: PublicKeyAlgorithm = { ...sshEd25519, verify: () => true };
const certified: PublicKeyAlgorithm = {
  ...key,
  name: "certified",
  readCertificate: () => ({ publicKey: plain }) as Certificate,
};
const uses = {
  key: { algorithm: "ssh-ed25519", publicKey: plain },
  certificate: { algorithm: "certified", publicKey: certificate },
} as const;

const request = (specificData: Bytes): Bytes =>
  UserauthRequest.encode({ user: "me", service: "ssh-connection", method: "publickey", specificData });

describe("a server that requires two keys (auth2_key_already_used of OpenSSH)", () => {
  it.each([
    ["key", "key"],
    ["key", "certificate"],
    ["certificate", "key"],
    ["certificate", "certificate"],
  ] as const)("takes a %s and then a %s of the same key for one", (first, second) => {
    for (const algorithms of [
      [key, certified],
      [certified, key],
    ]) {
      const sent: Bytes[] = [];
      const sink = { writable: true, send: (payload: Bytes) => void sent.push(payload) };
      const machine = new AuthServerMachine({ sink, methods: ["publickey"], algorithms, banner: undefined });
      machine.start(utf8("session"), utf8("host key"));
      machine.receive(ServiceRequest.encode({ service: "ssh-userauth" }));
      const proof = { hasSignature: true, signature: new Uint8Array(64) };
      machine.receive(request(PublickeyProof.encode({ ...uses[first], ...proof })));
      expect(machine.next()).toMatchObject({ type: "attempt", attempt: { proved: true } });
      machine.decide({ partial: ["publickey"] });
      for (const again of [
        PublickeyQuery.encode({ ...uses[second], hasSignature: false }),
        PublickeyProof.encode({ ...uses[second], ...proof }),
      ]) {
        machine.receive(request(again));
        expect(machine.next()).toBeUndefined();
        expect(sent.at(-1)).toEqual(UserauthFailure.encode({ canContinue: ["publickey"], partialSuccess: false }));
      }
    }
  });
});
