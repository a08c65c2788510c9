/**
 * Compares the verdicts on known_hosts with those of `ssh` and `ssh-keygen -F` on the same files.
 * POSTERN_WRITE_VECTORS=1 rewrites `test-vectors/known-hosts/verdicts.json`.
 */
import {
  createFingerprint,
  keyType,
  knownKeys,
  namesToLookUp,
  orderHostKeyAlgorithms,
  parseCertificate,
  parseKnownHosts,
  parsePublicKey,
} from "@postern/keys";
import { hmacSha1, modernAlgorithms, sha256 } from "@postern/noble";
import { type HostKeyOffer, type HostKeyVerifier, knownHosts } from "@postern/node";
import { type KnownHostsVector, knownHostsVerdict, type Vector } from "@postern/testkit/vectors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { save } from "../test-vectors/generate/save.mjs.mts";
import { missing, run, tempDir } from "./harness/index.ts";
import { type Case, cases } from "./known-hosts/cases.ts";
import { KnownHostsWorld, type RealVerdict } from "./known-hosts/world.ts";

const { POSTERN_WRITE_VECTORS: writesVectors } = process.env;

describe.skipIf(missing("sshd", "ssh"))("known_hosts", () => {
  const world = new KnownHostsWorld(tempDir("postern-known-hosts"));
  const vectors: Record<number, SourcedVector> = {};

  beforeAll(() => world.start(), 60_000);
  afterAll(async () => {
    await world.stop();
    if (writesVectors === "1") await write(Object.values(vectors));
  });

  const queryOf = ({ host = "ssh.example.com", port = 22, hostKeyAlias }: Case) => ({
    ...{ host, port },
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
  });
  const lineOf = (name: string): string => world.lines.get(name) ?? "";

  it.each(cases.map((one, index) => [one.comment, one, index] as const))("%s", async (_title, one, index) => {
    const text = await world.textOf(one);
    const query = queryOf(one);
    const certificate = one.certificate && lineOf(`cert:${one.certificate}`);
    const given = { text, ...query, key: lineOf(one.key ?? "ed25519"), now: Date.now() };
    const input = certificate === undefined ? given : { ...given, certificate };
    const [name] = namesToLookUp(query);
    const found = await world.found(name, text);
    // A server cannot present a user certificate, so OpenSSH only decides about the others.
    const real: RealVerdict = world.serves(one) ? await world.verdict(one, text) : { verdict: "unknown" };
    const { deviation } = one;
    const expected: RealVerdict = deviation ?? real;
    if (deviation !== undefined) expect(real.verdict).not.toBe(deviation.verdict);

    const ours = await knownHostsVerdict(input, modernAlgorithms.hostKeys, hmacSha1);
    expect(ours.status).toBe(expected.verdict);
    if (expected.line !== undefined) expect(ours).toMatchObject({ line: { number: expected.line } });
    const known = knownKeys(parseKnownHosts(text), name, hmacSha1).map(({ line }) => line.number);
    if (deviation === undefined) expect(known).toEqual(found);
    expect(await accepts(knownHosts({ text }), offerOf(input))).toBe(expected.verdict === "trusted");

    const { verdict, line } = expected;
    const source = deviation === undefined && world.serves(one) ? "openssh" : "own";
    vectors[index] = {
      ...{ comment: deviation === undefined ? one.comment : `${one.comment}; ${deviation.why}`, source },
      result: deviation === undefined ? (verdict === "trusted" ? "valid" : "invalid") : "acceptable",
      ...{ ...input, verdict },
      ...(line === undefined ? {} : { line }),
      ...(deviation === undefined ? { found } : {}),
    };
  });

  it.each([
    ["nothing is known", ""],
    ["RSA is known", "ssh.example.com {rsa}\n"],
    ["the preferred type is known", "ssh.example.com {rsa}\nssh.example.com {ed25519}\n"],
    ["two types are known", "ssh.example.com {rsa}\nssh.example.com {ecdsa}\n"],
    ["a CA is known", "@cert-authority *.example.com {ca}\n"],
    ["a CA and RSA are known", "@cert-authority *.example.com {ca}\nssh.example.com {rsa}\n"],
    ["a key is revoked", "@revoked * {rsa}\n"],
    ["another host is known", "www.example.com {rsa}\n"],
  ])("offers host key algorithms in the order of ssh if %s", async (_title, template) => {
    const one: Case = { comment: "", text: template };
    const text = await world.textOf(one);
    const settings = await run("ssh", ["-F", "none", "-G", "ssh.example.com"]);
    const all = /^hostkeyalgorithms (\S+)$/m.exec(settings)?.[1]?.split(",") ?? [];
    const lines = parseKnownHosts(text);
    expect(orderHostKeyAlgorithms(all, lines, queryOf(one), hmacSha1)).toEqual(await world.offers(one, text));
  });

  it("offers host key algorithms in the order of ssh if one is known without the port", async () => {
    const one: Case = { comment: "", text: "ssh.example.com {rsa}\n", port: 2222 };
    const text = await world.textOf(one);
    const [first] = await world.offers(one, text);
    expect(first).toBe("ssh-ed25519-cert-v01@openssh.com");
    expect(
      orderHostKeyAlgorithms(["ssh-ed25519", "rsa-sha2-512"], parseKnownHosts(text), queryOf(one), hmacSha1),
    ).toEqual(["ssh-ed25519", "rsa-sha2-512"]);
  });
});

type Input = Omit<KnownHostsVector, keyof Vector | "verdict">;
type SourcedVector = Omit<KnownHostsVector, "tcId" | "flags"> & { readonly source: "openssh" | "own" };

function offerOf({ host, port, hostKeyAlias, key, certificate }: Input): HostKeyOffer {
  const { blob } = parsePublicKey(key);
  return {
    ...{ host, port, hostKeyAlias, key: blob },
    keyType: keyType(blob),
    algorithm: keyType(blob),
    fingerprint: createFingerprint(sha256)(blob),
    certificate: certificate === undefined ? undefined : parseCertificate(parsePublicKey(certificate).blob),
    hostKeyAlgorithms: modernAlgorithms.hostKeys,
  };
}

/** Whether the verifier accepts. It refuses with an error of the code `hostkey`. */
async function accepts(verifier: HostKeyVerifier, offer: HostKeyOffer): Promise<boolean> {
  try {
    return (await verifier.check(offer)) === true;
  } catch (error) {
    expect(error).toMatchObject({ code: "hostkey" });
    return false;
  }
}

async function write(vectors: readonly SourcedVector[]): Promise<void> {
  const [, version = ""] = /OpenSSH_([^,]+)/.exec(await run("sh", ["-c", "ssh -V 2>&1"])) ?? [];
  const command = "POSTERN_WRITE_VECTORS=1 npm test -- integration/known-hosts.test.ts";
  save({
    algorithm: "verdicts",
    kind: "known-hosts",
    sources: {
      openssh: { name: "OpenSSH", version, command, licence: "MIT" },
      own: {
        ...{ name: "Postern", version: "1: meant to differ from OpenSSH, or not possible with its server" },
        ...{ command, licence: "MIT" },
      },
    },
    vectors,
  });
}
