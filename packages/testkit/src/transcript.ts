/** One side of a recorded session: a seed, a program and what the peer sent give what we sent, byte for byte. @module */
import { type AuthMethod, password, publickey } from "@postern/auth";
import type { Algorithms, Signer } from "@postern/crypto";
import { compatibleAlgorithms, parsePrivateKey, signer } from "@postern/noble";
import { type SessionEvent, SessionMachine, type SessionOptions, serverLogin } from "@postern/ssh";
import { type Bytes, concat, fromBase64, SshError, toBase64, toHex } from "@postern/wire";
import { seededRandom } from "./seeded-random.ts";
import { type Inputs, type Program, programs } from "./transcript-programs.ts";

/** A file of `test-vectors/transcripts/`; its README describes the fields. */
export interface Transcript {
  readonly title: string;
  readonly provenance: { readonly peer: string; readonly command: string };
  readonly role: "client" | "server";
  readonly seed: string;
  readonly version: string;
  /** names, in the order in which they were offered */
  readonly algorithms: { readonly [List in keyof Algorithms]: readonly string[] };
  readonly rekeyBytes: number;
  /** a client's user and how it logs in; a server's host key. Keys are the text of their files. */
  readonly login: {
    readonly user?: string;
    readonly password?: string;
    readonly key?: string;
    readonly hostKey?: string;
  };
  readonly program: keyof typeof programs;
  readonly inputs: Inputs;
  /** what the peer sent, and what we sent: base64 */
  readonly in: string;
  readonly out: string;
  /** what our machine told, one line an event */
  readonly events: readonly string[];
}

/** Everything of a transcript but what the recording gives. */
export type Score = Omit<Transcript, "in" | "out" | "events">;

/** Our side of a session: the machine, and the program that takes every decision at once. */
export class Player {
  readonly session: SessionMachine;
  readonly events: string[] = [];
  readonly #program: Program;
  readonly #out: Bytes[] = [];

  constructor(score: Score) {
    this.session = new SessionMachine(optionsOf(score));
    this.#program = programs[score.program](this.session, score.inputs);
  }

  /** What there is to send. */
  take(): Bytes | undefined {
    const output = this.session.takeOutput();
    if (output !== undefined) this.#out.push(output);
    return output;
  }

  /** Everything that was taken. */
  get out(): Bytes {
    return concat(...this.#out);
  }

  /** Takes the chunk, works on all that it leads to, and gives what there is to send. */
  receive(chunk: Bytes): Bytes | undefined {
    this.session.receive(chunk);
    const sent: Bytes[] = [];
    // Taking output may wake channels, as it does in the driver.
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

/** What a recording adds to its score. */
export function transcriptOf(score: Score, input: Bytes, player: Player): Transcript {
  return { ...score, in: toBase64(input), out: toBase64(player.out), events: player.events };
}

/** The bytes of a transcript. */
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

/** A decision that takes time would depend on what comes meanwhile. */
function atOnce<T>(value: T | Promise<T>): T {
  if (value instanceof Promise) throw new SshError("misuse", "expected a decision at once, got a promise");
  return value;
}

/** An event in words: what can be seen of it, longer bytes by their number. */
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
