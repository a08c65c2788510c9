/** Logs in to OpenSSH by known_hosts: the order of algorithms, certificates, UpdateHostKeys. */
import { readFileSync, writeFileSync } from "node:fs";
import { type HostKeyUpdate, type KnownHostsOptions, knownHosts, type TunnelOptions } from "@postern/node";
import { deferred } from "@postern/ssh";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type KeyPair,
  makeKey,
  missing,
  openTunnel,
  run,
  type Sshd,
  type SshdOptions,
  startSshd,
  tempDir,
  userKey,
} from "./harness/index.ts";

describe.skipIf(missing("sshd"))("knownHosts() with OpenSSH", () => {
  const dir = tempDir("postern-known-hosts-login");
  const servers: Sshd[] = [];
  let authority: KeyPair;
  let plain: Sshd;

  beforeAll(async () => {
    authority = await makeKey("ed25519", dir.file("ca"));
    plain = await serverWith({ hostKeyTypes: ["ed25519", "ecdsa256", "rsa3072"] });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    dir.remove();
  });

  async function serverWith(options: SshdOptions): Promise<Sshd> {
    const server = await startSshd({ authorizedKeys: [(await userKey()).publicLine], ...options });
    servers.push(server);
    return server;
  }

  /** Starts a server that presents a certificate of its Ed25519 key. */
  async function certified(name: string, args: readonly string[]): Promise<Sshd> {
    const key = await makeKey("ed25519", dir.file(name));
    await run("ssh-keygen", ["-q", "-s", dir.file("ca"), "-I", name, "-h", ...args, `${key.file}.pub`]);
    const HostCertificate = `${key.file}-cert.pub`;
    return await serverWith({ config: { HostKey: key.file, HostCertificate } });
  }

  async function logIn(server: Sshd, hostKey: TunnelOptions["hostKey"]): Promise<void> {
    const tunnel = await openTunnel(server, { hostKey });
    await tunnel.close();
  }

  const nameOf = ({ port }: Sshd): string => `[127.0.0.1]:${port}`;

  it.each(["ed25519", "ecdsa256", "rsa3072"] as const)("logs in if only the %s key is known", async (type) => {
    await logIn(plain, knownHosts({ text: `${nameOf(plain)} ${plain.hostKeys[type]?.publicLine}\n` }));
  });

  it("refuses a changed key, and the file of ssh-keyscan is accepted", async () => {
    const text = await run("ssh-keyscan", ["-p", String(plain.port), "127.0.0.1"]);
    await logIn(plain, knownHosts({ text }));
    const changed = `${nameOf(plain)} ${authority.publicLine}\n`;
    await expect(logIn(plain, knownHosts({ text: changed }))).rejects.toMatchObject({
      code: "hostkey",
      message: expect.stringContaining(authority.fingerprint),
    });
  });

  it("accepts a certificate of a known CA, although the plain key is not known", async () => {
    const server = await certified("good", ["-n", "127.0.0.1"]);
    const text = `@cert-authority [127.0.0.*]:* ${authority.publicLine}\n`;
    await logIn(server, knownHosts({ text }));
    // OpenSSH also takes a CA that is known for the host without the port.
    await logIn(server, knownHosts({ text: `@cert-authority 127.0.0.* ${authority.publicLine}\n` }));
    await expect(logIn(server, knownHosts({ text: `${text}@revoked * ${authority.publicLine}\n` }))).rejects.toThrow(
      /line 2 revokes it/,
    );
    await expect(logIn(server, knownHosts({ text: "" }))).rejects.toMatchObject({ code: "hostkey" });
  });

  it.each([
    ["of another name", ["-n", "ssh.example.com"], /among the principals/],
    ["that has expired", ["-n", "127.0.0.1", "-V", "20200101:20200102"], /expired/],
    ["with a critical option", ["-n", "127.0.0.1", "-O", "critical:x@example.com=y"], /critical option/],
  ] as const)("refuses a certificate %s, unless the plain key is known", async (what, args, message) => {
    const server = await certified(what.replaceAll(" ", "-"), args);
    const text = `@cert-authority * ${authority.publicLine}\n`;
    await expect(logIn(server, knownHosts({ text }))).rejects.toMatchObject({
      code: "hostkey",
      message: expect.stringMatching(message),
    });
    const key = readFileSync(dir.file(`${what.replaceAll(" ", "-")}.pub`), "utf8");
    await logIn(server, knownHosts({ text: `${text}${nameOf(server)} ${key}` }));
  });

  it("learns the other keys of sshd after a proof, removes an old one, and ssh reads the file", async () => {
    const file = dir.file("known_hosts");
    const { ed25519, ecdsa256, rsa3072 } = plain.hostKeys;
    const kept = `# kept\n127.0.0.1 ${authority.publicLine}\n`;
    const old = await makeKey("ed25519", dir.file("old"));
    writeFileSync(file, `${kept}${nameOf(plain)} ${old.publicLine}\n${nameOf(plain)} ${ed25519?.publicLine}\n`);
    const { promise, resolve } = deferred<HostKeyUpdate>();
    const options: KnownHostsOptions = { updateHostKeys: true, onUpdate: resolve };
    const tunnel = await openTunnel(plain, { hostKey: knownHosts({ files: [file] }, options) });
    const { added, removed, error } = await promise;
    await tunnel.close();
    expect(error).toBeUndefined();
    const lines = [ecdsa256, rsa3072].map((key) => `${nameOf(plain)} ${key?.publicLine}`);
    expect(added.toSorted()).toEqual(lines.toSorted());
    expect(removed).toEqual([`${nameOf(plain)} ${old.publicLine}`]);
    const text = readFileSync(file, "utf8");
    expect(text).toBe(`${kept}${nameOf(plain)} ${ed25519?.publicLine}\n${added.join("\n")}\n`);
    const found = await run("ssh-keygen", ["-l", "-F", nameOf(plain), "-f", file]);
    expect(found.match(/found: line/g)).toHaveLength(3);
    await logIn(plain, knownHosts({ text: `${lines[1]}\n` }));
  });
});
