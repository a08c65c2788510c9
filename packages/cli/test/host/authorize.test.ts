/** Logins of the system's users, with key files in a folder and accounts of the test. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCertificate, parsePublicKey } from "@postern/keys";
import type { HostDecision, HostLoginAttempt } from "@postern/node";
import { afterAll, describe, expect, it } from "vitest";
import { createConnections } from "../../src/host/connections.ts";
import { type Account, type Accounts, systemAccounts } from "../../src/host/sshd-config/accounts.ts";
import { authorizeSystemUsers } from "../../src/host/sshd-config/authorize.ts";
import { readSshdConfig } from "../../src/host/sshd-config/parse.ts";
import { readUserFile } from "../../src/host/sshd-config/read-user-file.ts";
import { createUserFiles, unknownToken, userPath } from "../../src/host/sshd-config/user-files.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-authorize-"));
afterAll(() => rmSync(folder, { recursive: true }));
const home = join(folder, "home");
const uid = process.getuid?.() ?? 0;
mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });

const keygen = (...args: readonly string[]): unknown => execFileSync("ssh-keygen", ["-q", ...args], { stdio: "pipe" });
const path = (name: string): string => join(folder, name);
for (const name of ["key", "other", "ca"]) keygen("-t", "ed25519", "-N", "", "-C", name, "-f", path(name));
keygen("-t", "rsa", "-b", "2048", "-N", "", "-f", path("rsa"));
keygen("-s", path("ca"), "-I", "id", "-n", "ann,ops", path("other"));
const publicLine = (name: string): string => readFileSync(path(`${name}.pub`), "utf8").trim();
const blob = (name: string): Uint8Array<ArrayBuffer> => Uint8Array.from(parsePublicKey(publicLine(name)).blob);
const certificate = parseCertificate(blob("other-cert"));

const accounts: Accounts = {
  find: async (name) =>
    ["ann", "root"].includes(name) ? { name, uid: name === "root" ? 0 : uid, gid: 0, home } : undefined,
  groups: async () => groups,
};
let groups: readonly string[] = ["staff", "users"];

interface Given {
  readonly key?: string;
  readonly user?: string;
  readonly algorithm?: string;
  readonly passed?: readonly string[];
  readonly method?: "publickey" | "password";
}

/** Decides about one attempt. Returns the decision, and what is logged and given as a reason. */
async function decide(config: string, given: Given = {}): Promise<{ decision: HostDecision; said: readonly string[] }> {
  const { key = "key", user = "ann", passed = [], method = "publickey" } = given;
  const file = path("config");
  writeFileSync(file, `StrictModes no\n${config}`);
  const said: string[] = [];
  const authorize = authorizeSystemUsers({
    config: readSshdConfig({ file, settings: [] }),
    accounts,
    connections: createConnections(),
    logger: { write: (_, text) => said.push(text), configure() {}, async close() {} },
  });
  const publicKey = blob(key);
  const common = { user, passed, origin: undefined, signal: new AbortController().signal };
  const onRefused = (reason: string): unknown => said.push(reason);
  const attempt = (
    method === "password"
      ? { ...common, method, password: "secret" }
      : {
          ...{ ...common, method, publicKey, proved: true, onRefused },
          algorithm: given.algorithm ?? parsePublicKey(publicLine(key)).type,
          certificate: key === "other-cert" ? certificate : undefined,
        }
  ) as HostLoginAttempt;
  return { decision: await authorize(attempt), said };
}

const authorized = join(home, ".ssh/authorized_keys");
const authorizes = (text: string): void => writeFileSync(authorized, text, { mode: 0o600 });

