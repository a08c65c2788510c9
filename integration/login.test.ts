/** Logs in to OpenSSH with every cipher, host key and method, and with several methods together. */
import { modernAlgorithms as portable } from "@postern/noble";
import {
  compatibleAlgorithms,
  fingerprint,
  type InteractiveRequest,
  keyboardInteractive,
  modernAlgorithms,
  none,
  password,
  privateKey,
  ReverseTunnel,
  type TunnelOptions,
  type TunnelState,
} from "@postern/node";
import { webSshEd25519 } from "@postern/web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingClient } from "./harness/clients/programs.ts";
import {
  freePort,
  type KeyPair,
  type KeyType,
  launch,
  makeKey,
  missing,
  type Running,
  type Sshd,
  sshdVersions,
  startSshd,
  tempDir,
  verdictTable,
} from "./harness/index.ts";

const userKeyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048", "rsa4096"] as const;
const hostKeyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"] as const;
const hostKeyAlgorithms: Readonly<Record<(typeof hostKeyTypes)[number], readonly string[]>> = {
  ed25519: ["ssh-ed25519"],
  ecdsa256: ["ecdsa-sha2-nistp256"],
  ecdsa384: ["ecdsa-sha2-nistp384"],
  ecdsa521: ["ecdsa-sha2-nistp521"],
  rsa3072: ["rsa-sha2-512", "rsa-sha2-256"],
};

const verdict = verdictTable();

