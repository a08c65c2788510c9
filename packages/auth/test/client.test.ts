/** The client's side of user authentication, RFC 4252. */

import type { Signer } from "@postern/crypto";
import {
  type Bytes,
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
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { type AuthClientEvent, AuthClientMachine, type AuthMethod, password, publickey } from "../src/index.ts";
import { context } from "./context.ts";

const sessionId = utf8("session");
const beginning = { ...context, user: "me", sessionId };
const accept = ServiceAccept.encode({ service: "ssh-userauth" });
const success = UserauthSuccess.encode({});
const refused = (partialSuccess: boolean, ...canContinue: string[]): Bytes =>
  UserauthFailure.encode({ canContinue, partialSuccess });
const banner = (message: string): Bytes => UserauthBanner.encode({ message, language: "" });
const change = UserauthPasswdChangereq.encode({ prompt: "too old", language: "" });
const misuse = expect.objectContaining({ code: "misuse" });
const protocol = expect.objectContaining({ code: "protocol" });

/** A method whose request contains only its name. */
const method = (name: string, needsServerAlgorithms = false): AuthMethod => ({
  name,
  needsServerAlgorithms,
  begin: ({ user }) => ({
    next: () =>
      UserauthRequest.encode({ user, service: "ssh-connection", method: name, specificData: new Uint8Array(0) }),
  }),
});

/** A machine, and a program that runs its steps. */
class Client {
  readonly sent: Bytes[] = [];
  readonly machine: AuthClientMachine;
  readonly events: AuthClientEvent[] = [];

  constructor(...methods: readonly AuthMethod[]) {
    this.machine = new AuthClientMachine({
      sink: { writable: true, send: (payload) => void this.sent.push(payload) },
      methods,
    });
  }

  async start(serverAlgorithms?: readonly string[], oneFlight = true): Promise<this> {
    this.machine.start(beginning, oneFlight);
    if (serverAlgorithms !== undefined) this.machine.learn({ serverAlgorithms });
    return await this.run();
  }

  async receive(...payloads: readonly Bytes[]): Promise<this> {
    for (const payload of payloads) {
      this.machine.receive(payload);
      await this.run();
    }
    return this;
  }

  async run(): Promise<this> {
    for (let event = this.machine.next(); event !== undefined; event = this.machine.next()) {
      this.events.push(event);
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
  it("is requested in one flight with the first method (RFC 4253 section 10)", async () => {
    const client = await new Client(method("password")).start();
    expect(client.sent[0]).toEqual(ServiceRequest.encode({ service: "ssh-userauth" }));
    expect(client.tried()).toEqual(["password"]);
    await expect(client.receive(success)).rejects.toThrow("expected SERVICE_ACCEPT");
  });

  it("must be accepted before any answer to a method", async () => {
    for (const early of [success, refused(false, "password"), change]) {
      const client = await new Client(method("password")).start();
      await expect(client.receive(early)).rejects.toThrow(protocol);
    }
  });

  it("is accepted before the first request if oneFlight is false", async () => {
    const client = await new Client(method("password")).start(undefined, false);
    expect(client.sent).toEqual([ServiceRequest.encode({ service: "ssh-userauth" })]);
    await client.receive(accept);
    expect(client.tried()).toEqual(["password"]);
    await client.receive(success);
    expect(client.events.at(-1)).toMatchObject({ type: "authenticated" });
  });

  it("must not be accepted twice, or under another name", async () => {
    const twice = await new Client(method("password")).start();
    await expect(twice.receive(accept, accept)).rejects.toThrow(protocol);
    const other = await new Client(method("password")).start();
    await expect(other.receive(ServiceAccept.encode({ service: "ssh-connection" }))).rejects.toThrow(
      /got another of "ssh-connection"/,
    );
    await expect(new Client(method("password")).receive(accept)).rejects.toThrow(protocol);
  });

  it("is accepted before the first request of a method that needs the server's algorithms", async () => {
    const client = await new Client(method("publickey", true)).start();
    expect(client.tried()).toEqual([]);
    await client.receive(accept);
    expect(client.tried()).toEqual(["publickey"]);
  });
});

describe("methods", () => {
  it("are tried in order until one is accepted, each after the answer to the one before (RFC 4252 section 5.1)", async () => {
    const client = await new Client(method("a"), method("b"), method("c")).start();
    expect(client.tried()).toEqual(["a"]);
    await client.receive(accept);
    expect(client.tried()).toEqual([]);
    for (const next of ["b", "c"]) {
      await client.receive(refused(false, "a", "b", "c"));
      expect(client.tried()).toEqual([next]);
    }
    await client.receive(success);
    expect(client.events.at(-1)).toEqual({ type: "authenticated", user: "me", method: "c" });
    expect(client.machine.wantsInput).toBe(true);
  });

  it("are skipped if they cannot continue (RFC 4252 section 5.1)", async () => {
    const client = await new Client(method("a"), method("b"), method("c")).start();
    await client.receive(accept, refused(false, "c"));
    expect(client.tried()).toEqual(["a", "c"]);
  });

  it("fail with an error that lists them and the methods that the server accepts", async () => {
    const client = await new Client(method("password"), method("publickey")).start();
    await expect(
      client.receive(accept, refused(false, "publickey", "hostbased"), refused(false, "publickey", "hostbased")),
    ).rejects.toMatchObject({
      code: "auth",
      message:
        'expected the server to accept a login method: tried password (refused), publickey (refused); the server accepts "publickey,hostbased"',
    });
    await expect(new Client().start()).rejects.toMatchObject({
      code: "auth",
      message: expect.stringContaining("none was tried"),
    });
  });

  it("fail with an error that says if the server accepts none", async () => {
    const client = await new Client(method("a"), method("b")).start();
    await expect(client.receive(accept, refused(false))).rejects.toMatchObject({
      code: "auth",
      message: expect.stringContaining('the server accepts "no method"'),
    });
  });

  it.each([
    ["auth", new SshError("auth", "the agent has no such key"), "auth"],
    ["another code", new SshError("timeout", "the vault does not answer"), "credentials"],
    ["no code", new Error("no agent"), "credentials"],
  ])(
    "that fail with %s before any refusal end the login with the code auth or credentials",
    async (_case, cause, code) => {
      const client = new Client(method("a"));
      client.machine.start(beginning, true);
      expect(client.machine.next()?.type).toBe("step");
      expect(() => client.machine.giveUp(cause.message, cause)).toThrow(expect.objectContaining({ code, cause }));
    },
  );

  it("are followed by the next if they give up or throw, and the error has the reasons", async () => {
    const fails: AuthMethod = {
      name: "publickey",
      begin: () => ({ next: () => Promise.reject(new Error("the agent is down")) }),
    };
    const givesUp: AuthMethod = { name: "password", begin: () => ({ next: () => undefined }) };
    const client = await new Client(fails, givesUp, method("last")).start();
    expect(client.tried()).toEqual(["last"]);
    await expect(client.receive(accept, refused(false, "publickey"))).rejects.toThrow(
      "tried publickey (the agent is down), password (gave up), last (refused)",
    );
  });

  it("reject a success before the first request, and any message after success", async () => {
    const waiting = await new Client(method("publickey", true)).start();
    await expect(waiting.receive(success)).rejects.toThrow(protocol);
    const done = await new Client(method("a")).start();
    await done.receive(accept, success);
    for (const payload of [success, refused(false, "a"), banner("late")])
      await expect(done.receive(payload)).rejects.toThrow(protocol);
  });

  it("reject a message of the client as an answer", async () => {
    const client = await new Client(method("a")).start();
    await client.receive(accept);
    await expect(
      client.receive(
        UserauthRequest.encode({ user: "me", service: "x", method: "x", specificData: new Uint8Array(0) }),
      ),
    ).rejects.toThrow(protocol);
  });
});

describe("partial success (RFC 4252 section 5.1)", () => {
  it.each([
    ["publickey", "password"],
    ["password", "publickey"],
  ])("of %s continues with %s", async (first, second) => {
    const client = await new Client(method("password"), method("publickey")).start();
    await client.receive(accept);
    if (first === "publickey") await client.receive(refused(false, "publickey"));
    await client.receive(refused(true, second));
    expect(client.tried().at(-1)).toBe(second);
    await client.receive(success);
    expect(client.events.at(-1)).toMatchObject({ type: "authenticated", method: second });
  });

  it("retries methods that were refused, but not those that succeeded", async () => {
    const client = await new Client(method("a"), method("b")).start();
    await client.receive(accept, refused(false, "b"), refused(true, "a", "b"));
    expect(client.tried()).toEqual(["a", "b", "a"]);
    await expect(client.receive(refused(false, "a", "b"))).rejects.toThrow("b (accepted, not enough), a (refused)");
  });

  it("ends the login if every method has succeeded", async () => {
    const client = await new Client(method("a"), method("b")).start();
    await expect(client.receive(accept, refused(true, "a", "b"), refused(true, "a", "b"))).rejects.toMatchObject({
      code: "auth",
    });
  });
});

describe("banners", () => {
  it("are emitted at any time before success (RFC 4252 section 5.4)", async () => {
    const client = await new Client(method("a")).start();
    await client.receive(banner("one"), accept, banner("two"));
    expect(client.events.filter(({ type }) => type === "banner")).toEqual([
      { type: "banner", message: "one" },
      { type: "banner", message: "two" },
    ]);
  });

  it("are emitted with line ends and tabs, but no other control characters (RFC 4252 section 5.4)", async () => {
    const client = await new Client(method("a")).start();
    await client.receive(banner("one\r\n\ttwo\u001b[2J\u202e"));
    expect(client.events.at(-1)).toEqual({ type: "banner", message: "one\n\ttwo\\u{1b}[2J\\u{202e}" });
  });

  it("are limited in number and in size", async () => {
    const many = await new Client(method("a")).start();
    for (let n = 0; n < Limits.banners; n++) await many.receive(banner("x"));
    await expect(many.receive(banner("x"))).rejects.toMatchObject({ code: "limit" });
    const large = await new Client(method("a")).start();
    await large.receive(banner("x".repeat(Limits.bannerBytes)));
    await expect(large.receive(banner("x"))).rejects.toMatchObject({ code: "limit" });
  });
});

describe("password (RFC 4252 section 8)", () => {
  it("sends a string, or the result of a function", async () => {
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

  it("rejects passwords that are not strings, such as a promise without await", async () => {
    for (const wrong of [undefined, null, 7, [], {}, Promise.resolve("secret")]) {
      expect(() => password(wrong as never)).toThrow(misuse);
      const returned = new Client(password(() => wrong as never));
      const rejected = new Client(password(() => Promise.resolve(wrong) as never));
      const changed = new Client(password("old", { onChange: () => wrong as never }));
      if (!(wrong instanceof Promise)) {
        await expect(returned.start()).rejects.toMatchObject({
          message: expect.stringContaining("expected a password"),
        });
        await expect(rejected.start()).rejects.toMatchObject({
          message: expect.stringContaining("expected a password"),
        });
        await expect((await changed.start()).receive(accept, change)).rejects.toMatchObject({
          message: expect.stringContaining("expected a password"),
        });
      }
    }
    expect(() => password("secret", { onChange: "new" } as never)).toThrow(misuse);
    expect(() => password("secret", null as never)).toThrow(misuse);
  });

  it("sends a new password if the server requires one", async () => {
    const prompts: string[] = [];
    const change60 = (prompt: string): string => {
      prompts.push(prompt);
      return "new";
    };
    const method = password("old", { onChange: change60 });
    const client = await new Client(method).start();
    await client.receive(accept, change);
    expect(prompts).toEqual(["too old"]);
    expect(UserauthRequest.decode(client.sent.at(-1) ?? accept).specificData).toEqual(
      PasswordChange.encode({ isChange: true, oldPassword: "old", newPassword: "new" }),
    );
    await client.receive(success);
    expect(client.events.at(-1)).toMatchObject({ method: "password" });
  });

  it("shows the prompt for a change without control characters", async () => {
    const prompts: string[] = [];
    const client = await new Client(password("old", { onChange: (prompt) => `new${prompts.push(prompt)}` })).start();
    await client.receive(accept, UserauthPasswdChangereq.encode({ prompt: "too\u001b[2J\nold", language: "" }));
    expect(prompts).toEqual(["too\\u{1b}[2J\nold"]);
  });

  it("fails if the server requires a new password and `onChange` is not set", async () => {
    const client = await new Client(password("old")).start();
    await expect(client.receive(accept, change)).rejects.toThrow(
      "password (the server requires a new password: set the option `onChange`)",
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
    await client.receive(accept);
    return PublickeyProof.decode(UserauthRequest.decode(client.sent.at(-1) ?? accept).specificData).algorithm;
  };

  it.each([
    ["synchronously", signer("ssh-ed25519")],
    [
      "asynchronously",
      { ...signer("ssh-ed25519"), sign: async (data: Bytes, algorithm: string) => signer("").sign(data, algorithm) },
    ],
  ])("signs the session identifier and the whole request, %s", async (_how, signer) => {
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
  ])("signs for server-sig-algs %j with %s, never with SHA-1", async (serverAlgorithms, algorithm) => {
    expect(await chosen(serverAlgorithms)).toBe(algorithm);
  });

  it.each([
    [["rsa-sha2-512", "rsa-sha2-256"], false, "rsa-sha2-512-cert-v01@openssh.com"],
    [["ssh-ed25519", "rsa-sha2-256"], false, "rsa-sha2-256-cert-v01@openssh.com"],
    [undefined, false, "rsa-sha2-512-cert-v01@openssh.com"],
    // OpenSSH 7.6 (observed): the type alone, with a signature of SHA-2.
    [["rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"], true, "ssh-rsa-cert-v01@openssh.com"],
  ])("names a certificate for server-sig-algs %j, old names %j: %s", async (names, oldCertificateNames, name) => {
    const certified = signer("rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com");
    const bytes = new Uint8Array(0);
    const dialog = publickey(certified).begin({
      user: "me",
      sessionId,
      serverAlgorithms: names,
      signal: undefined,
      oldCertificateNames,
      hostKey: bytes,
      signature: bytes,
      hostbound: false,
      refusalsLeft: 5,
    });
    const request = UserauthRequest.decode(((await dialog.next(undefined)) as Bytes | undefined) ?? accept);
    expect(PublickeyProof.decode(request.specificData).algorithm).toBe(name);
    const wanted = names?.includes("rsa-sha2-512") === false ? "rsa-sha2-256" : "rsa-sha2-512";
    expect(signed.at(-1)?.[1]).toBe(`${wanted}-cert-v01@openssh.com`);
  });

  it("rejects message 60 in answer to a signed request", async () => {
    const client = new Client(publickey(signer("ssh-ed25519")));
    await client.start();
    client.machine.receive(accept);
    client.machine.receive(UserauthPkOk.encode({ algorithm: "ssh-ed25519", publicKey: utf8("key") }));
    const event = client.machine.next();
    expect(event?.type).toBe("step");
    expect(() => event?.type === "step" && event.dialog.next(event.answer)).toThrow(protocol);
  });

  it("rejects a signer without an algorithm", () => {
    expect(() => publickey(signer())).toThrow(misuse);
    for (const wrong of [undefined, null, "key", Promise.resolve(signer("x")), { ...signer("x"), algorithms: "x" }]) {
      expect(() => publickey(wrong as never)).toThrow(misuse);
    }
  });

  it("rejects signatures that are not bytes", async () => {
    for (const signature of ["text", null, [1, 2], Promise.resolve("text")]) {
      const client = new Client(publickey({ ...signer("ssh-ed25519"), sign: () => signature as never }));
      await expect(client.start()).rejects.toThrow("expected a signature");
    }
  });
});
