/** A peer that sends any message at any time, built from the parts of the transport layer. */

import type { Algorithms, Signer } from "@postern/crypto";
import { modernAlgorithms } from "@postern/noble";
import { seededRandom, testHostKey } from "@postern/testkit";
import { type Bytes, KexInit, utf8, type ValuesOf } from "@postern/wire";
import { KexMachine, type KexOptions } from "../src/kex-machine.ts";
import { PacketReader } from "../src/packet-reader.ts";
import { PacketWriter } from "../src/packet-writer.ts";
import type { KexEvent, TransportEvent } from "../src/transport-events.ts";
import { TransportMachine, type TransportOptions } from "../src/transport-machine.ts";
import type { Role } from "../src/version-exchange.ts";

export const hostKey = testHostKey;

export { otherHostKey } from "@postern/testkit";

/** The tests of single key exchanges are elsewhere, and hybrids are slow. */
export const classicalAlgorithms: Algorithms = {
  ...modernAlgorithms,
  kex: modernAlgorithms.kex.filter(({ isPostQuantum }) => isPostQuantum !== true),
};

export const noRekey = { bytes: 2 ** 40, packets: 2 ** 31, ms: 1e9 };

export const options = (role: Role, more: Partial<TransportOptions> = {}): TransportOptions => ({
  role,
  algorithms: classicalAlgorithms,
  random: seededRandom(`${role} of the transport tests`),
  hostKeys: role === "server" ? [hostKey()] : [],
  version: `SSH-2.0-${role}`,
  rekey: noRekey,
  now: 0,
  ...more,
});

export const machine = (role: Role, more: Partial<TransportOptions> = {}): TransportMachine =>
  new TransportMachine(options(role, more));

/** Signs with a synchronous signer. */
function signNow(by: Signer, data: Bytes, algorithm: string): Bytes {
  const signature = by.sign(data, algorithm);
  if (signature instanceof Promise) throw new Error("expected a synchronous signer");
  return signature;
}

/** Returns all events that are due. Accepts every host key, and answers every request for a signature. */
export function events(of: TransportMachine): TransportEvent[] {
  const all: TransportEvent[] = [];
  for (let event = of.next(); event !== undefined; event = of.next()) {
    all.push(event);
    if (event.type === "hostKey") of.acceptHostKey();
    if (event.type === "sign") of.signed(signNow(event.signer, event.data, event.algorithm));
  }
  return all;
}

/** Delivers output, split by `cut`, between two machines until both are idle. Returns the events of each. */
export function settle(
  one: TransportMachine,
  other: TransportMachine,
  cut = (bytes: Bytes): Iterable<Bytes> => [bytes],
): [TransportEvent[], TransportEvent[]] {
  const [ofOne, ofOther]: [TransportEvent[], TransportEvent[]] = [[], []];
  for (let moved = true; moved; ) {
    moved = false;
    for (const [from, to, received] of [
      [one, other, ofOther],
      [other, one, ofOne],
    ] as const) {
      const output = from.takeOutput();
      if (output === undefined) continue;
      moved = true;
      for (const chunk of cut(output)) {
        to.receive(chunk);
        received.push(...events(to));
      }
    }
  }
  return [ofOne, ofOther];
}

/** Returns a client and a server after their first key exchange. */
export function pair(
  client: Partial<TransportOptions> = {},
  server: Partial<TransportOptions> = {},
): { readonly client: TransportMachine; readonly server: TransportMachine } {
  const both = { client: machine("client", client), server: machine("server", server) };
  settle(both.client, both.server);
  return both;
}

/** Sends any message at any time. Answers key exchange messages correctly. */
export class RawPeer {
  readonly reader = new PacketReader();
  readonly writer: PacketWriter;
  readonly kex: KexMachine;
  /** received payloads, including those of key exchanges */
  readonly got: Bytes[] = [];
  #version: number[] | undefined = [];
  readonly #ours: string;
  readonly #old: boolean;

