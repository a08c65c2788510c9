/** The options of a tunnel for a configuration. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { inspect } from "node:util";
import type { AuthContext, AuthMethod } from "@postern/auth";
import { rejection } from "@postern/testkit";
import { createHome } from "@postern/testkit/ssh-config";
import type { HostKeyCheck } from "@postern/tunnel";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createFromSshConfig,
  type FromSshConfigOptions,
  type SshConfigResult,
} from "../../src/ssh-config/from-ssh-config.ts";
import { nodeParts } from "../../src/ssh-config/node-parts.ts";
import type { KnownHostsPlan, SshConfigParts } from "../../src/ssh-config/parts.ts";
import { resolveConfig } from "../../src/ssh-config/resolve.ts";

const world = createHome();
/** Each method describes itself, so that a test can see what was asked for. */
const description = Symbol("description");
/** the contexts with which methods began */
const contexts: AuthContext[] = [];

describe("fromSshConfig", () => {
  beforeAll(() => {
    for (const [name, passphrase] of [
      ["plain", ""],
      ["locked", "secret"],
      ["id_ed25519", ""],
      ["ca", ""],
    ] as const) {
      execFileSync("ssh-keygen", [
        "-q",
        "-t",
        "ed25519",
        "-N",
        passphrase,
        "-C",
        name,
        "-f",
        `${world.home}/.ssh/${name}`,
      ]);
    }
    for (const name of ["plain", "locked"]) {
      const args = ["-q", "-s", `${world.home}/.ssh/ca`, "-I", name, "-n", "me", `${world.home}/.ssh/${name}.pub`];
      execFileSync("ssh-keygen", args);
    }
  });
  afterAll(world.remove);

  it("does not read the files again for a configuration of resolveSshConfig", async () => {
    const file = world.write("once", `Match exec "echo run >> ${world.home}/runs"\nPort 2222\n`);
    const given = { file, home: world.home, allowExec: true };
    const config = await resolveConfig("x", given);
    const result = await createFromSshConfig(nodeParts)("x", { ...given, config });
    expect(result.options.port).toBe(2222);
    expect(result.config).toBe(config);
    expect(readFileSync(`${world.home}/runs`, "utf8")).toBe("run\n");
    for (const wrong of [{ ...config }, await resolveConfig("y", given)])
      await expect(createFromSshConfig(nodeParts)("x", { ...given, config: wrong })).rejects.toThrow(
        'expected config to be what resolveSshConfig returned for "x"',
      );
  });

  it("returns the server, the user and the defaults of ssh", async () => {
    const { options, forwards, environment, unused } = await ask(
      "x",
      "Host x\nHostName y.example\nUser me\nPort 2222\n",
    );
    expect(options).toMatchObject({ host: "y.example", port: 2222, user: "me" });
    expect(options.keepAlive).toBeUndefined();
    expect(options.via).toBeUndefined();
    expect(options.dial).toBeUndefined();
    expect(hostKeyOf(options)).toEqual({
      files: [`${world.home}/.ssh/known_hosts`, `${world.home}/.ssh/known_hosts2`],
      globalFiles: ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
      mode: "strict",
      hash: false,
      requiredRsaBits: 1024,
      hostKeyNames: expect.any(Array),
      choseHostKeys: false,
      updateHostKeys: true,
    });
    expect({ forwards, environment, unused }).toEqual({ forwards: [], environment: {}, unused: [] });
  });

  it("tries the agent first, then the default identities that exist", async () => {
    const { options } = await ask("x", "", { env: { SSH_AUTH_SOCK: "/run/agent" } });
    expect(authOf(options)).toEqual(["agent /run/agent all", "key id_ed25519"]);
    expect(authOf((await ask("x", "", { env: {} })).options)).toEqual(["key id_ed25519"]);
    expect(authOf((await ask("x", "IdentityAgent none\nIdentityFile none\n")).options)).toEqual(["none"]);
  });

  it("offers only the keys of the files with IdentitiesOnly", async () => {
    const text = "IdentitiesOnly yes\nIdentityFile ~/.ssh/plain\nIdentityFile ~/.ssh/missing\nIdentityAgent /a\n";
    expect(authOf((await ask("x", text)).options)).toEqual([
      `agent /a ${publicKey("plain")}`,
      `key plain certificate ${publicKey("plain-cert")}`,
      "key plain",
    ]);
  });

  it("asks the agent for the key of a public half, which IdentityFile may name", async () => {
    const text = "IdentitiesOnly yes\nIdentityFile ~/.ssh/plain.pub\nIdentityAgent $AGENT\n";
    const { options } = await ask("x", text, { env: { AGENT: "/b" } });
    expect(authOf(options)).toEqual([`agent /b ${publicKey("plain")}`]);
  });

  it("leaves out methods whose secrets it has no source of", async () => {
    const text = "IdentityFile ~/.ssh/locked\nNumberOfPasswordPrompts 2\n";
    const env = { SSH_AUTH_SOCK: "" };
    expect(authOf((await ask("x", text, { env })).options)).toEqual(["none"]);
    const secrets = { passphrase: () => "secret", password: () => "word", keyboardInteractive: () => [] };
    expect(authOf((await ask("x", text, { env, ...secrets })).options)).toEqual([
      `key locked certificate ${publicKey("locked-cert")} passphrase`,
      "key locked passphrase",
      "keyboard-interactive",
      "keyboard-interactive",
      "password",
      "password",
    ]);
    const batch = await ask("x", `${text}BatchMode yes\nPreferredAuthentications password,publickey\n`, {
      env,
      ...secrets,
    });
    expect(authOf(batch.options)).toHaveLength(2);
  });

  it("follows PreferredAuthentications and PasswordAuthentication", async () => {
    const secrets = { password: "word", keyboardInteractive: () => [], env: {} };
    const order = "IdentityFile ~/.ssh/id_ed25519\nPreferredAuthentications password,hostbased,publickey\n";
    expect(authOf((await ask("x", order, secrets)).options)).toEqual(["password", "key id_ed25519"]);
    const off = "PasswordAuthentication no\nPubkeyAuthentication no\nKbdInteractiveAuthentication no\n";
    expect(authOf((await ask("x", off, secrets)).options)).toEqual(["none"]);
  });

  it("uses the certificate of CertificateFile with the key that it is for, before all keys", async () => {
    const text = "IdentityFile ~/.ssh/id_ed25519\nIdentityFile ~/.ssh/plain\nCertificateFile ~/.ssh/plain-cert.pub\n";
    expect(authOf((await ask("x", text, { env: {} })).options)).toEqual([
      `key plain certificate ${publicKey("plain-cert")}`,
      "key id_ed25519",
      "key plain",
    ]);
  });

  it("leaves out keys and certificates that PubkeyAcceptedAlgorithms excludes", async () => {
    const names = async (list: string) => {
      const text = `IdentityFile ~/.ssh/plain\nPubkeyAcceptedAlgorithms ${list}\n`;
      return authOf((await ask("x", text, { env: {} })).options);
    };
    const certified = `key plain certificate ${publicKey("plain-cert")}`;
    expect(await names("rsa-sha2-*")).toEqual(["none"]);
    expect(await names("ssh-ed25519")).toEqual(["key plain"]);
    expect(await names("-ssh-ed25519")).toEqual([certified]);
    expect(await names("+ssh-rsa")).toEqual([certified, "key plain"]);
  });

  it("signs with the algorithms of PubkeyAcceptedAlgorithms", async () => {
    const text = "IdentityFile ~/.ssh/id_ed25519\nPubkeyAcceptedAlgorithms ssh-ed25519,rsa-sha2-256\n";
    const { options } = await ask("x", text, { env: {} });
    const [method] = [options.auth].flat() as readonly AuthMethod[];
    contexts.length = 0;
    method?.begin({ serverAlgorithms: ["rsa-sha2-512", "rsa-sha2-256"] } as never);
    method?.begin({} as never);
    expect(contexts).toMatchObject([
      { serverAlgorithms: ["rsa-sha2-256"] },
      { serverAlgorithms: ["ssh-ed25519", "rsa-sha2-256"] },
    ]);
  });

  it("finds the jump hosts of ProxyJump, each with its own configuration", async () => {
    const text = `Host inner
  ProxyJump carol@second:2202,%n-gate
  User ann
  ServerAliveInterval 10
Host inner-gate
  HostName gate.example
  User bob
  StrictHostKeyChecking accept-new
  ProxyJump never-used
Host second
  HostName second.example
  ProxyJump first
Host first
  Port 2201
  ProxyCommand connect %h %p
`;
    const { options } = await ask("inner", text, { allowExec: true, env: {}, password: "secret of inner" });
    expect(options).toMatchObject({ host: "inner", user: "ann", keepAlive: { intervalMs: 10_000 } });
    expect(options.via?.map(({ host, port, user }) => `${user}@${host}:${port}`)).toEqual([
      expect.stringMatching(/@first:2201$/),
      "carol@second.example:2202",
      "bob@gate.example:22",
    ]);
    expect(hostKeyOf(options.via?.[2])).toMatchObject({ mode: "accept-new" });
    expect(authOf(options)).toContain("password");
    expect(authOf(options.via?.[2])).not.toContain("password");
    const signal = new AbortController().signal;
    await expect(options.dial?.({ host: "first", port: 2201 }, { signal })).rejects.toThrow("ran connect first 2201");
  });

  it("rejects a jump host that is reached through itself", async () => {
    await expect(ask("x", "Host *\n  ProxyJump gate\n")).rejects.toThrow(/line 2: expected at most 16 jump hosts/);
    await expect(ask("a", "Host a\nProxyJump b\nHost b\nProxyJump a\n")).rejects.toThrow(
      /expected at most 16 jump hosts/,
    );
  });

  it("runs a command for ProxyCommand only if that is permitted", async () => {
    const text = "ProxyCommand nc %h %p\n";
    await expect(ask("x", text)).rejects.toThrow(/line 1: ProxyCommand runs a command: set allowExec/);
    await expect(ask("x", "KnownHostsCommand /bin/x\n")).rejects.toThrow(/line 1: KnownHostsCommand runs a command/);
    const { options } = await ask("x", text, { allowExec: true });
    const signal = new AbortController().signal;
    await expect(options.dial?.({ host: "x", port: 22 }, { signal })).rejects.toThrow("ran nc x 22");
    expect((await ask("x", "ProxyCommand none\n")).options.dial).toBeUndefined();
  });

  it("dials only the addresses of AddressFamily", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end());
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const dial = async (family: string) => {
      const { options } = await ask("x", `AddressFamily ${family}\n`);
      return await options.dial?.({ host: "localhost", port }, { signal: AbortSignal.timeout(10_000) });
    };
    try {
      (await dial("inet"))?.abort();
      await expect(dial("inet6")).rejects.toMatchObject({
        code: "connect",
        message: expect.not.stringContaining("127.0.0.1"),
      });
    } finally {
      server.close();
    }
  });

  it("maps the modes of StrictHostKeyChecking, and never accepts a changed key", async () => {
    const plan = async (text: string, more: FromSshConfigOptions = {}) =>
      hostKeyOf((await ask("x", text, more)).options);
    const askUser = () => true;
    expect(await plan("StrictHostKeyChecking ask\n", { ask: askUser })).toMatchObject({ mode: "strict", ask: askUser });
    expect(await plan("StrictHostKeyChecking yes\n", { ask: askUser })).not.toHaveProperty("ask");
    for (const mode of ["accept-new", "no", "off"])
      expect(await plan(`StrictHostKeyChecking ${mode}\n`)).toMatchObject({ mode: "accept-new" });
    const text = `UserKnownHostsFile /dev/null ~/k\nGlobalKnownHostsFile none\nHashKnownHosts yes\nHostKeyAlias Alias
RevokedHostKeys ~/revoked\nKnownHostsCommand /bin/keys %H\n`;
    expect((await ask("x", text, { allowExec: true })).options.hostKeyAlias).toBe("alias");
    expect(await plan(text, { allowExec: true })).toEqual({
      files: [`${world.home}/k`],
      globalFiles: [],
      mode: "strict",
      hash: true,
      requiredRsaBits: 1024,
      hostKeyNames: expect.any(Array),
      choseHostKeys: false,
      updateHostKeys: false,
      revokedHostKeys: `${world.home}/revoked`,
      command: expect.any(Function),
    });
  });

  it("runs KnownHostsCommand without a shell, and rejects if it fails", async () => {
    const text = (command: string) => `Port 2222\nKnownHostsCommand ${command}\n`;
    const command = async (line: string) => {
      const { options } = await ask("host", text(line), { allowExec: true });
      return (hostKeyOf(options) as KnownHostsPlan).command;
    };
    const key = { keyType: "ssh-ed25519", fingerprint: "SHA256:x", base64: "AAAA" };
    const echo = await command('/bin/echo %H %I %t %f %K %n "a  b" $HOME;');
    expect(await echo?.(key)).toBe("[host]:2222 HOSTNAME ssh-ed25519 SHA256:x AAAA host a  b $HOME;\n");
    expect(await echo?.()).toBe("[host]:2222 ORDER NONE NONE NONE host a  b $HOME;\n");
    // Its standard input has ended, as with OpenSSH, so it does not wait for us.
    expect(await (await command("/bin/cat"))?.(key)).toBe("");
    const failing = await command("/bin/sh -c 'exit 3' hunter2");
    const failed = await rejection(failing?.(key) ?? Promise.resolve());
    expect(failed).toMatchObject({
      code: "hostkey",
      message: 'expected KnownHostsCommand "/bin/sh" to succeed, got status 3',
    });
    expect(inspect(failed, { depth: 9 })).not.toContain("hunter2");
    await expect((await command("/no/such/program"))?.(key)).rejects.toThrow("to succeed, got ENOENT");
    await expect(command("echo")).rejects.toThrow(/line 2: expected KnownHostsCommand to name an absolute path/);
    expect(await command("none")).toBeUndefined();
  });

  it.skipIf(process.platform === "win32")("replaces the shell by ProxyCommand, as ssh does", async () => {
    const pipe = await nodeParts.commandPipe("printf first; printf second", new AbortController().signal);
    let text = "";
    await new Promise<void>((closed) =>
      pipe.start({
        data: (chunk) => {
          text += Buffer.from(chunk).toString();
        },
        end: () => pipe.end(),
        drain() {},
        closed: () => closed(),
      }),
    );
    expect(text).toBe("first");
  });

  it("intersects the lists of algorithms with ours", async () => {
    const names = async (text: string) => {
      const { algorithms } = (await ask("x", text)).options;
      return Object.fromEntries(
        Object.entries(algorithms ?? {}).map(([list, all]) => [list, all.map(({ name }: { name: string }) => name)]),
      );
    };
    const lists = await names(
      "Ciphers aes256-ctr,3des-cbc,aes128-gcm@openssh.com\nKexAlgorithms ^ecdh-*\nMACs -*-etm@*\nHostKeyAlgorithms rsa-*\n",
    );
    expect(lists).toMatchObject({
      ciphers: ["aes256-ctr", "aes128-gcm@openssh.com"],
      macs: ["hmac-sha2-256", "hmac-sha2-512"],
      hostKeys: ["rsa-sha2-512", "rsa-sha2-256"],
    });
    expect(lists.kex?.slice(0, 2)).toEqual(["ecdh-sha2-nistp256", "ecdh-sha2-nistp384"]);
    await expect(names("Ciphers 3des-cbc\n")).rejects.toThrow(/line 1: Bad SSH2 cipher spec '3des-cbc'\.$/);
    expect((await names("Ciphers aes256-gcm@openssh.com\nMACs umac-64@openssh.com\n")).macs).not.toEqual([]);
  });

  it("offers certificates of hosts before plain keys, or those of HostKeyAlgorithms in its order, as ssh", async () => {
    const plan = async (text: string) => hostKeyOf((await ask("x", text)).options) as KnownHostsPlan;
    const { hostKeyNames, choseHostKeys } = await plan("");
    expect([hostKeyNames.at(0), hostKeyNames.at(6), choseHostKeys]).toEqual([
      "ssh-ed25519-cert-v01@openssh.com",
      "ssh-ed25519",
      false,
    ]);
    const own = "HostKeyAlgorithms ssh-rsa,rsa-sha2-256,ssh-ed25519-cert-v01@openssh.com,ssh-ed25519";
    expect(await plan(`${own}\n`)).toMatchObject({
      hostKeyNames: ["rsa-sha2-256", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"],
      choseHostKeys: true,
    });
    const { algorithms } = (await ask("x", "HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com\n")).options;
    expect(algorithms?.hostKeys?.map(({ name }) => name)).toEqual(["ssh-ed25519"]);
  });

  it("maps times and limits", async () => {
    const text = `ConnectTimeout 1m\nServerAliveInterval 15\nServerAliveCountMax 2\nRekeyLimit 512M 1h
ExitOnForwardFailure yes\n`;
    expect((await ask("x", text)).options).toMatchObject({
      loginTimeoutMs: 60_000,
      keepAlive: { intervalMs: 15_000, countMax: 2 },
      rekey: { bytes: 512 * 2 ** 20, ms: 3_600_000 },
      exitOnForwardFailure: true,
    });
  });

  it("returns forwardings and environment variables as data", async () => {
    const text = `RemoteForward 8080 localhost:80\nRemoteForward *:0 [::1]:81\nRemoteForward 1080\nRemoteForward /s /t
LocalForward 5 h:6\nDynamicForward 7\nGatewayPorts yes\nSendEnv LC_*\nSetEnv A=1\n`;
    const { forwards, environment } = await ask("x", text, { env: { LC_ALL: "C", HOME: "/h" } });
    expect(forwards).toEqual([
      { type: "remote", listen: { address: "localhost", port: 8080 }, target: { host: "localhost", port: 80 } },
      { type: "remote", listen: { address: "", port: 0 }, target: { host: "::1", port: 81 } },
      { type: "remote", listen: { address: "localhost", port: 1080 }, target: "socks" },
      { type: "remote", listen: { path: "/s" }, target: { path: "/t" } },
      { type: "local", listen: { address: "", port: 5 }, target: { host: "h", port: 6 } },
      { type: "local", listen: { address: "", port: 7 }, target: "socks" },
    ]);
    expect(environment).toEqual({ LC_ALL: "C", A: "1" });
  });

  it("offers a key only with its certificate, if that is what its .pub holds", async () => {
    execFileSync("cp", [`${world.home}/.ssh/plain`, `${world.home}/.ssh/pair`]);
    execFileSync("cp", [`${world.home}/.ssh/plain-cert.pub`, `${world.home}/.ssh/pair.pub`]);
    const { options } = await ask("x", "IdentityFile ~/.ssh/pair\nIdentityAgent none\n");
    expect(authOf(options)).toEqual([`key pair certificate ${publicKey("pair")}`]);
  });

  it("leaves out RSA keys that are shorter than RequiredRSASize", async () => {
    execFileSync("ssh-keygen", ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", `${world.home}/.ssh/short`]);
    const text = "IdentityFile ~/.ssh/short\nIdentityFile ~/.ssh/plain\nIdentityAgent none\nRequiredRSASize 3072\n";
    const keys = authOf((await ask("x", text)).options).filter((one) => !one.includes("certificate"));
    expect(keys).toEqual(["key plain"]);
  });

  it("lists the lines in force that have no effect", async () => {
    const text =
      "Host x\n  ForwardAgent yes\n  ControlMaster auto\n  Port 5\n  CheckHostIP yes\nHost y\n  ForwardX11 yes\n";
    const { unused } = await ask("x", text);
    expect(unused.map(({ keyword, line }) => `${line} ${keyword}`)).toEqual([
      "2 forwardagent",
      "3 controlmaster",
      "5 checkhostip",
    ]);
  });

  it("connects without compression, and names the line that wants it", async () => {
    const { unused } = await ask("x", "\nCompression yes\n");
    expect(unused).toMatchObject([{ keyword: "compression", line: 2 }]);
    await expect(ask("x", "Compression no\n")).resolves.toMatchObject({ unused: [] });
  });

  it("rejects unknown options, and secrets of wrong types", async () => {
    await expect(ask("x", "", { passphrases: 1 } as never)).rejects.toThrow('did you mean "passphrase"?');
    await expect(ask("x", "", { passphrase: "secret" } as never)).rejects.toMatchObject({ code: "misuse" });
  });
});

