/** Certificates in authorized_keys: what a line and a certificate grant together. */
import { publickey } from "@postern/auth";
import type { Algorithms, Certificate, SecurityKeyUse } from "@postern/crypto";
import {
  createCertificateAlgorithm,
  createCertificateSigner,
  formatPublicKey,
  parseCertificate,
  parsePublicKey,
} from "@postern/keys";
import { modernAlgorithms } from "@postern/noble";
import { connect } from "@postern/ssh";
import { otherHostKey, pipePair, seededRandom, testHostKey } from "@postern/testkit";
import { type CertificateVector, loadTests } from "@postern/testkit/vectors";
import { policy } from "@postern/web";
import { SshError } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { authorizedKeys, type KeyUse, TunnelHost } from "../src/index.ts";
import { AddressList } from "../src/ip.ts";
import { certify, Network } from "./world.ts";

const vectors = loadTests<CertificateVector>("certificates", "sk-ssh-ed25519@openssh.com");
const vectorOf = (title: string): CertificateVector => {
  const found = vectors.find(({ keyId }) => keyId === title);
  if (found === undefined) throw new Error(`expected the certificate ${title}, got none`);
  return found;
};
const certificateOf = (title: string): Certificate =>
  parseCertificate(parsePublicKey(vectorOf(title).certificate).blob);
const certificate = certificateOf("a user");
const { authority } = vectorOf("a user");
/** has force-command, source-address, verify-required, and the extensions permit-pty and no-touch-required only */
const limited = certificateOf("with options: näme");

function decide(line: string, use: KeyUse = {}, blob = (use.certificate ?? certificate).blob) {
  const reasons: string[] = [];
  const keys = authorizedKeys(line);
  expect(keys.refused).toEqual([]);
  const whole = { user: "ann", certificate, onRefused: (reason: string) => reasons.push(reason), ...use };
  return { permissions: keys.permissions(blob, whole), reasons };
}

const present: SecurityKeyUse = { userPresent: true, userVerified: false, counter: 1 };
const verified: SecurityKeyUse = { ...present, userVerified: true };

