/** The program that runs in every runtime: follows orders until the last one. @module */
import type { Cipher, DirectionKeys } from "@postern/crypto";
import { chacha20Poly1305 as noble } from "@postern/noble";
import { chacha20Poly1305 as wasm } from "@postern/wasm";
import {
  type ForwardedChannel,
  fingerprint,
  modernAlgorithms,
  privateKey,
  ReverseTunnel,
  type WebTunnelOptions,
} from "@postern/web";
import { orders, verifiedBytes } from "../orders.ts";
import { pattern } from "../pattern.ts";
import type { Answer, Order, Provider } from "./orders.ts";

export interface Platform {
  readonly version: string;
  readonly dial: WebTunnelOptions["dial"];
  /** For runtimes that cannot compile bytes. Default: that of `@postern/wasm`. */
  readonly wasm?: Cipher;
}

/** Follows the orders of the benchmark at that URL. */
export async function runProgram(url: string, platform: Platform): Promise<void> {
  // A copy, because `@postern/web` replaces noble's cipher by that of WebAssembly.
  const ciphers: Readonly<Record<Provider, Cipher>> = { noble: { ...noble }, wasm: platform.wasm ?? wasm };
  let tunnel: ReverseTunnel | undefined;
  let fault: string | undefined;
  const follow = async (order: Order): Promise<Partial<Answer>> => {
    switch (order.task) {
      case "open": {
        tunnel = new ReverseTunnel({
          host: "127.0.0.1",
          port: order.port,
          user: order.user,
          auth: [privateKey(order.privateKey)],
          hostKey: fingerprint(order.fingerprint),
          dial: platform.dial,
          reconnect: { mode: "never" },
          algorithms: {
            ...modernAlgorithms,
            kex: modernAlgorithms.kex.filter(({ name }) => name === order.kex),
            ciphers: [ciphers[order.provider]],
          },
        });
        tunnel.closed.catch(() => undefined);
        await tunnel.connect();
        const listener = await tunnel.listen({ address: "127.0.0.1", port: 0 });
        void serveAll(listener, (error) => {
          fault ??= error;
        });
        return { port: listener.port ?? 0 };
      }
      case "close":
        await tunnel?.close();
        tunnel = undefined;
        return fault === undefined ? {} : { error: fault };
      case "packets":
        repeat(ciphers[order.provider], order.operation, order.count);
        return {};
      default:
        return {};
    }
  };
  let answer: Partial<Answer> = {};
  for (;;) {
    const body = JSON.stringify({ ...answer, version: platform.version });
    const order: Order = await (await fetch(new URL("/next", url), { method: "POST", body })).json();
    if (order.task === "end") return;
    answer = await follow(order).catch((error: unknown) => ({ error: String(error) }));
  }
}

async function serveAll(listener: AsyncIterable<ForwardedChannel>, failed: (error: string) => void): Promise<void> {
  for await (const channel of listener) {
    serve(channel).catch((error: unknown) => {
      if (error instanceof WrongBytes) failed(error.message);
      // The visitor has gone.
    });
  }
}

class WrongBytes extends Error {}

/** The first byte of a visitor is its order, as for a target of the benchmark. */
async function serve(channel: ForwardedChannel): Promise<void> {
  const reader = channel.readable.getReader();
  const first = await reader.read();
  if (first.done) return;
  if (first.value[0] === orders.write) {
    const writer = channel.writable.getWriter();
    for (;;) await writer.write(pattern);
  }
  let seen = 0;
  for (let bytes = first.value.subarray(1); ; ) {
    // As much as targets compare.
    for (let i = 0; i < bytes.length && seen + i < verifiedBytes; i++) {
      if (bytes[i] !== pattern[(seen + i) % pattern.length]) throw new WrongBytes(`wrong byte at ${seen + i}`);
    }
    seen += bytes.length;
    const next = await reader.read();
    if (next.done) return;
    bytes = next.value;
  }
}

const payload = 32_768;

/** Seals packets, or opens one packet again and again. */
function repeat(cipher: Cipher, operation: "seal" | "open", count: number): void {
  const keys: DirectionKeys = {
    key: new Uint8Array(cipher.keySize).fill(1),
    iv: new Uint8Array(cipher.ivSize).fill(2),
    mac: undefined,
  };
  const padding = 4 + ((8 - ((1 + payload + 4) % 8)) % 8);
  const packet = new Uint8Array(4 + 1 + payload + padding + 16);
  new DataView(packet.buffer).setUint32(0, 1 + payload + padding);
  packet[4] = padding;
  const sealer = cipher.sealer(keys);
  if (operation === "seal") {
    // Sealing sealed bytes again costs the same.
    for (let i = 0; i < count; i++) sealer.seal(i, packet);
    return;
  }
  sealer.seal(0, packet);
  const opener = cipher.opener(keys);
  const copy = new Uint8Array(packet.length);
  for (let i = 0; i < count; i++) {
    // Some implementations decrypt in place.
    copy.set(packet);
    opener.length(0, copy.subarray(0, opener.headerSize));
    opener.open(0, copy);
  }
}
