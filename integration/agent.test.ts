/** Logs in to sshd with the keys of OpenSSH's ssh-agent. `packages/node/test/agent.test.ts` has agents that lie. */
import { readFileSync, writeFileSync } from "node:fs";
import { agent, fingerprint, password, ReverseTunnel, type TunnelOptions } from "@postern/node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Agent,
  type KeyPair,
  type KeyType,
  makeKey,
  missing,
  run,
  type Sshd,
  sshdVersions,
  startAgent,
  startSshd,
  startTokenAgent,
  tempDir,
  verdictTable,
} from "./harness/index.ts";

const keyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048", "rsa4096"] as const;
const signatures: Readonly<Partial<Record<KeyType, string>>> = {
  ed25519: "ED25519",
  ecdsa256: "ECDSA",
  ecdsa384: "ECDSA",
  ecdsa521: "ECDSA",
  rsa2048: "RSA",
  rsa4096: "RSA",
};

const verdict = verdictTable();
const versions = sshdVersions("password").filter(({ lacks }) => lacks === undefined);

describe.skipIf(missing("sshd", "password"))("agent() with ssh-agent", () => {
  const dir = tempDir("postern-agent-keys");
  const keys = new Map<KeyType, KeyPair>();
  let ca: KeyPair;
  let sshd: Sshd;
  let ssh: Agent;

  beforeAll(async () => {
    for (const type of keyTypes) keys.set(type, await makeKey(type, dir.file(type), { comment: `my ${type}` }));
    ca = await makeKey("ed25519", dir.file("ca"));
    sshd = await start();
  });
  afterAll(async () => {
    await sshd.stop();
    dir.remove();
  });
  beforeEach(async () => {
    ssh = await startAgent();
  });
  afterEach(() => ssh.stop());

  function start(
    config: Record<string, string> = {},
    authorized: readonly { readonly publicLine: string }[] = [...keys.values()],
    root?: string,
  ): Promise<Sshd> {
    return startSshd({
      ...(root !== undefined && { root }),
      password: true,
      authorizedKeys: authorized.map(({ publicLine }) => publicLine),
      // DEBUG1 logs the name of each method that is requested.
      config: { LogLevel: "DEBUG1", TrustedUserCAKeys: `${ca.file}.pub`, ...config },
    });
  }
  const key = (type: KeyType): KeyPair => keys.get(type) as KeyPair;

  /** Logs in, and returns what the server logged meanwhile. Rejects as `connect` does. */
  async function logIn(auth: TunnelOptions["auth"], more: Partial<TunnelOptions> = {}, server = sshd): Promise<string> {
    const before = server.log().length;
    const hostKey = fingerprint(server.fingerprint());
    const tunnel = new ReverseTunnel({
      host: "127.0.0.1",
      port: server.port,
      user: server.user,
      auth,
      hostKey,
      ...more,
    });
    tunnel.closed.catch(() => {});
    await tunnel.connect();
    await tunnel.close();
    return server.log().slice(before);
  }
  const ours = (options: Parameters<typeof agent>[0] = {}) => agent({ path: ssh.path, ...options });

  for (const type of keyTypes) {
    it(`logs in with ${type}, bound to the server's host key (publickey-hostbound-v00@openssh.com)`, async () => {
      await ssh.add([key(type).file]);
      const log = await logIn(ours());
      expect(log).toContain("method publickey-hostbound-v00@openssh.com");
      expect(log).toContain(`ssh2: ${signatures[type]} ${key(type).fingerprint}`);
      expect(log).toMatch(/Postponed publickey-hostbound-v00@openssh.com for [\s\S]*Accepted publickey/);
    });
  }

  it.each(["ed25519", "ecdsa256", "rsa2048"] as const)("logs in with a certificate of %s", async (type) => {
    const copy = dir.file(`certified_${type}`);
    const file = await makeKey(type, copy, { comment: "certified" });
    await run("ssh-keygen", ["-q", "-s", ca.file, "-I", "a test", "-n", sshd.user, `${copy}.pub`]);
    // Adds the key and its certificate; the key alone is not authorized.
    await ssh.add([copy]);
    const log = await logIn(ours());
    expect(log).toContain(`ssh2: ${signatures[type]}-CERT ${file.fingerprint} ID a test`);
    // A fingerprint names the certificate, too.
    expect(await logIn(ours({ identity: file.fingerprint }))).toContain("ID a test");
    verdict(`${type} certificate of ssh-agent`, "Debian's sshd", "accepted");
  });

  it.each(versions)("signs with Ed25519, ECDSA, and RSA with SHA-2 for $name", async ({ name, root }) => {
    const other = await start({ LogLevel: "DEBUG3" }, undefined, root().root);
    try {
      for (const type of keyTypes) {
        await ssh.add([key(type).file]);
        expect(await logIn(ours(), {}, other)).toContain(`ssh2: ${signatures[type]} ${key(type).fingerprint}`);
        await ssh.add(["-D"]);
        verdict(`${type} key of ssh-agent`, name, "accepted");
      }
      await ssh.add([key("rsa2048").file]);
      const log = await logIn(ours(), {}, other);
      expect(log).toContain("Accepted publickey");
      expect(log).toMatch(/pkalg rsa-sha2-512/);
      expect(log).not.toMatch(/pkalg ssh-rsa/);
    } finally {
      await other.stop();
    }
  });

  // There is no hardware here, so this agent lies about it: its keys are in memory. sshd verifies what they sign.
  it.each(
    versions.flatMap((version) =>
      (["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"] as const).map((type) => ({
        type,
        version,
      })),
    ),
  )("logs in with a hardware key of type $type to $version.name", async ({ type, version: { name, root } }) => {
    const token = await startTokenAgent(type);
    const hardware = await start({}, [{ publicLine: token.publicLine }], root().root);
    try {
      const log = await logIn(agent({ path: token.path }), {}, hardware);
      expect(log).toMatch(/Accepted publickey for .* ssh2: (ED25519|ECDSA)-SK /);
      expect(token.requests).toEqual([27, 11, 27, 13]);
      verdict(`${type} key of an agent`, name, "accepted");
    } finally {
      await hardware.stop();
      await token.stop();
    }
  });

  it("offers at most five identities, and says which it left out", async () => {
    const strangers = await Promise.all([1, 2, 3, 4, 5].map((n) => stranger(`stranger ${n}`)));
    await ssh.add([...strangers, key("ed25519").file, await stranger("the last")]);
    const before = sshd.log().length;
    await expect(logIn(ours())).rejects.toMatchObject({
      code: "auth",
      message: expect.stringMatching(
        /publickey "stranger 5" \(refused\), agent \(did not offer "my ed25519", "the last", because .*identity/,
      ),
    });
    const log = sshd.log().slice(before);
    expect(log.match(/userauth-request .* method publickey/g)).toHaveLength(5);
    expect(log).not.toContain("Too many authentication failures");
    // The same agent, and a method after it: the sixth request is the password.
    expect(await logIn([ours(), password(sshd.password ?? "")])).toContain("Accepted password");
    expect(await logIn([password("wrong"), ours({ maxIdentities: 1 }), password(sshd.password ?? "")])).toContain(
      "Accepted password",
    );
  });

  it.each([
    ["its fingerprint", () => key("ecdsa256").fingerprint],
    ["its line", () => readFileSync(`${key("ecdsa256").file}.pub`, "utf8")],
    ["its comment", () => "my ecdsa256"],
  ])("offers only the identity chosen by %s", async (_how, identity) => {
    await ssh.add([...keys.values()].map(({ file }) => file));
    const log = await logIn(ours({ identity: identity() }));
    expect(log.match(/userauth-request .* method publickey/g)).toHaveLength(2);
    expect(log).toContain(`ECDSA ${key("ecdsa256").fingerprint}`);
  });

  it("names the identities it holds if the chosen one is missing", async () => {
    await ssh.add([key("ed25519").file]);
    await expect(logIn(ours({ identity: "another" }))).rejects.toMatchObject({
      code: "credentials",
      message: expect.stringMatching(/to hold the identity "another", got "my ed25519"/),
    });
  });

  it("goes on with another key if the server requires two (AuthenticationMethods publickey,publickey)", async () => {
    const strict = await start({ AuthenticationMethods: "publickey,publickey" });
    try {
      await ssh.add([key("ed25519").file, key("ecdsa256").file]);
      const log = await logIn(ours(), {}, strict);
      expect(log.match(/(?:Partial|Accepted) publickey for/g)).toEqual([
        "Partial publickey for",
        "Accepted publickey for",
      ]);
      await expect(logIn(ours({ identity: "my ed25519" }), {}, strict)).rejects.toMatchObject({ code: "auth" });
    } finally {
      await strict.stop();
    }
  });

  it("waits for the agent's user, who is asked only about a key that the server accepts (ssh-add -c)", async () => {
    await ssh.add(["-c", await stranger("not accepted"), key("ed25519").file]);
    const login = logIn(ours());
    await ssh.asked();
    let over = false;
    void login.finally(() => {
      over = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(over).toBe(false);
    ssh.answer("yes");
    expect(await login).toContain("Accepted publickey");
  });

  it("fails if the agent's user declines, and names the key", async () => {
    await ssh.add(["-c", key("ed25519").file]);
    ssh.answer("no");
    await expect(logIn(ours())).rejects.toMatchObject({
      code: "credentials",
      message: expect.stringMatching(/to sign with "my ed25519", got a refusal: its user declined/),
    });
  });

  it("stops waiting for the agent's user when the time of the login is over", async () => {
    await ssh.add(["-c", key("ed25519").file]);
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "PipeWrap").length;
    const before = sockets();
    const login = logIn(ours(), { loginTimeoutMs: 1500 });
    await expect(login).rejects.toMatchObject({ code: "timeout" });
    await ssh.asked();
    // No socket of the agent is left open on our side.
    await expect.poll(sockets).toBe(before);
  });

  it("fails with a clear error if the agent is empty, locked, gone, or dies while it signs", async () => {
    const failure = (pattern: RegExp) => ({ code: "credentials", message: expect.stringMatching(pattern) });
    await expect(logIn(ours())).rejects.toMatchObject(failure(/to hold an identity, got none.*ssh-add/));
    await ssh.add(["-c", key("ed25519").file]);
    await ssh.add(["-x"], "a lock");
    await expect(logIn(ours())).rejects.toMatchObject(failure(/to hold an identity, got none.*ssh-add -X/));
    await ssh.add(["-X"], "a lock");
    const dying = logIn(ours());
    dying.catch(() => {});
    await ssh.asked();
    process.kill(ssh.process.pid, "SIGKILL");
    // The program that asks has inherited the connection, so its end closes it.
    ssh.answer("yes");
    await expect(dying).rejects.toMatchObject(failure(/to answer, got (the end of the connection|ECONNRESET|EPIPE)/));
    await expect(logIn(ours())).rejects.toMatchObject(failure(/to be reached, got (ECONNREFUSED|ENOENT)/));
    expect(await logIn([ours(), password(sshd.password ?? "")])).toContain("Accepted password");
  });

  it("reads SSH_AUTH_SOCK when the login begins", async () => {
    const variable = "SSH_AUTH_SOCK";
    const before = process.env[variable];
    try {
      delete process.env[variable];
      const method = agent();
      await expect(logIn(method)).rejects.toMatchObject({
        code: "credentials",
        message: expect.stringContaining("expected SSH_AUTH_SOCK"),
      });
      process.env[variable] = ssh.path;
      await ssh.add([key("ed25519").file]);
      expect(await logIn(method)).toContain("Accepted publickey");
    } finally {
      if (before === undefined) delete process.env[variable];
      else process.env[variable] = before;
    }
  });

  it("uses a key restricted to this server, and not one restricted to another (ssh-add -h)", async () => {
    const other = await makeKey("ed25519", dir.file("other_host"));
    const [hostKey] = Object.values(sshd.hostKeys);
    const known = dir.file("known_hosts");
    writeFileSync(known, `here.test ${hostKey?.publicLine}\nelsewhere.test ${other.publicLine}\n`);
    await ssh.add(["-H", known, "-h", "elsewhere.test", key("ecdsa256").file]);
    // The connection is bound to this session, so the agent hides the key for the other server.
    await expect(logIn(ours())).rejects.toMatchObject({ code: "credentials" });
    await ssh.add(["-H", known, "-h", `${sshd.user}@here.test`, key("ed25519").file]);
    const log = await logIn(ours());
    expect(log).toContain(`Accepted publickey for ${sshd.user}`);
    expect(log).toContain(key("ed25519").fingerprint);
    // A key for another user of this server is shown, but the agent checks the user in what it signs.
    await ssh.add(["-d", key("ed25519").file]);
    await ssh.add(["-H", known, "-h", "another@here.test", key("ed25519").file]);
    await expect(logIn(ours())).rejects.toMatchObject({
      code: "credentials",
      message: expect.stringContaining("the key is not for this server"),
    });
  });

  async function stranger(comment: string): Promise<string> {
    const name = comment.replaceAll(" ", "_");
    return (await makeKey("ed25519", dir.file(name), { comment })).file;
  }
});