describe("a login of a system's user", () => {
  it("succeeds with a key of the AuthorizedKeysFile, whose options restrict it", async () => {
    authorizes(`permitopen="a:1",restrict,port-forwarding ${publicLine("key")}\n`);
    const { decision } = await decide("");
    expect(decision).toMatchObject({ gatewayPorts: "no" });
    const { permitOpen } = decision as { permitOpen: (host: string, port: number) => boolean };
    expect([permitOpen("a", 1), permitOpen("b", 1)]).toEqual([true, false]);
    expect((await decide("", { key: "rsa", algorithm: "rsa-sha2-512" })).decision).toBe(false);
  });

  it("reads only the lines that have the key, because reading a million others would keep the host busy", async () => {
    authorizes(`${"\\\n".repeat(300_000)}${publicLine("rsa")}\n${"x\n".repeat(300)}${publicLine("key")}\n`);
    expect((await decide("")).decision).not.toBe(false);
    authorizes(`${publicLine("key").slice(0, -40)}\n`.repeat(300) + publicLine("key"));
    expect((await decide("")).decision).not.toBe(false);
    authorizes(`bad ${publicLine("key")}\n`.repeat(300) + publicLine("key"));
    expect((await decide("")).decision).toBe(false);
  });

  it("is refused for passwords, for accounts that do not exist, and for names like numbers", async () => {
    authorizes(publicLine("key"));
    expect((await decide("PasswordAuthentication yes", { method: "password" })).decision).toBe(false);
    const { decision, said } = await decide("", { user: "eve" });
    expect([decision, said]).toEqual([false, ["Invalid user eve from UNKNOWN port 65535"]]);
    const system = systemAccounts();
    expect(await system.find("0")).toBeUndefined();
    expect(await system.find("-x")).toBeUndefined();
    expect(await system.find("root")).toMatchObject({ uid: 0 });
    expect(await system.groups("root")).toContain("root");
  });

  it.each([
    ["DenyUsers ann", "User ann from UNKNOWN not allowed because listed in DenyUsers"],
    ["AllowUsers bob", "User ann from UNKNOWN not allowed because not listed in AllowUsers"],
    ["DenyUsers ann\nAllowUsers ann", "User ann from UNKNOWN not allowed because listed in DenyUsers"],
    ["DenyGroups users", "User ann from UNKNOWN not allowed because a group is listed in DenyGroups"],
    ["AllowGroups wheel", "User ann from UNKNOWN not allowed because none of user's groups are listed in AllowGroups"],
    ["PubkeyAuthentication no", "PubkeyAuthentication is off"],
    ["PubkeyAcceptedAlgorithms rsa-*", "signature algorithm ssh-ed25519 not in PubkeyAcceptedAlgorithms"],
    ["AuthenticationMethods password", "AuthenticationMethods has no list of publickey alone"],
    ["RevokedKeys /nonexistent", "Error checking authentication key in revoked keys file /nonexistent"],
  ])("is refused by %j", async (config, reason) => {
    authorizes(publicLine("key"));
    expect(await decide(config)).toEqual({ decision: false, said: [reason] });
  });

  it("succeeds with AllowUsers, AllowGroups and a Match block that turns keys on again", async () => {
    authorizes(publicLine("key"));
    expect((await decide("AllowUsers bob ann\nAllowGroups staff")).decision).not.toBe(false);
    expect((await decide("PubkeyAuthentication no\nMatch all\nPubkeyAuthentication yes")).decision).not.toBe(false);
  });

  it("keeps the names of groups whole, although they may contain spaces", async () => {
    const programs = path("programs");
    mkdirSync(programs);
    // Answers as id(1) of GNU does.
    const lists = `case $1 in *z) printf 'domain users\\0staff\\0' ;; *) echo 'domain users staff' ;; esac`;
    writeFileSync(join(programs, "id"), `#!/bin/sh\n${lists}\n`, { mode: 0o755 });
    const { PATH = "" } = process.env;
    process.env.PATH = `${programs}:${PATH}`;
    const found = await systemAccounts().groups("ann");
    process.env.PATH = PATH;
    expect(found).toEqual(["domain users", "staff"]);
  });

  it.each(["DenyGroups users", "Match Group users\nAllowTcpForwarding no"])(
    "is refused with %j while the groups cannot be found out",
    async (config) => {
      authorizes(publicLine("key"));
      groups = [];
      const { decision, said } = await decide(config);
      groups = ["staff", "users"];
      expect([decision, said]).toEqual([false, ["User ann from UNKNOWN not allowed because not in any group"]]);
    },
  );

  it("of root is refused by PermitRootLogin no", async () => {
    authorizes(publicLine("key"));
    const { decision, said } = await decide("PermitRootLogin no", { user: "root" });
    expect([decision, said]).toEqual([false, ["ROOT LOGIN REFUSED FROM UNKNOWN"]]);
    expect((await decide("", { user: "root" })).decision).toMatchObject({ lowestPort: 0 });
  });

  it("needs as many keys as AuthenticationMethods lists", async () => {
    authorizes(publicLine("key"));
    const config = "AuthenticationMethods password publickey,publickey";
    expect((await decide(config)).decision).toMatchObject({ partial: ["publickey"] });
    expect((await decide(config, { passed: ["publickey"] })).decision).not.toHaveProperty("partial");
  });

  it("is refused for a key that is too short or revoked", async () => {
    authorizes(publicLine("rsa"));
    const rsa = { key: "rsa", algorithm: "rsa-sha2-512" };
    expect((await decide("", rsa)).decision).not.toBe(false);
    expect((await decide("RequiredRSASize 4096", rsa)).said).toEqual([
      "refusing RSA key: 2048 bits, expected at least 4096",
    ]);
    expect((await decide(`RevokedKeys ${path("rsa.pub")}`, rsa)).decision).toBe(false);
  });

  it("is refused if others may change the file or a folder above it (StrictModes)", async () => {
    authorizes(publicLine("key"));
    const strict = "Match all\n";
    const attempt = async (): Promise<readonly string[]> => {
      writeFileSync(path("config"), strict);
      const said: string[] = [];
      const authorize = authorizeSystemUsers({
        config: readSshdConfig({ file: path("config"), settings: [] }),
        accounts,
        connections: createConnections(),
        logger: { write: (_, text) => said.push(text), configure() {}, async close() {} },
      });
      const common = { user: "ann", passed: [], origin: undefined, signal: new AbortController().signal };
      const key = { publicKey: blob("key"), algorithm: "ssh-ed25519", proved: true };
      const decision = await authorize({ ...common, method: "publickey", ...key } as unknown as HostLoginAttempt);
      return decision === false ? said.filter((text) => text.startsWith("Authentication")) : ["accepted"];
    };
    expect(await attempt()).toEqual(["accepted"]);
    chmodSync(authorized, 0o620);
    expect(await attempt()).toEqual([`Authentication refused: bad ownership or modes for file ${authorized}`]);
    chmodSync(authorized, 0o600);
    chmodSync(join(home, ".ssh"), 0o777);
    expect(await attempt()).toEqual([
      `Authentication refused: bad ownership or modes for directory ${join(home, ".ssh")}`,
    ]);
    chmodSync(join(home, ".ssh"), 0o700);
  });
});

