/** The server's side of user authentication, RFC 4252. */

import type { Certificate, PublicKeyAlgorithm } from "@postern/crypto";
import { modernAlgorithms, sshEd25519 } from "@postern/noble";
import { otherHostKey, testHostKey } from "@postern/testkit";
import { webSshEd25519 } from "@postern/web";
import {
  type Bytes,
  concat,
  PasswordChange,
  PasswordRequest,
  PublickeyProof,
  PublickeyQuery,
  ServerLimits,
  ServiceAccept,
  ServiceRequest,
  UserauthBanner,
  UserauthFailure,
  UserauthPkOk,
  UserauthRequest,
  UserauthSuccess,
  utf8,
  Writer,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type AuthDecision, type AuthServerEvent, AuthServerMachine } from "../src/index.ts";

const key = testHostKey();
const algorithm = "ssh-ed25519";
const sessionId = utf8("session");
const hostKey = utf8("our host key");
const service = ServiceRequest.encode({ service: "ssh-userauth" });
const request = (
  method: string,
  specificData: Bytes = new Uint8Array(0),
  user = "me",
  wanted = "ssh-connection",
): Bytes => UserauthRequest.encode({ user, service: wanted, method, specificData });
const passwordRequest = (password: string, user?: string): Bytes =>
  request("password", PasswordRequest.encode({ isChange: false, password }), user);
const refused = (partialSuccess: boolean, ...canContinue: string[]): Bytes =>
  UserauthFailure.encode({ canContinue, partialSuccess });
const success = UserauthSuccess.encode({});

/** Returns a signed publickey request. Its signature may cover other values than the request. */
async function proof({
  session = sessionId,
  signedUser = "me",
  name = algorithm,
  publicKey = key.publicKey,
} = {}): Promise<Bytes> {
  const asked = (who: string): Bytes =>
    request("publickey", PublickeyQuery.encode({ hasSignature: true, algorithm: name, publicKey }), who);
  const signature = await key.sign(new Writer().string(session).raw(asked(signedUser)).finish(), algorithm);
  return concat(asked("me"), new Writer().string(signature).finish());
}
const query = (publicKey = key.publicKey, name = algorithm): Bytes =>
  request("publickey", PublickeyQuery.encode({ hasSignature: false, algorithm: name, publicKey }));

class Server {
  readonly sent: Bytes[] = [];
  readonly machine: AuthServerMachine;

  constructor({
    methods = ["publickey", "password"],
    banner,
    attempts,
    algorithms = modernAlgorithms.hostKeys,
  }: { methods?: string[]; banner?: string; attempts?: number; algorithms?: readonly PublicKeyAlgorithm[] } = {}) {
    const sink = { writable: true, send: (payload: Bytes) => void this.sent.push(payload) };
    this.machine = new AuthServerMachine({ sink, methods, algorithms, banner, attempts });
    this.machine.start(sessionId, hostKey);
  }

  /** Passes messages to the machine, and returns the last event. */
  receive(...payloads: readonly Bytes[]): AuthServerEvent | undefined {
    let last: AuthServerEvent | undefined;
    for (const payload of payloads) {
      this.machine.receive(payload);
      for (let event = this.machine.next(); event !== undefined; event = this.machine.next()) last = event;
    }
    return last;
  }

  /** Decides the attempt, and returns the last message sent. */
  decide(decision: AuthDecision): Bytes | undefined {
    this.machine.decide(decision);
    return this.sent.at(-1);
  }
}
const begun = (options?: ConstructorParameters<typeof Server>[0]): Server => {
  const server = new Server(options);
  server.receive(service);
  server.sent.length = 0;
  return server;
};
const protocol = expect.objectContaining({ code: "protocol" });

describe("the service", () => {
  it("is accepted, and the banner follows", () => {
    const server = new Server({ banner: "hello\n" });
    server.receive(service);
    expect(server.sent).toEqual([
      ServiceAccept.encode({ service: "ssh-userauth" }),
      UserauthBanner.encode({ message: "hello\n", language: "" }),
    ]);
  });

  it("is rejected under another name, twice, or if it is missing", () => {
    expect(() => new Server().receive(ServiceRequest.encode({ service: "ssh-connection" }))).toThrow(
      /got "ssh-connection"/,
    );
    expect(() => new Server().receive(service, service)).toThrow(protocol);
    expect(() => new Server().receive(passwordRequest("x"))).toThrow(protocol);
  });

  it("is rejected in a login request unless it is ssh-connection", () => {
    expect(() => begun().receive(request("none", undefined, "me", "ssh-agent"))).toThrow(/got "ssh-agent"/);
  });
});

