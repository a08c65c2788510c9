/** The limits that start a key exchange, and their options. */
import type { PacketTap } from "@postern/transport";
import { KexInit, UserauthSuccess } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { rekeyLimits } from "../src/options.ts";
import { world } from "./world.ts";

const unlimited = { bytes: Number.POSITIVE_INFINITY, packets: Number.POSITIVE_INFINITY, ms: Number.POSITIVE_INFINITY };

describe("rekey limits", () => {
  it("default to 1 GiB, 2^31 packets and one hour (RFC 4253 section 9, RFC 4344 section 3.1)", () => {
    expect(rekeyLimits()).toEqual({ bytes: 2 ** 30, packets: 2 ** 31, ms: 3_600_000 });
  });

  it("are capped at what ciphers need when set to Infinity: 2^31 packets and 2^32 blocks (RFC 4344 section 3)", () => {
    expect(rekeyLimits(unlimited)).toEqual({ bytes: 2 ** 36, packets: 2 ** 31, ms: Number.POSITIVE_INFINITY });
  });

  it("start no rekey by time when set to Infinity", async () => {
    let now = 0;
    const options = { rekey: unlimited, now: () => now };
    const { client, server } = await world({ client: options, server: options });
    now = 1e15;
    await client.request("a reply after a long time", new Uint8Array(0));
    expect([client.stats().rekeys, server.stats().rekeys]).toEqual([0, 0]);
    await Promise.all([client.close(), server.closed.catch(() => undefined)]);
  });

  it.each([
    ["16 bytes", { bytes: 16 }],
    ["1 packet", { packets: 1 }],
    ["1 ms", { ms: 1 }],
  ])("of %s start the first rekey after the login, as in OpenSSH", async (_, rekey) => {
    const numbers: number[] = [];
    let now = 0;
    const tap: PacketTap = { identification() {}, packet: ({ payload }) => void numbers.push(payload[0] ?? 0) };
    const options = { rekey, now: () => (now += 10) };
    const { client, server } = await world({ client: { ...options, tap }, server: options });
    await client.request("a reply after a rekey", new Uint8Array(0));
    const login = numbers.indexOf(UserauthSuccess.number);
    expect(numbers.slice(0, login).filter((number) => number === KexInit.number)).toHaveLength(2);
    expect(numbers.slice(login)).toContain(KexInit.number);
    expect(client.stats().rekeys).toBeGreaterThan(0);
    await Promise.all([client.close(), server.closed.catch(() => undefined)]);
  });
});
