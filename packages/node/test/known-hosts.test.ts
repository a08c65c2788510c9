/** `knownHosts` over files, with servers of this package. */
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { formatKnownHostsLine, type HmacSha1, knownHostsName, matchesKnownHost } from "@postern/keys";
import { hmacSha1 as portableHmac } from "@postern/noble";
import { deferred } from "@postern/ssh";
import { rejection } from "@postern/testkit";
import { knownHostsTests, loadVectors } from "@postern/testkit/vectors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  compatibleAlgorithms,
  generatePrivateKey,
  type HostKeyUpdate,
  type KnownHostsOptions,
  knownHosts,
  type NodeKnownHostsSource,
  password,
  policy,
  ReverseTunnel,
  readPrivateKey,
  type Signer,
  sha256Fingerprint,
  TunnelHost,
} from "../src/index.ts";

const hosts: TunnelHost[] = [];
let dir: string;
let file: string;
const [key, next, other]: Signer[] = await Promise.all([1, 2, 3].map(() => readPrivateKey(generatePrivateKey())));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "postern-known-hosts-"));
  file = join(dir, ".ssh", "known_hosts");
});
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close({ drainMs: 0 });
  rmSync(dir, { recursive: true, force: true });
});

const blobOf = (signer: Signer | undefined): Uint8Array => signer?.publicKey ?? new Uint8Array(0);
const fingerprintOf = (signer: Signer | undefined): string => sha256Fingerprint(blobOf(signer));
const nameOf = (host: TunnelHost): string => knownHostsName("127.0.0.1", host.port);
const lineOf = (host: TunnelHost, signer: Signer | undefined): string =>
  formatKnownHostsLine(nameOf(host), blobOf(signer));

async function listening(...hostKeys: (Signer | undefined)[]): Promise<TunnelHost> {
  const host = await TunnelHost.listen({
    port: 0,
    hostKeys: hostKeys.filter((one) => one !== undefined),
    authorize: policy({ test: { password: "secret" } }),
  });
  hosts.push(host);
  return host;
}

/** Logs in and out. */
async function login(
  host: TunnelHost,
  source?: NodeKnownHostsSource & KnownHostsOptions,
  options?: KnownHostsOptions,
): Promise<void> {
  const tunnel = tunnelTo(host, source && { hostKey: knownHosts(source, options) });
  await tunnel.connect();
  await tunnel.close();
}

function tunnelTo(host: TunnelHost, more: object = {}): ReverseTunnel {
  const tunnel = new ReverseTunnel({
    ...{ host: "127.0.0.1", port: host.port, user: "test", auth: [password("secret")] },
    ...more,
  });
  tunnel.closed.catch(() => {});
  return tunnel;
}

function write(text: string, path = file): void {
  writeFileSync(path, text);
}

/** Creates the folder of the file. */
function withFolder(): void {
  mkdirSync(join(dir, ".ssh"));
}

describe("the vectors", () => {
  const native: HmacSha1 = (salt, data) => createHmac("sha1", salt).update(data).digest();
  for (const { title, run } of knownHostsTests(
    loadVectors("known-hosts", "verdicts"),
    compatibleAlgorithms.hostKeys,
    native,
  )) {
    it(title, run);
  }
});