describe("attempts", () => {
  it("with the method none return the methods, and are free the first time (RFC 4252 section 5.2)", () => {
    const server = begun({ attempts: 1 });
    expect(server.receive(request("none"))).toEqual({ type: "attempt", attempt: { method: "none", user: "me" } });
    expect(server.decide(false)).toEqual(refused(false, "publickey", "password"));
    server.receive(request("none"));
    expect(() => server.decide(false)).toThrow(expect.objectContaining({ code: "auth" }));
  });

  it("with a password are decided by the program", () => {
    const server = begun();
    expect(server.receive(passwordRequest("wrong"))).toEqual({
      type: "attempt",
      attempt: { method: "password", user: "me", password: "wrong" },
    });
    expect(server.machine.wantsInput).toBe(false);
    expect(server.decide(false)).toEqual(refused(false, "publickey", "password"));
    server.receive(passwordRequest("right"));
    expect(server.decide(true)).toEqual(success);
    expect(server.machine.next()).toEqual({ type: "authenticated", user: "me", method: "password" });
    expect(() => server.machine.decide(true)).toThrow(expect.objectContaining({ code: "misuse" }));
  });

  it("are refused without an event for a method that is not offered, or an unrequested password change", () => {
    const server = begun({ methods: ["password"] });
    const changed = PasswordChange.encode({ isChange: true, oldPassword: "a", newPassword: "b" });
    for (const payload of [request("hostbased"), query(), request("password", changed)]) {
      expect(server.receive(payload)).toBeUndefined();
      expect(server.sent.at(-1)).toEqual(refused(false, "password"));
    }
  });

  it("are refused for an offered method that the machine does not know", () => {
    const server = begun({ methods: ["hostbased", "password"] });
    expect(server.receive(request("hostbased"))).toBeUndefined();
    expect(server.sent.at(-1)).toEqual(refused(false, "hostbased", "password"));
    expect(server.receive(passwordRequest("x"))).toMatchObject({ type: "attempt" });
  });

  it("must not change the user (RFC 4252 section 5)", () => {
    const server = begun();
    server.receive(passwordRequest("x", "me"));
    server.decide(false);
    expect(() => server.receive(passwordRequest("x", "root"))).toThrow("expected the user name not to change");
  });

  it("are limited in number", () => {
    for (const attempts of [undefined, 2]) {
      const server = begun(attempts === undefined ? {} : { attempts });
      const max = attempts ?? ServerLimits.authAttempts;
      for (let n = 1; n < max; n++) {
        server.receive(passwordRequest("x"));
        server.decide(false);
      }
      server.receive(passwordRequest("x"));
      expect(() => server.decide(false)).toThrow(
        expect.objectContaining({ code: "auth", message: `expected a valid login within ${max} attempts` }),
      );
    }
  });

  it("continue with the methods of a partial decision only (RFC 4252 section 5.1)", async () => {
    for (const [first, second] of [
      [passwordRequest("x"), await proof()],
      [await proof(), passwordRequest("x")],
    ] as const) {
      const server = begun();
      const wanted = UserauthRequest.decode(second).method;
      server.receive(first);
      expect(server.decide({ partial: [wanted] })).toEqual(refused(true, wanted));
      expect(server.receive(first)).toBeUndefined();
      expect(server.sent.at(-1)).toEqual(refused(false, wanted));
      expect(server.receive(second)).toMatchObject({ type: "attempt" });
      expect(server.decide(true)).toEqual(success);
    }
  });

  it("need another key if two are required, and a certificate is no other key (auth2_key_already_used of OpenSSH)", async () => {
    const certified: PublicKeyAlgorithm = {
      ...sshEd25519,
      name: "certified",
      readCertificate: () => ({ publicKey: key.publicKey }) as Certificate,
    };
    const server = begun({ algorithms: [sshEd25519, certified] });
    server.receive(await proof());
    expect(server.decide({ partial: ["publickey"] })).toEqual(refused(true, "publickey"));
    for (const again of [
      await proof(),
      query(),
      query(key.publicKey, "certified"),
      await proof({ name: "certified" }),
    ]) {
      expect(server.receive(again)).toBeUndefined();
      expect(server.sent.at(-1)).toEqual(refused(false, "publickey"));
    }
    expect(server.receive(query(otherHostKey().publicKey))).toMatchObject({ type: "attempt" });
  });

  it("are recorded as passed only if they were accepted in part and proved", async () => {
    const server = begun();
    server.receive(request("none"));
    server.decide({ partial: ["publickey", "password"] });
    server.receive(query());
    server.decide({ partial: ["password"] });
    server.receive(passwordRequest("x"));
    server.decide(false);
    expect(server.machine.passed).toEqual([]);
    server.receive(await proof());
    server.decide({ partial: ["password"] });
    expect(server.machine.passed).toEqual(["publickey"]);
    server.receive(passwordRequest("x"));
    server.decide({ partial: ["keyboard-interactive"] });
    expect(server.machine.passed).toEqual(["publickey", "password"]);
  });

  // A program in JavaScript may pass any value.
  it.each([
    undefined,
    null,
    0,
    1,
    "yes",
    {},
    [],
    { ok: false },
    { partial: undefined },
    { partial: "password" },
    { partial: [] },
    { partial: [1] },
    { partial: ["password", 1] },
    new Error("no"),
  ])("are refused by a value that is not a decision: %o", async (decision) => {
    const server = begun();
    for (const attempt of [request("none"), query(), await proof(), passwordRequest("x")]) {
      server.receive(attempt);
      expect(server.decide(decision as AuthDecision)).toEqual(refused(false, "publickey", "password"));
      expect(server.machine.next()).toBeUndefined();
    }
    server.receive(passwordRequest("x"));
    expect(server.decide(true)).toEqual(success);
  });

  it("are ignored silently after success (RFC 4252 section 5.1)", () => {
    const server = begun();
    server.receive(passwordRequest("x"));
    server.decide(true);
    server.machine.next();
    server.sent.length = 0;
    expect(server.receive(passwordRequest("y"), query(), request("none"))).toBeUndefined();
    expect(server.sent).toEqual([]);
  });

  it.each([51, 52, 53, 60, 61, 79])("are the only messages ignored after success: rejects message %i", (number) => {
    const server = begun();
    server.receive(passwordRequest("x"));
    server.decide(true);
    expect(() => server.receive(Uint8Array.of(number))).toThrow(protocol);
  });

  it("are rejected if they are not a valid USERAUTH_REQUEST", () => {
    expect(() => begun().receive(success)).toThrow(protocol);
    expect(() =>
      begun().receive(
        UserauthRequest.encode({
          user: "me",
          service: "ssh-connection",
          method: "password",
          specificData: Uint8Array.of(0),
        }),
      ),
    ).toThrow(protocol);
  });
});

