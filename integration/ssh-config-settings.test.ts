/** Lines of a command line that decide about the connection, with a real sshd. */
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { fromSshConfig, ReverseTunnel } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, type KeyPair, makeKey, missing, run, type Sshd, startSshd, tempDir } from "./harness/index.ts";

describe.skipIf(missing("sshd"))("settings of fromSshConfig", () => {
  const dir = tempDir("postern-settings");
  let sshd: Sshd;
  let key: KeyPair;
  let base: readonly string[];

  beforeAll(async () => {
    key = await makeKey("ed25519", dir.file("id"));
    const authority = await makeKey("ed25519", dir.file("ca"));
    const host = await makeKey("rsa3072", dir.file("host"));
    await run("ssh-keygen", ["-q", "-s", authority.file, "-h", "-I", "x", "-n", "certified", `${host.file}.pub`]);
    sshd = await startSshd({
      authorizedKeys: [key.publicLine],
      hostKeyTypes: ["ed25519"],
      config: { HostCertificate: `${dir.file("host")}-cert.pub`, HostKey: host.file },
    });
    writeFileSync(dir.file("certified"), `@cert-authority certified ${authority.publicLine}\n`);
    writeFileSync(dir.file("plain"), `[127.0.0.1]:${sshd.port} ${host.publicLine}\n`);
    writeFileSync(dir.file("none"), "");
    base = [`Port=${sshd.port}`, `User=${sshd.user}`, `IdentityFile=${key.file}`, "IdentityAgent=none"];
  });
  afterAll(async () => {
    await sshd.stop();
    dir.remove();
  });

  /** Connects, and returns the address that the server sees. */
  async function connect(host: string, known: string, ...lines: readonly string[]): Promise<string | undefined> {
    const settings = [...base, `UserKnownHostsFile=${dir.file(known)}`, "GlobalKnownHostsFile=none", ...lines];
    const { options, unused } = await fromSshConfig(host, { file: "none", settings });
    expect(unused).toEqual([]);
    const tunnel = new ReverseTunnel(options);
    const before = sshd.log().length;
    await tunnel.connect();
    await tunnel.close();
    return /Accepted publickey for \S+ from (\S+) port/.exec(sshd.log().slice(before))?.[1];
  }

  it("connect from BindAddress and from BindInterface, in the family of the server", async () => {
    expect(await connect("127.0.0.1", "plain", "BindAddress=127.0.0.9")).toBe("127.0.0.9");
    expect(await connect("127.0.0.1", "plain", "BindInterface=lo")).toBe("127.0.0.1");
    await expect(connect("127.0.0.1", "plain", "BindAddress=::1")).rejects.toMatchObject({ code: "connect" });
    await expect(connect("127.0.0.1", "plain", "BindInterface=none0")).rejects.toThrow("network interface none0");
    await expect(connect("127.0.0.1", "plain", "AddressFamily=inet6")).rejects.toThrow("127.0.0.1 of IPv6");
  });

  it("connect again, as often as ConnectionAttempts permits", async () => {
    const port = await freePort();
    const lines = [`Port=${port}`, ...base.slice(1), `HostKeyAlias=[127.0.0.1]:${sshd.port}`];
    const settings = [...lines, `UserKnownHostsFile=${dir.file("plain")}`, "ConnectionAttempts=2"];
    const { options } = await fromSshConfig("127.0.0.1", { file: "none", settings });
    const tunnel = new ReverseTunnel(options);
    const connected = tunnel.connect();
    // Refused at once; the second attempt follows after a second.
    const server = createServer((socket) => {
      server.close();
      socket.end("SSH-2.0-late\r\n");
    });
    setTimeout(() => server.listen(port, "127.0.0.1"), 300);
    await expect(connected).rejects.toThrow(expect.objectContaining({ code: expect.not.stringMatching("connect") }));
    await tunnel.close();
  });

  it("refuse RSA keys that are shorter than RequiredRSASize", async () => {
    await expect(connect("127.0.0.1", "plain", "RequiredRSASize=2048")).resolves.toBe("127.0.0.1");
    await expect(connect("127.0.0.1", "plain", "RequiredRSASize=8192")).rejects.toMatchObject({ code: "hostkey" });
  });

  it("accept certificates only of CASignatureAlgorithms", async () => {
    await expect(connect("127.0.0.1", "certified", "HostKeyAlias=certified")).resolves.toBe("127.0.0.1");
    const lines = ["HostKeyAlias=certified", "CASignatureAlgorithms=rsa-sha2-512"];
    await expect(connect("127.0.0.1", "certified", ...lines)).rejects.toMatchObject({ code: "hostkey" });
  });

  it("accept any key of this machine with NoHostAuthenticationForLocalhost", async () => {
    const line = "NoHostAuthenticationForLocalhost=yes";
    await expect(connect("127.0.0.1", "none")).rejects.toMatchObject({ code: "hostkey" });
    await expect(connect("127.0.0.1", "none", line)).resolves.toBe("127.0.0.1");
    await expect(connect("127.0.0.1", "none", line, "HostKeyAlias=x")).rejects.toMatchObject({ code: "hostkey" });
  });

  it("select ciphers, MACs and key exchanges with +, - and ^", async () => {
    const settings = ["Ciphers=^aes128-ctr", "MACs=hmac-sha2-512,umac-64@openssh.com", "KexAlgorithms=-*nistp*"];
    await expect(connect("127.0.0.1", "plain", ...settings)).resolves.toBe("127.0.0.1");
    const { options } = await fromSshConfig("127.0.0.1", { file: "none", settings });
    expect(options.algorithms?.ciphers?.[0]?.name).toBe("aes128-ctr");
    expect(options.algorithms?.macs?.map(({ name }) => name)).toEqual(["hmac-sha2-512"]);
    expect(options.algorithms?.kex?.filter(({ name }) => name.includes("nistp"))).toEqual([]);
  });
});