const parts: SshConfigParts = {
  privateKeyFile(path, { certificate, passphrase }) {
    const name = path.replace(`${world.home}/.ssh/`, "key ");
    const cert = certificate === false ? "" : ` certificate ${certificate}`;
    return createMethod(`${name}${cert}${passphrase ? " passphrase" : ""}`);
  },
  agent: ({ path, identity }) => createMethod(`agent ${path} ${identity?.join(",") ?? "all"}`),
  knownHosts(plan) {
    const check: HostKeyCheck = () => false;
    plans.set(check, plan);
    return check;
  },
  commandPipe: (command) => Promise.reject(new Error(`ran ${command}`)),
  none: () => createMethod("none"),
};
const plans = new Map<unknown, unknown>();

function createMethod(text: string): AuthMethod {
  return {
    name: "publickey",
    [description]: text,
    begin(context) {
      contexts.push(context);
      return { next: () => undefined };
    },
  } as AuthMethod;
}

function ask(host: string, text: string, more: FromSshConfigOptions = {}): Promise<SshConfigResult> {
  const file = world.write("config", text);
  return createFromSshConfig(parts)(host, { file, home: world.home, ...more });
}

/** The methods in order, as they describe themselves. */
function authOf(options: { readonly auth: unknown } | undefined): readonly string[] {
  const methods = [options?.auth ?? []].flat() as unknown as readonly AuthMethod[];
  return methods.map((method) => (method as { [description]?: string })[description] ?? method.name);
}

function hostKeyOf(options: { readonly hostKey: unknown } | undefined): unknown {
  return plans.get(options?.hostKey);
}

/** The line of a `.pub` file, without its comment. */
function publicKey(name: string): string {
  const line = execFileSync("cat", [`${world.home}/.ssh/${name}.pub`], { encoding: "utf8" });
  return line.split(" ").slice(0, 2).join(" ");
}
