/** The client's side of user authentication, RFC 4252. */

import type { Signer } from "@postern/crypto";
import {
  type Bytes,
  Limits,
  PasswordChange,
  PasswordRequest,
  PublickeyProof,
  ServiceAccept,
  ServiceRequest,
  SshError,
  UserauthBanner,
  UserauthFailure,
  UserauthPasswdChangereq,
  UserauthPkOk,
  UserauthRequest,
  UserauthSuccess,
  utf8,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type AuthClientEvent, AuthClientMachine, type AuthMethod, password, publickey } from "../src/index.ts";

const sessionId = utf8("session");
const accept = ServiceAccept.encode({ service: "ssh-userauth" });
const success = UserauthSuccess.encode({});
const refused = (partialSuccess: boolean, ...canContinue: string[]): Bytes =>
  UserauthFailure.encode({ canContinue, partialSuccess });
const banner = (message: string): Bytes => UserauthBanner.encode({ message, language: "" });
const change = UserauthPasswdChangereq.encode({ prompt: "too old", language: "" });
const misuse = expect.objectContaining({ code: "misuse" });
const protocol = expect.objectContaining({ code: "protocol" });

/** A method that sends its name and gives up when told. */
const method = (name: string, needsServerAlgorithms = false): AuthMethod => ({
  name,
  needsServerAlgorithms,
  begin: ({ user }) => ({
    next: () =>
      UserauthRequest.encode({ user, service: "ssh-connection", method: name, specificData: new Uint8Array(0) }),
  }),
});

/** A machine whose steps are worked at once. */
class Client {
  readonly sent: Bytes[] = [];
  readonly machine: AuthClientMachine;
  readonly heard: AuthClientEvent[] = [];

  constructor(...methods: readonly AuthMethod[]) {
    this.machine = new AuthClientMachine({
      sink: { writable: true, send: (payload) => void this.sent.push(payload) },
      methods,
    });
  }

  async start(serverAlgorithms?: readonly string[], oneFlight = true): Promise<this> {
    this.machine.start({ user: "me", sessionId, serverAlgorithms: undefined, signal: undefined }, oneFlight);
    if (serverAlgorithms !== undefined) this.machine.setServerAlgorithms(serverAlgorithms);
    return await this.work();
  }

  async hear(...payloads: readonly Bytes[]): Promise<this> {
    for (const payload of payloads) {
      this.machine.receive(payload);
      await this.work();
    }
    return this;
  }

  async work(): Promise<this> {
    for (let event = this.machine.next(); event !== undefined; event = this.machine.next()) {
      this.heard.push(event);
      if (event.type !== "step") continue;
      try {
        this.machine.proceed(await event.dialog.next(event.answer));
      } catch (error) {
        this.machine.giveUp((error as Error).message);
      }
    }
    return this;
  }

  /** The names of the methods that were requested since the last call. */
  tried(): string[] {
    return this.sent
      .splice(0)
      .flatMap((payload) => (payload[0] === 50 ? [UserauthRequest.decode(payload).method] : []));
  }
}

describe("the service", () => {
  it("is requested in one flight with the first method, and must be accepted before success (RFC 4253 section 10)", async () => {
    const client = await new Client(method("password")).start();
    expect(client.sent[0]).toEqual(ServiceRequest.encode({ service: "ssh-userauth" }));
    expect(client.tried()).toEqual(["password"]);
    await expect(client.hear(success)).rejects.toThrow("expected SERVICE_ACCEPT");
  });

  it("must be accepted before any answer to a method, and before a message of one", async () => {
    for (const early of [success, refused(false, "password"), change]) {
      const client = await new Client(method("password")).start();
      await expect(client.hear(early)).rejects.toThrow(protocol);
    }
  });

  it("is waited for by every method when the server does not take both in one flight", async () => {
    const client = await new Client(method("password")).start(undefined, false);
    expect(client.sent).toEqual([ServiceRequest.encode({ service: "ssh-userauth" })]);
    await client.hear(accept);
    expect(client.tried()).toEqual(["password"]);
    await client.hear(success);
    expect(client.heard.at(-1)).toMatchObject({ type: "authenticated" });
  });

  it("that is accepted twice, or under another name, is refused", async () => {
    const twice = await new Client(method("password")).start();
    await expect(twice.hear(accept, accept)).rejects.toThrow(protocol);
    const other = await new Client(method("password")).start();
    await expect(other.hear(ServiceAccept.encode({ service: "ssh-connection" }))).rejects.toThrow(
      /got another of "ssh-connection"/,
    );
    await expect(new Client(method("password")).hear(accept)).rejects.toThrow(protocol);
  });

  it("is waited for by a method that needs the server's algorithms", async () => {
    const client = await new Client(method("publickey", true)).start();
    expect(client.tried()).toEqual([]);
    await client.hear(accept);
    expect(client.tried()).toEqual(["publickey"]);
  });
});

