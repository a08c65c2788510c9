/** Logging in with a private key, given as a file or its content, signing with `node:crypto`. @module */
import type { AuthMethod } from "@postern/auth";
import { checkReadOptions } from "@postern/keys";
import {
  createDeferredKey,
  createPrivateKeyMethod,
  type PrivateKeyMethod,
  type PrivateKeyOptions,
} from "@postern/tunnel";
import { type Bytes, expectText, expectType, fromUtf8, quote, SshError, toSshError } from "@postern/wire";
import { reasonOf } from "./dial.ts";
import { readNativeSigner, readPrivateKey } from "./keys.ts";
import { readBounded } from "./read-file.ts";

/**
 * Creates a method that logs in with a private key: the content of a key file in any format of `readPrivateKey`, or any
 * signer. A plain key in the OpenSSH format is checked at once, any other file during the login.
 *
 * @throws SshError `key` if the text is not a private key that can be read, `misuse` for an unknown option
 * @example
 * const auth = [privateKey(await readFile("/home/me/.ssh/id_ed25519", "utf8"), { passphrase: "secret" })];
 */
export const privateKey: PrivateKeyMethod = /* @__PURE__ */ createPrivateKeyMethod(readNativeSigner, readPrivateKey);

/** Options of `privateKeyFile`. */
export interface PrivateKeyFileOptions extends Omit<PrivateKeyOptions, "certificate"> {
  /** an OpenSSH user certificate of the key; default: that of `<path>-cert.pub`, if it exists; `false`: none */
  readonly certificate?: PrivateKeyOptions["certificate"] | false;
  /** reads the file even if other users can read it */
  readonly allowOpenPermissions?: boolean | undefined;
}

/**
 * Creates a method that logs in with the private key of a file. The file is read when the login needs it. As in `ssh`,
 * a file of ours that the group or others can access is refused, except on Windows, and a certificate in
 * `<path>-cert.pub` is used.
 *
 * @throws SshError `misuse` for an unknown option. The login fails with the cause `key` if the file cannot be read, and
 *   with those of `readPrivateKey`
 * @example
 * const auth = [privateKeyFile("/home/me/.ssh/id_ed25519", { passphrase: () => ask("Passphrase:") })];
 */
export function privateKeyFile(path: string, options: PrivateKeyFileOptions = {}): AuthMethod {
  expectText("the path of a private key", path);
  expectType("the options of privateKeyFile", options, "object");
  const { allowOpenPermissions = false, certificate: given, ...more } = options;
  const readOptions = given === undefined || given === false ? more : { ...more, certificate: given };
  expectType("allowOpenPermissions", allowOpenPermissions, "boolean");
  checkReadOptions("privateKeyFile", readOptions);
  return createDeferredKey(async () => {
    const key = await readSecretFile(path, allowOpenPermissions);
    const certificate = given === undefined ? await readCertificate(path) : given || undefined;
    try {
      return await readPrivateKey(key, { ...more, certificate });
    } catch (error) {
      throw error instanceof SshError ? new SshError(error.code, `${path}: ${error.message}`, { cause: error }) : error;
    }
  });
}

/** Returns the content of the certificate beside a key, if there is one. `ssh` looks for the same file. */
async function readCertificate(path: string): Promise<string | undefined> {
  const file = `${path}-cert.pub`;
  try {
    return fromUtf8(await readBounded(file, { maxBytes, code: "key" }));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new SshError("key", `expected to read the certificate ${file}, got ${reasonOf(cause)}`, { cause });
  }
}

/** Larger files are not keys. The reader of key files has its own, smaller limit. */
const maxBytes = 262_144;

async function readSecretFile(path: string, allowOpenPermissions: boolean): Promise<Bytes> {
  try {
    return await readBounded(path, {
      maxBytes,
      code: "key",
      check(status) {
        if (!status.isFile()) throw new SshError("key", `expected ${path} to be a file, got something else`);
        if (!allowOpenPermissions) checkPermissions(path, status.mode, status.uid);
      },
    });
  } catch (error) {
    throw toSshError(error, "key", `expected to read the private key ${path}, got ${reasonOf(error)}`);
  }
}

/** As sshkey_perm_ok of OpenSSH (authfile.c): files of other users, such as root, are not ours to protect. */
function checkPermissions(path: string, mode: number, uid: number): void {
  if (process.platform === "win32" || uid !== process.getuid?.() || (mode & 0o077) === 0) return;
  const permissions = (mode & 0o777).toString(8).padStart(4, "0");
  throw new SshError(
    "key",
    `expected ${path} to be accessible by its owner only, got permissions ${permissions}, which are too open; ` +
      `run: chmod 600 ${quote(path)}, or set allowOpenPermissions`,
  );
}
