/** Tunnels of a test. */
import { password } from "@postern/auth";
import { turns } from "@postern/testkit";
import type { SshError } from "@postern/wire";
import {
  type Forwarding,
  type ForwardOptions,
  type Listener,
  type ListenOptions,
  type Platform,
  ReverseTunnel,
  type Target,
  type TunnelOptions,
} from "../../src/index.ts";
import { afterTest } from "./clock.ts";

export const target: Target = { host: "target", port: 80 };

/** Creates a tunnel to `host`, where the server of a world accepts its login. */
export function createTunnel(platform: Platform, options: Partial<TunnelOptions> = {}): ReverseTunnel {
  const host = options.hosts === undefined ? { host: "host" } : {};
  const login = { ...host, user: "test", auth: [password("secret")], hostKey: () => true };
  const tunnel = new ReverseTunnel({ ...login, ...options }, platform);
  afterTest.push(() => void tunnel.close());
  return tunnel;
}

/** Creates a tunnel to the server of that world, and records its events. */
export function tunnelTo(
  world: Platform,
  options: Partial<TunnelOptions> = {},
  { handlesClosed = true } = {},
): { tunnel: ReverseTunnel; events: string[] } {
  const tunnel = createTunnel(world, {
    ...options,
    reconnect: { ...options.reconnect, backoff: { jitter: 0, ...options.reconnect?.backoff } },
  });
  if (handlesClosed) tunnel.closed.catch(() => {});
  const events: string[] = [];
  const add = (text: string, reason: SshError | undefined): void =>
    void events.push(reason ? `${text} (${reason.code})` : text);
  tunnel.addEventListener("state", ({ state, reason }) => add(state, reason));
  tunnel.addEventListener("reconnectattempt", ({ attempt, intervalMs, reason }) =>
    add(`attempt ${attempt} in ${intervalMs}`, reason),
  );
  tunnel.addEventListener("forwarding", ({ forwarding, state, reason }) =>
    add(`${forwarding.address}:${forwarding.port} ${state}`, reason),
  );
  return { tunnel, events };
}

/** Creates a tunnel that is open. */
export async function openTunnel(
  world: Platform,
  options: Partial<TunnelOptions> = {},
): Promise<{ tunnel: ReverseTunnel; events: string[] }> {
  const made = tunnelTo(world, options);
  await made.tunnel.connect();
  await turns();
  made.events.length = 0;
  return made;
}

/** Options of `listen`, or of `forward` if there is a target. */
export type RequestOptions = ListenOptions & Partial<Omit<ForwardOptions, keyof ListenOptions>>;

/** Calls `forward` or `listen`. A forwarding with a target is an empty iterable. */
export function request(tunnel: ReverseTunnel, options: RequestOptions): Promise<Listener> {
  const { target } = options;
  return target === undefined
    ? tunnel.listen(options)
    : (tunnel.forward({ ...options, target }) as Promise<Forwarding> as Promise<Listener>);
}