it("opens no file of a user but a regular one, because opening a device has effects", async () => {
  const server = createServer().listen(path("socket"));
  await once(server, "listening");
  symlinkSync(path("socket"), path("link"));
  const account = { name: "ann", uid, gid: 0, home };
  await expect(readUserFile({ path: path("link"), account, isStrict: false })).rejects.toThrow("is not a regular file");
  server.close();
});

describe.skipIf(uid !== 0)(
  "a file of another user, which a host that runs as root reads with the rights of the user",
  () => {
    const shared = mkdtempSync(join(tmpdir(), "postern-users-"));
    afterAll(() => rmSync(shared, { recursive: true }));
    chmodSync(shared, 0o755);
    const read = createUserFiles();
    const account = async (): Promise<Account> => {
      const found = (await systemAccounts().find("nobody")) ?? (await systemAccounts().find("daemon"));
      return { ...(found as Account), home: shared };
    };
    const write = async (name: string, owner: "root" | "user", mode = 0o600): Promise<string> => {
      const file = join(shared, name);
      const { uid: id, gid } = await account();
      writeFileSync(file, name);
      chmodSync(file, mode);
      if (owner === "user") chownSync(file, id, gid);
      return file;
    };
    const attempt = async (file: string, isStrict = true): Promise<string> =>
      read({ path: file, account: await account(), isStrict }).catch(
        ({ code, message }: NodeJS.ErrnoException) => code ?? message,
      );

    it("is read if it belongs to the user, or the user may read it", async () => {
      expect(await attempt(await write("own", "user"))).toBe("own");
      expect(await attempt(await write("public", "root", 0o644))).toBe("public");
      expect(await attempt(await write("group", "user", 0o620))).toContain("bad ownership or modes for file");
      expect(await attempt(join(shared, "none"))).toBe("ENOENT");
      expect(await attempt("/dev/null", false)).toContain("is not a regular file");
    });

    it("is refused if only root may read it, so that no link reveals which keys it has", async () => {
      const file = await write("secret", "root");
      symlinkSync(file, join(shared, "link"));
      expect(await attempt(join(shared, "link"))).toBe("EACCES");
      expect(await attempt(join(shared, "link"), false)).toBe("EACCES");
      expect(await read({ path: file, account: { ...(await account()), uid: 0, gid: 0 }, isStrict: true })).toBe(
        "secret",
      );
    });

    it("is read for many logins and users at the same time", async () => {
      const file = await write("many", "user", 0o644);
      const user = await account();
      const readByTwo = createUserFiles(2);
      const ids = Array.from({ length: 12 }, (_, index) => user.uid - (index % 4));
      const texts = await Promise.all(
        ids.map((id) => readByTwo({ path: file, account: { ...user, uid: id }, isStrict: false })),
      );
      expect(new Set(texts)).toEqual(new Set(["many"]));
    });
  },
);

