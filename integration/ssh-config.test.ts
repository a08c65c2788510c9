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
    const tunnel = new ReverseTunnel({ ...options, hostKey: fingerprint(sshd.fingerprint()) });
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
  });
});
