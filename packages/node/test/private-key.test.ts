/** Keys of files: permissions, and when the file and the passphrase are read. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuthMethod } from "@postern/auth";
import { contentOf, type KeyFileVector, loadTests } from "@postern/testkit/vectors";
import { type Bytes, SshError, toHex } from "@postern/wire";
import { afterAll, describe, expect, it } from "vitest";
import { generatePrivateKey, readPrivateKey } from "../src/keys.ts";
import { privateKey, privateKeyFile } from "../src/private-key.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-key-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

const text = generatePrivateKey();
const signer = await readPrivateKey(text);
const passphrase = "secret words";
const encrypted = await generatePrivateKey({ passphrase });

function save(name: string, content: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** Begins a login, and returns the request of the method. */
function request(method: AuthMethod): Promise<Bytes | undefined> {
  const bytes = new Uint8Array(32);
  const server = { serverAlgorithms: undefined, hostKey: bytes, signature: bytes, hostbound: false, refusalsLeft: 5 };
  const dialog = method.begin({ user: "ann", sessionId: bytes, signal: undefined, ...server });
  return Promise.resolve(dialog.next(undefined) as Promise<Bytes | undefined>);
}

async function failure(method: AuthMethod): Promise<SshError> {
  const error: unknown = await request(method).catch((reason: unknown) => reason);
  if (error instanceof SshError) return error;
  throw new Error(`expected an SshError, got ${String(error)}`);
}

