/** Certificates and security keys: our client at OpenSSH's sshd, and OpenSSH's ssh at TunnelHost. */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { Signer } from "@postern/crypto";
import { checkCertificate, createCertificateSigner, parsePublicKey } from "@postern/keys";
import {
  fingerprint,
  modernAlgorithms,
  algorithms as nodeAlgorithms,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  type TunnelOptions,
} from "@postern/node";
import { concat, utf8, Writer } from "@postern/wire";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type HostOptions, nextEvent, type RunningHost, startHost } from "./harness/clients/host.ts";
import {
  type CertificateFile,
  certify,
  type KeyPair,
  type KeyType,
  makeKey,
  makeSecurityKey,
  missing,
  noSecurityKeys,
  type Running,
  run,
  runSsh,
  type SshClientOptions,
  type Sshd,
  skProvider,
  sshdVersions,
  startSshd,
  tempDir,
  verdictTable,
} from "./harness/index.ts";

const keyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"] as const;
const { certificateAlgorithms } = nodeAlgorithms;
const valid = ["-V", "-1h:+1h"];
const dir = tempDir("postern-certificates");
const keys = new Map<KeyType, KeyPair>();
let authority: KeyPair;
let rsaAuthority: KeyPair;
let strangeAuthority: KeyPair;
const verdict = verdictTable();

const keyOf = (type: KeyType): KeyPair => {
  const key = keys.get(type);
  if (key === undefined) throw new Error(`expected a key of type ${type}, got none`);
  return key;
};

/** A user certificate of the ed25519 key, valid now. `args` come last, so that they may override. */
const userCertificate = (...args: readonly string[]): Promise<CertificateFile> =>
  certify(dir, authority.file, `${keyOf("ed25519").file}.pub`, "-I", "test", ...args);

beforeAll(async () => {
  if (missing("ssh")) return;
  for (const type of keyTypes) keys.set(type, await makeKey(type, dir.file(type)));
  authority = await makeKey("ed25519", dir.file("ca"));
  rsaAuthority = await makeKey("rsa3072", dir.file("rsa-ca"));
  strangeAuthority = await makeKey("ed25519", dir.file("strange-ca"));
});
afterAll(() => {
  dir.remove();
});

/** User certificates that must be refused to the user `name`, and the reason that each side logs. */
const nearMisses: readonly {
  readonly title: string;
  readonly make: (name: string) => Promise<CertificateFile>;
  readonly sshd: RegExp;
  readonly ours: RegExp;
}[] = [
  {
    title: "an expired certificate",
    make: (name) => userCertificate("-n", name, "-V", "-2h:-1h"),
    sshd: /Certificate invalid: expired/,
    ours: /got one expired at/,
  },
  {
    title: "a certificate that is not yet valid",
    make: (name) => userCertificate("-n", name, "-V", "+1h:+2h"),
    sshd: /Certificate invalid: not yet valid/,
    ours: /got one valid from .*; check the clock/,
  },
  {
    title: "a certificate of another principal",
    make: () => userCertificate("-n", "another", ...valid),
    sshd: /name is not a listed principal/,
    ours: /among the principals, got "another"/,
  },
  {
    title: "a certificate without principals",
    make: () => userCertificate(...valid),
    sshd: /Certificate lacks principal list/,
    ours: /among the principals, got none/,
  },
  {
    title: "a host certificate",
    make: (name) => userCertificate("-h", "-n", name, ...valid),
    sshd: /not a user certificate/,
    ours: /expected a user certificate, got a host certificate/,
  },
  {
    title: "a certificate for another source address",
    make: (name) => userCertificate("-n", name, "-O", "source-address=192.0.2.0/24", ...valid),
    sshd: /not from a permitted source address/,
    ours: /at an address of the certificate's source-address, got 127\.0\.0\.1/,
  },
  {
    title: "a certificate with an unknown critical option",
    make: (name) => userCertificate("-n", name, "-O", "critical:other@example.com=x", ...valid),
    sshd: /Certificate critical option "other@example\.com" is not supported/,
    ours: /got the critical option "other@example\.com"/,
  },
  {
    title: "a certificate that its CA signed with SHA-1",
    make: (name) =>
      certify(
        ...([
          dir,
          rsaAuthority.file,
          `${keyOf("ed25519").file}.pub`,
          "-t",
          "ssh-rsa",
          "-I",
          "test",
          "-n",
          name,
        ] as const),
        ...valid,
      ),
    sshd: /certificate signature algorithm ssh-rsa: signature algorithm not supported/,
    ours: /got "ssh-rsa", which uses SHA-1/,
  },
  {
    title: "a certificate of an unknown CA",
    make: (name) =>
      certify(dir, strangeAuthority.file, `${keyOf("ed25519").file}.pub`, "-I", "strange", "-n", name, ...valid),
    sshd: /Failed publickey .* ID strange/,
    ours: /^publickey of "test": refused$/,
  },
];

