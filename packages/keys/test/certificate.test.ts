/** Certificates: hostile bytes, conditions and signers. The vectors of ssh-keygen run in every provider. */
import type { Certificate, PublicKeyAlgorithm } from "@postern/crypto";
import { certificateAlgorithms, compatibleAlgorithms, sha256, skEcdsaNistp256, skSshEd25519 } from "@postern/noble";
import {
  type CertificateVector,
  type KrlFile,
  type KrlVector,
  krlTests,
  loadTests,
  loadVectors,
  throwsCode,
} from "@postern/testkit/vectors";
import { fromHex, putUint32, Reader, toBase64, utf8, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  type CertificateConditions,
  certificateOption,
  checkCertificate,
  createCertificateSigner,
  formatPublicKey,
  isCertificate,
  parseCertificate,
  parsePublicKey,
  parseRevokedKeys,
} from "../src/index.ts";

const types = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
];
const vectorsOf = (type: string) => loadTests<CertificateVector>("certificates", type);
const vectorOf = (type: string, title: string): CertificateVector => {
  const found = vectorsOf(type).find(({ keyId }) => keyId === title);
  if (found === undefined) throw new Error(`expected the certificate ${title}, got none`);
  return found;
};
const blobOf = (type: string, title: string) => parsePublicKey(vectorOf(type, title).certificate).blob;
const userBlob = blobOf("ssh-ed25519", "a user");
const algorithms: readonly PublicKeyAlgorithm[] = [...compatibleAlgorithms.hostKeys, skSshEd25519, skEcdsaNistp256];

function conditions(certificate: Certificate, more: Partial<CertificateConditions> = {}): CertificateConditions {
  const authorities = [certificate.signatureKey];
  const type = certificate.type;
  const principal = type === "host" ? "ssh.example.com" : "ann";
  return { type, principal, authorities, algorithms, now: Date.UTC(2026, 5, 1), ...more };
}

const check = (blob: Uint8Array, more: Partial<CertificateConditions> = {}) =>
  checkCertificate(parseCertificate(blob), conditions(parseCertificate(blob), more));

/** The parts of a certificate of Ed25519, which a test can replace. */
interface Parts {
  readonly type?: number;
  readonly keyId?: Uint8Array;
  readonly principals?: Uint8Array;
  readonly criticalOptions?: Uint8Array;
  readonly extensions?: Uint8Array;
  readonly signatureKey?: Uint8Array;
}

/** Writes a certificate with a signature that is not valid. */
function unsigned(parts: Parts): Uint8Array {
  const key = new Reader(parsePublicKey(vectorOf("ssh-ed25519", "a user").publicLine).blob, "key");
  key.string();
  const empty = new Uint8Array();
  const writer = new Writer().text("ssh-ed25519-cert-v01@openssh.com").string(new Uint8Array(32)).string(key.string());
  writer
    .uint64(1n)
    .uint32(parts.type ?? 1)
    .string(parts.keyId ?? empty)
    .string(parts.principals ?? empty);
  writer.uint64(0n).uint64(2n ** 64n - 1n);
  writer
    .string(parts.criticalOptions ?? empty)
    .string(parts.extensions ?? empty)
    .string(empty);
  writer.string(parts.signatureKey ?? parseCertificate(userBlob).signatureKey).string(empty);
  return writer.finish();
}

function list(...items: readonly (string | Uint8Array)[]): Uint8Array {
  const writer = new Writer();
  for (const item of items) writer.string(typeof item === "string" ? utf8(item) : item);
  return writer.finish();
}