describe("strict mode", () => {
  it("is the default of ReverseTunnel, with the files of OpenSSH in the home directory of the password database", async () => {
    const error = await rejection(tunnelTo(await listening(key)).connect());
    expect(error.code).toBe("hostkey");
    expect(error.message).toContain(join(userInfo().homedir, ".ssh", "known_hosts"));
    expect(error.message).toContain("/etc/ssh/ssh_known_hosts2");
    expect(error.message).toMatch(/accept it once: ssh -p \d+ 127\.0\.0\.1, or knownHosts\({ mode: "accept-new" }\)$/);
  });

  it("refuses an unknown key, says how to accept it, and writes nothing", async () => {
    const host = await listening(key);
    const error = await rejection(login(host, { files: [file] }));
    expect(error.code).toBe("hostkey");
    expect(error.message).toContain(fingerprintOf(key));
    expect(error.message).toContain(`ssh -o UserKnownHostsFile="${file}" -p ${host.port} 127.0.0.1, or knownHosts(`);
    expect(existsSync(file)).toBe(false);
  });

  it("names the given files in its advice, so that a copy of it changes no other file", async () => {
    const globalFiles = [join(dir, "global")];
    const error = await rejection(login(await listening(key), { files: [file], globalFiles }));
    const source = `files: ${JSON.stringify([file])}, globalFiles: ${JSON.stringify(globalFiles)}`;
    expect(error.message.endsWith(`knownHosts({ ${source}, mode: "accept-new" })`)).toBe(true);
  });

  it.each([
    [
      "a store",
      { store: { load: () => "", add: () => {}, remove: () => {} } },
      /accept it once: knownHosts\({ store, mode: "accept-new" }\)$/,
    ],
    ["a text", { text: "" }, /add its line, which this command prints: ssh-keyscan -p \d+ 127\.0\.0\.1$/],
  ])("names no command that changes other files if the keys are in %s", async (_place, source, advice) => {
    const error = await rejection(login(await listening(key), source));
    expect(error.message).toMatch(advice);
  });

  it("accepts a key of the second file, and of a global file", async () => {
    const host = await listening(key);
    const second = join(dir, "second");
    write(`${lineOf(host, key)}\n`, second);
    await login(host, { files: [file, second] });
    await login(host, { files: [file], globalFiles: [second] });
    await login(host, { text: lineOf(host, key) });
  });

  it.each(["strict", "accept-new"] as const)("refuses a changed key in the mode %s", async (mode) => {
    const host = await listening(key);
    withFolder();
    write(`# first line\n${lineOf(host, other)}\n`);
    const error = await rejection(login(host, { files: [file] }, { mode }));
    expect(error.code).toBe("hostkey");
    for (const part of [
      `${file} line 2`,
      fingerprintOf(other),
      fingerprintOf(key),
      `ssh-keygen -R "[127.0.0.1]:${host.port}" -f "${file}"`,
    ]) {
      expect(error.message).toContain(part);
    }
    expect(readFileSync(file, "utf8")).toBe(`# first line\n${lineOf(host, other)}\n`);
  });

  it("refuses a changed key without asking", async () => {
    const host = await listening(key);
    const ask = () => expect.fail("expected no question");
    const error = await rejection(login(host, { text: lineOf(host, other) }));
    expect(error.message).toContain("the text line 1");
    expect(error.message).toMatch(/remove the old one from the text$/);
    withFolder();
    write(lineOf(host, other));
    expect((await rejection(login(host, { files: [file], ask }))).code).toBe("hostkey");
  });

  it("refuses a file that is larger than the limit, and names it", async () => {
    const host = await listening(key);
    withFolder();
    write(`${lineOf(host, key)}\n${"#".repeat(17 * 1024 * 1024)}`);
    const error = await rejection(login(host, { files: [file] }));
    expect(error).toMatchObject({ code: "hostkey", message: expect.stringContaining(file) });
  });

  it("refuses if a file cannot be read, because it may revoke the key", async () => {
    const host = await listening(key);
    const error = await rejection(login(host, { files: [dir], globalFiles: [] }));
    expect(error).toMatchObject({ code: "hostkey", message: expect.stringMatching(/to be a file|EACCES/) });
  });

  it.skipIf(process.platform === "win32")("does not wait for a FIFO or read a device that never ends", async () => {
    const host = await listening(key);
    withFolder();
    execFileSync("mkfifo", [file]);
    for (const path of [file, "/dev/zero"]) {
      const error = await rejection(login(host, { files: [path] }));
      expect(error).toMatchObject({ code: "hostkey", message: expect.stringContaining(path) });
    }
    expect(await rejection(login(host, { files: ["/dev/null"] }))).toMatchObject({ code: "hostkey" });
  });

  it("looks up hostKeyAlias instead of the host", async () => {
    const host = await listening(key);
    const hostKey = knownHosts({ text: formatKnownHostsLine("alias", blobOf(key)) });
    expect((await rejection(tunnelTo(host, { hostKey }).connect())).code).toBe("hostkey");
    const tunnel = tunnelTo(host, { hostKey, hostKeyAlias: "alias" });
    await tunnel.connect();
    await tunnel.close();
  });
});