describe.each(sshdVersions("password"))("our client at $name", ({ name, lacks, root }) => {
  let sshd: Sshd;

  beforeAll(async () => {
    if (lacks !== undefined) return;
    writeFileSync(dir.file("trusted"), `${authority.publicLine}\n${rsaAuthority.publicLine}\n`);
    writeFileSync(dir.file("revoked"), `${keyOf("ecdsa256").publicLine}\n`);
    const config = { TrustedUserCAKeys: dir.file("trusted"), LogLevel: "DEBUG1" };
    sshd = await startSshd({ ...root(), config });
  });
  afterAll(async () => await sshd?.stop());

  const login = async (server: Sshd, signer: Signer): Promise<void> => {
    const options: TunnelOptions = {
      ...{ host: "127.0.0.1", port: server.port, user: server.user },
      auth: [privateKey(signer)],
      hostKey: fingerprint(server.fingerprint()),
    };
    const tunnel = new ReverseTunnel(options);
    tunnel.closed.catch(() => {});
    await tunnel.connect();
    await tunnel.close();
  };
  const signerOf = async (type: KeyType, certificate: CertificateFile): Promise<Signer> =>
    createCertificateSigner(await readPrivateKey(keyOf(type).privateText), certificate.text);

  for (const type of keyTypes) {
    it.skipIf(lacks)(`logs in with a certificate of a ${type} key`, async () => {
      const file = `${keyOf(type).file}.pub`;
      const certificate = await certify(dir, authority.file, file, "-I", `id ${type}`, "-n", sshd.user, ...valid);
      await login(sshd, await signerOf(type, certificate));
      await sshd.logged(new RegExp(`Accepted publickey for ${sshd.user} .*-CERT .* ID id ${type}`));
      verdict(`${type} certificate`, name, "accepted");
    });
  }

  it.skipIf(lacks)("logs in with rsa-sha2-256 if the signer has no other algorithm", async () => {
    const file = `${keyOf("rsa3072").file}.pub`;
    const certificate = await certify(dir, rsaAuthority.file, file, "-I", "sha256", "-n", sshd.user, ...valid);
    const signer = await readPrivateKey(keyOf("rsa3072").privateText);
    const only = { ...signer, algorithms: ["rsa-sha2-256"] };
    await login(sshd, createCertificateSigner(only, certificate.text, { type: "user" }));
    await sshd.logged(/Accepted publickey for .* ID sha256/);
  });

  for (const { title, make, sshd: reason } of nearMisses) {
    it.skipIf(lacks)(`is refused with ${title}`, async () => {
      const certificate = await make(sshd.user);
      await expect(login(sshd, await signerOf("ed25519", certificate))).rejects.toMatchObject({ code: "auth" });
      await sshd.logged(reason);
      verdict(title, name, "refused");
    });
  }

  it.skipIf(lacks)("is refused with the certificate of a revoked key", async () => {
    const config = { TrustedUserCAKeys: dir.file("trusted"), RevokedKeys: dir.file("revoked") };
    const strict = await startSshd({ ...root(), config });
    try {
      const file = `${keyOf("ecdsa256").file}.pub`;
      const certificate = await certify(dir, authority.file, file, "-I", "revoked", "-n", strict.user, ...valid);
      await login(sshd, await signerOf("ecdsa256", certificate));
      await expect(login(strict, await signerOf("ecdsa256", certificate))).rejects.toMatchObject({ code: "auth" });
      await strict.logged(/revoked/);
      verdict("the certificate of a revoked key", name, "refused");
    } finally {
      await strict.stop();
    }
  });

  for (const present of [true, false]) {
    const title = present ? "logs in with a security key" : "is refused with a security key that nobody touched";
    it.skipIf(lacks)(`${title}, by any Signer with its algorithm`, async () => {
      const token = softwareToken(present);
      const line = `sk-ssh-ed25519@openssh.com ${Buffer.from(token.publicKey).toString("base64")}`;
      const server = await startSshd({ ...root(), authorizedKeys: [line] });
      try {
        if (present) await login(server, token);
        else await expect(login(server, token)).rejects.toMatchObject({ code: "auth" });
        await server.logged(present ? /Accepted publickey for .* ED25519-SK/ : /user presence .* not/);
        verdict(`security key, touched: ${present}`, name, present ? "accepted" : "refused");
      } finally {
        await server.stop();
      }
    });
  }
});