describe("parseCertificate", () => {
  it.each(types)("rejects a certificate of %s that is truncated at any byte", (type) => {
    const blob = blobOf(type, "a user");
    for (let size = 0; size < blob.length; size++) {
      throwsCode("key", () => parseCertificate(blob.subarray(0, size)));
    }
    throwsCode("key", () => parseCertificate(Uint8Array.of(...blob, 0)));
  });

  it.each(types)("refuses a certificate of %s with any bit flipped", async (type) => {
    const blob = blobOf(type, "a user");
    await check(blob);
    for (let at = 0; at < blob.length; at++) {
      const spoiled = blob.slice();
      spoiled[at] = (spoiled[at] ?? 0) ^ (1 << (at % 8));
      // The CA is the one of the sound certificate.
      const outcome = async () =>
        await check(spoiled, { authorities: [parseCertificate(blob).signatureKey], algorithms });
      await expect(outcome(), `byte ${at}`).rejects.toMatchObject({ code: "key" });
    }
  });

  it("rejects lengths that exceed the blob, at any place", () => {
    for (let at = 0; at + 4 <= userBlob.length; at++) {
      const lying = userBlob.slice();
      putUint32(lying, at, 0x4000_0000);
      try {
        // A length within a string, such as the nonce, is data.
        expect(parseCertificate(lying).blob).toHaveLength(userBlob.length);
      } catch (error) {
        expect(error).toMatchObject({ code: "key" });
      }
    }
  });

  it("accepts 256 principals, as OpenSSH, and rejects more", () => {
    const names = (count: number) => list(...Array.from({ length: count }, (_, index) => `u${index}`));
    expect(parseCertificate(unsigned({ principals: names(256) })).principals).toHaveLength(256);
    expect(() => parseCertificate(unsigned({ principals: names(257) }))).toThrow(/at most 256 principals/);
    const many = unsigned({ principals: list(...Array.from({ length: 10_000 }, () => "")) });
    expect(() => parseCertificate(many)).toThrow(/at most 256 principals/);
  });

  it("rejects a certificate of more than 64 KiB before it reads it", () => {
    const large = unsigned({ keyId: new Uint8Array(65_536).fill(97) });
    expect(() => parseCertificate(large)).toThrow(/at most 65536 bytes/);
  });

  it.each([
    ["another role", { type: 3 }, /of a user \(1\) or a host \(2\), got type 3/],
    ["a key id with NUL", { keyId: Uint8Array.of(97, 0) }, /key id/],
    ["a principal with NUL", { principals: list(Uint8Array.of(97, 0, 98)) }, /principal/],
    ["a principal that is not UTF-8", { principals: list(Uint8Array.of(0xff)) }, /principal/],
    ["a repeated critical option", { criticalOptions: list("a", "", "a", "") }, /critical option once, got "a" twice/],
    ["a repeated extension", { extensions: list("a", "", "a", "") }, /extension once, got "a" twice/],
    ["an option without data", { criticalOptions: list("force-command") }, /malformed/],
    ["a CA that is a certificate", { signatureKey: userBlob }, /CA key of type ssh-ed25519-cert-v01@openssh.com/],
    ["a CA key of an unknown type", { signatureKey: list("ssh-dss", "") }, /CA key of type ssh-dss/],
    ["a CA key cut short", { signatureKey: list("ssh-ed25519", "short") }, /Ed25519 public key of 32 bytes/],
  ])("rejects %s (PROTOCOL.certkeys)", (_, parts: Parts, message) => {
    expect(() => parseCertificate(unsigned(parts))).toThrow(message);
    throwsCode("key", () => parseCertificate(unsigned(parts)));
  });

  it("keeps the order of options, which OpenSSH does not check", () => {
    const { criticalOptions } = parseCertificate(unsigned({ criticalOptions: list("b", "", "a", "") }));
    expect([...criticalOptions.keys()]).toEqual(["b", "a"]);
  });

  it("rejects a plain key", () => {
    const { publicKey } = parseCertificate(userBlob);
    expect(() => parseCertificate(publicKey)).toThrow(/expected a certificate, got a key of type "ssh-ed25519"/);
    expect([isCertificate(publicKey), isCertificate(userBlob)]).toEqual([false, true]);
  });
});

describe("certificateOption", () => {
  it.each([
    ["no string", new Uint8Array(2)],
    ["bytes after the string", list("a", "b")],
    ["NUL", list(Uint8Array.of(0))],
  ])("rejects data with %s", (_, data) => {
    const certificate = parseCertificate(unsigned({ criticalOptions: list("source-address", data) }));
    throwsCode("key", () => certificateOption(certificate, "source-address"));
    expect(certificateOption(certificate, "force-command")).toBeUndefined();
  });
});