describe("privateKeyFile", () => {
  it("reads the file at the login, not before", async () => {
    const path = join(folder, "later");
    const method = privateKeyFile(path);
    expect(await failure(method)).toMatchObject({
      code: "key",
      message: expect.stringContaining(`${path}, got ENOENT`),
    });
    save("later", text, 0o600);
    expect(toHex((await request(method)) ?? new Uint8Array())).toContain(toHex(signer.publicKey));
  });

  it("does not read the file again after it was read once", async () => {
    const path = save("once", encrypted, 0o600);
    let asked = 0;
    const method = privateKeyFile(path, { passphrase: () => (++asked === 1 ? passphrase : "another") });
    const first = await request(method);
    rmSync(path);
    expect(await request(method)).toEqual(first);
    expect(asked).toBe(1);
  });

  it("asks for the passphrase again if it was wrong", async () => {
    const path = save("again", encrypted, 0o600);
    let asked = 0;
    const method = privateKeyFile(path, { passphrase: async () => (++asked === 1 ? "wrong" : passphrase) });
    expect(await failure(method)).toMatchObject({
      code: "passphrase",
      message: expect.stringMatching(`^${path}: expected the passphrase`),
    });
    expect(await request(method)).toBeInstanceOf(Uint8Array);
  });

  it.skipIf(process.platform === "win32").each([0o644, 0o640, 0o604, 0o620, 0o601, 0o660])(
    "refuses a file with permissions %i, as ssh does",
    async (mode) => {
      const path = save("open", text, mode);
      const octal = `0${mode.toString(8)}`;
      const error = await failure(privateKeyFile(path));
      expect(error).toMatchObject({
        code: "key",
        message: expect.stringContaining(`${octal}, which are too open`),
      });
      expect(await request(privateKeyFile(path, { allowOpenPermissions: true }))).toBeInstanceOf(Uint8Array);
    },
  );

  it.each([0o600, 0o400, 0o700])("accepts a file with permissions %i", async (mode) => {
    expect(await request(privateKeyFile(save("closed", text, mode)))).toBeInstanceOf(Uint8Array);
  });

  it.skipIf(process.getuid?.() !== 0)("accepts an open file of another user (sshkey_perm_ok; needs root)", async () => {
    const path = save("theirs", text, 0o644);
    chownSync(path, 65_534, 65_534);
    expect(await request(privateKeyFile(path))).toBeInstanceOf(Uint8Array);
  });

  it("rejects folders and large files", async () => {
    expect(await failure(privateKeyFile(folder, { allowOpenPermissions: true }))).toMatchObject({ code: "key" });
    const large = save("large", " ".repeat(300_000), 0o600);
    expect(await failure(privateKeyFile(large))).toMatchObject({ code: "limit" });
  });

  it.skipIf(process.platform === "win32")("rejects FIFOs and devices without reading them", async () => {
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", ["-m", "600", fifo]);
    for (const path of [fifo, "/dev/zero", "/dev/null"]) {
      const error = await failure(privateKeyFile(path, { allowOpenPermissions: true }));
      expect(error).toMatchObject({ code: "key", message: expect.stringContaining("to be a file") });
    }
    const path = save("beside-fifo", text, 0o600);
    execFileSync("mkfifo", ["-m", "600", `${path}-cert.pub`]);
    expect(await failure(privateKeyFile(path))).toMatchObject({ code: "key" });
    rmSync(`${path}-cert.pub`);
    symlinkSync("/dev/zero", `${path}-cert.pub`);
    expect(await failure(privateKeyFile(path))).toMatchObject({ code: "key" });
  });

  it("rejects wrong arguments as misuse", () => {
    for (const wrong of [
      [undefined],
      [""],
      [7],
      ["f", null],
      ["f", { passphrase: 7 }],
      ["f", { allowOpenPermission: true }],
      ["f", { allowOpenPermissions: 1 }],
    ]) {
      expect(() => privateKeyFile(...(wrong as [string]))).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });
});

describe("privateKey", () => {
  it("reports at once what cannot be read, and only during the login a wrong passphrase", async () => {
    for (const [wrong, code] of [
      ["nothing of the kind", "key"],
      [text.replace("b3Bl", "c3Bl"), "key"],
      ["=".repeat(80_000), "limit"],
    ] as const) {
      expect(() => privateKey(wrong)).toThrow(expect.objectContaining({ code }));
    }
    expect(await failure(privateKey(encrypted, { passphrase: "wrong" }))).toMatchObject({ code: "passphrase" });
    expect(await failure(privateKey(encrypted))).toMatchObject({
      code: "passphrase",
      message: expect.stringContaining("got none"),
    });
  });

  it("never asks for the passphrase of a plain key", async () => {
    const method = privateKey(text, { passphrase: () => expect.unreachable() });
    expect(await request(method)).toBeInstanceOf(Uint8Array);
  });

  it("rejects unknown options and passphrases of another type as misuse", () => {
    for (const options of [{ passphras: "x" }, { passphrase: 7 }, null, "secret"]) {
      expect(() => privateKey(text, options as never)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
  });

  it("passes the errors of the function passphrase on", async () => {
    const error = new Error("the user pressed cancel");
    const passphrase = () => Promise.reject(error);
    await expect(readPrivateKey(encrypted, { passphrase })).rejects.toBe(error);
    await expect(readPrivateKey(encrypted, { passphrase: () => 7 as never })).rejects.toMatchObject({ code: "misuse" });
  });
});

describe("certificates", () => {
  const keygen = "/usr/bin/ssh-keygen";
  if (!existsSync(keygen))
    process.stderr.write("skipped: ssh-keygen is not installed: apt-get install openssh-client\n");

  it.skipIf(!existsSync(keygen))("are passed as an option, or found beside the key as ssh finds them", async () => {
    const run = (...args: string[]) => execFileSync(keygen, ["-q", ...args], { cwd: folder });
    run("-t", "ed25519", "-N", "", "-f", "ca");
    for (const [name, phrase] of [
      ["plain", ""],
      ["locked", passphrase],
    ] as const) {
      run("-t", "ed25519", "-N", phrase, "-f", name);
      run("-s", "ca", "-I", "me", "-n", "ann", `${name}.pub`);
      const [path, line] = [join(folder, name), readFileSync(join(folder, `${name}-cert.pub`), "utf8")];
      const [, base64 = ""] = line.split(" ");
      const [blob, key] = [Buffer.from(base64, "base64"), readFileSync(path)];
      const requests = [
        request(privateKeyFile(path, { passphrase })),
        ...[line, new TextEncoder().encode(line), Uint8Array.from(blob)].map((certificate) =>
          request(privateKey(Uint8Array.from(key), { passphrase, certificate })),
        ),
      ];
      for (const sent of await Promise.all(requests)) {
        expect(toHex(sent ?? new Uint8Array())).toContain(blob.toString("hex"));
      }
      const signed = await readPrivateKey(String(key), { passphrase, certificate: line });
      expect(toHex(signed.publicKey)).toBe(blob.toString("hex"));
      expect(() => privateKey(signer, { certificate: line })).toThrow(expect.objectContaining({ code: "key" }));
    }
  });
});

describe("line ends and byte order marks", () => {
  const vectors = ["file-openssh", "file-pkcs8", "file-pkcs8-encrypted", "file-pem", "file-ppk", "file-jwk"].map(
    (family) => [family, loadTests<KeyFileVector>("keys", family)[0] as KeyFileVector] as const,
  );
  it.each(vectors)("are tolerated: %s", async (_family, vector) => {
    const file = String(contentOf(vector));
    const { publicKey } = await readPrivateKey(file, { passphrase: vector.passphrase });
    for (const changed of [file.replaceAll("\n", "\r\n"), `\ufeff${file}`, `\ufeff${file.replaceAll("\n", "\r\n")}`]) {
      const options = { passphrase: vector.passphrase };
      expect((await readPrivateKey(changed, options)).publicKey).toEqual(publicKey);
      expect((await readPrivateKey(new TextEncoder().encode(changed), options)).publicKey).toEqual(publicKey);
    }
  });

  it("are tolerated in an unencrypted key of the OpenSSH format", async () => {
    for (const changed of [text.replaceAll("\n", "\r\n"), `\ufeff${text}`]) {
      expect((await readPrivateKey(changed)).publicKey).toEqual(signer.publicKey);
    }
  });
});