describe("methods", () => {
  it("are tried in order until one is accepted", async () => {
    const client = await new Client(method("a"), method("b"), method("c")).start();
    await client.hear(accept, refused(false, "a", "b", "c"), refused(false, "a", "b", "c"));
    expect(client.tried()).toEqual(["a", "b", "c"]);
    await client.hear(success);
    expect(client.heard.at(-1)).toEqual({ type: "authenticated", user: "me", method: "c" });
    expect(client.machine.wantsInput).toBe(true);
  });

  it("that the server does not take are left out (methods that can continue, RFC 4252 section 5.1)", async () => {
    const client = await new Client(method("a"), method("b"), method("c")).start();
    await client.hear(accept, refused(false, "c"));
    expect(client.tried()).toEqual(["a", "c"]);
  });

  it("that all fail end in an error that names what was tried and what the host takes", async () => {
    const client = await new Client(method("password"), method("publickey")).start();
    await expect(
      client.hear(accept, refused(false, "publickey", "hostbased"), refused(false, "publickey", "hostbased")),
    ).rejects.toMatchObject({
      code: "auth",
      message:
        'expected the host to accept a login method: tried password (refused), publickey (refused); the host takes "publickey,hostbased"',
    });
    await expect(new Client().start()).rejects.toMatchObject({
      code: "auth",
      message: expect.stringContaining("none was tried"),
    });
  });

  it("that are refused by a host that takes none are told so", async () => {
    const client = await new Client(method("a"), method("b")).start();
    await expect(client.hear(accept, refused(false))).rejects.toMatchObject({
      code: "auth",
      message: expect.stringContaining('the host takes "no method"'),
    });
  });

  it.each([
    ["auth", new SshError("auth", "the agent has no such key"), "auth"],
    ["another code", new SshError("timeout", "the vault does not answer"), "credentials"],
    ["no code", new Error("no agent"), "credentials"],
  ])("that fail with %s before the host refused any end in that, or in credentials", async (_what, cause, code) => {
    const client = new Client(method("a"));
    client.machine.start({ user: "me", sessionId, serverAlgorithms: undefined, signal: undefined }, true);
    expect(client.machine.next()?.type).toBe("step");
    expect(() => client.machine.giveUp(cause.message, cause)).toThrow(expect.objectContaining({ code, cause }));
  });

  it("that give up, or throw, make way for the next, and the error says why", async () => {
    const lost: AuthMethod = {
      name: "publickey",
      begin: () => ({ next: () => Promise.reject(new Error("the agent is gone")) }),
    };
    const shy: AuthMethod = { name: "password", begin: () => ({ next: () => undefined }) };
    const client = await new Client(lost, shy, method("last")).start();
    expect(client.tried()).toEqual(["last"]);
    await expect(client.hear(accept, refused(false, "publickey"))).rejects.toThrow(
      "tried publickey (the agent is gone), password (gave up), last (refused)",
    );
  });

  it("a success before anything was asked is refused, and so is one after success", async () => {
    const waiting = await new Client(method("publickey", true)).start();
    await expect(waiting.hear(success)).rejects.toThrow(protocol);
    const done = await new Client(method("a")).start();
    await done.hear(accept, success);
    for (const payload of [success, refused(false, "a"), banner("late")])
      await expect(done.hear(payload)).rejects.toThrow(protocol);
  });

  it("may not be answered with a message of the client's", async () => {
    const client = await new Client(method("a")).start();
    await client.hear(accept);
    await expect(
      client.hear(UserauthRequest.encode({ user: "me", service: "x", method: "x", specificData: new Uint8Array(0) })),
    ).rejects.toThrow(protocol);
  });
});