/** A FIDO token in software (OpenSSH PROTOCOL.u2f). */
function softwareToken(present: boolean): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const point = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const name = "sk-ssh-ed25519@openssh.com";
  const digest = (data: Uint8Array) => createHash("sha256").update(data).digest();
  return {
    publicKey: new Writer().text(name).string(point).text("ssh:").finish(),
    algorithms: [name],
    sign(data) {
      const use = Uint8Array.of(present ? 1 : 0, 0, 0, 0, 1);
      const signature = sign(null, concat(digest(utf8("ssh:")), use, digest(data)), privateKey);
      return new Writer().text(name).string(signature).raw(use).finish();
    },
  };
}

describe.skipIf(missing("sshd", "password"))("our client and the host certificate of sshd", () => {
  const hostKeyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"] as const;
  let sshd: Sshd;

  beforeAll(async () => {
    const files = hostKeyTypes.map((type) => dir.file(`sshd_${type}-cert.pub`));
    sshd = await startSshd({
      hostKeyTypes,
      authorizedKeys: [keyOf("ed25519").publicLine],
      config: { HostCertificate: files, LogLevel: "DEBUG1" },
    });
    for (const [index, type] of hostKeyTypes.entries()) {
      const args = ["-h", "-I", type, "-n", "127.0.0.1,*.example.com", ...valid];
      const { text } = await certify(dir, authority.file, `${sshd.dir}/host_${type}.pub`, ...args);
      writeFileSync(files[index]!, text);
    }
    await sshd.kill();
    await sshd.restart();
  });
  afterAll(async () => await sshd?.stop());

  const tunnelTo = (more: Partial<TunnelOptions>): ReverseTunnel => {
    const tunnel = new ReverseTunnel({
      ...{ host: "127.0.0.1", port: sshd.port, user: sshd.user },
      auth: [privateKey(keyOf("ed25519").privateText)],
      hostKey: fingerprint(sshd.fingerprint()),
      ...more,
    });
    tunnel.closed.catch(() => {});
    return tunnel;
  };
  const authorities = (): readonly Uint8Array[] => [parsePublicKey(authority.publicLine).blob];

  for (const algorithm of certificateAlgorithms.filter(({ name }) => !name.startsWith("sk-"))) {
    it(`verifies ${algorithm.name}`, async () => {
      const seen: string[] = [];
      const tunnel = tunnelTo({
        algorithms: { hostKeys: [algorithm] },
        hostKey: async ({ certificate, keyType, host }) => {
          if (certificate === undefined) return false;
          seen.push(keyType);
          const conditions = { type: "host", principal: host, authorities: authorities(), now: Date.now() } as const;
          await checkCertificate(certificate, { ...conditions, algorithms: modernAlgorithms.hostKeys });
          await expect(
            checkCertificate(certificate, {
              ...{ ...conditions, principal: "ssh.example.net" },
              algorithms: modernAlgorithms.hostKeys,
            }),
          ).rejects.toThrow(/among the principals/);
          return true;
        },
      });
      await tunnel.connect();
      expect(seen).toEqual([algorithm.keyType]);
      await tunnel.close();
      verdict(algorithm.name, "our client", "accepted");
    });
  }

  it("gets no certificate with the default algorithms, and fingerprint() refuses one", async () => {
    const plain = tunnelTo({});
    await plain.connect();
    await plain.close();
    const hostKeys = [...certificateAlgorithms, ...modernAlgorithms.hostKeys];
    await expect(tunnelTo({ algorithms: { hostKeys } }).connect()).rejects.toMatchObject({
      code: "hostkey",
      message: expect.stringContaining("expected 127.0.0.1 to have a plain host key, got a certificate"),
    });
  });
});

