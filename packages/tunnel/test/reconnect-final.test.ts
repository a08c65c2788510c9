/** Failures that end the tunnel in every mode, and what a program may change between attempts. */
import { type AuthEntry, password } from "@postern/auth";
import { sha256Fingerprint } from "@postern/noble";
import { otherHostKey, testHostKey, turns } from "@postern/testkit";
import { privateKey } from "@postern/web";
import { SshError, type SshErrorCode } from "@postern/wire";
import { describe, expect, it, vi } from "vitest";
import { fingerprint, type HostKeyOffer, type ReconnectInfo } from "../src/index.ts";
import { advance, onVirtualClock, openTunnel, outcome, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

const modes = ["never", "established", "always"] as const;

describe.each(modes)("final failures (%s)", (mode) => {
  it("include a wrong password at the first login", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, { reconnect: { mode }, auth: [password("wrong")] });
    expect(await outcome(tunnel.connect())).toBe("auth");
    await advance(60_000);
    expect(world.dials).toHaveLength(1);
    expect(tunnel.state).toBe("closed");
  });

  it("include a refused host key at the first login", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, { reconnect: { mode }, hostKey: () => false });
    expect(await outcome(tunnel.connect())).toBe("hostkey");
    await advance(60_000);
    expect(world.dials).toHaveLength(1);
  });

  it("include a caller's mistake", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, {
      reconnect: { mode },
      hostKey: () => {
        throw new SshError("misuse", "expected known hosts, got none");
      },
    });
    expect(await outcome(tunnel.connect())).toBe("misuse");
    await advance(60_000);
    expect(world.dials).toHaveLength(1);
  });
});

/** Failures of the next attempt. */
const failures: readonly [code: string, fail: (world: World) => void][] = [
  ["kex", (world) => world.fates.push("forged")],
  ["kex", (world) => world.fates.push("malformed")],
  ["version", (world) => world.fates.push("portal")],
  ["negotiation", (world) => world.fates.push("mismatch")],
  ["connect", (world) => world.fates.push("refuse")],
  ["busy", (world) => world.fates.push("busy")],
];

describe("an attempt that fails without a refusal or a proven host key", () => {
  it.each(failures)("(%s) is retried at the first login in mode always", async (code, fail) => {
    const world = new World();
    fail(world);
    const { tunnel, events } = tunnelTo(world, { reconnect: { mode: "always" } });
    const login = tunnel.connect();
    await advance(60_000);
    expect(await outcome(login)).toBe("resolved");
    expect(events[1]).toBe(`waiting (${code})`);
    expect(world.dials).toHaveLength(2);
  });

  it.each(failures)("(%s) is retried after a lost connection", async (code, fail) => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world);
    fail(world);
    world.link.cut();
    await advance(65_000);
    expect(tunnel.state).toBe("open");
    expect(events).toContain(`waiting (${code})`);
    expect(world.dials).toHaveLength(3);
  });

  it("never ends the tunnel, however many forged handshakes arrive", async () => {
    const world = new World();
    const hostKey = fingerprint(sha256Fingerprint(testHostKey().publicKey));
    const { tunnel } = await openTunnel(world, { hostKey });
    world.fates.push(...Array(20).fill("forged"), ...Array(20).fill("malformed"));
    world.link.cut();
    await advance(41 * 5_000);
    expect(tunnel.state).toBe("open");
    expect(world.dials).toHaveLength(42);
  });

  it("waits a minute if the algorithms do not match, and the error says so", async () => {
    const world = new World();
    world.fate = "mismatch";
    const { tunnel, events } = tunnelTo(world, { reconnect: { mode: "always" } });
    const reasons: string[] = [];
    tunnel.addEventListener("reconnectattempt", ({ reason }) => void reasons.push(reason.message));
    tunnel.connect().catch(() => {});
    await advance(600_000);
    expect(world.dials).toHaveLength(11);
    expect(events[2]).toBe("attempt 1 in 60000 (negotiation)");
    expect(reasons[0]).toContain("the algorithms do not match");
  });
});

/** Refusals of the server. Each function returns one that undoes it. */
const refusals: readonly [code: string, break_: (world: World) => () => void][] = [
  [
    "auth",
    (world) => {
      world.secret = "changed";
      return () => (world.secret = "secret");
    },
  ],
  [
    "hostkey",
    (world) => {
      world.hostKey = otherHostKey();
      return () => (world.hostKey = testHostKey());
    },
  ],
];