describe("checkCertificate", () => {
  const host = blobOf("ssh-ed25519", "a host");
  const timed = blobOf("ssh-ed25519", "");

  it.each([
    ["another type", userBlob, { type: "host" }, "expected a host certificate, got a user certificate"],
    ["the type of a host for a user", host, { type: "user" }, "expected a user certificate, got a host certificate"],
    [
      "another CA",
      userBlob,
      { authorities: [] },
      "expected a signature by a trusted CA, got one by another ssh-ed25519",
    ],
    ["another principal", userBlob, { principal: "eve" }, 'expected "eve" among the principals, got "ann", "bob"'],
    ["another case of a user", userBlob, { principal: "Ann" }, 'expected "Ann" among the principals'],
    ["an empty name", host, { principal: "" }, 'expected "" among the principals'],
    ["another host", host, { principal: "example.net" }, "among the principals"],
    ["a time before", timed, { now: 1_767_323_044_999 }, "got one valid from 2026-01-02T03:04:05Z; check the clock"],
    ["a time after", timed, { now: 1_798_859_045_000 }, "got one expired at 2027-01-02T03:04:05Z"],
    ["an algorithm of the CA", userBlob, { algorithms: [] }, 'got "ssh-ed25519"'],
  ] as const)("refuses %s", async (_, blob, more, message) => {
    await expect(check(blob, more)).rejects.toThrow(message);
    await expect(check(blob, more)).rejects.toMatchObject({ code: "key" });
  });

  it("accepts wildcards in the principals of hosts, in lower case, and none in those of users (OpenSSH 10.3)", async () => {
    for (const principal of ["ssh.example.com", "SSH.Example.Com", "a.example.net", "a.b.example.net"]) {
      await check(host, { principal });
    }
    await expect(check(userBlob, { principal: "*" })).rejects.toThrow(/among the principals/);
  });

  it("matches no empty name, not even with *", async () => {
    const everyHost = unsigned({ type: 2, principals: list("*") });
    await expect(check(everyHost, { principal: "" })).rejects.toThrow(/among the principals, got "\*"/);
    // Any other name matches. The signature, which is missing here, is checked last.
    await expect(check(everyHost, { principal: "x" })).rejects.toThrow(/expected a CA signature with one of/);
  });

  it("names at most 8 principals in its error", async () => {
    const names = (count: number) => list(...Array.from({ length: count }, (_, at) => `u${at}`));
    await expect(check(unsigned({ principals: names(8) }))).rejects.toThrow(/got "u0", .*, "u7" \(/);
    await expect(check(unsigned({ principals: names(9) }))).rejects.toThrow(/got "u0", .*, "u7", … \(/);
  });

  it("accepts one of several names", async () => {
    await check(userBlob, { principal: ["eve", "bob"] });
    await expect(check(userBlob, { principal: [] })).rejects.toThrow(/among the principals/);
  });

  it("is valid from its first second to the one before its last", async () => {
    const message = /among the principals, got none/;
    await expect(check(timed, { now: 1_767_323_045_000 })).rejects.toThrow(message);
    await expect(check(timed, { now: 1_798_859_044_999 })).rejects.toThrow(message);
  });

  it("refuses critical options that the caller does not enforce", async () => {
    const blob = blobOf("ssh-ed25519", "with options: näme");
    await expect(check(blob)).rejects.toThrow('expected no critical options, got the critical option "force-command"');
    const some = ["force-command", "source-address"];
    await expect(check(blob, { criticalOptions: some })).rejects.toThrow('got the critical option "verify-required"');
    await check(blob, { criticalOptions: [...some, "verify-required"] });
  });

  it("refuses a signature with SHA-1, even if an algorithm has that name", async () => {
    const blob = blobOf("ssh-ed25519", "SHA-1");
    await expect(check(blob)).rejects.toThrow(/got "ssh-rsa", which uses SHA-1/);
  });

  it("refuses a verdict that is not true", async () => {
    const liar = { ...compatibleAlgorithms.hostKeys[0]!, verify: () => "yes" as unknown as boolean };
    await expect(check(userBlob, { algorithms: [liar] })).rejects.toThrow(/got an invalid one/);
  });
});

describe("createCertificateSigner", () => {
  const { publicKey } = parseCertificate(userBlob);
  const sign = (_: Uint8Array, algorithm: string) => utf8(algorithm);
  const signer = { publicKey, algorithms: ["ssh-ed25519"], sign };
  const line = vectorOf("ssh-ed25519", "a user").certificate;

  it("signs with the plain algorithm, from a line or a blob", () => {
    for (const certificate of [line, `${line} comment\n`, userBlob]) {
      const certified = createCertificateSigner(signer, certificate, { type: "user" });
      expect(certified.algorithms).toEqual(["ssh-ed25519-cert-v01@openssh.com"]);
      expect(certified.publicKey).toEqual(userBlob);
      expect(certified.certificate.keyId).toBe("a user");
      const [algorithm = ""] = certified.algorithms;
      expect(certified.sign(new Uint8Array(), algorithm)).toEqual(utf8("ssh-ed25519"));
      throwsCode("misuse", () => certified.sign(new Uint8Array(), "ssh-ed25519"));
    }
  });

  it("names the algorithms of RSA and of security keys", () => {
    const named = (type: string, ...algorithms: readonly string[]) => {
      const certificate = blobOf(type, "a user");
      const plain = { publicKey: parseCertificate(certificate).publicKey, algorithms, sign };
      return createCertificateSigner(plain, certificate).algorithms;
    };
    expect(named("ssh-rsa", "rsa-sha2-512", "rsa-sha2-256")).toEqual([
      "rsa-sha2-512-cert-v01@openssh.com",
      "rsa-sha2-256-cert-v01@openssh.com",
    ]);
    expect(named(types[5]!, types[5]!)).toEqual(["sk-ssh-ed25519-cert-v01@openssh.com"]);
    expect(named(types[6]!, types[6]!)).toEqual(["sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"]);
  });

  it("refuses a certificate of another key, of the other type, or none", () => {
    const other = { ...signer, publicKey: parseCertificate(blobOf("ssh-rsa", "a user")).publicKey };
    expect(() => createCertificateSigner(other, line)).toThrow(/of the signer's public key, got one of another key/);
    const host = vectorOf("ssh-ed25519", "a host").certificate;
    expect(() => createCertificateSigner(signer, host, { type: "user" })).toThrow(
      "expected a user certificate, got a host",
    );
    expect(() => createCertificateSigner(signer, formatPublicKey(publicKey))).toThrow(
      /expected a certificate, got a key/,
    );
  });
});

describe("createCertificateAlgorithm", () => {
  it("rejects a certificate of another type, and the plain key", () => {
    for (const algorithm of certificateAlgorithms) {
      const others = types.filter((type) => parseCertificate(blobOf(type, "a user")).keyType !== algorithm.keyType);
      expect(others).toHaveLength(6);
      for (const type of others) {
        throwsCode("key", () => algorithm.verify(blobOf(type, "a user"), new Uint8Array(), new Uint8Array()));
      }
      const { publicKey } = parseCertificate(userBlob);
      throwsCode("key", () => algorithm.verify(publicKey, new Uint8Array(), new Uint8Array()));
    }
  });
});

describe("parseRevokedKeys", () => {
  const krlFile = loadVectors("certificates", "krl") as KrlFile;
  const lineOf = (name: string): string => krlFile.testGroups[0]?.subjects[name] ?? "";
  const reason = (source: string | Uint8Array, name: string) =>
    parseRevokedKeys(source, sha256).reason(parsePublicKey(lineOf(name)).blob);
  for (const { title, run } of krlTests(krlFile)) it(title, run);

  it("revokes the keys of a text, their certificates, and those of a CA", () => {
    const text = `# lost\n\n${lineOf("plain")}\r\n`;
    expect(reason(text, "plain")).toBe("the key is revoked");
    expect(reason(utf8(text), "one")).toBe("the certified key is revoked");
    expect(reason(text, "foreign")).toBeUndefined();
    const authority = formatPublicKey(parseCertificate(parsePublicKey(lineOf("one")).blob).signatureKey);
    expect(reason(authority, "one")).toBe("the certificate's CA is revoked");
    expect(reason(authority, "plain")).toBeUndefined();
    // A certificate in the text stands for its key, as in OpenSSH.
    expect(reason(lineOf("one"), "plain")).toBe("the key is revoked");
  });

  it("rejects a text with a malformed line", () => {
    expect(() => reason(`${lineOf("plain")}\nssh-ed25519 AAAA`, "plain")).toThrow(/revoked keys, line 2/);
  });

  it("rejects a KRL that is truncated anywhere but between sections", () => {
    for (const { krl } of loadTests<KrlVector>("certificates", "krl")) {
      const bytes = fromHex(krl);
      let accepted = 0;
      for (let size = 8; size < bytes.length; size++) {
        try {
          parseRevokedKeys(bytes.subarray(0, size), sha256);
          accepted++;
        } catch (error) {
          expect(error).toMatchObject({ code: "key" });
        }
      }
      // After the header, which is a list without entries.
      expect(accepted).toBeLessThanOrEqual(1);
    }
  });

  it.each([
    ["another version", (krl: Writer) => krl.uint32(2), /format version 1, got 2/],
    [
      "an unknown section",
      (krl: Writer) => header(krl).byte(9).string(new Uint8Array()),
      /known section in a KRL, got type 9/,
    ],
    [
      "a critical extension",
      (krl: Writer) =>
        header(krl).byte(255).string(new Writer().text("x").boolean(true).string(new Uint8Array()).finish()),
      /critical extensions, got x/,
    ],
    // `ssh-keygen -Q` of OpenSSH 9.2 rejects these, too. Read as they are, they would revoke nothing.
    [
      "a fingerprint of 31 bytes",
      (krl: Writer) =>
        header(krl)
          .byte(5)
          .string(new Writer().string(new Uint8Array(31)).finish()),
      /fingerprint of 32 bytes in a KRL, got 31/,
    ],
    [
      "a range that ends before it begins",
      (krl: Writer) =>
        header(krl)
          .byte(1)
          .string(certificates("", 0x21, 5n, 3n)),
      /range of serial numbers, got 5 to 3/,
    ],
    [
      "a malformed CA key",
      (krl: Writer) =>
        header(krl)
          .byte(1)
          .string(certificates("ssh-ed25519", 0x20, 5n)),
      /expected a public key/,
    ],
    [
      "an unknown section of certificates",
      (krl: Writer) => header(krl).byte(1).string(certificates("", 0x2a)),
      /known section of certificates in a KRL, got type 42/,
    ],
    [
      "a critical extension of certificates",
      (krl: Writer) => {
        const extension = new Writer().text("y").boolean(true).string(new Uint8Array()).finish();
        return header(krl).byte(1).string(new Writer().text("").text("").byte(0x39).string(extension).finish());
      },
      /critical extensions, got y/,
    ],
  ])("rejects a KRL with %s (PROTOCOL.krl)", (_, write, message) => {
    const krl = write(new Writer().raw(utf8("SSHKRL\n\0"))).finish();
    expect(() => parseRevokedKeys(krl, sha256)).toThrow(message);
  });

  function header(krl: Writer): Writer {
    return krl.uint32(1).uint64(0n).uint64(0n).uint64(0n).text("").text("");
  }

  function certificates(authority: string, type: number, ...numbers: readonly bigint[]): Uint8Array {
    const section = new Writer();
    for (const number of numbers) section.uint64(number);
    return new Writer().text(authority).text("").byte(type).string(section.finish()).finish();
  }

  it("skips extensions that are not critical (PROTOCOL.krl section 5)", () => {
    const extension = new Writer().text("x").boolean(false).string(new Uint8Array(3)).finish();
    const inner = new Writer()
      .text("")
      .text("")
      .byte(0x39)
      .string(extension)
      .byte(0x23)
      .string(list("id one"))
      .finish();
    const krl = header(new Writer().raw(utf8("SSHKRL\n\0")))
      .byte(255)
      .string(extension)
      .byte(1)
      .string(inner)
      .finish();
    const { keyId } = parseCertificate(parsePublicKey(lineOf("one")).blob);
    expect(keyId).toBe("id one");
    expect(reason(krl, "one")).toBe("the certificate is revoked");
    expect(reason(krl, "plain")).toBeUndefined();
  });

  it("revokes the serial numbers of a bitmap, and none beyond its end (PROTOCOL.krl section 2.3)", () => {
    const { serial } = parseCertificate(parsePublicKey(lineOf("one")).blob);
    const bitmap = (offset: bigint, bits: number) => {
      const section = new Writer().uint64(offset).mpint(Uint8Array.of(bits)).finish();
      const inner = new Writer().text("").text("").byte(0x22).string(section).finish();
      return header(new Writer().raw(utf8("SSHKRL\n\0")))
        .byte(1)
        .string(inner)
        .finish();
    };
    expect(serial).toBeGreaterThan(0n);
    expect(reason(bitmap(serial, 0b1), "one")).toBe("the certificate is revoked");
    expect(reason(bitmap(serial, 0b10), "one")).toBeUndefined();
    expect(reason(bitmap(serial, 0), "one")).toBeUndefined();
    expect(reason(bitmap(serial + 1n, 0xff), "one")).toBeUndefined();
    expect(reason(bitmap(serial - 1n, 0b1), "one")).toBeUndefined();
  });

  it("rejects more than 16 MiB", () => {
    const [most, message] = [2 ** 24, /at most 16777216 bytes, got 16777217/];
    expect(() => parseRevokedKeys("#".repeat(most + 1), sha256)).toThrow(message);
    const krl = new Uint8Array(most + 1);
    krl.set(utf8("SSHKRL\n\0"));
    expect(() => parseRevokedKeys(krl, sha256)).toThrow(message);
  });

  it("skips signatures, which have a key and then a signature (PROTOCOL.krl section 6)", () => {
    const revoked = new Writer().string(parsePublicKey(lineOf("plain")).blob).finish();
    const krl = header(new Writer().raw(utf8("SSHKRL\n\0")))
      .byte(2)
      .string(revoked)
      .byte(4)
      .text("key")
      .text("signature");
    expect(parseRevokedKeys(krl.finish(), sha256).reason(parsePublicKey(lineOf("plain")).blob)).toBe(
      "the key is revoked",
    );
  });

  it("reads a certificate in base64 as ssh-keygen prints it", () => {
    expect(lineOf("one").split(" ")[1]).toBe(toBase64(parsePublicKey(lineOf("one")).blob));
  });
});