describe.skipIf(missing("sshd", "password"))("login to OpenSSH", () => {
  const dir = tempDir("postern-login");
  const keys = new Map<KeyType, KeyPair>();
  let sshd: Sshd;

  const key = (type: KeyType): string => keys.get(type)?.privateText ?? "";
  const options = (host: Sshd, more: Partial<TunnelOptions>): TunnelOptions => ({
    host: "127.0.0.1",
    port: host.port,
    user: host.user,
    auth: [privateKey(key("ed25519"))],
    hostKey: fingerprint(host.fingerprint()),
    ...more,
  });
  const start = (config: Record<string, string> = {}): Promise<Sshd> =>
    startSshd({
      hostKeyTypes,
      password: true,
      authorizedKeys: [...keys.values()].map(({ publicLine }) => publicLine),
      // DEBUG1 logs the negotiated algorithms.
      config: { LogLevel: "DEBUG1", ...config },
    });

  beforeAll(async () => {
    for (const type of userKeyTypes) keys.set(type, await makeKey(type, dir.file(type)));
    sshd = await start();
  });
  afterAll(async () => {
    await sshd.stop();
    dir.remove();
  });

  for (const cipher of modernAlgorithms.ciphers) {
    for (const hostKeyType of hostKeyTypes) {
      for (const algorithm of hostKeyAlgorithms[hostKeyType]) {
        it(`logs in with ${cipher.name}, a host key for ${algorithm}, and each method`, async () => {
          const hostKeys = compatibleAlgorithms.hostKeys.filter(({ name }) => name === algorithm);
          const methods = [password(sshd.password ?? ""), ...userKeyTypes.map((type) => privateKey(key(type)))];
          for (const method of methods) {
            const hostKey = fingerprint(sshd.fingerprint(hostKeyType));
            const algorithms = { ciphers: [cipher], hostKeys };
            const tunnel = new ReverseTunnel(options(sshd, { algorithms, hostKey, auth: [method] }));
            const before = sshd.log().length;
            await tunnel.connect();
            await tunnel.close();
            await tunnel.closed;
            const log = sshd.log().slice(before);
            expect(log).toContain(`kex: host key algorithm: ${algorithm} `);
            expect(log).toContain(`kex: server->client cipher: ${cipher.name} `);
            expect(log).toContain(`kex: client->server cipher: ${cipher.name} `);
            expect(log).toContain(`Accepted ${method === methods[0] ? "password" : "publickey"} for ${sshd.user} `);
          }
        });
      }
    }
  }

  it("logs in and rekeys with the algorithms of noble and a host key verified by WebCrypto", async () => {
    const algorithms = { ...portable, hostKeys: [webSshEd25519] };
    const tunnel = new ReverseTunnel(options(sshd, { algorithms, rekey: { ms: 20 } }));
    await tunnel.connect();
    await expect.poll(() => tunnel.stats().rekeys).toBeGreaterThan(1);
    await tunnel.close();
    await tunnel.closed;
    const other = new ReverseTunnel(options(sshd, { algorithms, hostKey: fingerprint(sshd.fingerprint("ecdsa256")) }));
    await expect(other.connect()).rejects.toMatchObject({ code: "hostkey" });
  });

  it("logs in with the older ciphers, MACs and key exchanges of `compatibleAlgorithms`", async () => {
    const older = compatibleAlgorithms.ciphers.filter(({ isAead }) => !isAead);
    const kexes = compatibleAlgorithms.kex.filter(({ name }) => name.startsWith("ecdh"));
    expect([older.length, kexes.length]).toEqual([3, 3]);
    for (const cipher of older) {
      for (const mac of compatibleAlgorithms.macs) {
        const algorithms = { ...compatibleAlgorithms, ciphers: [cipher], macs: [mac] };
        const tunnel = new ReverseTunnel(options(sshd, { algorithms }));
        await tunnel.connect();
        await tunnel.close();
      }
    }
    for (const kex of kexes) {
      const tunnel = new ReverseTunnel(options(sshd, { algorithms: { kex: [kex] } }));
      await tunnel.connect();
      await tunnel.close();
    }
  });

  it("reports its states, and calls the host key callback once, with the verified key", async () => {
    const states: TunnelState[] = [];
    const offers: unknown[] = [];
    const tunnel = new ReverseTunnel(
      options(sshd, {
        hostKey: async (offer) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          offers.push([offer.fingerprint, offer.keyType, offer.algorithm, offer.host, offer.port]);
          return true;
        },
      }),
    );
    tunnel.addEventListener("state", ({ state }) => states.push(state));
    expect(tunnel.state).toBe("new");
    await tunnel.connect();
    await tunnel.close();
    expect(states).toEqual(["connecting", "authenticating", "open", "closed"]);
    expect(offers).toEqual([[sshd.fingerprint("ed25519"), "ssh-ed25519", "ssh-ed25519", "127.0.0.1", sshd.port]]);
  });

  it("passes the banner to the program", async () => {
    const text = "Authorized visitors only.\nNo exceptions.\n";
    const { writeFileSync } = await import("node:fs");
    writeFileSync(dir.file("banner"), text);
    const host = await start({ Banner: dir.file("banner") });
    try {
      const banners: string[] = [];
      const tunnel = new ReverseTunnel(options(host, {}));
      tunnel.addEventListener("banner", ({ message }) => banners.push(message));
      await tunnel.connect();
      await tunnel.close();
      expect(banners).toEqual([text]);
    } finally {
      await host.stop();
    }
  });

  it("tries methods in order, and goes on when one is refused", async () => {
    const unknown = await makeKey("ed25519", dir.file("unknown"));
    const auth = [
      password("wrong"),
      privateKey(unknown.privateText),
      password("wrong too"),
      privateKey(key("ed25519")),
      password(sshd.password ?? ""),
    ];
    const tunnel = new ReverseTunnel(options(sshd, { auth }));
    const before = sshd.log().length;
    await tunnel.connect();
    await tunnel.close();
    const attempts = sshd
      .log()
      .slice(before)
      .matchAll(/(Accepted|Failed) (password|publickey) for/g);
    expect([...attempts].map(([, outcome, method]) => `${outcome} ${method}`)).toEqual([
      "Failed password",
      "Failed publickey",
      "Failed password",
      "Accepted publickey",
    ]);
  });

  for (const order of ["publickey,password", "password,publickey"]) {
    it(`goes on after partial success if the server requires ${order}`, async () => {
      const host = await start({ AuthenticationMethods: order });
      try {
        const auth = [privateKey(key("ed25519")), password(() => Promise.resolve(host.password ?? ""))];
        const tunnel = new ReverseTunnel(options(host, { auth }));
        await tunnel.connect();
        await tunnel.close();
        const half = new ReverseTunnel(options(host, { auth: auth.slice(0, 1) }));
        await expect(half.connect()).rejects.toMatchObject({ code: "auth" });
      } finally {
        await host.stop();
      }
    });
  }

  it("answers the prompts of PAM, alone and after a key (AuthenticationMethods)", async () => {
    const requests: InteractiveRequest[] = [];
    const pam = { UsePAM: "yes", KbdInteractiveAuthentication: "yes" };
    for (const AuthenticationMethods of [
      "keyboard-interactive",
      "publickey,keyboard-interactive",
      "password,keyboard-interactive",
    ]) {
      const host = await start({ ...pam, AuthenticationMethods });
      try {
        const auth = [
          privateKey(key("ed25519")),
          password(host.password ?? ""),
          keyboardInteractive(async (request) => {
            requests.push(request);
            return request.prompts.map(() => host.password ?? "");
          }),
        ];
        const tunnel = new ReverseTunnel(options(host, { auth }));
        await tunnel.connect();
        await tunnel.close();
        expect(host.log()).toContain("Accepted keyboard-interactive/pam for postern");
      } finally {
        await host.stop();
      }
    }
    expect(requests.length).toBeGreaterThanOrEqual(3);
    expect(requests[0]?.prompts).toEqual([{ prompt: "Password: ", echo: false }]);
  });

  it("calls a function in `auth` when its turn comes, and tries the methods that it returns", async () => {
    const calls: string[] = [];
    const auth = [
      password("wrong"),
      async ({ user }: { readonly user: string }) => {
        calls.push(user);
        return [password("wrong too"), privateKey(key("rsa2048"))];
      },
    ];
    const tunnel = new ReverseTunnel(options(sshd, { auth }));
    const before = sshd.log().length;
    await tunnel.connect();
    await tunnel.close();
    expect(calls).toEqual([sshd.user]);
    const log = sshd.log().slice(before);
    expect(log).toContain("Accepted publickey");
    // EXT_INFO has come by then, so the signature covers the host key.
    expect(log).toContain("method publickey-hostbound-v00@openssh.com");
    const alone = new ReverseTunnel(options(sshd, { auth: () => privateKey(key("ed25519")) }));
    await alone.connect();
    await alone.close();
  });

  it("fails with `credentials` if a function in `auth` fails and the server has refused nothing", async () => {
    const vault = new Error("the vault is sealed");
    const failing = new ReverseTunnel(options(sshd, { auth: () => Promise.reject(vault) }));
    await expect(failing.connect()).rejects.toMatchObject({ code: "credentials", cause: vault });
    const wrong = new ReverseTunnel(options(sshd, { auth: () => "secret" as never }));
    await expect(wrong.connect()).rejects.toMatchObject({ code: "credentials", cause: { code: "misuse" } });
  });
});

