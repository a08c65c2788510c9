/** Helper process: the service behind the tunnel. The first byte of a connection is its order. @module */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Count, clockMs, orders, verifiedBytes } from "./orders.ts";
import { answer } from "./rpc.ts";
import { listen, type OnBytes, pattern, Verifier, writeForEver } from "./sockets.ts";

export type Targets = typeof procedures;

const sockets = new Set<Socket>();
let bytes = 0;
/** The bytes of each stream. */
let streams: { bytes: number }[] = [];
/** The number of connections that have sent their order. */
let ordered = 0;
let fault: string | undefined;
let starts: (() => void)[] = [];

const procedures = {
  async listen(): Promise<number> {
    return (await listen(serve)).port;
  },
  count(): Count {
    if (fault !== undefined) throw new Error(fault);
    return { bytes, at: clockMs() };
  },
  /** Returns the bytes that each stream has received. */
  shares: (): number[] => streams.map((one) => one.bytes),
  /** Starts the waiting streams. */
  go(): void {
    const all = starts;
    starts = [];
    for (const start of all) start();
  },
  /** Waits until `count` connections have sent their order. */
  async opened(count: number, timeoutMs: number): Promise<void> {
    const limit = clockMs() + timeoutMs;
    while (ordered < count && clockMs() < limit) await sleep(2);
    if (ordered < count) throw new Error(`expected ${count} connections in ${timeoutMs} ms, got ${ordered}`);
  },
  /** Waits for a number of bytes or the timeout. Returns the number received. */
  async received(total: number, timeoutMs: number): Promise<number> {
    const limit = clockMs() + timeoutMs;
    while (bytes < total && clockMs() < limit) await sleep(2);
    return bytes;
  },
  /** Resets all counters. */
  reset(): void {
    for (const socket of sockets) socket.destroy();
    starts = [];
    bytes = 0;
    streams = [];
    ordered = 0;
    fault = undefined;
  },
};

answer(procedures);

function serve(socket: Socket): OnBytes {
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  socket.once("end", () => socket.end());
  let mode: OnBytes | undefined;
  return (chunk, from) => {
    if (mode !== undefined) return mode(chunk, from);
    ordered++;
    mode = modeOf(chunk[0] ?? 0, socket);
    return chunk.length > 1 || chunk[0] === orders.deaf ? mode(chunk.subarray(1), from) : true;
  };
}

function modeOf(order: number, socket: Socket): OnBytes {
  switch (order) {
    case orders.write:
      writeForEver(socket);
      return () => true;
    case orders.swallow:
      return swallow(new Verifier(verifiedBytes));
    case orders.count:
      return swallow(undefined);
    case orders.echo:
      return (chunk) => socket.write(Uint8Array.prototype.slice.call(chunk)) || true;
    case orders.short:
      return short(socket);
    case orders.idle:
      socket.write("i");
      return () => true;
    case orders.deaf:
      return () => false;
    case orders.writeLater:
      return later(socket);
    default:
      throw new Error(`expected a known order, got ${order}`);
  }
}

function swallow(verifier: Verifier | undefined): OnBytes {
  const own = { bytes: 0 };
  streams.push(own);
  return (chunk) => {
    bytes += chunk.length;
    own.bytes += chunk.length;
    if (verifier?.busy === true) {
      try {
        verifier.check(chunk);
      } catch (error) {
        fault = String(error);
      }
    }
    return true;
  };
}

function short(socket: Socket): OnBytes {
  let left = 63;
  return (chunk) => {
    left -= chunk.length;
    if (left === 0) socket.write(pattern.subarray(0, 64));
    return true;
  };
}

function later(socket: Socket): OnBytes {
  const said: number[] = [];
  return (chunk) => {
    said.push(...chunk);
    if (said.length !== 4) return true;
    const size = Buffer.from(said).readUInt32BE();
    starts.push(() => {
      if (size === 0) writeForEver(socket);
      else
        for (let at = 0; at < size; at += pattern.length)
          socket.write(pattern.subarray(0, Math.min(pattern.length, size - at)));
    });
    socket.write("w");
    return true;
  };
}
