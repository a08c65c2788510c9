/** Logs in by an ssh configuration, with the same file as the real ssh. */
import { writeFileSync } from "node:fs";
import { fingerprint, fromSshConfig, ReverseTunnel } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KeyPair, makeKey, missing, run, type Sshd, startSshd, tempDir } from "./harness/index.ts";

describe.skipIf(missing("sshd", "ssh"))("fromSshConfig", () => {
  const dir = tempDir("postern-ssh-config");
  const file = dir.file("config");
  let sshd: Sshd;
  let key: KeyPair;

  beforeAll(async () => {
    key = await makeKey("ed25519", dir.file("id"));
    sshd = await startSshd({ authorizedKeys: [key.publicLine] });
    const [hostKey] = Object.values(sshd.hostKeys);
    writeFileSync(dir.file("known_hosts"), `my-server ${hostKey?.publicLine}\n`);
    writeFileSync(
      file,
      `Host my-alias
  HostName 127.0.0.1
  Port ${sshd.port}
  User ${sshd.user}
  IdentityFile ${dir.path}/%k-is-missing
  IdentityFile ${key.file}
  IdentitiesOnly yes
  IdentityAgent none
  HostKeyAlias my-server
  UserKnownHostsFile ${dir.path}/known_hosts
  StrictHostKeyChecking yes
  RemoteForward 127.0.0.1:0 127.0.0.1:9
  ServerAliveInterval 5
  Ciphers aes128-ctr,aes256-gcm@openssh.com
  ControlMaster no
`,
    );
  });
  afterAll(async () => {
    await sshd.stop();
    dir.remove();
  });

  it("logs in to the server to which ssh logs in with the same file", async () => {
    await run("ssh", ["-F", file, "-o", "ClearAllForwardings=yes", "my-alias", "true"]);
    const { options, forwards, unused } = await fromSshConfig("my-alias", { file });
    expect(unused).toEqual([{ keyword: "controlmaster", file, line: 15 }]);
    const tunnel = new ReverseTunnel(options);
    await tunnel.connect();
    const accepted = new RegExp(`Accepted publickey for ${sshd.user} `, "g");
    await expect.poll(() => sshd.log().match(accepted)).toHaveLength(2);
    for (const { type, listen, target } of forwards) {
      if (type !== "remote" || !("port" in listen) || target === "socks" || !("port" in target)) continue;
      const forwarding = await tunnel.forward({ ...listen, target });
      expect(forwarding.port).toBeGreaterThan(0);
    }
    expect(tunnel.forwardings).toHaveLength(1);
    await tunnel.close();
    const other = await fromSshConfig("my-alias", { file });
    writeFileSync(dir.file("known_hosts"), `other ${sshd.hostKeys.ed25519?.publicLine}\n`);
    await expect(new ReverseTunnel(other.options).connect()).rejects.toMatchObject({ code: "hostkey" });
    writeFileSync(dir.file("known_hosts"), `my-server ${sshd.hostKeys.ed25519?.publicLine}\n`);
    writeFileSync(dir.file("revoked"), `${sshd.hostKeys.ed25519?.publicLine}\n`);
    writeFileSync(dir.file("config2"), `RevokedHostKeys ${dir.file("revoked")}\nInclude ${file}\n`);
    const revoked = await fromSshConfig("my-alias", { file: dir.file("config2") });
    await expect(new ReverseTunnel(revoked.options).connect()).rejects.toMatchObject({
      code: "hostkey",
      message: expect.stringMatching(/revoked/),
    });

    writeFileSync(dir.file("print"), `#!/bin/sh\necho "$1 ${sshd.hostKeys.ed25519?.publicLine}"\n`, { mode: 0o755 });
    writeFileSync(
      dir.file("config6"),
      `Host my-alias\nUserKnownHostsFile none\nGlobalKnownHostsFile none\nKnownHostsCommand ${dir.file("print")} %H\nHost *\nInclude ${file}\n`,
    );
    const commanded = await fromSshConfig("my-alias", { file: dir.file("config6"), allowExec: true });
    const last = new ReverseTunnel(commanded.options);
    await last.connect();
    await last.close();
  });

  it("keeps new keys in memory if the file is /dev/null, and then refuses another key", async () => {
    const server = await startSshd({ authorizedKeys: [key.publicLine] });
    const lines = [`HostName 127.0.0.1`, `Port ${server.port}`, `User ${server.user}`, `IdentityFile ${key.file}`];
    for (const mode of ["no", "accept-new", "ask"]) {
      const trust = [`StrictHostKeyChecking ${mode}`, "UserKnownHostsFile /dev/null"];
      writeFileSync(dir.file("config7"), ["Host a", ...lines, ...trust].join("\n"));
      if (mode !== "ask") await run("ssh", ["-F", dir.file("config7"), "a", "true"]);
      const { options } = await fromSshConfig("a", { file: dir.file("config7"), ask: () => true });
      const connect = async (): Promise<void> => {
        const tunnel = new ReverseTunnel(options);
        await tunnel.connect();
        await tunnel.close();
      };
      await connect();
      await connect();
      await server.kill();
      await server.restart({ newHostKeys: true });
      await expect(connect()).rejects.toMatchObject({
        code: "hostkey",
        message: expect.stringContaining("the key has changed"),
      });
    }
    await server.stop();
  });

  it("goes through jump hosts and commands", async () => {
    const jump = await startSshd({ authorizedKeys: [key.publicLine] });
    writeFileSync(
      dir.file("config3"),
      `Host a
  Port ${sshd.port}
  ProxyJump b
Host b
  Port ${jump.port}
  ProxyJump c
Host c
  Port ${sshd.port}
  ProxyCommand ${process.execPath} -e "const s=require('net').connect(%p,'%h');process.stdin.pipe(s);s.pipe(process.stdout)"
Host *
  HostName 127.0.0.1
  User ${sshd.user}
  IdentityFile ${key.file}
  IdentitiesOnly yes
`,
    );
    const { options } = await fromSshConfig("a", { file: dir.file("config3"), allowExec: true });
    expect(options.via).toHaveLength(2);
    const known = fingerprint(sshd.fingerprint(), jump.fingerprint());
    const tunnel = new ReverseTunnel({
      ...options,
      hostKey: known,
      via: options.via?.map((hop) => ({ ...hop, hostKey: known })) ?? [],
    });
    await tunnel.connect();
    await jump.logged(/Accepted publickey/);
    await tunnel.close();
    await jump.stop();
  });
  it("logs in by an agent", async () => {
    const out = await run("ssh-agent", ["-a", dir.file("agent.sock")]);
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(out)?.[1]);
    try {
      for (let i = 0; i < 6; i++) {
        const other = await makeKey("ed25519", dir.file(`other${i}`));
        await run("env", [`SSH_AUTH_SOCK=${dir.file("agent.sock")}`, "ssh-add", "-q", other.file]);
      }
      const held = await makeKey("ed25519", dir.file("held"), { passphrase: "secret" });
      const free = dir.file("free");
      await run("cp", [held.file, free]);
      await run("ssh-keygen", ["-q", "-p", "-P", "secret", "-N", "", "-f", free]);
      await run("env", [`SSH_AUTH_SOCK=${dir.file("agent.sock")}`, "ssh-add", "-q", free]);
      const server = await startSshd({ authorizedKeys: [held.publicLine] });
      for (const only of ["yes", "no"]) {
        writeFileSync(
          dir.file("config4"),
          `Host a
  HostName 127.0.0.1
  Port ${server.port}
  User ${server.user}
  IdentityAgent ${dir.file("agent.sock")}
  IdentityFile ${held.file}
  IdentitiesOnly ${only}
`,
        );
        const { options } = await fromSshConfig("a", { file: dir.file("config4") });
        const tunnel = new ReverseTunnel({ ...options, hostKey: fingerprint(server.fingerprint()) });
        await tunnel.connect();
        await tunnel.close();
      }
      await server.stop();
    } finally {
      process.kill(pid);
    }
  });
  it("logs in with a certificate of CertificateFile whose key an agent holds", async () => {
    const out = await run("ssh-agent", ["-a", dir.file("agent2.sock")]);
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(out)?.[1]);
    try {
      const [other, ca, held] = await Promise.all(
        ["other-ca", "agent-ca", "agent-key"].map((name) => makeKey("ed25519", dir.file(name))),
      );
      if (other === undefined || ca === undefined || held === undefined) throw new Error("expected three keys");
      await run("env", [`SSH_AUTH_SOCK=${dir.file("agent2.sock")}`, "ssh-add", "-q", held.file]);
      for (const { file } of [other, ca]) {
        await run("cp", [`${held.file}.pub`, `${file}-of-key.pub`]);
        await run("ssh-keygen", ["-q", "-s", file, "-I", "x", "-n", "postern,root", `${file}-of-key.pub`]);
      }
      const server = await startSshd({ authorizedKeys: [`cert-authority ${ca.publicLine}`] });
      const lines = [`Port=${server.port}`, `User=${server.user}`, `IdentityAgent=${dir.file("agent2.sock")}`];
      const connect = async (...more: readonly string[]): Promise<void> => {
        const { options } = await fromSshConfig("127.0.0.1", { file: "none", settings: [...lines, ...more] });
        const tunnel = new ReverseTunnel({ ...options, hostKey: fingerprint(server.fingerprint()) });
        await tunnel.connect();
        await tunnel.close();
      };
      const files = [other, ca].map(({ file }) => `CertificateFile=${file}-of-key-cert.pub`);
      await expect(connect(files[0] as string)).rejects.toMatchObject({ code: "auth" });
      await connect(...files);
      // sshd ends the login after six refusals, so the certificates have to come before the keys.
      const keys = await Promise.all([1, 2, 3].map((number) => makeKey("ed25519", dir.file(`refused-${number}`))));
      await connect(...files, ...[other, ca, ...keys].map(({ file }) => `IdentityFile=${file}`));
      await connect(...files, `IdentityFile=${held.file}.pub`, "IdentitiesOnly=yes");
      await server.stop();
    } finally {
      process.kill(pid);
    }
  });

  it("logs in with an encrypted key and with a certificate", async () => {
    const locked = await makeKey("ed25519", dir.file("locked"), { passphrase: "secret" });
    const ca = await makeKey("ed25519", dir.file("ca"));
    const plain = await makeKey("ed25519", dir.file("plain"));
    await run("ssh-keygen", ["-q", "-s", ca.file, "-I", "x", "-n", "postern,root", `${plain.file}.pub`]);
    writeFileSync(dir.file("ca.keys"), `${ca.publicLine}\n`);
    const server = await startSshd({ authorizedKeys: [locked.publicLine, `cert-authority ${ca.publicLine}`] });
    for (const name of ["locked", "plain"]) {
      writeFileSync(
        dir.file("config5"),
        `Host a
  HostName 127.0.0.1
  Port ${server.port}
  User ${server.user}
  IdentityAgent none
  IdentityFile ${dir.file(name)}
`,
      );
      const { options } = await fromSshConfig("a", {
        file: dir.file("config5"),
        passphrase: (path) => (path === locked.file ? "secret" : ""),
      });
      const tunnel = new ReverseTunnel({ ...options, hostKey: fingerprint(server.fingerprint()) });
      await tunnel.connect();
      await tunnel.close();
    }
    await server.logged(/CERT|Accepted publickey.*CA/);
    await server.stop();
  });
});
