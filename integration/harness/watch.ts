/** A tunnel under observation: quick to find a fault out, and with a record of what it told. @module */
import {
  type Forwarding,
  type ForwardOptions,
  ReverseTunnel,
  type SshErrorCode,
  type TunnelOptions,
  type TunnelState,
} from "@postern/node";
import { expect } from "vitest";
import { atEnd, mustSettle } from "./aftermath.ts";
import { type Middlebox, startMiddlebox } from "./middlebox.ts";
import type { SshServer } from "./sshd.ts";
import { echoTarget, type Target } from "./targets.ts";
import { tunnelOptions } from "./tunnel.ts";

/** What was told with an attempt to connect again. */
export interface Attempt {
  readonly attempt: number;
  readonly maxRetries: number;
  readonly intervalMs: number;
  readonly reason: SshErrorCode;
}

export interface Watched {
  readonly tunnel: ReverseTunnel;
  readonly states: TunnelState[];
  readonly attempts: Attempt[];
  /** `state reason` of each forwarding's change, such as `pending refused` */
  readonly forwardings: string[];
}

/** Finds a silent host out within a second, and is soon back. */
export const impatient = {
  keepAlive: { intervalMs: 200, countMax: 3 },
  reconnect: { intervalMs: 100, backoff: { jitter: 0 } },
} as const satisfies Partial<TunnelOptions>;

/** Long enough for everything that is to come, on a machine with much to do. */
export const patience = { timeout: 30_000, interval: 20 };

/** A tunnel that is not logged in yet; it is logged off when the test is over, and `closed` must settle then. */
export async function watched(server: SshServer, more: Partial<TunnelOptions> = {}): Promise<Watched> {
  const { mode } = more.reconnect ?? {};
  const options = { ...impatient, ...more, reconnect: { ...impatient.reconnect, ...more.reconnect } };
  const given = await tunnelOptions(server, options);
  const { host: _host, port: _port, ...elsewhere } = given;
  const tunnel = new ReverseTunnel(options.hosts === undefined ? given : { ...elsewhere, hosts: options.hosts });
  const record: Watched = { tunnel, states: [], attempts: [], forwardings: [] };
  tunnel.addEventListener("state", ({ state }) => {
    if (state === "connecting" && record.states.length === 0) {
      void mustSettle(`closed of a tunnel with mode ${mode ?? "established"}`, tunnel.closed).catch(() => undefined);
    }
    record.states.push(state);
  });
  tunnel.addEventListener("reconnectattempt", ({ attempt, maxRetries, intervalMs, reason }) => {
    record.attempts.push({ attempt, maxRetries, intervalMs, reason: reason.code });
  });
  tunnel.addEventListener("forwarding", ({ state, reason }) => {
    record.forwardings.push(reason === undefined ? state : `${state} ${reason.code}`);
  });
  atEnd(() => tunnel.close());
  return record;
}

/** The same, logged in. */
export async function watchedOpen(server: SshServer, more: Partial<TunnelOptions> = {}): Promise<Watched> {
  const record = await watched(server, more);
  await mustSettle("login", record.tunnel.connect());
  return record;
}

/** The same server, reached through a middlebox. */
export async function behind<Server extends SshServer>(server: Server): Promise<Server & { readonly box: Middlebox }> {
  const box = await startMiddlebox(server.port);
  atEnd(() => box.stop());
  return { ...server, port: box.port, box };
}

/** An echo server that ends with the test. */
export async function echo(): Promise<Target> {
  const target = await echoTarget();
  atEnd(() => target.stop());
  return target;
}

/** Asks for a port whose visitors reach the target. */
export function forwardTo(
  { tunnel }: Watched,
  { port }: { readonly port: number },
  more: Partial<ForwardOptions> = {},
): Promise<Forwarding> {
  const target = { host: "127.0.0.1", port };
  return mustSettle("requestForwarding", tunnel.forward({ port: 0, target, ...more })).then((forwarding) => {
    void mustSettle("closed of a forwarding", forwarding.closed).catch(() => undefined);
    return forwarding;
  });
}

/** Waits until the tunnel has come back so many times and the forwarding is open. */
export async function back({ tunnel }: Watched, forwarding: Forwarding, times = 1): Promise<void> {
  await expect.poll(() => [tunnel.stats().reconnects, forwarding.state], patience).toEqual([times, "open"]);
}

/** Waits until the tunnel tells that its connection is lost. */
export async function lost({ attempts }: Watched): Promise<void> {
  await expect.poll(() => attempts.length, patience).toBeGreaterThan(0);
}