  /** @param old whether the peer supports neither strict kex nor EXT_INFO */
  constructor(role: Role, more: Partial<KexOptions> = {}, old = false) {
    this.#old = old;
    const made = options(role, more);
    this.#ours = `SSH-2.0-raw_${role}`;
    this.writer = new PacketWriter(made.random);
    this.kex = new KexMachine(made, this.reader, this.writer);
    this.writer.sendRaw(utf8(`${this.#ours}\r\n`));
  }

  /** The numbers of the received messages. */
  get numbers(): number[] {
    return this.got.map(([number = 0]) => number);
  }

  /** Sends KEXINIT. */
  start(): this {
    if (this.#old) withoutMarkers(() => this.kex.start());
    else this.kex.start();
    return this;
  }

  send(...payloads: readonly Bytes[]): this {
    for (const payload of payloads) this.writer.send(payload);
    return this;
  }

  receive(bytes: Bytes | undefined): this {
    if (bytes === undefined) return this;
    let rest = bytes;
    while (this.#version !== undefined && rest.length > 0) {
      const [byte = 0] = rest;
      rest = rest.subarray(1);
      if (byte !== 10) this.#version.push(byte);
      else {
        this.kex.setVersions(utf8(this.#ours), utf8(String.fromCharCode(...this.#version).trimEnd()));
        this.#version = undefined;
      }
    }
    this.reader.receive(rest);
    for (let payload = this.reader.next(); payload !== undefined; payload = this.reader.next()) {
      this.got.push(payload);
      const [number = 0] = payload;
      const handle = (): void => this.#take(this.kex.receive(payload));
      if (number < 20 || number >= 50) continue;
      if (this.#old && number === KexInit.number) withoutMarkers(handle);
      else handle();
    }
    return this;
  }

  #take(step: KexEvent | undefined): void {
    if (step === undefined) return;
    if (step.type === "hostKey") this.#take(this.kex.acceptHostKey());
    if (step.type === "sign") this.#take(this.kex.signed(signNow(step.signer, step.data, step.algorithm)));
  }
}

/** Calls `run` with a KEXINIT codec that writes and reads no markers. */
function withoutMarkers(run: () => void): void {
  const real = { ...KexInit };
  type Values = ValuesOf<typeof KexInit>;
  const strip = (values: Values): Values => ({
    ...values,
    kexAlgorithms: values.kexAlgorithms.filter((name) => !/^(ext-info|kex-strict)-/.test(name)),
  });
  try {
    Object.assign(KexInit, {
      encode: (values: Values) => real.encode(strip(values)),
      decode: (payload: Bytes) => strip(real.decode(payload)),
    });
    run();
  } finally {
    Object.assign(KexInit, real);
  }
}

/** Delivers output between a machine and a raw peer until both are idle. Returns the events of the machine. */
export function converse(ours: TransportMachine, peer: RawPeer): TransportEvent[] {
  const received: TransportEvent[] = [];
  for (;;) {
    const out = ours.takeOutput();
    peer.receive(out);
    const back = peer.writer.take();
    if (out === undefined && back === undefined) return received;
    if (back !== undefined) ours.receive(back);
    received.push(...events(ours));
  }
}

/** Returns a machine and a raw peer after their first key exchange. */
export function withRaw(
  role: Role,
  more: Partial<TransportOptions> = {},
  old = false,
): { readonly ours: TransportMachine; readonly peer: RawPeer } {
  const ours = machine(role, more);
  const peer = new RawPeer(role === "client" ? "server" : "client", {}, old).start();
  converse(ours, peer);
  return { ours, peer };
}

/** Delivers the output of the peer to `ours`, and returns the error that it throws. */
export function failure(ours: TransportMachine, peer?: RawPeer): unknown {
  const bytes = peer?.writer.take();
  if (bytes !== undefined) ours.receive(bytes);
  try {
    const got = events(ours);
    return `no failure, but ${JSON.stringify(got.map(({ type }) => type))}`;
  } catch (error) {
    return error;
  }
}
