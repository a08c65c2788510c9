/** The options of `knownHosts`, and the places where it keeps keys. @module */
import type { MaybePromise } from "@postern/auth";
import type { Hash, PublicKeyAlgorithm, Random } from "@postern/crypto";
import type { HmacSha1 } from "@postern/keys";
import { checkOptions } from "@postern/ssh";
import { type Bytes, describeType, expectType, SshError } from "@postern/wire";

/**
 * A place for the lines of known hosts: a key-value store, `localStorage`, the storage of a Durable Object. Each line
 * is added and removed on its own, so writers do not overwrite each other's lines.
 *
 * @example
 * const store: KnownHostsStore = {
 *   load: () => database.allLines().join("\n"),
 *   add: (line) => database.insert(line),
 *   remove: (line) => database.delete(line),
 * };
 */
export interface KnownHostsStore {
  /** Returns all lines, in any order, as the text of a known_hosts file. */
  load(): MaybePromise<string>;
  /** Adds a line. */
  add(line: string): MaybePromise<void>;
  /** Removes a line that `load` returned. */
  remove(line: string): MaybePromise<void>;
}

/** A host key that is not known. The server has proved possession of it. */
export interface UnknownHostKey {
  readonly host: string;
  readonly port: number;
  readonly hostKeyAlias: string | undefined;
  readonly key: Bytes;
  readonly keyType: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it */
  readonly fingerprint: string;
  /** says where the key was looked for */
  readonly reason: string;
}

/** The outcome of UpdateHostKeys. */
export interface HostKeyUpdate {
  readonly host: string;
  readonly port: number;
  /** the lines that were added */
  readonly added: readonly string[];
  /** the lines that were removed, because the server no longer has their keys */
  readonly removed: readonly string[];
  /** why the update failed: the announcement or a proof is not valid, or a line could not be changed */
  readonly error?: SshError;
}

/** Options of `knownHosts`. */
export interface KnownHostsOptions {
  /**
   * Decides about the key of a host that has no known key. `strict` refuses it; `accept-new` stores and accepts it, as
   * `StrictHostKeyChecking accept-new` of ssh_config(5). A changed or revoked key is refused in any case. Default
   * `strict`.
   */
  readonly mode?: "strict" | "accept-new";
  /** Decides about the key of a host that has no known key, in the mode `strict`. Only `true` stores and accepts it. */
  readonly ask?: (key: UnknownHostKey) => MaybePromise<boolean>;
  /** Hashes the names of new lines, as HashKnownHosts of ssh_config(5). Default `false`. */
  readonly hash?: boolean;
  /**
   * Learns the server's other keys after login, and removes those that it no longer has, as UpdateHostKeys of
   * ssh_config(5). Default: `true` for a store and for the default files, otherwise `false`.
   */
  readonly updateHostKeys?: boolean;
  /** Called if keys were added or removed, or that failed. */
  readonly onUpdate?: (update: HostKeyUpdate) => void;
}

/** Where `knownHosts` looks in every runtime. */
export interface KnownHostsSource {
  /** the text of a known_hosts file; it is never changed */
  readonly text?: string | undefined;
  readonly store?: KnownHostsStore | undefined;
}

/** A text of known hosts. */
export interface KnownHostsText {
  /** the path, if it is a file */
  readonly file: string | undefined;
  readonly text: string;
  /** whether UpdateHostKeys may change it */
  readonly isUsers: boolean;
}

/** A line to remove. */
export interface RemovedLine {
  readonly file: string | undefined;
  readonly text: string;
}

/** Loads and changes the texts of known hosts. */
export interface KnownHostsBackend {
  /** describes the place in error messages */
  readonly place: string;
  /** options with which `ssh` stores keys in this place, `""` if it does so by itself; `undefined` if it cannot */
  readonly sshOptions?: string | undefined;
  /** the options that chose this place, as the program wrote them: `files: ["known_hosts"], `; default none */
  readonly given?: string | undefined;
  load(): Promise<readonly KnownHostsText[]>;
  /** Adds lines, then removes lines. `undefined`: nothing can be stored. */
  readonly change: ((added: readonly string[], removed: readonly RemovedLine[]) => Promise<void>) | undefined;
}

/** The primitives of a provider. */
export interface KnownHostsPrimitives {
  readonly hmacSha1: HmacSha1;
  readonly sha256: Hash;
  readonly random: Random;
  /**
   * Returns host key algorithms that are not in the default of the platform. They are offered if a key of their type,
   * or a CA, of the server is known, unless the program chose the algorithms. Default: none.
   */
  readonly moreHostKeys?: () => MaybePromise<readonly PublicKeyAlgorithm[]>;
}

/** Decisions that a configuration of ssh makes, and the options of `knownHosts` leave out. */
export interface KnownHostsPolicy {
  /**
   * The names of the host key algorithms to offer, best first, with those of certificates. A server chooses its key by
   * them, so a server with two keys of a type may present the one of its certificate. If no CA is known, the key of the
   * certificate counts. Default: plain keys, and certificates if a CA is known for the host.
   */
  readonly hostKeyNames?: readonly string[];
  /** Returns the algorithms that may verify the signature of a CA. Default: all of the connection. */
  readonly authorities?: (all: readonly PublicKeyAlgorithm[]) => readonly PublicKeyAlgorithm[];
  /**
   * Whether UpdateHostKeys removes known keys of a type that the connection could not use. Default: it keeps them,
   * because the server may have them, and other programs may use them.
   */
  readonly forgets?: (keyType: string) => boolean;
}

const knownHostsOptions = ["mode", "ask", "hash", "updateHostKeys", "onUpdate"] as const;

/** @throws SshError `misuse` */
export function checkKnownHostsOptions(options: KnownHostsOptions): void {
  checkOptions("knownHosts", options, knownHostsOptions);
  const { mode = "strict", ask, hash = false, updateHostKeys = false, onUpdate } = options;
  if (mode !== "strict" && mode !== "accept-new") {
    throw new SshError("misuse", `expected mode to be 'strict' or 'accept-new', got ${describe(mode)}`);
  }
  if (ask !== undefined) expectType("ask", ask, "function");
  if (ask !== undefined && mode === "accept-new") {
    throw new SshError("misuse", "expected either ask or the mode 'accept-new', got both");
  }
  expectType("hash", hash, "boolean");
  expectType("updateHostKeys", updateHostKeys, "boolean");
  if (onUpdate !== undefined) expectType("onUpdate", onUpdate, "function");
}

function describe(value: unknown): string {
  return typeof value === "string" ? `'${value}'` : describeType(value);
}

/** Returns the backend of a text or a store. @throws SshError `misuse` */
export function portableBackend({ text, store }: KnownHostsSource): KnownHostsBackend {
  if (store !== undefined) {
    if (text !== undefined) throw new SshError("misuse", "expected either text or store, got both");
    expectType("store", store, "object");
    for (const name of ["load", "add", "remove"] as const) expectType(`store.${name}`, store[name], "function");
    return {
      place: "the store",
      given: "store, ",
      load: async () => [{ file: undefined, text: (await store.load()) ?? "", isUsers: true }],
      async change(added, removed) {
        // A new key first: if the program ends in between, the server stays known.
        for (const line of added) await store.add(line);
        for (const line of removed) await store.remove(line.text);
      },
    };
  }
  if (text === undefined) {
    throw new SshError("misuse", "expected knownHosts() to get a text or a store, such as { text }, got neither");
  }
  expectType("text", text, "string");
  return {
    place: "the text",
    load: async () => [{ file: undefined, text, isUsers: false }],
    change: undefined,
  };
}