describe("a certificate in authorized_keys", () => {
  it("is accepted by the line of its CA with cert-authority alone", () => {
    expect(decide(`cert-authority ${authority}`).permissions).toEqual({});
    expect(decide(authority).permissions).toBeUndefined();
    // The certified key is no CA.
    expect(decide(`cert-authority ${vectorOf("a user").publicLine}`).permissions).toBeUndefined();
    // A CA's key may not log in itself.
    const { blob } = parsePublicKey(authority);
    expect(authorizedKeys(`cert-authority ${authority}`).permissions(blob, { user: "ann" })).toBeUndefined();
  });

  it("is refused if it is not passed, or is another one than the key", () => {
    expect(decide(`cert-authority ${authority}`, { certificate: undefined }, certificate.blob).permissions).toBe(
      undefined,
    );
    expect(decide(`cert-authority ${authority}`, {}, limited.blob).permissions).toBeUndefined();
  });

  it.each([
    ["another user", "", { user: "eve" }, 'expected "eve" among the principals, got "ann", "bob"'],
    ["no user", "", { user: "" }, 'expected "" among the principals'],
    ["another of the principals", ',principals="ops"', {}, 'expected "ops" among the principals'],
    ["a name in the principals that is a pattern", ',principals="a*"', {}, 'expected "a*" among the principals'],
    ["a line in the past", ',expiry-time="20200101Z"', {}, "expected a key in time"],
    ["another address", ',from="192.0.2.1"', { host: "192.0.2.2" }, 'of the option "from", got 192.0.2.2'],
    ["no address", ',from="192.0.2.1"', {}, 'of the option "from", got no address'],
    ["a host certificate", "", { certificate: certificateOf("a host") }, "expected a user certificate, got a host"],
    ["a key that verified nobody", ",verify-required", { securityKey: present }, "(verify-required)"],
    ["no use of the key", ",verify-required", {}, "(verify-required)"],
  ])("is refused for %s", (_, options, use: KeyUse, reason) => {
    const { permissions, reasons } = decide(`cert-authority${options} ${authority}`, use);
    expect(permissions).toBeUndefined();
    expect(reasons).toEqual([expect.stringContaining(reason)]);
  });

  it("is accepted by a later line whose conditions hold", () => {
    const lines = `cert-authority,principals="ops" ${authority}\ncert-authority,principals="x,bob" ${authority}`;
    expect(decide(lines, { user: "eve" }).permissions).toEqual({});
    expect(decide(`cert-authority,verify-required ${authority}`, { securityKey: verified }).permissions).toEqual({});
    expect(decide(`cert-authority,verify-required ${authority}`, { proved: false }).permissions).toEqual({});
  });

  it("enforces source-address and verify-required, and runs no force-command", () => {
    const use = { certificate: limited, host: "192.0.2.7", securityKey: verified };
    const line = `cert-authority ${authority}`;
    // Without permit-port-forwarding.
    expect(decide(line, use).permissions).toEqual({ permitListen: [], permitOpen: [] });
    expect(decide(line, { ...use, host: "::1" }).permissions).toBeDefined();
    expect(decide(line, { ...use, securityKey: present }).reasons).toEqual([
      expect.stringContaining("verify-required"),
    ]);
    for (const host of ["192.0.3.1", "localhost", undefined]) {
      const { permissions, reasons } = decide(line, { ...use, host });
      expect(permissions).toBeUndefined();
      expect(reasons).toEqual([expect.stringContaining("source-address")]);
    }
  });

  it("needs no touch only if both the line and the certificate say so", () => {
    const use = { certificate: limited, host: "192.0.2.7", securityKey: verified };
    const both = decide(`cert-authority,no-touch-required ${authority}`, use).permissions;
    expect(both).toMatchObject({ noTouchRequired: true });
    expect(decide(`cert-authority ${authority}`, use).permissions).not.toHaveProperty("noTouchRequired");
    expect(decide(`cert-authority,no-touch-required ${authority}`).permissions).not.toHaveProperty("noTouchRequired");
    const last = decide(`cert-authority,no-touch-required,touch-required ${authority}`, use).permissions;
    expect(last).not.toHaveProperty("noTouchRequired");
  });
});

describe("source-address", () => {
  it.each(["localhost", "192.0.2.*", "!192.0.2.1", "", "192.0.2.0/24,*"])("rejects %j, which sshd rejects", (list) => {
    expect(() => new AddressList(list, true)).toThrow(/expected an address or a network/);
  });

  it("matches addresses and networks", () => {
    const list = new AddressList("192.0.2.0/24,2001:db8::/32,::1", true);
    const hosts = ["192.0.2.255", "2001:db8:1::5", "::1", "192.0.3.0", "2001:db9::", "::2"];
    expect(hosts.map((host) => list.includes(host))).toEqual([true, true, true, false, false, false]);
  });
});

describe("a login with a certificate", () => {
  const ca = otherHostKey();
  const user = testHostKey();

  it("verifies the CA's signature with the algorithms that the platform prepared", async () => {
    const certificate = await certify(user, ca);
    const unsupported = (): never => {
      throw new SshError("key", "expected a runtime with Ed25519, got another");
    };
    const hostKeys = [...modernAlgorithms.hostKeys.map(createCertificateAlgorithm), ...modernAlgorithms.hostKeys];
    const network = new Network();
    const host = new TunnelHost(
      {
        hostKeys: [user],
        authorize: policy({ test: { keys: `cert-authority ${formatPublicKey(ca.publicKey)}` } }),
        algorithms: { hostKeys: hostKeys.map((one) => ({ ...one, verify: unsupported })) },
      },
      Object.assign(network, { prepare: async (given: Algorithms) => ({ ...given, hostKeys }) }),
    );
    const [ours, theirs] = pipePair();
    void host.serve(theirs, {});
    const connection = await connect(ours, {
      algorithms: modernAlgorithms,
      random: seededRandom("client"),
      user: "test",
      auth: [publickey(createCertificateSigner(user, certificate))],
      hostKey: () => true,
    });
    expect(connection.user).toBe("test");
    await connection.close();
    await host.close({ drainMs: 0 });
  });
});
