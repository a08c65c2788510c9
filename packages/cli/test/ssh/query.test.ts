import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/help/usage-error.ts";
import { runQuery } from "../../src/ssh/query.ts";

/** Newer than the ssh of this machine may be. */
const newer = ["mlkem768x25519-sha256", "sntrup761x25519-sha512"];

describe("runQuery", () => {
  it.each([
    "cipher",
    "cipher-auth",
    "mac",
    "kex",
    "key",
    "key-cert",
    "key-plain",
    "key-sig",
    "sig",
    "protocol-version",
    "HostKeyAlgorithms",
    "ciphers",
    "MACs",
    "PubkeyAcceptedKeyTypes",
  ])("lists names that the real ssh -Q %s lists, too", (name) => {
    const theirs = spawnSync("ssh", ["-Q", name], { encoding: "utf8" }).stdout.split("\n");
    const ours = runQuery(name).trim().split("\n");
    expect(ours.length).toBeGreaterThan(0);
    expect(ours.filter((one) => !theirs.includes(one) && !newer.includes(one))).toEqual([]);
  });

  it("lists the names of its lists for help", () => {
    expect(runQuery("key-ca-sign")).toBe(runQuery("CASignatureAlgorithms"));
    expect(runQuery("help")).toContain("cipher-auth\n");
  });

  it.each(["foo", "constructor", "Cipher", ""])("refuses %j in the words of ssh", (name) => {
    expect(() => runQuery(name)).toThrow(new UsageError("", `Unsupported query "${name}"`));
  });
});
