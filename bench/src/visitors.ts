/** Helper process: the visitors of the forwarded port. @module */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Count, clockMs, orders, verifiedBytes } from "./orders.ts";
import { answer } from "./rpc.ts";
import { open, pattern, Verifier, writeForEver } from "./sockets.ts";

export interface Pings {
  readonly count: number;
  /** In microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Shorts {
  readonly count: number;
  readonly failed: number;
  readonly ms: number;
}

export type Visitors = typeof procedures;

const sockets = new Set<Socket>();
let bytes = 0;
/** The bytes of each stream. */
let streams: { bytes: number }[] = [];
let fault: string | undefined;

const procedures = {
  /** Connects until the port is open, and returns the time. */
  async waitOpen(port: number, timeoutMs: number): Promise<number> {
    const limit = clockMs() + timeoutMs;
    while (clockMs() < limit) {
      if (await accepts(port)) return clockMs();
      await sleep(1);
    }
    throw new Error(`expected the port to be open after ${timeoutMs} ms`);
  },

  /** Starts endless streams: `up` from the target to the visitor, `down` in the other direction. */
  async stream(port: number, direction: "up" | "down", count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => stream(port, direction)));
  },

  count(): Count {
    if (fault !== undefined) throw new Error(fault);
    return { bytes, at: clockMs() };
  },

  /** Returns the bytes that the visitors have handed to the kernel. */
  sent(): Count {
    let sum = 0;
    for (const { bytesWritten, writableLength } of sockets) sum += bytesWritten - writableLength;
    return { bytes: sum, at: clockMs() };
  },

  /** Returns the bytes that each stream has received. */
  shares: (): number[] => streams.map((one) => one.bytes),

  /** Sends one byte to the target and back, repeatedly. */
  async ping(port: number, ms: number): Promise<Pings> {
    let wake: () => void = () => undefined;
    const socket = add(
      await open(port, () => {
        wake();
        return true;
      }),
    );
    socket.write(Uint8Array.of(orders.echo));
    const byte = Uint8Array.of(0x21);
    const times: number[] = [];
    const limit = clockMs() + ms;
    socket.once("close", () => wake());
    for (let began = clockMs(); began < limit && !socket.destroyed; began = clockMs()) {
      const back = new Promise<void>((resolve) => {
        wake = resolve;
      });
      socket.write(byte);
      await back;
      times.push((clockMs() - began) * 1000);
    }
    if (socket.destroyed) throw new Error("the connection of the ping was closed");
    socket.destroy();
    times.sort((a, b) => a - b);
    const at = (share: number): number =>
      times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
    return { count: times.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  },

  /** Makes short connections of 64 bytes in each direction, `parallel` at a time. */
  async short(port: number, parallel: number, ms: number): Promise<Shorts> {
    const began = clockMs();
    let count = 0;
    let failed = 0;
    const visitAll = async (): Promise<void> => {
      while (clockMs() - began < ms) {
        if (await short(port)) count++;
        else failed++;
      }
    };
    await Promise.all(Array.from({ length: parallel }, visitAll));
    return { count, failed, ms: clockMs() - began };
  },

  /** Makes a number of short connections, a few at a time, until the timeout. Returns the number that succeeded. */
  async churn(port: number, count: number, parallel: number, timeoutMs: number): Promise<number> {
    const limit = clockMs() + timeoutMs;
    let done = 0;
    await inParallel(count, parallel, async () => {
      if (clockMs() < limit && (await short(port))) done++;
    });
    return done;
  },

  /** Opens idle connections to the target. */
  async idle(port: number, count: number): Promise<void> {
    await inParallel(count, 32, async () => {
      let wake: () => void = () => undefined;
      const answered = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const socket = add(
        await open(port, () => {
          wake();
          return true;
        }),
      );
      socket.write(Uint8Array.of(orders.idle));
      await Promise.race([answered, closed(socket)]);
      if (socket.destroyed) throw new Error("an idle connection was closed");
    });
  },

  /** Opens a stream whose target or visitor does not read. */
  async stopped(port: number, who: "target" | "visitor"): Promise<void> {
    const socket = add(await open(port, () => who === "target"));
    if (who === "visitor") socket.write(Uint8Array.of(orders.write));
    else {
      socket.write(Uint8Array.of(orders.deaf));
      await sleep(50);
      writeForEver(socket);
    }
  },

  /** Opens connections whose targets write `bytes` each after `go`; 0 for no end. */
  async waiting(port: number, count: number, size: number): Promise<void> {
    const order = Buffer.alloc(5);
    order[0] = orders.writeLater;
    order.writeUInt32BE(size, 1);
    await inParallel(count, 32, async () => {
      let ready = false;
      let wake: () => void = () => undefined;
      const answered = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const socket = add(
        await open(port, (chunk) => {
          if (ready) bytes += chunk.length;
          ready = true;
          wake();
          return true;
        }),
      );
      socket.write(order);
      await answered;
    });
  },

  /** Opens connections that wait for `send`. */
  async senders(port: number, count: number): Promise<void> {
    await inParallel(count, 32, async () => {
      add(await open(port, () => true)).write(Uint8Array.of(orders.count));
    });
  },
  /** Sends a number of bytes over every connection. */
  send(size: number): void {
    for (const socket of sockets) {
      for (let at = 0; at < size; at += pattern.length) {
        socket.write(pattern.subarray(0, Math.min(pattern.length, size - at)));
      }
    }
  },

  /** Waits for a number of received bytes or the timeout. Returns the number received. */
  async received(total: number, timeoutMs: number): Promise<number> {
    const limit = clockMs() + timeoutMs;
    while (bytes < total && clockMs() < limit) await sleep(2);
    return bytes;
  },

  /** Closes all connections and resets all counters. */
  reset(): void {
    for (const socket of sockets) socket.destroy();
    bytes = 0;
    streams = [];
    fault = undefined;
  },
};

answer(procedures);

function add(socket: Socket): Socket {
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  return socket;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once("close", () => resolve());
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
  });
}

async function stream(port: number, direction: "up" | "down"): Promise<void> {
  const verifier = new Verifier(verifiedBytes);
  const own = { bytes: 0 };
  streams.push(own);
  const socket = add(
    await open(port, (chunk) => {
      bytes += chunk.length;
      own.bytes += chunk.length;
      if (verifier.busy) {
        try {
          verifier.check(chunk);
        } catch (error) {
          fault = String(error);
        }
      }
      return true;
    }),
  );
  socket.write(Uint8Array.of(direction === "up" ? orders.write : orders.swallow));
  if (direction === "down") writeForEver(socket);
}

const request = Buffer.concat([Uint8Array.of(orders.short), pattern.subarray(0, 63)]);

function short(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let left = 64;
    const socket = connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(256),
        callback(size) {
          left -= size;
          if (left > 0) return true;
          // Starts the next connection before this one is closed, as a browser does.
          socket.end();
          resolve(true);
          return true;
        },
      },
    });
    add(socket);
    socket.write(request);
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(false));
  });
}

async function inParallel(count: number, parallel: number, one: () => Promise<void>): Promise<void> {
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started++ < count) await one();
  };
  await Promise.all(Array.from({ length: Math.min(parallel, count) }, worker));
}
