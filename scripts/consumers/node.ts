/** A program over `@postern/node`, type-checked and never run. @module */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { Duplex } from "node:stream";
import {
  type ArrayBufferBytes,
  algorithms,
  attach,
  type ChannelSocket,
  fingerprint,
  generatePrivateKey,
  modernAlgorithms,
  policy,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  TunnelHost,
} from "@postern/node";

/** The shape of an Express application: a function with methods, whose arguments extend those of `node:http`. */
interface Application {
  (request: IncomingMessage, response: ServerResponse): unknown;
  (request: IncomingMessage & { params: object }, response: ServerResponse, next: () => void): void;
  listen(port: number): unknown;
}

declare const application: Application;
declare const file: Buffer;

export const tunnel: ReverseTunnel = new ReverseTunnel({
  host: "ssh.example.com",
  user: "test",
  auth: [privateKey(file), privateKey("text")],
  hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
  algorithms: { ...modernAlgorithms, ciphers: [algorithms.aes128Gcm] },
});

tunnel.addEventListener("state", ({ state, reason }) => {
  if (state === "waiting") throw reason ?? new Error(state);
});
// @ts-expect-error: a misspelt event
tunnel.addEventListener("sate", () => {});

export async function run(): Promise<void> {
  await tunnel.connect();
  await tunnel.forward({ port: 7777, target: { host: "127.0.0.1", port: 80 } });
  const listener = await tunnel.listen({ port: 0 });
  attach(listener, application);
  attach(listener, (request, response) => response.end(request.url));
  attach(listener, createServer());
  const { sockets } = attach(
    listener,
    createTcpServer((socket) => socket.end()),
  );
  const stream: Duplex | undefined = [...sockets][0];
  const socket: ChannelSocket | undefined = [...sockets][0];
  stream?.end(socket?.remoteAddress);
  for await (const channel of listener) {
    const reader = channel.readable.getReader();
    const { value } = await reader.read();
    if (value !== undefined) await hash(value);
  }
}

export async function hash(chunk: ArrayBufferBytes): Promise<Blob> {
  return new Blob([chunk, await crypto.subtle.digest("SHA-256", chunk)]);
}

export async function host(): Promise<number> {
  const hostKeys = [await readPrivateKey(generatePrivateKey())];
  const server = await TunnelHost.listen({ port: 0, hostKeys, authorize: policy({ test: { password: "secret" } }) });
  server.addEventListener("login", ({ user }) => user.length);
  return server.port;
}
