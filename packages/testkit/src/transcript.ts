/** One side of a recorded session: the seed, the program and the input determine our output, byte for byte. @module */
import { type AuthMethod, password, publickey } from "@postern/auth";
import type { Algorithms, Signer } from "@postern/crypto";
import { compatibleAlgorithms, parsePrivateKey, signer } from "@postern/noble";
import { type SessionEvent, SessionMachine, type SessionOptions, serverLogin } from "@postern/ssh";
import { type Bytes, concat, fromBase64, SshError, toBase64, toHex } from "@postern/wire";
import { seededRandom } from "./seeded-random.ts";
import { type Inputs, type Program, programs } from "./transcript-programs.ts";

/** The test of a file of `test-vectors/transcripts/`; the README there describes the fields. */
export interface Transcript {
  readonly comment: string;
  readonly role: "client" | "server";
  readonly seed: string;
  readonly version: string;
  /** Names, in the order of the offer. */
  readonly algorithms: { readonly [List in keyof Algorithms]: readonly string[] };
  readonly rekeyBytes: number;
  /** A client's user, and its password or key; a server's host key. Keys are the text of their files. */
  readonly login: {
    readonly user?: string;
    readonly password?: string;
    readonly key?: string;
    readonly hostKey?: string;
  };
  readonly program: keyof typeof programs;
  readonly inputs: Inputs;
  /** Our input and our output, in base64. */
  readonly in: string;
  readonly out: string;
  /** The events of our machine, one line each. */
  readonly events: readonly string[];
}

/** The part of a transcript that is chosen before the recording. */
export type Score = Omit<Transcript, "in" | "out" | "events">;

/** Our side of a session: the machine, and the program that makes every decision at once. */
export class Player {
  readonly session: SessionMachine;
  readonly events: string[] = [];
  readonly #program: Program;
  readonly #out: Bytes[] = [];

  constructor(score: Score) {
    this.session = new SessionMachine(optionsOf(score));
    this.#program = programs[score.program](this.session, score.inputs);
  }

  /** Returns the pending output. */
  take(): Bytes | undefined {
    const output = this.session.takeOutput();
    if (output !== undefined) this.#out.push(output);
    return output;
  }

  /** All output so far. */
  get out(): Bytes {
    return concat(...this.#out);
  }

  /** Receives a chunk, handles the events that follow from it, and returns the output. */
  receive(chunk: Bytes): Bytes | undefined {
    this.session.receive(chunk);
    const sent: Bytes[] = [];
    // Taking output may make channels writable, as in the driver.
    for (let output: Bytes | undefined; ; sent.push(output)) {
      for (let event = this.session.next(); event !== undefined; event = this.session.next()) this.#handle(event);
      output = this.take();
      if (output === undefined) return sent.length === 0 ? undefined : concat(...sent);
    }
  }

  #handle(event: SessionEvent): void {
    this.events.push(lineOf(event));
    const { session } = this;
    switch (event.type) {
      case "hostKey":
        return session.acceptHostKey();
      case "sign":
        return session.signed(atOnce(event.signer.sign(event.data, event.algorithm)));
      case "step":
        return session.authClient?.proceed(atOnce(event.dialog.next(event.answer)));
      case "attempt":
        return session.authServer?.decide(event.attempt.method === "publickey");
      case "request":
        if (event.slot !== undefined) session.connection.reply(event.id, event.slot, false);
        return;
      default:
        this.#program(event);
    }
  }
}

/** Joins a score and its recording. */
export function transcriptOf(score: Score, input: Bytes, player: Player): Transcript {
  return { ...score, in: toBase64(input), out: toBase64(player.out), events: player.events };
}

/** Decodes the input and the output of a transcript. */
export function bytesOf(transcript: Transcript): { readonly input: Bytes; readonly output: Bytes } {
  return { input: fromBase64(transcript.in), output: fromBase64(transcript.out) };
}

function optionsOf({ role, login, seed, version, algorithms, rekeyBytes }: Score): SessionOptions {
  const shared = {
    algorithms: pick(algorithms),
    random: seededRandom(seed),
    version,
    rekey: { bytes: rekeyBytes, packets: 2 ** 31, ms: 1e12 },
    now: 0,
  };
  if (role === "server") {
    const decisions = serverLogin({
      methods: ["publickey"],
      algorithms: compatibleAlgorithms.hostKeys,
      banner: undefined,
    });
    return { ...shared, role, hostKeys: [keyOf(login.hostKey ?? "")], login: decisions };
  }
  const methods: AuthMethod[] = [];
  if (login.key !== undefined) methods.push(publickey(keyOf(login.key)));
  if (login.password !== undefined) methods.push(password(login.password));
  return { ...shared, role, hostKeys: [], login: { user: login.user ?? "", methods, signal: undefined } };
}

const keyOf = (text: string): Signer => signer(parsePrivateKey(text));

function pick(names: Transcript["algorithms"]): Algorithms {
  const find = <T extends { readonly name: string }>(all: readonly T[], wanted: readonly string[]): T[] =>
    wanted.map((name) => {
      const found = all.find((one) => one.name === name);
      if (found === undefined) throw new SshError("misuse", `expected the algorithm ${name}, got none of that name`);
      return found;
    });
  return {
    kex: find(compatibleAlgorithms.kex, names.kex),
    hostKeys: find(compatibleAlgorithms.hostKeys, names.hostKeys),
    ciphers: find(compatibleAlgorithms.ciphers, names.ciphers),
    macs: find(compatibleAlgorithms.macs, names.macs),
  };
}

/** Rejects a promise: the output would depend on the input that arrives before it settles. */
function atOnce<T>(value: T | Promise<T>): T {
  if (value instanceof Promise) throw new SshError("misuse", "expected a decision at once, got a promise");
  return value;
}

/** Formats an event: plain fields in full, more than four bytes as their number. */
function lineOf(event: SessionEvent): string {
  const show = (value: unknown): string => {
    if (value instanceof Uint8Array) return value.length <= 4 ? `0x${toHex(value)}` : `<${value.length}>`;
    if (Array.isArray(value)) return JSON.stringify(value);
    if (typeof value === "object" && value !== null) return value.constructor === Object ? `{${shown(value)}}` : "…";
    return String(value);
  };
  const shown = (fields: object): string =>
    Object.entries(fields)
      .filter(([name, value]) => value !== undefined && typeof value !== "function" && name !== "dialog")
      .map(([name, value]) => (name === "type" ? String(value) : `${name}=${show(value)}`))
      .join(" ");
  return shown(event);
}