describe("partial success (RFC 4252 section 5.1)", () => {
  it.each([
    ["publickey", "password"],
    ["password", "publickey"],
  ])("of %s goes on with %s", async (first, second) => {
    const client = await new Client(method("password"), method("publickey")).start();
    await client.hear(accept);
    if (first === "publickey") await client.hear(refused(false, "publickey"));
    await client.hear(refused(true, second));
    expect(client.tried().at(-1)).toBe(second);
    await client.hear(success);
    expect(client.heard.at(-1)).toMatchObject({ type: "authenticated", method: second });
  });

  it("tries again what was refused before, but never what has succeeded", async () => {
    const client = await new Client(method("a"), method("b")).start();
    await client.hear(accept, refused(false, "b"), refused(true, "a", "b"));
    expect(client.tried()).toEqual(["a", "b", "a"]);
    await expect(client.hear(refused(false, "a", "b"))).rejects.toThrow("b (accepted, not enough), a (refused)");
  });

  it("without end ends when every method has succeeded", async () => {
    const client = await new Client(method("a"), method("b")).start();
    await expect(client.hear(accept, refused(true, "a", "b"), refused(true, "a", "b"))).rejects.toMatchObject({
      code: "auth",
    });
  });
});

describe("banners", () => {
  it("are handed on at any time before success (RFC 4252 section 5.4)", async () => {
    const client = await new Client(method("a")).start();
    await client.hear(banner("one"), accept, banner("two"));
    expect(client.heard.filter(({ type }) => type === "banner")).toEqual([
      { type: "banner", message: "one" },
      { type: "banner", message: "two" },
    ]);
  });

  it("keep line ends and tabs, and no other control character (RFC 4252 section 5.4)", async () => {
    const client = await new Client(method("a")).start();
    await client.hear(banner("one\r\n\ttwo\u001b[2J\u202e"));
    expect(client.heard.at(-1)).toEqual({ type: "banner", message: "one\n\ttwo\\u{1b}[2J\\u{202e}" });
  });

  it("are limited in number and in size", async () => {
    const many = await new Client(method("a")).start();
    for (let n = 0; n < Limits.banners; n++) await many.hear(banner("x"));
    await expect(many.hear(banner("x"))).rejects.toMatchObject({ code: "limit" });
    const large = await new Client(method("a")).start();
    await large.hear(banner("x".repeat(Limits.bannerBytes)));
    await expect(large.hear(banner("x"))).rejects.toMatchObject({ code: "limit" });
  });
});

describe("password (RFC 4252 section 8)", () => {
  it("is sent as text or as what a function gives when it is needed", async () => {
    for (const secret of ["pässword", () => "pässword", () => Promise.resolve("pässword")]) {
      const client = await new Client(password(secret)).start();
      expect(client.sent.at(-1)).toEqual(
        UserauthRequest.encode({
          user: "me",
          service: "ssh-connection",
          method: "password",
          specificData: PasswordRequest.encode({ isChange: false, password: "pässword" }),
        }),
      );
    }
  });

  it("calls it misuse when a password is no text: a forgotten await must not log in with another one", async () => {
    for (const wrong of [undefined, null, 7, [], {}, Promise.resolve("secret")]) {
      expect(() => password(wrong as never)).toThrow(misuse);
      const given = new Client(password(() => wrong as never));
      const later = new Client(password(() => Promise.resolve(wrong) as never));
      const changed = new Client(password("old", { change: () => wrong as never }));
      if (!(wrong instanceof Promise)) {
        await expect(given.start()).rejects.toMatchObject({ message: expect.stringContaining("expected a password") });
        await expect(later.start()).rejects.toMatchObject({ message: expect.stringContaining("expected a password") });
        await expect((await changed.start()).hear(accept, change)).rejects.toMatchObject({
          message: expect.stringContaining("expected a password"),
        });
      }
    }
    expect(() => password("secret", { change: "new" } as never)).toThrow(misuse);
    expect(() => password("secret", null as never)).toThrow(misuse);
  });

  it("that has to be changed is changed, when the program can", async () => {
    const prompts: string[] = [];
    const change60 = (prompt: string): string => {
      prompts.push(prompt);
      return "new";
    };
    const method = password("old", { change: change60 });
    const client = await new Client(method).start();
    await client.hear(accept, change);
    expect(prompts).toEqual(["too old"]);
    expect(UserauthRequest.decode(client.sent.at(-1) ?? accept).specificData).toEqual(
      PasswordChange.encode({ isChange: true, oldPassword: "old", newPassword: "new" }),
    );
    await client.hear(success);
    expect(client.heard.at(-1)).toMatchObject({ method: "password" });
  });

  it("shows the prompt for a change without control characters", async () => {
    const prompts: string[] = [];
    const client = await new Client(password("old", { change: (prompt) => `new${prompts.push(prompt)}` })).start();
    await client.hear(accept, UserauthPasswdChangereq.encode({ prompt: "too\u001b[2J\nold", language: "" }));
    expect(prompts).toEqual(["too\\u{1b}[2J\nold"]);
  });

  it("that has to be changed is a failure when the program cannot", async () => {
    const client = await new Client(password("old")).start();
    await expect(client.hear(accept, change)).rejects.toThrow(
      "password (the host wants the password to be changed first)",
    );
  });
});