describe("a login with a certificate", () => {
  const config = `TrustedUserCAKeys ${path("ca.pub")}\n`;
  const cert = { key: "other-cert" };

  it("succeeds if its CA is trusted and the user is a principal", async () => {
    authorizes("");
    expect((await decide(config, cert)).decision).not.toBe(false);
    expect((await decide("", cert)).decision).toBe(false);
    expect((await decide(config, { ...cert, user: "root" })).decision).toBe(false);
  });

  it("needs a principal of AuthorizedPrincipalsFile, if there is one", async () => {
    const file = path("principals_ann");
    const withFile = `${config}AuthorizedPrincipalsFile ${folder}/principals_%u\n`;
    expect((await decide(withFile, cert)).decision).toBe(false);
    writeFileSync(file, "# comment\nwebmaster\nno-port-forwarding ops\n");
    const { decision } = await decide(withFile, cert);
    const { permitListen } = decision as { permitListen: (host: string, port: number) => boolean };
    expect(permitListen("localhost", 8080)).toBe(false);
    writeFileSync(file, "webmaster\nann,ops\n");
    expect((await decide(withFile, cert)).decision).toBe(false);
  });

  it("is refused by a line of AuthorizedPrincipalsFile that has a key before the name", async () => {
    const withFile = `${config}AuthorizedPrincipalsFile ${folder}/principals_%u\n`;
    writeFileSync(path("principals_ann"), `cert-authority ${publicLine("ca")} nobody\n`);
    expect((await decide(withFile, cert)).decision).toBe(false);
    writeFileSync(path("principals_ann"), 'command="a \\" b",no-pty ops\n');
    expect((await decide(withFile, cert)).decision).not.toBe(false);
  });

  it("is refused by a line of AuthorizedPrincipalsFile with a million spaces, without keeping the host busy", async () => {
    const withFile = `${config}AuthorizedPrincipalsFile ${folder}/principals_%u\n`;
    const spaces = " ".repeat(1_000_000);
    writeFileSync(path("principals_ann"), `a${spaces}b${spaces.slice(0, 40_000)}\n`);
    expect((await decide(withFile, cert)).decision).toBe(false);
  });

  it("is refused if the CA signed with an algorithm that is not in CASignatureAlgorithms", async () => {
    const { decision, said } = await decide(`${config}CASignatureAlgorithms rsa-sha2-512\n`, cert);
    expect([decision, said]).toEqual([false, ["CA signature algorithm ssh-ed25519 not in CASignatureAlgorithms"]]);
  });
});

it("expands the tokens of file names (sshd_config(5), TOKENS)", () => {
  const account = { name: "ann", uid: 7, gid: 7, home: "/home/ann" };
  expect(userPath("/keys/%u/%U/%%u", account)).toBe("/keys/ann/7/%u");
  expect(userPath(".ssh/authorized_keys", account)).toBe("/home/ann/.ssh/authorized_keys");
  expect(userPath("%h/x", account)).toBe("/home/ann/x");
  expect(unknownToken("%h/%k")).toBe("%k");
});
