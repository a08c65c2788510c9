/** The parts of a soak: an sshd, a faulty network, a tunnel with three forwardings, and the targets. @module */
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import { type Forwarding, ReverseTunnel } from "@postern/node";
import {
  freePort,
  type Middlebox,
  resetNow,
  type Sshd,
  startMiddlebox,
  startSshd,
  tunnelOptions,
  userKey,
} from "../harness/index.ts";
import type { Conversations } from "./conversation.ts";

/** A target that can stop and restart on its port. */
export interface SoakTarget {
  readonly port: number;
  up(): Promise<void>;
  /** Stops listening, and resets every connection. */
  down(): void;
}

export interface World {
  readonly sshd: Sshd;
  readonly box: Middlebox;
  readonly tunnel: ReverseTunnel;
  readonly targets: readonly SoakTarget[];
  /** Two with a target, and a listener. */
  readonly forwardings: readonly Forwarding[];
  stop(): Promise<void>;
}

const MiB = 1024 * 1024;

export async function makeWorld(conversations: Conversations): Promise<World> {
  const sshd = await startSshd({
    authorizedKeys: [(await userKey()).publicLine],
    config: { ClientAliveInterval: "2", ClientAliveCountMax: "2", RekeyLimit: "24M" },
  });
  const box = await startMiddlebox(sshd.port);
  const tunnel = new ReverseTunnel(
    await tunnelOptions(
      { ...sshd, port: box.port },
      {
        keepAlive: { intervalMs: 1_000, countMax: 4 },
        reconnect: { intervalMs: 200 },
        rekey: { bytes: 16 * MiB },
        loginTimeoutMs: 10_000,
      },
    ),
  );
  await tunnel.connect();
  const targets = [await soakTarget(conversations), await soakTarget(conversations)];
  const forwardings: Forwarding[] = [];
  for (const { port } of targets) {
    const target = { host: "127.0.0.1", port };
    forwardings.push(await tunnel.forward({ address: "127.0.0.1", port: await freePort(), target }));
  }
  const events = await tunnel.listen({ address: "127.0.0.1", port: await freePort() });
  forwardings.push(events);
  const loop = (async () => {
    for await (const channel of events) conversations.serveChannel(channel);
  })();
  loop.catch(() => undefined);
  return {
    sshd,
    box,
    tunnel,
    targets,
    forwardings,
    async stop() {
      await tunnel.close();
      await loop.catch(() => undefined);
      for (const target of targets) target.down();
      await box.stop();
      await sshd.stop();
    },
  };
}

async function soakTarget(conversations: Conversations): Promise<SoakTarget> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const up = async (): Promise<void> => {
    server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      conversations.serveSocket(socket);
    });
    await listening(server, port);
    port = (server.address() as AddressInfo).port;
  };
  await up();
  return {
    get port() {
      return port;
    },
    up,
    down() {
      server?.close();
      for (const socket of sockets) resetNow(socket);
    },
  };
}

/** Listens on a port of 127.0.0.1 like another program. Returns a function that releases it. */
export async function occupy(port: number): Promise<() => void> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resetAndDestroy();
  });
  await listening(server, port);
  return () => void server.close();
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}
