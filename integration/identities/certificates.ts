/** Certificates of every key type, and those that must be refused. @module */
import { type CertificateFile, certify, type KeyPair, type KeyType, makeKey, type TempDir } from "../harness/index.ts";

export const certifiedTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"] as const;

/** Options of `ssh-keygen -s` for a certificate that is valid now. */
export const valid = ["-V", "-1h:+1h"] as const;

/** Keys and CAs, made by `ssh-keygen`. */
export class CertificateWorld {
  readonly dir: TempDir;
  readonly #keys = new Map<string, KeyPair>();

  constructor(dir: TempDir) {
    this.dir = dir;
  }

  async start(): Promise<void> {
    for (const type of certifiedTypes) this.#keys.set(type, await makeKey(type, this.dir.file(type)));
    for (const name of ["ca", "strange-ca", "revoked"])
      this.#keys.set(name, await makeKey("ed25519", this.dir.file(name)));
    this.#keys.set("rsa-ca", await makeKey("rsa3072", this.dir.file("rsa-ca")));
  }

  /** A key that every server of the table revokes. */
  get revoked(): KeyPair {
    return this.key("revoked");
  }

  key(name: KeyType | "ca" | "rsa-ca" | "strange-ca" | "revoked"): KeyPair {
    const key = this.#keys.get(name);
    if (key === undefined) throw new Error(`expected a key named ${name}, got none`);
    return key;
  }

  /** A user certificate of the ed25519 key. `args` come last, so that they may override. */
  user(...args: readonly string[]): Promise<CertificateFile> {
    return certify(this.dir, this.key("ca").file, `${this.key("ed25519").file}.pub`, "-I", "test", ...args);
  }
}

/** A user certificate that must be refused to the user `name`, and the reason that each server logs. */
export interface NearMiss {
  readonly title: string;
  readonly make: (world: CertificateWorld, name: string) => Promise<CertificateFile>;
  readonly sshd: RegExp;
  readonly ours: RegExp;
}

export const nearMisses: readonly NearMiss[] = [
  {
    title: "an expired certificate",
    make: (world, name) => world.user("-n", name, "-V", "-2h:-1h"),
    sshd: /Certificate invalid: expired/,
    ours: /got one expired at/,
  },
  {
    title: "a certificate that is not yet valid",
    make: (world, name) => world.user("-n", name, "-V", "+1h:+2h"),
    sshd: /Certificate invalid: not yet valid/,
    ours: /got one valid from .*; check the clock/,
  },
  {
    title: "a certificate of another principal",
    make: (world) => world.user("-n", "another", ...valid),
    sshd: /name is not a listed principal/,
    ours: /among the principals, got "another"/,
  },
  {
    title: "a certificate without principals",
    make: (world) => world.user(...valid),
    sshd: /Certificate lacks principal list/,
    ours: /among the principals, got none/,
  },
  {
    title: "a host certificate",
    make: (world, name) => world.user("-h", "-n", name, ...valid),
    sshd: /not a user certificate/,
    ours: /expected a user certificate, got a host certificate/,
  },
  {
    title: "a certificate for another source address",
    make: (world, name) => world.user("-n", name, "-O", "source-address=192.0.2.0/24", ...valid),
    sshd: /not from a permitted source address/,
    ours: /at an address of the certificate's source-address, got 127\.0\.0\.1/,
  },
  {
    title: "a certificate with an unknown critical option",
    make: (world, name) => world.user("-n", name, "-O", "critical:other@example.com=x", ...valid),
    sshd: /Certificate critical option "other@example\.com" is not supported/,
    ours: /got the critical option "other@example\.com"/,
  },
  {
    title: "a certificate that its CA signed with SHA-1",
    make: (world, name) => {
      const [ca, file] = [world.key("rsa-ca").file, `${world.key("ed25519").file}.pub`];
      return certify(world.dir, ca, file, "-t", "ssh-rsa", "-I", "test", "-n", name, ...valid);
    },
    sshd: /certificate signature algorithm ssh-rsa: signature algorithm not supported/,
    ours: /got "ssh-rsa", which uses SHA-1/,
  },
  {
    title: "a certificate of an unknown CA",
    make: (world, name) => {
      const [ca, file] = [world.key("strange-ca").file, `${world.key("ed25519").file}.pub`];
      return certify(world.dir, ca, file, "-I", "strange", "-n", name, ...valid);
    },
    sshd: /Failed publickey .* ID strange/,
    ours: /^publickey of "test": refused$/m,
  },
];
