/** Elliptic curve Diffie-Hellman in the shape of a key exchange: RFC 5656 section 4. @module */
import { type Bytes, SshError, toSshError, Writer } from "@postern/wire";
import type { Hash, KexMethod } from "../kex.ts";
import type { Random } from "../random.ts";

/** One ephemeral key, good for one agreement. */
export interface EphemeralKey {
  readonly publicKey: Bytes;
  /** The shared secret, big-endian (copies); forgets the private key. Throws for a public value that is unfit. */
  agree(theirPublic: Bytes): Bytes;
  /** Overwrites the private key. Absent where the platform holds it and clears its memory itself. */
  discard?(): void;
}

/** A group for Diffie-Hellman, as a platform provides it. */
export interface Group {
  /** @throws SshError `kex` for a public value that cannot be one by its form */
  check(publicKey: Bytes): void;
  generate(random: Random): EphemeralKey;
}

/**
 * Makes a key exchange of a group and a hash. K is hashed as an mpint (RFC 5656 section 4, RFC 8731 section 3).
 *
 * Both halves ask for randomness once the peer's value, if they have it, has been looked at.
 */
export function makeDiffieHellman(name: string, hash: Hash, group: Group): KexMethod {
  const agree = (key: EphemeralKey, theirPublic: Bytes): Bytes => {
    let shared: Bytes;
    try {
      shared = key.agree(theirPublic);
    } catch (error) {
      throw toSshError(error, "kex", `${name}: expected a public value of the group, got another`);
    }
    const secret = new Writer(shared.length + 5).mpint(shared).finish();
    shared.fill(0);
    return secret;
  };
  return {
    name,
    hash,
    start(random) {
      let key: EphemeralKey | undefined = group.generate(random);
      return {
        clientPublic: key.publicKey,
        finish(serverPublic) {
          if (key === undefined)
            throw new SshError("misuse", `${name}: expected one finish(), and none after discard()`);
          group.check(serverPublic);
          const own = key;
          key = undefined;
          return agree(own, serverPublic);
        },
        discard() {
          key?.discard?.();
          key = undefined;
        },
      };
    },
    respond(clientPublic, random) {
      group.check(clientPublic);
      const key = group.generate(random);
      return { serverPublic: key.publicKey, secret: agree(key, clientPublic) };
    },
  };
}
