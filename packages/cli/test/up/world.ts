/** A host, a web server, and `postern up` in a folder of its own. @module */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { policy, TunnelHost } from "@postern/node";
import type { LogRecord } from "@postern/ssh";
import { testHostKey } from "@postern/testkit";
import type { TunnelConfig, TunnelsConfig } from "../../src/index.ts";
import type { Notifier } from "../../src/system/notify.ts";
import { readConfig } from "../../src/up/config/read-config.ts";
import type { TunnelStatus } from "../../src/up/status.ts";
import { startUp, type Up } from "../../src/up/up.ts";

/** The fingerprint of the host, by ssh-keygen -l. */
const hostFingerprint = "SHA256:rr1ev+W69ZCB7nh4k9WnBxY9sXAMoPm58l4oAqxHgt0";
export const secret = "correct-horse-battery-staple";

const cleanups: (() => unknown)[] = [];

/** Ends everything, the last first. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

export function atEnd(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "postern-up-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function startHost(port = 0): Promise<TunnelHost> {
  const permissions = { permitListen: ["localhost:*"], permitOpen: ["*:*"] };
  const host = await TunnelHost.listen({
    address: "127.0.0.1",
    port,
    hostKeys: [testHostKey()],
    authorize: policy({
      test: { password: secret, ...permissions },
      guest: { password: secret, permitListen: ["localhost:1"] },
    }),
  });
  atEnd(() => host.close());
  return host;
}

/** A server that answers each connection with a text, and keeps it open. */
export async function startTarget(text: string): Promise<{ readonly host: string; readonly port: number }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.write(text);
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port };
}

/** Connects to a port, and resolves with the socket once the first text has arrived. */
export function visit(port: number): Promise<{ readonly text: string; readonly socket: net.Socket }> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    atEnd(() => socket.destroy());
    socket.once("data", (data) => resolve({ text: String(data), socket }));
    socket.once("error", reject).once("close", () => reject(new Error("closed")));
  });
}

export function tunnelTo(port: number, more: Partial<TunnelConfig> = {}): TunnelConfig {
  return {
    host: "127.0.0.1",
    port,
    user: "test",
    password: { env: "TEST_PASSWORD" },
    hostKey: hostFingerprint,
    reconnect: { intervalMs: 50, factor: 1 },
    ...more,
  };
}

/** A notifier that keeps its messages. */
export function keepingNotifier(): Notifier & { readonly messages: string[]; isAlive(): boolean } {
  const messages: string[] = [];
  let isAlive = (): boolean => false;
  return {
    isEnabled: true,
    watchdogMs: 1000,
    messages,
    isAlive: () => isAlive(),
    ready: (status) => void messages.push(`ready ${status}`),
    reloading: () => void messages.push("reloading"),
    stopping: () => void messages.push("stopping"),
    status: (text) => void messages.push(`status ${text}`),
    watch(check) {
      isAlive = check;
    },
    close: async () => {},
  };
}

export interface World {
  readonly up: Up;
  readonly file: string;
  readonly records: LogRecord[];
  readonly notifier: ReturnType<typeof keepingNotifier>;
  readonly env: NodeJS.ProcessEnv;
  write(config: TunnelsConfig | string): void;
  /** Resolves with the status of a tunnel once it fits. */
  until(name: string, fits: (status: TunnelStatus) => boolean): Promise<TunnelStatus>;
}

export const everythingOpen = ({ state, forwardings }: TunnelStatus): boolean =>
  state === "open" && forwardings.every((one) => one.state === "open");

/** Returns the port of a forwarding. */
export function portOf(status: TunnelStatus, index = 0): number {
  return Number(/:(\d+)$/.exec(status.forwardings[index]?.listen ?? "")?.[1]);
}

/** Starts `postern up` in this process. */
export async function start(config: TunnelsConfig, folder = temporaryFolder()): Promise<World> {
  const file = join(folder, "postern.json");
  const env = { TEST_PASSWORD: secret };
  const write = (text: TunnelsConfig | string): void =>
    writeFileSync(file, typeof text === "string" ? text : JSON.stringify(text));
  write(config);
  const records: LogRecord[] = [];
  const notifier = keepingNotifier();
  const sink = { log: (record: LogRecord) => void records.push(record), setLevel() {}, reopen() {}, close() {} };
  const up = await startUp({ file, config: await readConfig(file, env), env, sink, notifier });
  atEnd(async () => {
    up.stop();
    up.stop();
    await up.ended;
  });
  return {
    up,
    file,
    records,
    notifier,
    env,
    write,
    async until(name, fits) {
      for (;;) {
        const status = up.status().tunnels.find((one) => one.name === name);
        if (status !== undefined && fits(status)) return status;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
}
