/** Options of `connect` and `accept`: a value of a wrong type is not converted, and the error names it. */
import { modernAlgorithms } from "@postern/noble";
import { pipePair, testHostKey } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { accept, connect } from "../src/index.ts";
import { rejection } from "./helpers.ts";
import { clientOptions, serverOptions } from "./world.ts";

const both: readonly (readonly [object, string])[] = [
  [{ algorithms: undefined }, "expected options of algorithms, got undefined"],
  [
    { algorithms: { ...modernAlgorithms, ciphers: undefined } },
    "expected algorithms.ciphers to list algorithm values, got undefined",
  ],
  [
    { algorithms: { ...modernAlgorithms, macs: [null] } },
    "expected algorithms.macs to list algorithm values, got null",
  ],
  [{ random: undefined }, "expected random to be a function, got undefined"],
  [{ now: 5 }, "expected now to be a function, got a number"],
  [{ software: 5 }, "expected software to be a non-empty string, got a number"],
  [{ rekey: null }, "expected options of rekey, got null"],
  [{ rekey: { bytes: "1000" } }, "expected rekey.bytes to be a number of at least 1, got a string"],
  [{ rekey: { ms: 10n } }, "expected rekey.ms to be a number of at least 1, got a bigint"],
  [{ loginTimeoutMs: "5" }, "expected loginTimeoutMs to be a number of at least 1, got a string"],
  [{ loginTimeoutMs: Number.NaN }, "expected loginTimeoutMs to be a number of at least 1, got NaN"],
  [{ keepAlive: null }, "expected options of keepAlive, got null"],
  [
    { keepAlive: { intervalMs: Number.NaN, countMax: 3 } },
    "expected keepAlive.intervalMs to be a number of at least 0, got NaN",
  ],
  [{ keepAlive: { intervalMs: 5 } }, "expected keepAlive.countMax to be a number of at least 1, got undefined"],
  [{ windowBudget: "1" }, "expected windowBudget to be a number of at least 0, got a string"],
  [{ signal: 5 }, "expected signal to be an AbortSignal, got a number"],
  [{ onChannelOpen: true }, "expected onChannelOpen to be a function, got a boolean"],
  [{ onGlobalRequest: null }, "expected onGlobalRequest to be a function, got null"],
  [{ onDebug: "x" }, "expected onDebug to be a function, got a string"],
  [{ tap: null }, "expected tap.packet to be a function, got undefined"],
  [{ tap: () => {} }, "expected tap.packet to be a function, got undefined"],
];
const client: readonly (readonly [object, string])[] = [
  [{ user: 5 }, "expected user to be a string, got a number"],
  [{ auth: undefined }, "expected auth to hold methods such as password('…'), got undefined"],
  [{ auth: [null] }, "expected auth to hold methods such as password('…'), got null"],
  [{ auth: ["secret"] }, "expected auth to hold methods such as password('…'), got a string"],
  [{ hostKey: undefined }, "expected hostKey to be a function, got undefined"],
  [{ onLogin: 1 }, "expected onLogin to be a function, got a number"],
  [{ onBanner: 1 }, "expected onBanner to be a function, got a number"],
];
const server: readonly (readonly [object, string])[] = [
  [{ hostKeys: undefined }, "expected hostKeys to hold signers, see readPrivateKey, got undefined"],
  [{ hostKeys: [null] }, "expected hostKeys to hold signers, see readPrivateKey, got null"],
  [{ hostKeys: ["-----BEGIN"] }, "expected hostKeys to hold signers, see readPrivateKey, got a string"],
  [
    { hostKeys: [Promise.resolve(testHostKey())] },
    "expected hostKeys to hold signers, see readPrivateKey, got a Promise; did you forget await?",
  ],
  [
    { hostKeys: [{ ...testHostKey(), sign: undefined }] },
    "expected hostKeys to hold signers, see readPrivateKey, got an object",
  ],
  [{ methods: "password" }, "expected methods to be a list of names, got a string"],
  [{ methods: [5] }, "expected methods to be a list of names, got a number"],
  [{ authenticate: true }, "expected authenticate to be a function, got a boolean"],
  [{ attempts: Number.NaN }, "expected attempts to be a number of at least 0, got NaN"],
  [{ attempts: "6" }, "expected attempts to be a number of at least 0, got a string"],
  [{ banner: 5 }, "expected banner to be a string, got a number"],
];

/** Returns the message of the call's rejection. Expects the call to close its pipe, because no other code would. */
async function refused(call: (pipe: ReturnType<typeof pipePair>[0]) => Promise<unknown>): Promise<string> {
  const [ours, theirs] = pipePair();
  const dropped = new Promise((resolve) => {
    theirs.start({ data: () => expect.unreachable("nothing is to be sent"), end() {}, drain() {}, closed: resolve });
  });
  const { code, message } = await rejection(call(ours));
  await dropped;
  return `${code}: ${message}`;
}

describe("options of connect", () => {
  it.each([...both, ...client])("reject %o", async (wrong, message) => {
    const options = { ...clientOptions("options"), ...wrong } as Parameters<typeof connect>[1];
    expect(await refused((pipe) => connect(pipe, options))).toBe(`misuse: ${message}`);
  });
});

describe("options of accept", () => {
  it.each([...both, ...server])("reject %o", async (wrong, message) => {
    const options = { ...serverOptions("options"), ...wrong } as Parameters<typeof accept>[1];
    expect(await refused((pipe) => accept(pipe, options))).toBe(`misuse: ${message}`);
  });
});
