/** The decisions of `authorize` and their effect: only an explicit yes admits a client. */
import { password, publickey } from "@postern/auth";
import { Liar, pipePair } from "@postern/testkit";
import {
  DirectTcpip,
  PasswordRequest,
  PublickeyQuery,
  ServiceRequest,
  UserauthFailure,
  UserauthPkOk,
  UserauthRequest,
  UserauthSuccess,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { Authorize, HostDecision, HostLoginAttempt, TunnelHostOptions } from "../src/index.ts";
import { forward, hostKey, hostWorld } from "./world.ts";

const here = { host: "192.0.2.1", port: 1 };
const ask = (method: string, specificData: Uint8Array): Uint8Array =>
  UserauthRequest.encode({ user: "test", service: "ssh-connection", method, specificData });
const byPassword = (text: string): Uint8Array =>
  ask("password", PasswordRequest.encode({ isChange: false, password: text }));

/** A client that sends the given messages. */
function liar(options: Partial<TunnelHostOptions>, origin = here): { liar: Liar; world: ReturnType<typeof hostWorld> } {
  const world = hostWorld(options);
  const [ours, theirs] = pipePair();
  void world.host.serve(theirs, { origin });
  const client = new Liar("client", ours);
  client.send(ServiceRequest.encode({ service: "ssh-userauth" }));
  return { liar: client, world };
}

describe("a decision", () => {
  class Answer {
    readonly permitListen = ["*:*"];
  }

  it.each<[string, unknown, RegExp]>([
    ["an object with an unknown property", { ok: false }, /unknown option "ok"/],
    ["a misspelt permission", { permit: [] }, /unknown option "permit"/],
    ["an empty list", [], /an array/],
    ["a returned Error", new Error("no"), /an instance of Error/],
    ["an instance of a class", new Answer(), /an instance of Answer/],
    ["undefined", undefined, /undefined/],
    ["null", null, /got null/],
    ["a string", "yes", /a string/],
    ["a number", 1, /a number/],
    ["partial without methods", { partial: [] }, /expected partial/],
    ["partial without a list", { partial: "password" }, /expected partial/],
    ["partial with undefined", { partial: undefined }, /expected partial/],
    ["partial with an unknown method", { partial: ["pasword"] }, /expected partial/],
    ["partial with an unknown property", { partial: ["password"], ok: true }, /unknown option "ok"/],
    ["a wrong permission", { permitListen: "localhost:*" }, /expected permitListen to be a list of patterns/],
    ["a wrong pattern", { permitOpen: [null] }, /got null/],
    ["a Promise as a permission", { permitListen: Promise.resolve([]) }, /a Promise; did you forget await/],
  ])("refuses %s, with the reason in the refusal event", async (_what, decision, reason) => {
    for (const auth of [password("secret"), publickey(hostKey)]) {
      const world = hostWorld({ authorize: () => decision as HostDecision });
      const refusal = world.event("refusal");
      await expect(world.client({ auth: [auth] })).rejects.toMatchObject({ code: "auth" });
      // A refused publickey query fires no event.
      if (auth.name === "password")
        expect(await refusal).toMatchObject({ what: "login", reason: expect.stringMatching(reason) });
    }
  });

  it.each<[string, HostDecision]>([
    ["true", true],
    ["no permissions", {}],
    ["permissions", { permitListen: ["localhost:*"] }],
    [
      "an object without a prototype",
      Object.assign(Object.create(null), { permitListen: ["localhost:*"] }) as HostDecision,
    ],
  ])("accepts %s", async (_what, decision) => {
    const world = hostWorld({ authorize: () => decision });
    const ssh = await world.client();
    expect(await forward(ssh, "localhost", 8080)).toBe(8080);
    await ssh.close();
  });
});

describe("two methods (RFC 4252 5.1)", () => {
  /** As in the README and the docstring. */
  const both: Authorize = (attempt) => {
    if (attempt.method === "publickey") return { partial: ["password"] };
    return attempt.method === "password" && attempt.passed.includes("publickey") && attempt.password === "secret";
  };
  const naive: Authorize = (attempt) =>
    attempt.method === "publickey"
      ? { partial: ["password"] }
      : attempt.method === "password" && attempt.password === "secret";

  it.each<[string, Partial<TunnelHostOptions>]>([
    ["if authorize checks attempt.passed", { authorize: both }],
    ["if the server offers only the first method", { authorize: naive, methods: ["publickey"] }],
  ])("requires both methods %s", async (_how, options) => {
    const { client } = hostWorld(options);
    await expect(client({ auth: [password("secret")] })).rejects.toMatchObject({ code: "auth" });
    await expect(client({ auth: [publickey(hostKey)] })).rejects.toMatchObject({ code: "auth" });
    await expect(client({ auth: [publickey(hostKey), password("wrong")] })).rejects.toMatchObject({ code: "auth" });
    await (await client({ auth: [publickey(hostKey), password("secret")] })).close();
  });

  it("does not count a publickey query as the first method", async () => {
    const passed: (readonly string[])[] = [];
    const { liar: client } = liar({
      authorize: (attempt) => {
        passed.push(attempt.passed);
        return both(attempt);
      },
    });
    const { publicKey } = hostKey;
    client.send(ask("publickey", PublickeyQuery.encode({ hasSignature: false, algorithm: "ssh-ed25519", publicKey })));
    await client.until(UserauthPkOk.number);
    client.send(byPassword("secret"));
    expect(UserauthFailure.decode(await client.until(UserauthFailure.number)).partialSuccess).toBe(false);
    expect(passed).toEqual([[], []]);
    client.abort();
  });

  it("grants what both methods allow, and nothing for the first alone", async () => {
    const last: HostDecision[] = [
      { permitListen: ["*:8080", "*:9090"], permitOpen: ["db:1", "db:2"] },
      { permitListen: ["*:8080", "*:9090"] },
      true,
    ];
    const seen: boolean[][] = [];
    for (const decision of last) {
      const { client, network } = hostWorld({
        authorize: ({ method, passed }) => {
          if (method === "publickey") {
            return { partial: ["password"], permitListen: ["*:9090", "*:7070"], permitOpen: ["db:2", "db:3"] };
          }
          return method === "password" && passed.includes("publickey") && decision;
        },
      });
      for (const port of [1, 2, 3]) network.targets.set(`db:${port}`, () => {});
      const ssh = await client({ auth: [publickey(hostKey), password("x")] });
      const may: boolean[] = [];
      for (const port of [7070, 8080, 9090]) may.push((await forward(ssh, "localhost", port)) !== undefined);
      for (const port of [1, 2, 3]) {
        const specificData = DirectTcpip.encode({ host: "db", port, originAddress: "", originPort: 0 });
        may.push(
          await ssh.openChannel("direct-tcpip", specificData).then(
            () => true,
            () => false,
          ),
        );
      }
      seen.push(may);
      await ssh.close();
    }
    expect(seen).toEqual([
      [false, false, true, false, true, false],
      [false, false, true, false, false, false],
      [true, false, true, false, false, false],
    ]);
  });
});

describe("a publickey query (RFC 4252 7)", () => {
  it("does not set the permissions of a later attempt", async () => {
    const proved: boolean[] = [];
    const authorize: Authorize = (attempt) => {
      if (attempt.method !== "publickey") return false;
      proved.push(attempt.proved);
      return attempt.proved ? { permitListen: ["*:8080"] } : true;
    };
    const { client } = hostWorld({ authorize });
    const ssh = await client({ auth: [publickey(hostKey)] });
    expect([await forward(ssh, "localhost", 8080), await forward(ssh, "localhost", 9090)]).toEqual([8080, undefined]);
    expect(proved.at(-1)).toBe(true);
    await ssh.close();
  });
});

describe("the signal of an attempt", () => {
  it("fires when the client disconnects before the decision, and counts the password as failed", async () => {
    let attempt: HostLoginAttempt | undefined;
    const { liar: client, world } = liar({
      // Above the penalty of a connection without an attempt, and below that of a failed login.
      limits: { penalties: { thresholdMs: 2_000 } },
      authorize: (given) => {
        attempt = given;
        return new Promise(() => {});
      },
    });
    const closed = world.event("clientclosed");
    client.send(byPassword("guess"));
    await expect.poll(() => attempt).toBeDefined();
    expect(attempt?.signal.aborted).toBe(false);
    client.abort();
    await closed;
    expect(attempt?.signal.aborted).toBe(true);
    const refusal = world.event("refusal");
    await expect(world.client({ origin: here })).rejects.toThrow("Not allowed at this time");
    expect(await refusal).toMatchObject({
      reason: "this source is refused until the penalty for its earlier failures has passed",
    });
  });

  it("does not fire while the client waits, and counts no failure without a password", async () => {
    const signals: AbortSignal[] = [];
    const { liar: client, world } = liar({
      limits: { penalties: { thresholdMs: 2_000 } },
      authorize: ({ method, signal }) => {
        signals.push(signal);
        return method === "password";
      },
    });
    client.send(ask("none", new Uint8Array(0)));
    await client.until(UserauthFailure.number);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    const closed = world.event("clientclosed");
    client.abort();
    await closed;
    await (await world.client({ origin: here })).close();
  });

  it("fires when the client abandons its attempt for another (RFC 4252 5.1)", async () => {
    const seen: HostLoginAttempt[] = [];
    const { liar: client } = liar({
      methods: ["password", "keyboard-interactive"],
      authorize: async (attempt) => {
        seen.push(attempt);
        if (attempt.method !== "keyboard-interactive") return false;
        await attempt.ask({ name: "", instruction: "", prompts: [{ prompt: "Code: ", echo: true }] });
        return true;
      },
    });
    client.send(ask("keyboard-interactive", new Uint8Array(8)));
    await client.until(60);
    expect(seen[0]?.signal.aborted).toBe(false);
    client.send(byPassword("x"));
    await client.until(UserauthFailure.number);
    expect(seen.map(({ method, signal }) => [method, signal.aborted])).toEqual([
      ["keyboard-interactive", true],
      ["password", false],
    ]);
    client.abort();
  });
});

describe("a password", () => {
  it("is refused without a call of authorize if it has more than 1 KiB", async () => {
    let asked = 0;
    const world = hostWorld({ authorize: ({ method }) => method === "password" && ++asked > 0 });
    const refusal = world.event("refusal");
    await expect(world.client({ auth: [password("x".repeat(1025))] })).rejects.toMatchObject({ code: "auth" });
    expect((await refusal).reason).toMatch(/at most 1024 bytes/);
    expect(asked).toBe(0);
    await (await world.client({ auth: [password("x".repeat(1024))] })).close();
  });
});

describe("key exchanges before login", () => {
  it("ends the connection of a client that exceeds their limit, which applies only before login", async () => {
    const keys = (client: Liar): number => client.events.filter(({ type }) => type === "keys").length;
    const rekey = async (client: Liar, until: number): Promise<void> => {
      client.transport.startRekey();
      client.send();
      await expect.poll(() => keys(client)).toBe(until);
    };
    const { liar: good } = liar({});
    await expect.poll(() => keys(good)).toBe(1);
    for (const until of [2, 3]) await rekey(good, until);
    good.send(byPassword("secret"));
    await good.until(UserauthSuccess.number);
    for (const until of [4, 5, 6]) await rekey(good, until);
    good.abort();

    const { liar: bad, world } = liar({});
    const closed = world.event("clientclosed");
    await expect.poll(() => keys(bad)).toBe(1);
    for (const until of [2, 3]) await rekey(bad, until);
    bad.transport.startRekey();
    bad.send();
    expect((await closed).reason).toMatchObject({ code: "limit" });
    expect(keys(bad)).toBe(3);
  });
});