describe.each(refusals)("a refusal after the tunnel was open (%s)", (code, refuse) => {
  const hostKey = fingerprint(sha256Fingerprint(testHostKey().publicKey));

  it.each(["established", "always"] as const)("is retried a minute apart, and reported (%s)", async (mode) => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { mode }, hostKey });
    const forwarding = await tunnel.listen({ port: 7777 });
    const mend = refuse(world);
    events.length = 0;
    world.link.cut();
    await advance(5_000 + 3 * 60_000);
    expect(world.dials).toHaveLength(5);
    expect(events.filter((text) => text.startsWith("attempt"))).toEqual([
      "attempt 1 in 5000 (closed)",
      ...[2, 3, 4, 5].map((attempt) => `attempt ${attempt} in 60000 (${code})`),
    ]);
    expect(tunnel.state).toBe("waiting");
    mend();
    await advance(60_000);
    expect(tunnel.state).toBe("open");
    expect(forwarding.state).toBe("open");
  });

  it("waits longer than a minute if the backoff does, plus jitter", async () => {
    const world = new World();
    const backoff = { factor: 10, maxIntervalMs: 200_000, jitter: 1 };
    const { tunnel } = await openTunnel(world, { reconnect: { intervalMs: 5_000, backoff }, hostKey });
    refuse(world);
    const waits: number[] = [];
    tunnel.addEventListener("reconnectattempt", ({ intervalMs }) => void waits.push(intervalMs));
    world.link.cut();
    await advance(900_000);
    const slow = waits.slice(1);
    expect(slow.length).toBeGreaterThan(2);
    for (const [at, wait] of slow.entries()) {
      const least = at === 0 ? 60_000 : 200_000;
      expect(wait).toSatisfy((ms: number) => ms >= least && ms <= 2 * least);
    }
  });

  it("ends the tunnel if reconnect.final returns true", async () => {
    const world = new World();
    const asked: string[] = [];
    const final = (error: SshError): boolean => {
      asked.push(error.code);
      return error.code === code;
    };
    const { tunnel, events } = await openTunnel(world, { reconnect: { final }, hostKey });
    refuse(world);
    world.link.cut();
    await advance(60_000);
    expect(await outcome(tunnel.closed)).toBe(code);
    expect(events.at(-1)).toBe(`closed (${code})`);
    expect(world.dials).toHaveLength(2);
    expect(asked).toEqual(["closed", code]);
  });

  it("ends the tunnel if the program prevents the next attempt", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { hostKey });
    tunnel.addEventListener("reconnectattempt", (event) => event.reason.code === code && event.preventDefault());
    refuse(world);
    world.link.cut();
    await advance(60_000);
    expect(await outcome(tunnel.closed)).toBe(code);
  });
});

describe("reconnect.final", () => {
  it("retries a first login a minute apart in mode always if it returns false", async () => {
    const world = new World();
    world.secret = "not yet";
    const { tunnel, events } = tunnelTo(world, { reconnect: { mode: "always", final: () => false } });
    const login = tunnel.connect();
    await advance(1);
    expect(events.slice(-2)).toEqual(["waiting (auth)", "attempt 1 in 60000 (auth)"]);
    world.secret = "secret";
    await advance(60_000);
    expect(await outcome(login)).toBe("resolved");
  });

  it("ends a tunnel that only lost its connection if it returns true", async () => {
    const world = new World();
    const { tunnel, events } = await openTunnel(world, { reconnect: { final: () => true } });
    world.link.cut();
    expect(await outcome(tunnel.closed)).toBe("closed");
    expect(events).toEqual(["closed (closed)"]);
  });

  it("ends the tunnel for nothing but true", async () => {
    const world = new World();
    const final = (() => "yes") as unknown as () => boolean;
    const { tunnel } = await openTunnel(world, { reconnect: { final } });
    world.link.cut();
    await advance(5_000);
    expect(tunnel.state).toBe("open");
  });

  it("ends the tunnel with its error as the cause if it throws", async () => {
    const world = new World();
    const final = (): never => {
      throw new TypeError("of the program");
    };
    const { tunnel } = await openTunnel(world, { reconnect: { final } });
    world.link.cut();
    await turns();
    await expect(tunnel.closed).rejects.toMatchObject({ code: "misuse", cause: expect.any(TypeError) });
  });

  it("is not called for a tunnel that the program closes", async () => {
    const world = new World();
    world.fate = "hang";
    const asked: string[] = [];
    const final = (error: SshError): boolean => asked.push(error.code) < 0;
    const { tunnel } = tunnelTo(world, { reconnect: { mode: "always", final } });
    const login = tunnel.connect();
    await turns();
    await tunnel.close();
    expect(await outcome(login)).toBe("aborted");
    expect(asked).toEqual([]);
  });
});

