/** Lines of a command line that decide about the connection, with a real sshd. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { fromSshConfig, ReverseTunnel } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  freePort,
  type KeyPair,
  launch,
  makeKey,
  missing,
  run,
  type Sshd,
  startSshd,
  tempDir,
} from "./harness/index.ts";

describe.skipIf(missing("sshd"))("settings of fromSshConfig", () => {
  const dir = tempDir("postern-settings");
  let sshd: Sshd;
  let key: KeyPair;
  let base: readonly string[];

  beforeAll(async () => {
    key = await makeKey("ed25519", dir.file("id"));
    const authority = await makeKey("ed25519", dir.file("ca"));
    const host = await makeKey("rsa3072", dir.file("host"));
    // sshd presents its first key of a type, or the one that has a certificate, as the client asks for.
    const first = await makeKey("ed25519", dir.file("first_host"));
    const second = await makeKey("ed25519", dir.file("second_host"));
    for (const { file } of [host, second]) {
      await run("ssh-keygen", ["-q", "-s", authority.file, "-h", "-I", "x", "-n", "certified", `${file}.pub`]);
    }
    sshd = await startSshd({
      authorizedKeys: [key.publicLine],
      hostKeyTypes: ["ed25519"],
      config: {
        HostCertificate: [`${host.file}-cert.pub`, `${second.file}-cert.pub`],
        HostKey: [host.file, first.file, second.file],
      },
    });
    writeFileSync(dir.file("certified"), `@cert-authority certified ${authority.publicLine}\n`);
    writeFileSync(dir.file("plain"), `[127.0.0.1]:${sshd.port} ${host.publicLine}\n`);
    writeFileSync(dir.file("second"), `[127.0.0.1]:${sshd.port} ${second.publicLine}\n`);
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

  /** Logs in with ssh, and returns its status. */
  async function ssh(known: string, ...lines: readonly string[]): Promise<string | number> {
    const settings = [...base, `UserKnownHostsFile=${dir.file(known)}`, "GlobalKnownHostsFile=none", "BatchMode=yes"];
    const args = [...settings, ...lines].flatMap((line) => ["-o", line]);
    const process = await launch("ssh", ["-F", "none", ...args, "127.0.0.1", "true"]);
    return await process.exited;
  }

  it("ask for certificates though no CA is known, and trust the key of one, as ssh", async () => {
    expect(await ssh("second")).toBe(0);
    await expect(connect("127.0.0.1", "second")).resolves.toBe("127.0.0.1");
    const plain = "HostKeyAlgorithms=ssh-ed25519";
    expect(await ssh("second", plain)).toBe(255);
    await expect(connect("127.0.0.1", "second", plain)).rejects.toMatchObject({ code: "hostkey" });
    const certified = "HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com";
    expect(await ssh("second", certified)).toBe(0);
    await expect(connect("127.0.0.1", "second", certified)).resolves.toBe("127.0.0.1");
  });

  it("forget the keys of types that HostKeyAlgorithms leaves out, and learn the others, as ssh", async () => {
    const known = `${readFileSync(dir.file("second"), "utf8")}${readFileSync(dir.file("plain"), "utf8")}`;
    const lines = ["HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com,ssh-ed25519", "UpdateHostKeys=yes"];
    const keysOf = (name: string) => readFileSync(dir.file(name), "utf8").trim().split("\n").sort();
    for (const name of ["theirs", "ours"]) writeFileSync(dir.file(name), known);
    expect(await ssh("theirs", ...lines)).toBe(0);
    expect(keysOf("theirs").filter((line) => line.includes(" ssh-rsa "))).toEqual([]);
    expect(keysOf("theirs")).toHaveLength(2);
    const files = [`UserKnownHostsFile=${dir.file("ours")}`, "GlobalKnownHostsFile=none"];
    const { options } = await fromSshConfig("127.0.0.1", { file: "none", settings: [...base, ...files, ...lines] });
    const tunnel = new ReverseTunnel(options);
    await tunnel.connect();
    await vi.waitFor(() => expect(keysOf("ours").map(plainKey)).toEqual(keysOf("theirs").map(plainKey)));
    await tunnel.close();
  });

  it("learn no other keys on the connection that has accepted a new key without a question, as ssh", async () => {
    const lines = ["StrictHostKeyChecking=no", "UpdateHostKeys=yes"];
    for (const name of ["theirs-new", "ours-new"]) writeFileSync(dir.file(name), "");
    expect(await ssh("theirs-new", ...lines)).toBe(0);
    const files = [`UserKnownHostsFile=${dir.file("ours-new")}`, "GlobalKnownHostsFile=none"];
    const { options } = await fromSshConfig("127.0.0.1", { file: "none", settings: [...base, ...files, ...lines] });
    const tunnel = new ReverseTunnel(options);
    await tunnel.connect();
    // The server answers in order, so a proof would have come before this.
    await (await tunnel.listen({ port: 0 })).close();
    await tunnel.close();
    const [theirs, ours] = ["theirs-new", "ours-new"].map((name) => readFileSync(dir.file(name), "utf8"));
    expect(ours).toBe(theirs);
    expect(ours).toMatch(/^\S+ ssh-ed25519 \S+\n$/);
  });

  it("exchange keys after the login if RekeyLimit is smaller than it, as ssh", async () => {
    expect(await ssh("plain", "RekeyLimit=16")).toBe(0);
    const settings = [...base, `UserKnownHostsFile=${dir.file("plain")}`, "RekeyLimit=16"];
    const { options } = await fromSshConfig("127.0.0.1", { file: "none", settings });
    const tunnel = new ReverseTunnel(options);
    await tunnel.connect();
    await (await tunnel.listen({ port: 0 })).close();
    expect(tunnel.stats().rekeys).toBeGreaterThan(0);
    await tunnel.close();
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

/** A line without its comment. */
function plainKey(line: string): string {
  return line.split(" ", 3).join(" ");
}
