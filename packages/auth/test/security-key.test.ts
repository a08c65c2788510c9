/** Security keys and certificates at a server: the touch, and the sizes that are verified. */
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { createCertificateAlgorithm } from "@postern/keys";
import { skSshEd25519, sshEd25519 } from "@postern/noble";
import {
  type Bytes,
  concat,
  PublickeyProof,
  PublickeyQuery,
  ServerLimits,
  ServiceRequest,
  UserauthFailure,
  UserauthPkOk,
  UserauthRequest,
  UserauthSuccess,
  Writer,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type AuthDecision, type AuthServerEvent, AuthServerMachine } from "../src/index.ts";

const name = "sk-ssh-ed25519@openssh.com";
const publicKey = new Writer().text(name).string(new Uint8Array(32).fill(9)).text("ssh:").finish();
/** Accepts every signature, because the vectors check signatures. Reads the use of the key as usual. */
const trusting: PublicKeyAlgorithm = { ...skSshEd25519, verify: () => true };

function start(...algorithms: readonly PublicKeyAlgorithm[]) {
  const sent: Bytes[] = [];
  const sink = { writable: true, send: (payload: Bytes) => void sent.push(payload.slice()) };
  const machine = new AuthServerMachine({ sink, methods: ["publickey"], algorithms, banner: undefined });
  machine.start(new Uint8Array(32));
  machine.receive(ServiceRequest.encode({ service: "ssh-userauth" }));
  sent.length = 0;
  return { machine, sent };
}

const request = (specificData: Bytes): Bytes =>
  UserauthRequest.encode({ user: "me", service: "ssh-connection", method: "publickey", specificData });
const proof = (flags: number): Bytes => {
  const signature = new Writer().text(name).string(new Uint8Array(64)).byte(flags).uint32(7).finish();
  return request(PublickeyProof.encode({ hasSignature: true, algorithm: name, publicKey, signature }));
};
const failure = (partialSuccess = false): Bytes =>
  UserauthFailure.encode({ canContinue: ["publickey"], partialSuccess });
const success = UserauthSuccess.encode({});
const attemptOf = (event: AuthServerEvent | undefined) => (event?.type === "attempt" ? event.attempt : undefined);

describe("a security key at a server (PROTOCOL.u2f)", () => {
  const partial = ["publickey"];
  const noTouchRequired = true;

  it.each<[AuthDecision, flags: number, Bytes]>([
    [true, 1, success],
    [true, 5, success],
    [true, 0, failure()],
    [true, 4, failure()],
    [false, 1, failure()],
    [{ noTouchRequired }, 0, success],
    [{ noTouchRequired }, 1, success],
    [{ noTouchRequired: false } as unknown as AuthDecision, 1, failure()],
    [{ partial }, 1, failure(true)],
    [{ partial }, 0, failure()],
    [{ partial, noTouchRequired: false }, 0, failure()],
    [{ partial, noTouchRequired }, 0, failure(true)],
    [{ partial: [], noTouchRequired }, 1, failure()],
  ])("is decided with %j for a signature with flags %d", (decision, flags, answer) => {
    const { machine, sent } = start(trusting);
    machine.receive(proof(flags));
    const attempt = attemptOf(machine.next());
    const securityKey = { userPresent: (flags & 1) === 1, userVerified: (flags & 4) === 4, counter: 7 };
    expect(attempt).toMatchObject({ proved: true, securityKey });
    machine.decide(decision);
    expect(sent).toEqual([answer]);
  });

  it("is asked about without a signature, so without a use", () => {
    const { machine, sent } = start(trusting);
    machine.receive(request(PublickeyQuery.encode({ hasSignature: false, algorithm: name, publicKey })));
    expect(attemptOf(machine.next())).not.toHaveProperty("securityKey");
    machine.decide(true);
    expect(sent).toEqual([UserauthPkOk.encode({ algorithm: name, publicKey })]);
  });

  it("is refused by a server without its algorithm", () => {
    const { machine, sent } = start(sshEd25519);
    machine.receive(proof(1));
    expect(machine.next()).toBeUndefined();
    expect(sent).toEqual([failure()]);
  });
});

describe("a certificate at a server", () => {
  const certificate = (key: Bytes, padding: number): Bytes => {
    const head = new Writer().text("ssh-ed25519-cert-v01@openssh.com").string(new Uint8Array(32)).string(key);
    head.uint64(1n).uint32(1).text("id").text("").uint64(0n).uint64(1n).text("").text("");
    const authority = new Writer().text("ssh-ed25519").string(new Uint8Array(32).fill(7)).finish();
    return head.string(new Uint8Array(padding)).string(authority).text("").finish();
  };
  const ask = (blob: Bytes): AuthServerEvent | undefined => {
    const { machine } = start(createCertificateAlgorithm(sshEd25519));
    const algorithm = "ssh-ed25519-cert-v01@openssh.com";
    machine.receive(request(PublickeyQuery.encode({ hasSignature: false, algorithm, publicKey: blob })));
    return machine.next();
  };

  it("may be larger than a key, up to a limit", () => {
    const key = new Uint8Array(32).fill(5);
    const overhead = certificate(key, 0).length;
    expect(ask(certificate(key, ServerLimits.certificateBytes - overhead))?.type).toBe("attempt");
    expect(ask(certificate(key, ServerLimits.certificateBytes - overhead + 1))).toBeUndefined();
  });

  it("is refused if it is malformed", () => {
    const sound = certificate(new Uint8Array(32).fill(5), 0);
    expect(ask(sound.subarray(0, -1))).toBeUndefined();
    expect(ask(concat(sound, Uint8Array.of(0)))).toBeUndefined();
    expect(ask(publicKey)).toBeUndefined();
  });
});
