/** The options that a program needs to be a drop-in for an sshd that only forwards: sshd_config(5). */

import { modernAlgorithms } from "@postern/noble";
import { seededRandom } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { Admission } from "../src/admission.ts";
import { checkLimits, defaultHostLimits } from "../src/limits.ts";
import { forward, hostWorld } from "./world.ts";

describe("limits of sources", () => {
  const admission = (given: Parameters<typeof checkLimits>[0]): Admission =>
    new Admission(checkLimits(given), seededRandom("sources"), () => 0);

  it("count the logins in progress of one source (PerSourceMaxStartups)", () => {
    const gate = admission({ startupsPerSource: 1 });
    expect(gate.enter("192.0.2.1", 0)).toBeUndefined();
    expect(gate.enter("192.0.2.1", 1)).toBe("startupsPerSource");
    expect(gate.enter("192.0.2.2", 1)).toBeUndefined();
    gate.startupEnded("192.0.2.1");
    expect(gate.enter("192.0.2.1", 1)).toBeUndefined();
  });

  it("count networks of the given size as one source (PerSourceNetBlockSize)", () => {
    const gate = admission({ startupsPerSource: 1, sourceBits: { ipv4: 24, ipv6: 128 } });
    expect(gate.enter("192.0.2.1", 0)).toBeUndefined();
    expect(gate.enter("192.0.2.77", 1)).toBe("startupsPerSource");
    expect(gate.enter("192.0.3.1", 1)).toBeUndefined();
    expect(gate.enter("2001:db8::1", 1)).toBeUndefined();
    expect(gate.enter("2001:db8::2", 1)).toBeUndefined();
  });

  it("give no penalty to an exempt address (PerSourcePenaltyExemptList)", () => {
    const gate = admission({ penalties: { thresholdMs: 0, exempt: "192.0.2.0/24,2001:db8::/32" } });
    for (const host of ["192.0.2.1", "198.51.100.1", "2001:db8::1"]) gate.punish(host, "grace");
    expect(gate.enter("192.0.2.1", 0)).toBeUndefined();
    expect(gate.enter("2001:db8::1", 0)).toBeUndefined();
    expect(gate.enter("198.51.100.1", 0)).toBe("penalties");
  });

  it("are refused with names in the exempt list, and with more bits than an address has", () => {
    expect(() => checkLimits({ penalties: { exempt: "a.example.com" } })).toThrow("limits.penalties.exempt");
    expect(() => checkLimits({ sourceBits: { ipv4: 33 } })).toThrow("limits.sourceBits of at most 32 and 128");
    expect(defaultHostLimits.startupsPerSource).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("permissions of one login", () => {
  it("decide which addresses and ports the client may listen on", async () => {
    const world = hostWorld({
      authorize: ({ user }) => (user === "root" ? { gatewayPorts: "clientspecified", lowestPort: 1 } : {}),
      methods: ["password"],
    });
    const [root, other] = await Promise.all([world.client({ user: "root" }), world.client({ user: "other" })]);
    expect(await forward(root, "192.0.2.1", 80)).toBe(80);
    expect(world.network.hosts(80)).toEqual(["192.0.2.1"]);
    expect(await forward(other, "192.0.2.1", 81)).toBeUndefined();
    expect(await forward(other, "192.0.2.1", 8081)).toBe(8081);
    expect(world.network.hosts(8081)).toEqual(["127.0.0.1", "::1"]);
    await world.host.close({ drainMs: 0 });
  });

  it("refuse a value of another type", async () => {
    const world = hostWorld({ authorize: () => ({ gatewayPorts: "all" as "yes" }), methods: ["password"] });
    const refusal = world.event("refusal");
    await expect(world.client()).rejects.toThrow();
    expect((await refusal).reason).toContain('gatewayPorts to be no, yes or clientspecified, got "all"');
  });
});

describe("the identification", () => {
  it("has the comments of versionAddendum (RFC 4253 section 4.2)", async () => {
    const world = hostWorld({ versionAddendum: "hello there" });
    const client = await world.client();
    expect(client.peer.version).toMatch(/^SSH-2\.0-Postern_[\d.]+ hello there$/);
    await world.host.close({ drainMs: 0 });
    expect(() => hostWorld({ versionAddendum: "two\nlines" })).toThrow("versionAddendum");
  });
});

describe("userKeys", () => {
  it("are announced in place of the host's (RFC 8308 section 3.1)", async () => {
    const userKeys = modernAlgorithms.hostKeys.filter(({ name }) => name !== "ssh-ed25519");
    const world = hostWorld({ userKeys });
    const client = await world.client();
    expect(client.peer.serverSigAlgs).toEqual(userKeys.map(({ name }) => name));
    await world.host.close({ drainMs: 0 });
  });
});

describe("reload()", () => {
  it("restores the default of an option and of a limit that is undefined", async () => {
    const world = hostWorld({ banner: "hello", limits: { forwardings: 1 } });
    const client = await world.client();
    world.host.reload({ banner: undefined, limits: { forwardings: undefined } });
    expect([await forward(client, "", 4001), await forward(client, "", 4002)]).toEqual([4001, 4002]);
    const banners: string[] = [];
    await world.client({ onBanner: (text) => banners.push(text) });
    expect(banners).toEqual([]);
    await world.host.close({ drainMs: 0 });
  });
});
