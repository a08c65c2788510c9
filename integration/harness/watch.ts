/** A tunnel with short timeouts and a record of its events. @module */
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

/** The details of a `reconnectattempt` event. */
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

/** Detects a silent server within a second, and reconnects soon. */
export const shortTimeouts = {
  keepAlive: { intervalMs: 200, countMax: 3 },
  reconnect: { intervalMs: 100, backoff: { jitter: 0 } },
} as const satisfies Partial<TunnelOptions>;

/** Options of `expect.poll` that suffice on a busy machine. */
export const pollOptions = { timeout: 30_000, interval: 20 };

/** Creates a tunnel without connecting it. It is closed at the end of the test, and `closed` must settle. */
export async function watched(server: SshServer, more: Partial<TunnelOptions> = {}): Promise<Watched> {
  const { mode } = more.reconnect ?? {};
  const options = { ...shortTimeouts, ...more, reconnect: { ...shortTimeouts.reconnect, ...more.reconnect } };
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

/** Creates and connects a tunnel. */
export async function watchedOpen(server: SshServer, more: Partial<TunnelOptions> = {}): Promise<Watched> {
  const record = await watched(server, more);
  await mustSettle("login", record.tunnel.connect());
  return record;
}

/** Returns the server behind a new middlebox. */
export async function behind<Server extends SshServer>(server: Server): Promise<Server & { readonly box: Middlebox }> {
  const box = await startMiddlebox(server.port);
  atEnd(() => box.stop());
  return { ...server, port: box.port, box };
}

/** Starts an echo target that stops at the end of the test. */
export async function echo(): Promise<Target> {
  const target = await echoTarget();
  atEnd(() => target.stop());
  return target;
}

/** Forwards a port to the target. */
export function forwardTo(
  { tunnel }: Watched,
  { port }: { readonly port: number },
  more: Partial<ForwardOptions> = {},
): Promise<Forwarding> {
  const target = { host: "127.0.0.1", port };
  return mustSettle("forward", tunnel.forward({ port: 0, target, ...more })).then((forwarding) => {
    void mustSettle("closed of a forwarding", forwarding.closed).catch(() => undefined);
    return forwarding;
  });
}

/** Waits until the tunnel has reconnected `times` times and the forwarding is open. */
export async function back({ tunnel }: Watched, forwarding: Forwarding, times = 1): Promise<void> {
  await expect.poll(() => [tunnel.stats().reconnects, forwarding.state], pollOptions).toEqual([times, "open"]);
}

/** Waits until the tunnel reports that its connection is lost. */
export async function lost({ attempts }: Watched): Promise<void> {
  await expect.poll(() => attempts.length, pollOptions).toBeGreaterThan(0);
}