describe("public keys (RFC 4252 section 7)", () => {
  it("are proved by a valid signature", async () => {
    const server = begun();
    expect(server.receive(await proof())).toEqual({
      type: "attempt",
      attempt: { method: "publickey", user: "me", publicKey: key.publicKey, algorithm, proved: true },
    });
    expect(server.decide(true)).toEqual(success);
  });

  it("do not authenticate by a query, for any decision", () => {
    for (const decision of [true, { partial: ["password"] }] as const) {
      const server = begun();
      expect(server.receive(query())).toMatchObject({ attempt: { proved: false } });
      expect(server.decide(decision)).toEqual(UserauthPkOk.encode({ algorithm, publicKey: key.publicKey }));
      expect(server.machine.next()).toBeUndefined();
      expect(server.receive(passwordRequest("x"))).toMatchObject({ type: "attempt" });
    }
    const server = begun();
    server.receive(query());
    expect(server.decide(false)).toEqual(refused(false, "publickey", "password"));
  });

  it.each([
    ["another session", { session: utf8("other") }],
    ["another user", { signedUser: "root" }],
    ["a key of another type", { name: "rsa-sha2-512" }],
    ["a malformed key", { publicKey: utf8("?") }],
    ["an empty key", { publicKey: new Uint8Array(0) }],
    ["an algorithm we do not have", { name: "ssh-rsa" }],
    ["an algorithm that does not exist", { name: "x" }],
  ])("are refused without an event if the signature is for %s", async (_reason, change) => {
    const server = begun();
    expect(server.receive(await proof(change))).toBeUndefined();
    expect(server.sent.at(-1)).toEqual(refused(false, "publickey", "password"));
    expect(server.receive(await proof())).toMatchObject({ attempt: { proved: true } });
  });

  it.each([
    ["WebCrypto", webSshEd25519],
    ["one that resolves to true", { ...sshEd25519, verify: () => Promise.resolve(true) }],
    ["one that returns a string", { ...sshEd25519, verify: () => "yes" as unknown as boolean }],
  ])("are not verified by an asynchronous algorithm: %s", async (_name, verifier) => {
    const server = begun({ algorithms: [verifier] });
    const signed = await proof();
    expect(() => server.receive(signed)).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(server.machine.next()).toBeUndefined();
    expect(server.sent).toEqual([]);
  });

  it("are refused without an event if RSA has more than 8192 bits, because to verify takes seconds", () => {
    for (const [bits, isAttempt] of [
      [8192, true],
      [16_384, false],
    ] as const) {
      const modulus = new Uint8Array(bits / 8).fill(0xff);
      const large = new Writer()
        .text("ssh-rsa")
        .mpint(Uint8Array.of(1, 0, 1))
        .mpint(modulus)
        .finish();
      expect(begun().receive(query(large, "rsa-sha2-512")) !== undefined).toBe(isAttempt);
    }
  });

  it("are refused with an altered or an empty signature", async () => {
    const good = await proof();
    const start = good.length - 64;
    for (let at = 0; at < 64; at += 7) {
      const bad = good.slice();
      bad[start + at] = (bad[start + at] ?? 0) ^ 1;
      expect(begun().receive(bad), `byte ${at}`).toBeUndefined();
    }
    expect(() => begun().receive(good.subarray(0, start - 4 - 4 - 11 - 4))).toThrow(protocol);
    const empty = PublickeyProof.encode({
      hasSignature: true,
      algorithm,
      publicKey: key.publicKey,
      signature: new Uint8Array(0),
    });
    expect(begun().receive(request("publickey", empty))).toBeUndefined();
  });
});