describe("publickey (RFC 4252 section 7, RFC 8332)", () => {
  const signed: [Bytes, string][] = [];
  const signer = (...algorithms: string[]): Signer => ({
    publicKey: utf8("key"),
    algorithms,
    sign: (data, algorithm) => {
      signed.push([data, algorithm]);
      return utf8("signature");
    },
  });
  const rsa = signer("rsa-sha2-512", "rsa-sha2-256");
  const chosen = async (serverAlgorithms?: readonly string[]): Promise<string> => {
    const client = await new Client(publickey(rsa)).start(serverAlgorithms);
    await client.hear(accept);
    return PublickeyProof.decode(UserauthRequest.decode(client.sent.at(-1) ?? accept).specificData).algorithm;
  };

  it.each([
    ["at once", signer("ssh-ed25519")],
    [
      "later",
      { ...signer("ssh-ed25519"), sign: async (data: Bytes, algorithm: string) => signer("").sign(data, algorithm) },
    ],
  ])("signs the session identifier and the whole request, %s", async (_when, signer) => {
    const client = await new Client(publickey(signer)).start();
    const request = client.sent.at(-1) ?? accept;
    const { specificData } = UserauthRequest.decode(request);
    expect(PublickeyProof.decode(specificData)).toEqual({
      hasSignature: true,
      algorithm: "ssh-ed25519",
      publicKey: utf8("key"),
      signature: utf8("signature"),
    });
    const [data] = signed.at(-1) ?? expect.unreachable();
    expect(data).toEqual(Uint8Array.from([0, 0, 0, 7, ...sessionId, ...request.subarray(0, -13)]));
  });

  it.each([
    [["rsa-sha2-512", "rsa-sha2-256"], "rsa-sha2-512"],
    [["rsa-sha2-256", "rsa-sha2-512"], "rsa-sha2-512"],
    [["ssh-ed25519", "rsa-sha2-256"], "rsa-sha2-256"],
    [["ssh-ed25519", "ssh-rsa"], "rsa-sha2-512"],
    [[], "rsa-sha2-512"],
    [undefined, "rsa-sha2-512"],
  ])("with server-sig-algs %j an RSA key signs with %s, never with SHA-1", async (serverAlgorithms, algorithm) => {
    expect(await chosen(serverAlgorithms)).toBe(algorithm);
  });

  it("message 60 in answer to a signed request is a protocol error, not another try", async () => {
    const client = new Client(publickey(signer("ssh-ed25519")));
    await client.start();
    client.machine.receive(accept);
    client.machine.receive(UserauthPkOk.encode({ algorithm: "ssh-ed25519", publicKey: utf8("key") }));
    const event = client.machine.next();
    expect(event?.type).toBe("step");
    expect(() => event?.type === "step" && event.dialog.next(event.answer)).toThrow(protocol);
  });

  it("needs a signer with an algorithm", () => {
    expect(() => publickey(signer())).toThrow(misuse);
    for (const wrong of [undefined, null, "key", Promise.resolve(signer("x")), { ...signer("x"), algorithms: "x" }]) {
      expect(() => publickey(wrong as never)).toThrow(misuse);
    }
  });

  it("takes a signature of bytes alone", async () => {
    for (const signature of ["text", null, [1, 2], Promise.resolve("text")]) {
      const client = new Client(publickey({ ...signer("ssh-ed25519"), sign: () => signature as never }));
      await expect(client.start()).rejects.toThrow("expected a signature");
    }
  });
});
