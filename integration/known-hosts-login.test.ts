/** Logs in to OpenSSH by known_hosts: the order of algorithms, certificates, UpdateHostKeys. */
import { readFileSync, writeFileSync } from "node:fs";
import {
  compatibleAlgorithms,
  fingerprint,
  type HostKeyUpdate,
  type KnownHostsOptions,
  type KnownHostsStore,
  knownHosts,
  modernAlgorithms,
  type TunnelOptions,
} from "@postern/node";
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
import type { KeyType } from "./harness/keys.ts";

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

  /** Starts a server that presents a certificate of its key. */
  async function certified(
    name: string,
    args: readonly string[],
    type: KeyType = "ed25519",
    ca = authority,
  ): Promise<Sshd> {
    const key = await makeKey(type, dir.file(name));
    await run("ssh-keygen", ["-q", "-s", ca.file, "-I", name, "-h", ...args, `${key.file}.pub`]);
    const HostCertificate = `${key.file}-cert.pub`;
    return await serverWith({ config: { HostKey: key.file, HostCertificate } });
  }

  async function logIn(server: Sshd, hostKey: TunnelOptions["hostKey"]): Promise<void> {
    const tunnel = await openTunnel(server, { hostKey });
    await tunnel.close();
  }

  const memory = (lines: string[] = []): KnownHostsStore => ({
    load: () => lines.join("\n"),
    add: (line) => void lines.push(line),
    remove: (line) => void lines.splice(lines.indexOf(line), 1),
  });
  const nameOf = ({ port }: Sshd): string => `[127.0.0.1]:${port}`;

  it.each(["ed25519", "ecdsa256", "rsa3072"] as const)("logs in if only the %s key is known", async (type) => {
    await logIn(plain, knownHosts({ text: `${nameOf(plain)} ${plain.hostKeys[type]?.publicLine}\n` }));
  });

  it("logs in by the file of ssh-keyscan -t ecdsa, also if the server has only such a key", async () => {
    const alone = await serverWith({ hostKeyTypes: ["ecdsa384"] });
    for (const server of [plain, alone]) {
      const text = await run("ssh-keyscan", ["-t", "ecdsa", "-p", String(server.port), "127.0.0.1"]);
      const tunnel = await openTunnel(server, { hostKey: knownHosts({ text }) });
      expect(tunnel.peer?.algorithms.hostKey).toMatch(/^ecdsa-sha2-nistp/);
      await tunnel.close();
      // A list of the program stays as it is.
      const hostKeys = [...modernAlgorithms.hostKeys];
      const chosen = { algorithms: { hostKeys }, hostKey: knownHosts({ text }) };
      const code = server === alone ? "negotiation" : "hostkey";
      await expect(openTunnel(server, chosen)).rejects.toMatchObject({ code });
    }
    const known = knownHosts({ store: memory(), mode: "accept-new" });
    await expect(openTunnel(alone, { hostKey: known, reconnect: { mode: "never" } })).rejects.toMatchObject({
      code: "negotiation",
      message: expect.stringContaining("for its ECDSA host key pass algorithms: compatibleAlgorithms"),
    });
    const tunnel = await openTunnel(alone, { hostKey: known, algorithms: compatibleAlgorithms });
    await tunnel.close();
    // From now on the key is known.
    await logIn(alone, known);
    const pinned = fingerprint(alone.fingerprint());
    await (await openTunnel(alone, { hostKey: pinned, algorithms: compatibleAlgorithms })).close();
  });

  it("accepts a certificate of an ECDSA key, and one by an ECDSA CA", async () => {
    const ca = await makeKey("ecdsa256", dir.file("ecdsa-ca"));
    for (const [type, by] of [
      ["ecdsa521", authority],
      ["ed25519", ca],
    ] as const) {
      const server = await certified(`${type}-by-ca`, ["-n", "127.0.0.1"], type, by);
      await logIn(server, knownHosts({ text: `@cert-authority * ${by.publicLine}\n` }));
    }
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
    const { ed25519, rsa3072 } = plain.hostKeys;
    const kept = `# kept\n127.0.0.1 ${authority.publicLine}\n`;
    const old = await makeKey("ed25519", dir.file("old"));
    writeFileSync(file, `${kept}${nameOf(plain)} ${old.publicLine}\n${nameOf(plain)} ${ed25519?.publicLine}\n`);
    const { promise, resolve } = deferred<HostKeyUpdate>();
    const options: KnownHostsOptions = { updateHostKeys: true, onUpdate: resolve };
    const tunnel = await openTunnel(plain, { hostKey: knownHosts({ files: [file] }, options) });
    const { added, removed, error } = await promise;
    await tunnel.close();
    expect(error).toBeUndefined();
    const line = `${nameOf(plain)} ${rsa3072?.publicLine}`;
    expect(added).toEqual([line]);
    expect(removed).toEqual([`${nameOf(plain)} ${old.publicLine}`]);
    const text = readFileSync(file, "utf8");
    expect(text).toBe(`${kept}${nameOf(plain)} ${ed25519?.publicLine}\n${added.join("\n")}\n`);
    const found = await run("ssh-keygen", ["-l", "-F", nameOf(plain), "-f", file]);
    expect(found.match(/found: line/g)).toHaveLength(2);
    await logIn(plain, knownHosts({ text: `${line}\n` }));
  });
});