describe("beforeReconnect", () => {
  it("is called before each attempt, with its number and the reason", async () => {
    const world = new World();
    const asked: ReconnectInfo[] = [];
    const { tunnel } = await openTunnel(world, { beforeReconnect: (info) => void asked.push(info) });
    world.fates.push("refuse");
    world.link.cut();
    await advance(4_999);
    expect(asked).toEqual([]);
    await advance(5_001);
    expect(asked).toMatchObject([
      { attempt: 1, reason: { code: "closed" } },
      { attempt: 2, reason: { code: "connect" } },
    ]);
    expect(tunnel.state).toBe("open");
  });

  it("changes the credentials for this attempt and later ones", async () => {
    const world = new World();
    let asked = 0;
    const { tunnel } = await openTunnel(world, {
      beforeReconnect: async () => {
        await Promise.resolve();
        return asked++ === 0 ? { auth: [password("fresh")] } : undefined;
      },
    });
    world.secret = "fresh";
    for (let i = 1; i <= 2; i++) {
      world.link.cut();
      await advance(5_000);
      expect(tunnel.state).toBe("open");
      expect(asked).toBe(i);
    }
  });

  it("changes the host, the port or both, and keeps the other", async () => {
    const world = new World();
    const changes = [
      { host: "other" },
      { port: 2022 },
      { host: "third", port: 22 },
      {},
      { host: undefined, user: undefined },
    ];
    const { tunnel } = await openTunnel(world, { port: 2222, beforeReconnect: () => changes.shift() as object });
    for (let i = 0; i < 5; i++) {
      world.link.cut();
      await advance(5_000);
    }
    expect(world.dials).toEqual(["host:2222", "other:2222", "other:2022", "third:22", "third:22", "third:22"]);
    expect(tunnel.state).toBe("open");
  });

  it("fails the attempt if it throws, and is called again before the next one", async () => {
    const world = new World();
    let asked = 0;
    const { tunnel, events } = await openTunnel(world, {
      beforeReconnect: () => {
        if (asked++ === 0) throw new Error("the vault is sealed");
      },
    });
    const reasons: SshError[] = [];
    tunnel.addEventListener("reconnectattempt", ({ reason }) => reasons.push(reason));
    world.link.cut();
    await advance(5_000);
    expect(world.dials).toHaveLength(1);
    expect(events.slice(-2)).toEqual(["waiting (connect)", "attempt 2 in 5000 (connect)"]);
    expect(reasons[1]).toMatchObject({ cause: { message: "the vault is sealed" } });
    await advance(5_000);
    expect(tunnel.state).toBe("open");
  });

  it("fails the attempt if it takes longer than loginTimeoutMs, and its signal aborts", async () => {
    const world = new World();
    const signals: AbortSignal[] = [];
    const { tunnel, events } = await openTunnel(world, {
      loginTimeoutMs: 20_000,
      beforeReconnect: ({ signal }) => {
        signals.push(signal);
        return signals.length === 1 ? new Promise(() => {}) : undefined;
      },
    });
    world.link.cut();
    await advance(5_000 + 19_999);
    expect([events.at(-1), signals[0]?.aborted]).toEqual(["attempt 1 in 5000 (closed)", false]);
    await advance(1);
    expect(events.slice(-2)).toEqual(["waiting (timeout)", "attempt 2 in 5000 (timeout)"]);
    expect(signals[0]?.reason).toMatchObject({ code: "timeout" });
    await advance(5_000);
    expect(tunnel.state).toBe("open");
    await advance(60_000);
    // A call that settled in time has a signal that never aborts.
    expect(signals[1]?.aborted).toBe(false);
  });

  it("has no time limit with loginTimeoutMs Infinity, and its signal aborts when the tunnel ends", async () => {
    const world = new World();
    const signals: AbortSignal[] = [];
    const { tunnel } = await openTunnel(world, {
      loginTimeoutMs: Number.POSITIVE_INFINITY,
      beforeReconnect: ({ signal }) => new Promise(() => signals.push(signal)),
    });
    world.link.cut();
    await advance(3_600_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await tunnel.close();
    expect(signals[0]?.aborted).toBe(true);
  });

  it("may reject with its signal's reason when it is late", async () => {
    const world = new World();
    const { events } = await openTunnel(world, {
      loginTimeoutMs: 1_000,
      beforeReconnect: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new SshError("aborted", "late")))),
    });
    world.link.cut();
    await advance(6_000);
    expect(events.slice(-2)).toEqual(["waiting (timeout)", "attempt 2 in 5000 (timeout)"]);
  });

  it.each([
    ["unknown options", { hots: "other" }, "misuse"],
    ["a port of no host in particular", { port: 2222 }, "misuse"],
    ["no method", { auth: [] }, "misuse"],
  ])("ends the tunnel if it returns %s", async (_, changes, code) => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { hosts: ["a", "b"], beforeReconnect: () => changes as object });
    world.link.cut();
    await advance(60_000);
    expect(await outcome(tunnel.closed)).toBe(code);
    expect(world.dials).toHaveLength(1);
  });

  it("is called again a minute later if it cannot read its key", async () => {
    const world = new World();
    let asked = 0;
    const { tunnel, events } = await openTunnel(world, {
      beforeReconnect: () => (asked++ === 0 ? { auth: [privateKey("no key")] } : undefined),
    });
    world.link.cut();
    await advance(5_000);
    expect(events.slice(-2)).toEqual(["waiting (key)", "attempt 2 in 60000 (key)"]);
    expect(world.dials).toHaveLength(1);
    await advance(60_000);
    expect(tunnel.state).toBe("open");
  });

  it("has no effect if it settles after close()", async () => {
    const world = new World();
    let answer: (changes: { host: string }) => void = () => {};
    const { tunnel } = await openTunnel(world, {
      reconnect: { intervalMs: 0 },
      beforeReconnect: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    world.link.cut();
    await advance(1);
    await tunnel.close();
    answer({ host: "elsewhere" });
    await advance(10_000);
    expect(world.dials).toEqual(["host:22"]);
  });

  it("causes no unhandled rejection if it fails after close()", async () => {
    const world = new World();
    let fail: (error: Error) => void = () => {};
    const { tunnel } = await openTunnel(world, {
      reconnect: { intervalMs: 0 },
      beforeReconnect: () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    });
    world.link.cut();
    await advance(1);
    await tunnel.close();
    // Only the tunnel handles it: an unhandled rejection would fail this run.
    fail(new Error("too late"));
    await advance(1_000);
    expect(await outcome(tunnel.closed)).toBe("resolved");
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("hosts", () => {
  const hosts = ["a", { host: "b", port: 2222 }, { host: "c" }];

  it("are tried in turn at the first login, each once, until a login succeeds", async () => {
    const world = new World();
    world.fates.push("refuse", "reset");
    const { tunnel, events } = tunnelTo(world, { hosts, port: 2200 });
    await tunnel.connect();
    expect(world.dials).toEqual(["a:2200", "b:2222", "c:2200"]);
    expect(events).toEqual(["connecting", "connecting (connect)", "connecting (version)", "authenticating", "open"]);
  });

  it("fail the login with the last failure if all fail", async () => {
    const world = new World();
    world.fates.push("reset", "reset", "refuse");
    const { tunnel } = tunnelTo(world, { hosts });
    expect(await outcome(tunnel.connect())).toBe("connect");
    expect(world.dials).toHaveLength(3);
  });

  it("wait a minute after refusals only once each of them has refused", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { hosts: ["a", "b"], reconnect: { intervalMs: 1_000 } });
    world.secret = "another";
    world.link.cut();
    const waits: number[] = [];
    tunnel.addEventListener("reconnectattempt", ({ intervalMs }) => void waits.push(intervalMs));
    await advance(200_000);
    expect(waits[1]).toBeLessThan(2_000);
    expect(waits[2]).toBeGreaterThanOrEqual(60_000);
    world.secret = "secret";
    await tunnel.close();
  });

  it("are not tried any further after a final failure", async () => {
    const world = new World();
    const { tunnel } = tunnelTo(world, { hosts, auth: [password("wrong")], reconnect: { mode: "always" } });
    expect(await outcome(tunnel.connect())).toBe("auth");
    expect(world.dials).toEqual(["a:22"]);
  });

  it("are tried from the first one after each lost connection, with preferFirst", async () => {
    const world = new World();
    world.fates.push("refuse", "refuse");
    const { tunnel } = await openTunnel(world, { hosts, preferFirst: true });
    expect(world.dials).toEqual(["a:22", "b:2222", "c:22"]);
    world.dials.length = 0;
    world.fates.push("refuse", "accept");
    world.link.cut();
    await advance(10_000);
    expect(tunnel.state).toBe("open");
    world.link.cut();
    await advance(5_000);
    expect(tunnel.state).toBe("open");
    expect(world.dials).toEqual(["a:22", "b:2222", "a:22"]);
  });

  it("are tried one per attempt after a lost connection, from the one that was connected", async () => {
    const world = new World();
    const { tunnel } = await openTunnel(world, { hosts });
    world.fates.push("refuse", "refuse", "refuse");
    world.link.cut();
    await advance(20_000);
    expect(world.dials).toEqual(["a:22", "a:22", "b:2222", "c:22", "a:22"]);
    expect(tunnel.state).toBe("open");
  });
});

describe("a key file that cannot be used", () => {
  const broken = (code: SshErrorCode) => {
    return (): AuthEntry => {
      throw new SshError(code, "expected a good key file, got another one");
    };
  };

  it.each(["key", "passphrase", "unsupported"] as const)("(%s) is final at the first login", async (code) => {
    const world = new World();
    const { tunnel } = tunnelTo(world, { reconnect: { mode: "always" }, auth: [broken(code)] });
    await expect(tunnel.connect()).rejects.toMatchObject({ code: "credentials", cause: { code } });
    await advance(60_000);
    expect(world.dials).toHaveLength(1);
    expect(tunnel.state).toBe("closed");
  });

  it("is retried after the tunnel was open", async () => {
    const world = new World();
    let isBroken = false;
    const entry = (): AuthEntry => (isBroken ? broken("passphrase") : password("secret"));
    const { tunnel } = await openTunnel(world, { auth: [entry] });
    isBroken = true;
    world.link.cut();
    await advance(10_000);
    expect(tunnel.state).toBe("waiting");
    isBroken = false;
    await advance(20_000);
    expect(tunnel.state).toBe("open");
  });
});

describe("credentials that are not available", () => {
  it("are retried at the first login in mode always: an agent may come up later", async () => {
    const world = new World();
    const secret = (): string => {
      if (world.dials.length === 1) throw new SshError("credentials", "expected an agent, got none");
      return "secret";
    };
    const { tunnel } = tunnelTo(world, { reconnect: { mode: "always" }, auth: [password(secret)] });
    const login = tunnel.connect();
    await advance(20_000);
    expect(await outcome(login)).toBe("resolved");
    expect(world.dials).toHaveLength(2);
  });

  it("are not a refusal: a vault that fails once is asked again", async () => {
    const world = new World();
    let failures = 0;
    const secret = (): string => {
      if (world.dials.length === 2 && failures++ === 0) throw new Error("503");
      return "secret";
    };
    const { tunnel } = await openTunnel(world, { auth: [password(secret)] });
    const reasons: unknown[] = [];
    tunnel.addEventListener("reconnectattempt", ({ reason }) =>
      reasons.push([reason.code, reason.cause instanceof Error]),
    );
    world.link.cut();
    await advance(20_000);
    expect(reasons).toEqual([
      ["closed", expect.any(Boolean)],
      ["credentials", true],
    ]);
    expect(tunnel.state).toBe("open");
  });
});

describe("fingerprint()", () => {
  it("accepts white space around the text, as read from a file", async () => {
    const text = sha256Fingerprint(testHostKey().publicKey);
    const check = fingerprint(`  ${text}\n`);
    const offer = {
      host: "host",
      port: 22,
      key: testHostKey().publicKey,
      keyType: "",
      algorithm: "",
      fingerprint: text,
      certificate: undefined,
    };
    expect(await check(offer)).toBe(true);
    // `ssh-keygen -l` prints the same fingerprint for a certificate, but fingerprint() checks no certificate.
    const certificate = {} as NonNullable<HostKeyOffer["certificate"]>;
    expect(() => check({ ...offer, certificate })).toThrow(/expected host to have a plain host key, got a certificate/);
  });
});