describe.skipIf(missing("ssh"))("OpenSSH's ssh at TunnelHost", () => {
  let hosts: RunningHost[] = [];
  let clients: Running[] = [];

  afterEach(async () => {
    for (const one of clients) await one.stop();
    for (const one of hosts) await one.stop();
    [hosts, clients] = [[], []];
  });

  const aHost = async (options: HostOptions): Promise<RunningHost> => {
    const host = await startHost(options);
    hosts.push(host);
    return host;
  };
  const ssh = async (server: RunningHost, options: Partial<SshClientOptions>, ...args: string[]): Promise<Running> => {
    const client = await runSsh(["-N", ...args], { server, ...options });
    clients.push(client);
    return client;
  };
  const trusting = (options = ""): string =>
    [authority, rsaAuthority].map(({ publicLine }) => `cert-authority${options} ${publicLine}\n`).join("");
  /** Logs in with `-R`, and returns how ssh reports the forwarding. */
  const tunnel = async (server: RunningHost, options: Partial<SshClientOptions>): Promise<string> => {
    const client = await ssh(server, options, "-R", "0:127.0.0.1:9");
    const [line] = await client.stderr.waitFor(
      /Allocated port \d+|remote port forwarding failed|Permission denied|Host key verification failed/,
    );
    return line;
  };

  for (const type of keyTypes) {
    it(`logs in with a certificate of a ${type} key`, async () => {
      const server = await aHost({ keys: trusting() });
      const { file } = await certify(dir, authority.file, `${keyOf(type).file}.pub`, "-I", "x", "-n", "test", ...valid);
      const config = { CertificateFile: file };
      expect(await tunnel(server, { identity: keyOf(type), config })).toMatch(/Allocated port/);
      // The key alone is refused, because only its CA is listed.
      expect(await tunnel(server, { identity: keyOf(type) })).toBe("Permission denied");
      verdict(`${type} certificate`, "TunnelHost", "accepted");
    });
  }

  for (const type of ["ed25519-sk", "ecdsa-sk"] as const) {
    it.skipIf(noSecurityKeys())(`logs in with a ${type} key and its certificate`, async () => {
      const key = await makeSecurityKey(type, dir.file(type));
      const config = { SecurityKeyProvider: skProvider };
      const plain = await aHost({ keys: key.publicLine });
      expect(await tunnel(plain, { identity: key.file, config })).toMatch(/Allocated port/);
      const server = await aHost({ keys: trusting() });
      const { file } = await certify(dir, authority.file, `${key.file}.pub`, "-I", type, "-n", "test", ...valid);
      expect(await tunnel(server, { identity: key.file, config: { ...config, CertificateFile: file } })).toMatch(
        /Allocated port/,
      );
      verdict(`${type} key and certificate`, "TunnelHost", "accepted");
    });

    it.skipIf(noSecurityKeys())(`accepts a ${type} key without a touch only if its line allows it`, async () => {
      const key = await makeSecurityKey(type, dir.file(`${type}-untouched`), "-O", "no-touch-required");
      const config = { SecurityKeyProvider: skProvider };
      const strict = await aHost({ keys: key.publicLine });
      const refusal = nextEvent(strict.host, "refusal");
      expect(await tunnel(strict, { identity: key.file, config })).toBe("Permission denied");
      expect((await refusal).reason).toMatch(/expected a touch of the security key/);
      const lax = await aHost({ keys: `no-touch-required ${key.publicLine}` });
      expect(await tunnel(lax, { identity: key.file, config })).toMatch(/Allocated port/);
      const pin = await aHost({ keys: `no-touch-required,verify-required ${key.publicLine}` });
      expect(await tunnel(pin, { identity: key.file, config })).toBe("Permission denied");
      verdict(`${type} key, not touched`, "TunnelHost", "refused unless no-touch-required");
    });
  }

  for (const { title, make, ours } of nearMisses) {
    it(`refuses ${title}`, async () => {
      const server = await aHost({ keys: trusting() });
      const { file } = await make("test");
      const reasons: string[] = [];
      server.host.addEventListener("refusal", ({ reason }) => reasons.push(reason));
      // Without a query, ssh sends its signature at once only to a listed key, so the query is what is refused.
      const identity = keyOf("ed25519");
      expect(await tunnel(server, { identity, config: { CertificateFile: file } })).toBe("Permission denied");
      const signer = createCertificateSigner(await readPrivateKey(identity.privateText), (await make("test")).text);
      const client = new ReverseTunnel({
        ...{ host: "127.0.0.1", port: server.port, user: "test" },
        auth: [privateKey(signer)],
        hostKey: fingerprint(server.fingerprint()),
      });
      client.closed.catch(() => {});
      await expect(client.connect()).rejects.toMatchObject({ code: "auth" });
      expect(reasons.at(-1)).toMatch(ours);
      verdict(title, "TunnelHost", "refused");
    });
  }

  it("applies the options of the CA's line and of the certificate (sshd(8))", async () => {
    const identity = keyOf("ed25519");
    const certificateOf = async (...args: string[]): Promise<Partial<SshClientOptions>> => {
      const { file } = await userCertificate(...args, ...valid);
      return { identity, config: { CertificateFile: file, ExitOnForwardFailure: "yes" } };
    };
    const outcomeOf = async (keys: string, ...args: string[]) => {
      const server = await aHost({ keys });
      const outcome = await tunnel(server, await certificateOf(...args));
      return /Allocated/.test(outcome) ? "forwards" : outcome;
    };
    expect(await outcomeOf(trusting(',principals="root,ops"'), "-n", "ops")).toBe("forwards");
    expect(await outcomeOf(trusting(',principals="root,ops"'), "-n", "test")).toBe("Permission denied");
    expect(await outcomeOf(trusting(',from="127.0.0.1"'), "-n", "test")).toBe("forwards");
    expect(await outcomeOf(trusting(',from="192.0.2.1"'), "-n", "test")).toBe("Permission denied");
    expect(await outcomeOf(trusting(',expiry-time="20200101"'), "-n", "test")).toBe("Permission denied");
    expect(await outcomeOf(trusting(), "-n", "test", "-O", "force-command=/bin/true")).toBe("forwards");
    expect(await outcomeOf(trusting(), "-n", "test", "-O", "source-address=127.0.0.0/8,::1")).toBe("forwards");
    expect(await outcomeOf(trusting(), "-n", "test", "-O", "clear")).toBe("remote port forwarding failed");
    expect(await outcomeOf(trusting(), "-n", "test", "-O", "no-port-forwarding")).toBe("remote port forwarding failed");
    expect(await outcomeOf(trusting(",restrict"), "-n", "test")).toBe("remote port forwarding failed");
    expect(await outcomeOf(trusting(",verify-required"), "-n", "test")).toBe("Permission denied");
    // A CA is no user's key, and a user's key is no CA.
    expect(await outcomeOf(authority.publicLine, "-n", "test")).toBe("Permission denied");
    const own = await aHost({ keys: trusting() });
    expect(await tunnel(own, { identity: authority })).toBe("Permission denied");
  });

  it("refuses revoked keys, CAs, serial numbers and key ids, in a list and in a KRL", async () => {
    const identity = keyOf("ed25519");
    const { file } = await userCertificate("-n", "test", "-z", "42", ...valid);
    const config = { CertificateFile: file };
    const krlOf = async (line: string): Promise<Uint8Array> => {
      writeFileSync(dir.file("specification"), `${line}\n`);
      const [krl, ca] = [dir.file("krl"), `${authority.file}.pub`];
      await run("ssh-keygen", ["-q", "-k", "-f", krl, "-s", ca, dir.file("specification")]);
      return readFileSync(krl);
    };
    const other = keyOf("ecdsa256").publicLine;
    const outcomes: string[] = [];
    for (const revokedKeys of [
      ...[other, identity.publicLine, authority.publicLine],
      ...[await krlOf("serial: 41"), await krlOf("serial: 42"), await krlOf("serial: 40-50"), await krlOf("id: test")],
    ]) {
      const server = await aHost({ keys: trusting(), revokedKeys });
      outcomes.push((await tunnel(server, { identity, config })).replace(/ \d+$/, ""));
    }
    const [yes, no] = ["Allocated port", "Permission denied"];
    expect(outcomes).toEqual([yes, no, no, yes, no, no, no]);
  });

  it("presents a host certificate, which ssh verifies by @cert-authority, and the plain key", async () => {
    for (const type of keyTypes) {
      const server = await aHost({
        hostKeyTypes: [type],
        certify: async (file) =>
          (await certify(dir, authority.file, file, "-h", "-I", "host", "-n", "127.0.0.1", ...valid)).text,
      });
      const where = `[127.0.0.1]:${server.port}`;
      const trusted = { knownHosts: `@cert-authority ${where} ${authority.publicLine}\n`, password: server.password };
      const client = await ssh(server, trusted, "-R", "0:127.0.0.1:9");
      await client.stderr.waitFor(/Server host certificate: \S+-cert-v01@openssh\.com/);
      await client.stderr.waitFor(/Allocated port/);
      expect(await tunnel(server, { password: server.password })).toMatch(/Allocated port/);
      const strange = { knownHosts: `@cert-authority ${where} ${strangeAuthority.publicLine}\n` };
      expect(await tunnel(server, strange)).toBe("Host key verification failed");
      verdict(`${type} host certificate`, "ssh", "accepted by its CA only");
    }
  });

  it.each([
    ["an expired host certificate", ["-n", "127.0.0.1", "-V", "-2h:-1h"], /Certificate invalid: expired/],
    ["a host certificate of another host", ["-n", "other.example.com", ...valid], /name is not a listed principal/],
  ])("presents %s, which ssh refuses", async (_, args, reason) => {
    const server = await aHost({
      certify: async (file) => (await certify(dir, authority.file, file, "-h", "-I", "host", ...args)).text,
    });
    const knownHosts = `@cert-authority [127.0.0.1]:${server.port} ${authority.publicLine}\n`;
    const client = await ssh(server, { knownHosts });
    await client.stderr.waitFor(reason);
    await client.stderr.waitFor(/Host key verification failed/);
  });

  it("refuses a user certificate among the host keys", async () => {
    const misused = aHost({
      certify: async (file) => (await certify(dir, authority.file, file, "-I", "x", "-n", "test", ...valid)).text,
    });
    await expect(misused).rejects.toMatchObject({ code: "misuse" });
  });
});