describe.each(sshdVersions("password"))("login to $name without a key", ({ name, lacks, root }) => {
  const refused = { code: "auth" };

  it.skipIf(lacks)("accepts the right password and the right answer, and refuses any other", async () => {
    const config = { UsePAM: "yes", KbdInteractiveAuthentication: "yes" };
    const host = await startSshd({ ...root(), password: true, config });
    const logIn = async (auth: TunnelOptions["auth"]): Promise<void> => {
      const hostKey = fingerprint(host.fingerprint());
      const tunnel = new ReverseTunnel({ host: "127.0.0.1", port: host.port, user: host.user, auth, hostKey });
      await tunnel.connect();
      await tunnel.close();
    };
    const answer = (text: string) => keyboardInteractive(({ prompts }) => prompts.map(() => text));
    try {
      await logIn(password(host.password ?? ""));
      verdict("password", name, "accepted");
      await expect(logIn(password("wrong"))).rejects.toMatchObject(refused);
      verdict("wrong password", name, "refused");
      await logIn(answer(host.password ?? ""));
      verdict("keyboard-interactive", name, "accepted");
      await expect(logIn(answer("wrong"))).rejects.toMatchObject(refused);
      verdict("keyboard-interactive, wrong answer", name, "refused");
      await expect(logIn(none())).rejects.toMatchObject(refused);
      verdict("none", name, "refused");
    } finally {
      await host.stop();
    }
  });
});

// sshd requests password changes by PAM only, and has no method none without an account with an empty password.
describe.skipIf(missing("sshd") ?? missingClient("asyncssh"))("login to asyncssh", () => {
  const dir = tempDir("postern-asyncssh");
  let server: Running;
  let base: Omit<TunnelOptions, "user" | "auth">;

  beforeAll(async () => {
    const hostKey = await makeKey("ed25519", dir.file("host"));
    const port = await freePort();
    const script = new URL("peers/programs/asyncssh_logins.py", import.meta.url).pathname;
    server = await launch("/usr/bin/python3", ["-W", "ignore", script, String(port), hostKey.file]);
    await server.stdout.waitFor(/ready/);
    base = { host: "127.0.0.1", port, hostKey: fingerprint(hostKey.fingerprint) };
  });
  afterAll(async () => {
    await server.stop();
    dir.remove();
  });

  const logIn = async (user: string, auth: TunnelOptions["auth"]): Promise<void> => {
    const tunnel = new ReverseTunnel({ ...base, user, auth });
    tunnel.closed.catch(() => {});
    await tunnel.connect();
    await tunnel.close();
    await server.stdout.waitFor(new RegExp(`accepted ${user}`));
  };

  it("changes an expired password, and asks again if the new one is rejected (RFC 4252 section 8)", async () => {
    const demands: string[] = [];
    const onChange = (prompt: string, language: string): string => `new${demands.push(`${prompt} (${language})`) - 1}`;
    const noDigit = (prompt: string, language: string): string => onChange(prompt, language).replace("0", "");
    await logIn("expired", password("old", { onChange: noDigit }));
    expect(demands).toEqual(["Your password is too old (en)", "It needs a digit (en)"]);
    await expect(logIn("expired", password("old"))).rejects.toMatchObject({
      code: "auth",
      message: expect.stringContaining("set the option `onChange`"),
    });
  });

  it("answers several rounds of prompts, and one without prompts (RFC 4256 section 3.2)", async () => {
    const requests: InteractiveRequest[] = [];
    const replies = [["me", "123"], ["456"], []];
    const auth = keyboardInteractive(async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return replies[requests.push(request) - 1] ?? [];
    });
    await logIn("rounds", auth);
    expect(requests).toEqual([
      {
        name: "Login",
        instruction: "Two questions",
        prompts: [
          { prompt: "Name: ", echo: true },
          { prompt: "Code: ", echo: false },
        ],
      },
      { name: "", instruction: "", prompts: [{ prompt: "Again: ", echo: false }] },
      { name: "", instruction: "Welcome back", prompts: [] },
    ]);
    await expect(
      logIn(
        "rounds",
        keyboardInteractive(() => ["x", "y"]),
      ),
    ).rejects.toMatchObject({ code: "auth" });
  });

  it("logs in without credentials (RFC 4252 section 5.2)", async () => {
    await logIn("anyone", none());
    await expect(logIn("expired", none())).rejects.toMatchObject({ code: "auth" });
  });
});
