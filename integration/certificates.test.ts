/** Host certificates of sshd, and certificates and security keys of OpenSSH's ssh at TunnelHost. */
import { readFileSync, writeFileSync } from "node:fs";
import { checkCertificate, parsePublicKey } from "@postern/keys";
import {
  fingerprint,
  modernAlgorithms,
  algorithms as nodeAlgorithms,
  privateKey,
  ReverseTunnel,
  type TunnelOptions,
} from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type HostOptions, nextEvent, type RunningHost, startHost } from "./harness/clients/host.ts";
import {
  certify,
  makeSecurityKey,
  missing,
  noSecurityKeys,
  type Running,
  run,
  runSsh,
  type SshClientOptions,
  type Sshd,
  skProvider,
  startSshd,
  tempDir,
  verdictTable,
} from "./harness/index.ts";
import { CertificateWorld, certifiedTypes, nearMisses, valid } from "./identities/certificates.ts";

const { certificateAlgorithms } = nodeAlgorithms;
const dir = tempDir("postern-certificates");
const world = new CertificateWorld(dir);
const addVerdict = verdictTable();

beforeAll(async () => {
  if (missing("ssh") === undefined) await world.start();
});
afterAll(() => {
  dir.remove();
});

describe.skipIf(missing("sshd", "password"))("our client and the host certificate of sshd", () => {
  const hostKeyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"] as const;
  let sshd: Sshd;

  beforeAll(async () => {
    const files = hostKeyTypes.map((type) => dir.file(`sshd_${type}-cert.pub`));
    sshd = await startSshd({
      hostKeyTypes,
      authorizedKeys: [world.key("ed25519").publicLine],
      config: { HostCertificate: files, LogLevel: "DEBUG1" },
    });
    for (const [index, type] of hostKeyTypes.entries()) {
      const args = ["-h", "-I", type, "-n", "127.0.0.1,*.example.com", ...valid];
      const { text } = await certify(dir, world.key("ca").file, `${sshd.dir}/host_${type}.pub`, ...args);
      writeFileSync(files[index]!, text);
    }
    await sshd.kill();
    await sshd.restart();
  });
  afterAll(async () => await sshd?.stop());

  const tunnelTo = (more: Partial<TunnelOptions>): ReverseTunnel => {
    const tunnel = new ReverseTunnel({
      ...{ host: "127.0.0.1", port: sshd.port, user: sshd.user },
      auth: [privateKey(world.key("ed25519").privateText)],
      hostKey: fingerprint(sshd.fingerprint()),
      ...more,
    });
    tunnel.closed.catch(() => {});
    return tunnel;
  };
  const authorities = (): readonly Uint8Array[] => [parsePublicKey(world.key("ca").publicLine).blob];

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
      addVerdict(`host: ${algorithm.name}`, "our client", "accepted");
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
    [world.key("ca"), world.key("rsa-ca")].map(({ publicLine }) => `cert-authority${options} ${publicLine}\n`).join("");
  /** Logs in with `-R`, and returns how ssh reports the forwarding. */
  const tunnel = async (server: RunningHost, options: Partial<SshClientOptions>): Promise<string> => {
    const client = await ssh(server, options, "-R", "0:127.0.0.1:9");
    const [line] = await client.stderr.waitFor(
      /Allocated port \d+|remote port forwarding failed|Permission denied|Host key verification failed/,
    );
    return line;
  };

  for (const type of certifiedTypes) {
    it(`logs in with a certificate of a ${type} key`, async () => {
      const server = await aHost({ keys: trusting() });
      const { file } = await certify(
        dir,
        world.key("ca").file,
        `${world.key(type).file}.pub`,
        "-I",
        "x",
        "-n",
        "test",
        ...valid,
      );
      const config = { CertificateFile: file };
      expect(await tunnel(server, { identity: world.key(type), config })).toMatch(/Allocated port/);
      // The key alone is refused, because only its CA is listed.
      expect(await tunnel(server, { identity: world.key(type) })).toBe("Permission denied");
      addVerdict(`${type} certificate`, "TunnelHost", "accepted");
    });
  }

  for (const type of ["ed25519-sk", "ecdsa-sk"] as const) {
    it.skipIf(noSecurityKeys())(`logs in with a ${type} key and its certificate`, async () => {
      const key = await makeSecurityKey(type, dir.file(type));
      const config = { SecurityKeyProvider: skProvider };
      const plain = await aHost({ keys: key.publicLine });
      expect(await tunnel(plain, { identity: key.file, config })).toMatch(/Allocated port/);
      const server = await aHost({ keys: trusting() });
      const { file } = await certify(dir, world.key("ca").file, `${key.file}.pub`, "-I", type, "-n", "test", ...valid);
      expect(await tunnel(server, { identity: key.file, config: { ...config, CertificateFile: file } })).toMatch(
        /Allocated port/,
      );
      addVerdict(`${type} key and its certificate`, "TunnelHost", "accepted");
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
      addVerdict(`${type} key, not touched`, "TunnelHost", "refused");
      addVerdict(`${type} key, not touched, no-touch-required`, "TunnelHost", "accepted");
    });
  }

  for (const { title, make } of nearMisses) {
    it(`refuses ${title}`, async () => {
      const server = await aHost({ keys: trusting() });
      const { file } = await make(world, "test");
      // Without a query, ssh sends its signature at once only to a listed key, so the query is what is refused.
      const identity = world.key("ed25519");
      expect(await tunnel(server, { identity, config: { CertificateFile: file } })).toBe("Permission denied");
      addVerdict(title, "TunnelHost", "refused");
    });
  }

  it("applies the options of the CA's line and of the certificate (sshd(8))", async () => {
    const identity = world.key("ed25519");
    const certificateOf = async (...args: string[]): Promise<Partial<SshClientOptions>> => {
      const { file } = await world.user(...args, ...valid);
      return { identity, config: { CertificateFile: file, ExitOnForwardFailure: "yes" } };
    };
    const verdict = async (keys: string, ...args: string[]) => {
      const server = await aHost({ keys });
      const outcome = await tunnel(server, await certificateOf(...args));
      return /Allocated/.test(outcome) ? "forwards" : outcome;
    };
    expect(await verdict(trusting(',principals="root,ops"'), "-n", "ops")).toBe("forwards");
    expect(await verdict(trusting(',principals="root,ops"'), "-n", "test")).toBe("Permission denied");
    expect(await verdict(trusting(',from="127.0.0.1"'), "-n", "test")).toBe("forwards");
    expect(await verdict(trusting(',from="192.0.2.1"'), "-n", "test")).toBe("Permission denied");
    expect(await verdict(trusting(',expiry-time="20200101"'), "-n", "test")).toBe("Permission denied");
    expect(await verdict(trusting(), "-n", "test", "-O", "force-command=/bin/true")).toBe("forwards");
    expect(await verdict(trusting(), "-n", "test", "-O", "source-address=127.0.0.0/8,::1")).toBe("forwards");
    expect(await verdict(trusting(), "-n", "test", "-O", "clear")).toBe("remote port forwarding failed");
    expect(await verdict(trusting(), "-n", "test", "-O", "no-port-forwarding")).toBe("remote port forwarding failed");
    expect(await verdict(trusting(",restrict"), "-n", "test")).toBe("remote port forwarding failed");
    expect(await verdict(trusting(",verify-required"), "-n", "test")).toBe("Permission denied");
    // A CA is no user's key, and a user's key is no CA.
    expect(await verdict(world.key("ca").publicLine, "-n", "test")).toBe("Permission denied");
    const own = await aHost({ keys: trusting() });
    expect(await tunnel(own, { identity: world.key("ca") })).toBe("Permission denied");
  });

  it("refuses revoked keys, CAs, serial numbers and key ids, in a list and in a KRL", async () => {
    const identity = world.key("ed25519");
    const { file } = await world.user("-n", "test", "-z", "42", ...valid);
    const config = { CertificateFile: file };
    const krlOf = async (line: string): Promise<Uint8Array> => {
      writeFileSync(dir.file("specification"), `${line}\n`);
      const [krl, ca] = [dir.file("krl"), `${world.key("ca").file}.pub`];
      await run("ssh-keygen", ["-q", "-k", "-f", krl, "-s", ca, dir.file("specification")]);
      return readFileSync(krl);
    };
    const other = world.key("ecdsa256").publicLine;
    const outcomes: string[] = [];
    for (const revokedKeys of [
      ...[other, identity.publicLine, world.key("ca").publicLine],
      ...[await krlOf("serial: 41"), await krlOf("serial: 42"), await krlOf("serial: 40-50"), await krlOf("id: test")],
    ]) {
      const server = await aHost({ keys: trusting(), revokedKeys });
      outcomes.push((await tunnel(server, { identity, config })).replace(/ \d+$/, ""));
    }
    const [yes, no] = ["Allocated port", "Permission denied"];
    expect(outcomes).toEqual([yes, no, no, yes, no, no, no]);
  });

  it("presents a host certificate, which ssh verifies by @cert-authority, and the plain key", async () => {
    for (const type of certifiedTypes) {
      const server = await aHost({
        hostKeyTypes: [type],
        certify: async (file) =>
          (await certify(dir, world.key("ca").file, file, "-h", "-I", "host", "-n", "127.0.0.1", ...valid)).text,
      });
      const where = `[127.0.0.1]:${server.port}`;
      const trusted = {
        knownHosts: `@cert-authority ${where} ${world.key("ca").publicLine}\n`,
        password: server.password,
      };
      const client = await ssh(server, trusted, "-R", "0:127.0.0.1:9");
      await client.stderr.waitFor(/Server host certificate: \S+-cert-v01@openssh\.com/);
      await client.stderr.waitFor(/Allocated port/);
      expect(await tunnel(server, { password: server.password })).toMatch(/Allocated port/);
      const strange = { knownHosts: `@cert-authority ${where} ${world.key("strange-ca").publicLine}\n` };
      expect(await tunnel(server, strange)).toBe("Host key verification failed");
      addVerdict(`${type} host certificate`, "ssh", "accepted");
      addVerdict(`${type} host certificate of an unknown CA`, "ssh", "refused");
    }
  });

  it.each([
    ["an expired host certificate", ["-n", "127.0.0.1", "-V", "-2h:-1h"], /Certificate invalid: expired/],
    ["a host certificate of another host", ["-n", "other.example.com", ...valid], /name is not a listed principal/],
  ])("presents %s, which ssh refuses", async (_, args, reason) => {
    const server = await aHost({
      certify: async (file) => (await certify(dir, world.key("ca").file, file, "-h", "-I", "host", ...args)).text,
    });
    const knownHosts = `@cert-authority [127.0.0.1]:${server.port} ${world.key("ca").publicLine}\n`;
    const client = await ssh(server, { knownHosts });
    await client.stderr.waitFor(reason);
    await client.stderr.waitFor(/Host key verification failed/);
  });

  it("refuses a user certificate among the host keys", async () => {
    const misused = aHost({
      certify: async (file) => (await certify(dir, world.key("ca").file, file, "-I", "x", "-n", "test", ...valid)).text,
    });
    await expect(misused).rejects.toMatchObject({ code: "misuse" });
  });
});