describe("accept-new and ask", () => {
  it("creates the folder and the file for the owner alone, and accepts the key from then on", async () => {
    const host = await listening(key);
    await login(host, { files: [file], mode: "accept-new" });
    expect(readFileSync(file, "utf8")).toBe(`${lineOf(host, key)}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, ".ssh")).mode & 0o777).toBe(0o700);
    await login(host, { files: [file] });
  });

  it("appends after a last line without a line feed, and keeps all other bytes", async () => {
    const host = await listening(key);
    withFolder();
    const before = Buffer.concat([Buffer.from([0xff, 0x00, 0x0d, 0x0a]), Buffer.from("# no line feed")]);
    writeFileSync(file, before);
    await login(host, { files: [file], mode: "accept-new" });
    const after = readFileSync(file);
    expect(after.subarray(0, before.length)).toEqual(before);
    expect(after.subarray(before.length).toString()).toBe(`\n${lineOf(host, key)}\n`);
  });

  it("hashes the name with `hash`", async () => {
    const host = await listening(key);
    await login(host, { files: [file] }, { mode: "accept-new", hash: true });
    const [hashed = ""] = readFileSync(file, "utf8").split(" ");
    expect(hashed).toMatch(/^\|1\|/);
    expect(matchesKnownHost(hashed, nameOf(host), portableHmac)).toBe(true);
    await login(host, { files: [file] });
  });

  // A file has one byte per character, so these names would become *, +.example, and a line feed.
  it.each(["\u4e2a", "\u012a.example", "\u4e0aexample.com"])(
    "stores no name that would name other hosts in the file: %j",
    async (host) => {
      const verifier = knownHosts({ files: [file], mode: "accept-new" });
      const offer = { host, port: 22, key: blobOf(key), keyType: "ssh-ed25519", algorithm: "ssh-ed25519" };
      const error = await rejection(Promise.resolve(verifier.check({ ...offer, fingerprint: fingerprintOf(key) })));
      expect(error).toMatchObject({ code: "hostkey", message: expect.stringContaining("ASCII") });
      expect(existsSync(file)).toBe(false);
    },
  );

  it("loses no line when many keys are accepted at once", async () => {
    const servers = await Promise.all(Array.from({ length: 8 }, () => listening(key)));
    await Promise.all(servers.map((host) => login(host, { files: [file], mode: "accept-new" })));
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.toSorted()).toEqual(servers.map((host) => lineOf(host, key)).toSorted());
  });

  it("asks with the facts, and stores only after true", async () => {
    const host = await listening(key);
    const asked: object[] = [];
    for (const answer of [false, "yes", undefined, true]) {
      const ask = async (question: object) => {
        asked.push(question);
        return answer as boolean;
      };
      const result = login(host, { files: [file], ask });
      if (answer === true) await result;
      else expect((await rejection(result)).code).toBe("hostkey");
      expect(existsSync(file)).toBe(answer === true);
    }
    expect(asked).toHaveLength(4);
    expect(asked[0]).toMatchObject({
      ...{ host: "127.0.0.1", port: host.port, keyType: "ssh-ed25519", fingerprint: fingerprintOf(key) },
      reason: expect.stringContaining(file),
    });
  });

  it("refuses the key if it cannot be stored", async () => {
    const host = await listening(key);
    write("not a folder", join(dir, "blocked"));
    const files = [join(dir, "blocked", "known_hosts")];
    const error = await rejection(login(host, { files, mode: "accept-new" }));
    expect(error).toMatchObject({ code: "hostkey", message: expect.stringContaining(files[0] ?? "") });
  });

  it("refuses a revoked key in every mode", async () => {
    const host = await listening(key);
    withFolder();
    const revoked = lineOf(host, key).replace(/^\S+/, "@revoked *");
    write(`${revoked}\n`);
    for (const options of [{}, { mode: "accept-new" }, { ask: (): boolean => true }] as const) {
      const error = await rejection(login(host, { files: [file], ...options }));
      expect(error).toMatchObject({ code: "hostkey", message: expect.stringContaining(`${file} line 1 revokes it`) });
    }
  });
});

describe("UpdateHostKeys", () => {
  /** Logs in and waits for the update. */
  async function updated(
    host: TunnelHost,
    source: NodeKnownHostsSource = { files: [file] },
    more: KnownHostsOptions = {},
  ): Promise<HostKeyUpdate> {
    const { promise, resolve } = deferred<HostKeyUpdate>();
    const hostKey = knownHosts(source, { updateHostKeys: true, onUpdate: resolve, ...more });
    const tunnel = tunnelTo(host, { hostKey });
    await tunnel.connect();
    const update = await promise;
    await tunnel.close();
    return update;
  }

  /** Logs in, and checks that nothing was changed once another request has been answered. */
  async function unchanged(
    host: TunnelHost,
    source: NodeKnownHostsSource & KnownHostsOptions = { files: [file], updateHostKeys: true },
  ): Promise<void> {
    const before = existsSync(file) ? readFileSync(file, "latin1") : "";
    const updates: HostKeyUpdate[] = [];
    const hostKey = knownHosts(source, { onUpdate: (update) => void updates.push(update) });
    const tunnel = tunnelTo(host, { hostKey });
    await tunnel.connect();
    const forwarding = await tunnel.listen({ port: 0 });
    await forwarding.close();
    await tunnel.close();
    expect(updates).toEqual([]);
    if (before !== "") expect(readFileSync(file, "latin1")).toBe(before);
  }

  it("adds new keys and removes old ones, keeps other lines byte for byte, the mode, and a link (OpenSSH PROTOCOL 2.5)", async () => {
    const host = await listening(key, next);
    const real = join(dir, "real");
    const others = `# \u00ff comment\r\n@broken line\n\n  ${lineOf(host, other).replace(/^\S+/, "other.example.com")} x\n`;
    const old = await readPrivateKey(generatePrivateKey());
    writeFileSync(real, `${lineOf(host, key)}\n${lineOf(host, old)}\n${others}`, "latin1");
    chmodSync(real, 0o640);
    withFolder();
    symlinkSync(real, file);
    const update = await updated(host);
    expect(update).toEqual({
      ...{ host: "127.0.0.1", port: host.port },
      ...{ added: [lineOf(host, next)], removed: [lineOf(host, old)] },
    });
    expect(readFileSync(real, "latin1")).toBe(`${lineOf(host, key)}\n${others}${lineOf(host, next)}\n`);
    expect(statSync(real).mode & 0o777).toBe(0o640);
    await unchanged(host);
  });

  it("removes old keys from the second file, and adds new ones to the first", async () => {
    const host = await listening(key, next);
    const second = join(dir, "second");
    write(`${lineOf(host, key)}\n${lineOf(host, other)}\n`, second);
    await updated(host, { files: [file, second] });
    expect(readFileSync(file, "utf8")).toBe(`${lineOf(host, next)}\n`);
    expect(readFileSync(second, "utf8")).toBe(`${lineOf(host, key)}\n`);
  });

  it("updates a hashed name", async () => {
    const host = await listening(key, next);
    const salt = { bytes: new Uint8Array(20), hmacSha1: portableHmac };
    withFolder();
    write(`${formatKnownHostsLine(nameOf(host), blobOf(key), salt)}\n`);
    const { added } = await updated(host, { files: [file] }, { hash: true });
    expect(matchesKnownHost(added[0]?.split(" ")[0] ?? "", nameOf(host), portableHmac)).toBe(true);
  });

  it("updates a store line by line, by default", async () => {
    const host = await listening(key, next);
    const lines = new Set([lineOf(host, key), lineOf(host, other)]);
    const store = {
      load: async () => [...lines].join("\n"),
      add: (line: string) => void lines.add(line),
      remove: (line: string) => void lines.delete(line),
    };
    const { promise, resolve } = deferred<HostKeyUpdate>();
    const tunnel = tunnelTo(host, { hostKey: knownHosts({ store, onUpdate: resolve }) });
    await tunnel.connect();
    await promise;
    await tunnel.close();
    expect([...lines]).toEqual([lineOf(host, key), lineOf(host, next)]);
  });

  it.each([
    ["a wildcard matches", (line: string) => line.replace(/^\S+/, "*")],
    ["a list of three names matches", (line: string) => line.replace(/^\S+/, "$&,a,b")],
    ["the name without the port matches", (line: string) => line.replace(/^\S+/, "127.0.0.1")],
    ["the key has another name, too", (line: string) => `${line}\n${line.replace(/^\S+/, "a")}`],
    ["a line with a marker matches", (line: string) => `${line}\n${line.replace(/^\S+/, "@cert-authority *")}`],
  ])("changes nothing if %s", async (_title, edit) => {
    const host = await listening(key, next);
    withFolder();
    write(`${edit(lineOf(host, key))}\n`);
    await unchanged(host);
  });

  it("changes nothing if an old key has another name, too", async () => {
    const host = await listening(key);
    withFolder();
    write(`${lineOf(host, key)}\n${lineOf(host, other)}\n${lineOf(host, other).replace(/^\S+/, "a")}\n`);
    await unchanged(host);
  });

  it("changes nothing if the key is in a global file", async () => {
    const host = await listening(key, next);
    const global = join(dir, "global");
    write(`${lineOf(host, key)}\n`, global);
    await unchanged(host, { files: [file], globalFiles: [global], updateHostKeys: true });
    expect(existsSync(file)).toBe(false);
  });

  it("changes nothing on the connection that accepted a new key without asking", async () => {
    const host = await listening(key, next);
    await login(host, { files: [file], mode: "accept-new", updateHostKeys: true });
    expect(readFileSync(file, "utf8")).toBe(`${lineOf(host, key)}\n`);
  });

  it("is off for files that the program names, and can be turned off", async () => {
    const host = await listening(key, next);
    withFolder();
    write(`${lineOf(host, key)}\n`);
    await unchanged(host, { files: [file] });
    const store = { load: () => lineOf(host, key), add: () => expect.fail("add"), remove: () => expect.fail("remove") };
    await unchanged(host, { store, updateHostKeys: false });
  });

  it("does not add a key that the server cannot prove", async () => {
    const liar: Signer = { ...blank(next), sign: (data, algorithm) => blank(key).sign(data, algorithm) };
    const host = await listening(key, liar);
    withFolder();
    write(`${lineOf(host, key)}\n`);
    const { error, added } = await updated(host);
    expect(error).toMatchObject({ code: "refused", message: expect.stringContaining("an invalid signature") });
    expect(added).toEqual([]);
    expect(readFileSync(file, "utf8")).toBe(`${lineOf(host, key)}\n`);
  });
});

function blank(signer: Signer | undefined): Signer {
  if (signer === undefined) throw new Error("expected a signer");
  return signer;
}

describe("knownHosts", () => {
  it.each([
    [{ txt: "" }, /unknown option "txt"/],
    [{ text: "", files: [] }, /more than one/],
    [{ text: "", store: { load() {}, add() {}, remove() {} } }, /either text or store/],
    [{ files: [] }, /at least one path/],
    [{ files: [""] }, /files to hold paths/],
    [{ files: ["a\0"] }, /files to hold paths/],
    [{ store: { load() {}, add() {} } }, /store\.remove/],
    [{ mode: "off" }, /'strict' or 'accept-new', got 'off'/],
    [{ ask: true }, /ask/],
    [{ ask: (): boolean => true, mode: "accept-new" }, /either ask or/],
    [{ text: "", mode: "accept-new" }, /never changes/],
    [{ text: "", ask: (): boolean => true }, /never changes/],
    [{ text: "", updateHostKeys: true }, /never changes/],
    [{ hash: 1 }, /hash/],
    [null, /source/],
  ])("rejects %j", (source, message) => {
    expect(() => knownHosts(source as unknown as NodeKnownHostsSource)).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringMatching(message) }),
    );
  });
});
