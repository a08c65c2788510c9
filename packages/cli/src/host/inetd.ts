/** Serves the one connection of standard input and output, as inetd(8) and ProxyCommand start it. @module */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { PipeSink } from "@postern/node";
import { type BytePipe, socketPipe, type TunnelHost } from "@postern/node";
import type { Bytes } from "@postern/wire";
import type { HostConnections } from "./connections.ts";
import { serveWith } from "./serve.ts";

/** Resolves with the exit status: 0 if the client left, 255 if the connection ended with an error. */
export async function serveStandardStreams(host: TunnelHost, connections: HostConnections): Promise<number> {
  let status = 255;
  host.addEventListener("clientclosed", ({ client, reason }) => {
    if (reason === undefined || (client.login !== undefined && reason.code === "closed")) status = 0;
  });
  const [input, output] = [fstatSync(0), fstatSync(1)];
  // inetd(8) passes one socket as both.
  const isOne = input.isSocket() && input.ino === output.ino && input.dev === output.dev;
  const socket = isOne ? new Socket({ fd: 0, allowHalfOpen: true }) : undefined;
  const { remoteAddress, remotePort = 65_535, localAddress = "UNKNOWN", localPort = 65_535 } = socket ?? {};
  const arrival = { address: remoteAddress ?? "UNKNOWN", port: remotePort, localAddress, localPort };
  const origin = remoteAddress === undefined ? undefined : { host: remoteAddress, port: remotePort };
  const pipe = socket === undefined ? new StreamsPipe(process.stdin, outputStream()) : socketPipe(socket);
  await serveWith(connections, arrival, () => host.serve(pipe, { origin }));
  return status;
}

/** A pipe in non-blocking mode, because a peer that does not read must not stop the host. */
function outputStream(): Writable {
  const status = fstatSync(1);
  return status.isFIFO() || status.isSocket() ? new Socket({ fd: 1, readable: false, writable: true }) : process.stdout;
}

/** A byte pipe over two streams. */
class StreamsPipe implements BytePipe {
  readonly #input: Readable;
  readonly #output: Writable;
  #sink: PipeSink | undefined;
  #isPaused = false;
  #isClosed = false;
  #hasEnded = false;
  #peerHasEnded = false;

  constructor(input: Readable, output: Writable) {
    this.#input = input.pause();
    this.#output = output;
  }

  start(sink: PipeSink): void {
    this.#sink = sink;
    this.#input.on("data", (chunk: Bytes) => {
      // The sink expects a Uint8Array. A Buffer differs: its slice() does not copy.
      if (!this.#isClosed) sink.data(new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.length));
    });
    this.#input.on("end", () => {
      if (this.#isClosed) return;
      this.#peerHasEnded = true;
      sink.end();
      if (this.#hasEnded) this.close();
    });
    this.#input.on("error", (error) => this.#gone(error));
    this.#output.on("drain", () => {
      if (!this.#isClosed) sink.drain();
    });
    this.#output.on("error", (error) => this.#gone(error));
    if (!this.#isPaused) this.#input.resume();
  }

  write(chunk: Bytes): boolean {
    if (this.#isClosed) return false;
    return this.#output.write(chunk, (error) => {
      if (!error) this.#sink?.memory?.written?.(chunk);
    });
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#peerHasEnded) this.close();
    else this.#output.end();
  }

  pause(): void {
    this.#isPaused = true;
    this.#input.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#sink !== undefined) this.#input.resume();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#input.pause();
    if (this.#output.writableFinished) queueMicrotask(() => this.#report(undefined));
    else this.#output.end(() => this.#report(undefined));
  }

  abort(reason?: Error): void {
    this.#gone(reason);
  }

  #gone(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#input.destroy();
    this.#output.destroy();
    queueMicrotask(() => this.#report(error));
  }

  #report(error: Error | undefined): void {
    this.#input.destroy();
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed(error);
  }
}
