/** One reverse tunnel from its login to its end, with the APIs of every runtime. @module */
import {
  type AuthMethod,
  type ForwardedChannel,
  fingerprint,
  hostedService,
  type Listener,
  type Log,
  socks5,
  type TunnelOptions,
  ReverseTunnel as WebTunnel,
  type WebTunnelOptions,
  privateKey as webPrivateKey,
} from "@postern/web";
import type { Control, ScenarioReport } from "./orders.ts";

type Tunnel = Omit<WebTunnel, "addEventListener">;
type Options = TunnelOptions & { readonly log?: Log };

/** A platform of Postern in a runtime. */
export interface Platform {
  /** Creates a tunnel without connecting it. */
  readonly tunnel: (options: Options) => Tunnel;
  readonly privateKey: (text: string) => AuthMethod;
  /** True if the platform can connect to targets, and listen on this machine. */
  readonly dialsTargets: boolean;
  /** False if every dial leads to the server, as through a bridge. */
  readonly dialsAnywhere: boolean;
}

/** `@postern/web` over the pipes of `dial`. */
export function webPlatform(dial: WebTunnelOptions["dial"], dialsAnywhere = true): Platform {
  return {
    tunnel: (options) => new WebTunnel({ ...options, dial }),
    privateKey: webPrivateKey,
    dialsTargets: false,
    dialsAnywhere,
  };
}

/** Runs the scenario. Throws at the first deviation. */
export async function scenario(platform: Platform, control: Control): Promise<ScenarioReport> {
  const { orders } = control;
  const options: TunnelOptions = {
    host: "127.0.0.1",
    port: orders.port,
    user: orders.user,
    auth: [platform.privateKey(orders.privateKey)],
    hostKey: fingerprint(orders.fingerprint),
    rekey: { bytes: orders.rekeyBytes },
    reconnect: { mode: "never" },
  };

  const deceived = platform.tunnel({ ...options, hostKey: fingerprint(orders.wrongFingerprint) });
  await expectCode("hostkey", deceived.connect());

  await followRoute(platform, control, options);

  const logged: string[] = [];
  const tunnel = platform.tunnel({
    ...options,
    session: { exec: "echo hello" },
    service: hostedService(),
    log: ({ event, message }) => void logged.push(`${event}: ${message}`),
  });
  tunnel.closed.catch(() => {});
  await tunnel.connect();
  expect(tunnel.state === "open", `expected the tunnel to be open, got ${tunnel.state}`);
  if (!platform.dialsTargets) {
    const target = { host: "127.0.0.1", port: 1 };
    await expectCode("misuse", tunnel.forward({ port: 0, target }));
  }

  const limits = { connections: orders.visitors, lifetimeMs: 600_000 };
  const forwarding = await tunnel.listen({ address: "127.0.0.1", port: 0, limits });
  const { port = 0 } = forwarding;
  expect(port > 0, `expected the server to choose a port, got ${port}`);
  const served = serveVisitors(forwarding, orders.bytes);
  const started = Date.now();
  await Promise.race([control.visit(port), tunnel.closed.then(() => expect(false, "the tunnel ended early"))]);
  const ms = Date.now() - started;
  const { rekeys, accepted } = tunnel.stats();
  expect(accepted === orders.visitors, `expected ${orders.visitors} visitors, got ${accepted}`);
  expect(rekeys > 0, "expected a rekey, got none");

  expect(logged.includes("message: hello"), `expected the text of the session in the log, got ${logged.join("; ")}`);
  expect(logged.includes("state: the tunnel is open"), `expected the state in the log, got ${logged.join("; ")}`);

  await forwardLocally(platform, control, tunnel, port);

  await forwarding.close();
  expect(!(await control.isListening(port)), "expected the port to be free after close()");
  await served;
  await forwarding.closed;
  await tunnel.close();
  await tunnel.closed;
  expect(tunnel.state === "closed", `expected the tunnel to be closed, got ${tunnel.state}`);
  return { ms, bytes: 2 * orders.visitors * orders.bytes, rekeys };
}

/** Logs in through the server as a jump host, which is reached through a SOCKS proxy if there is one. */
async function followRoute(platform: Platform, { orders }: Control, options: TunnelOptions): Promise<void> {
  const { host = "", port = 0, user, auth } = options;
  const { proxyPort } = orders;
  const proxy =
    proxyPort === undefined || !platform.dialsAnywhere ? undefined : socks5({ host: "127.0.0.1", port: proxyPort });
  const tunnel = platform.tunnel({ ...options, via: [{ host, port, user, auth }], ...(proxy && { proxy }) });
  await tunnel.connect();
  const { port: chosen = 0 } = await tunnel.listen({ address: "127.0.0.1", port: 0 });
  expect(chosen > 0, `expected a port through the jump host, got ${chosen}`);
  await tunnel.close();
}

/** Visitors of a port of this machine reach the server's port, and so this program: `ssh -L`. */
async function forwardLocally(
  { dialsTargets }: Platform,
  control: Control,
  tunnel: Tunnel,
  port: number,
): Promise<void> {
  const at = { address: "127.0.0.1", port: 0 };
  const target = { host: "127.0.0.1", port };
  if (!dialsTargets) {
    await expectCode("misuse", tunnel.forwardLocal({ ...at, target }));
    await expectCode("misuse", tunnel.socks(at));
    return;
  }
  const local = await tunnel.forwardLocal({ ...at, target });
  await control.visit(local.port, 1);
  await local.close();
  expect(!(await control.isListening(local.port)), "expected the local port to be free after close()");
}

/** Serves visitors until the forwarding ends. */
async function serveVisitors(forwarding: Listener, bytes: number): Promise<void> {
  const visits: Promise<void>[] = [];
  for await (const channel of forwarding) visits.push(echo(channel, bytes));
  await Promise.all(visits);
}

/** Echoes all bytes. After the visitor's half-close, sends their SHA-256 and half-closes too. */
async function echo(channel: ForwardedChannel, bytes: number): Promise<void> {
  expect(channel.origin.host === "127.0.0.1", `expected the visitor's address, got ${channel.origin.host}`);
  const received = new Uint8Array(bytes);
  let size = 0;
  const reader = channel.readable.getReader();
  const writer = channel.writable.getWriter();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    received.set(next.value, size);
    size += next.value.length;
    await writer.write(next.value);
  }
  expect(size === bytes, `expected ${bytes} bytes of the visitor, got ${size}`);
  await writer.write(new Uint8Array(await crypto.subtle.digest("SHA-256", received)));
  await writer.close();
  await channel.closed;
}

async function expectCode(code: string, promise: Promise<unknown>): Promise<void> {
  let got: unknown = "success";
  try {
    await promise;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === code) return;
    got = error;
  }
  throw new Error(`expected an error with the code ${code}, got ${String(got)}`, { cause: got });
}

function expect(truth: boolean, message: string): void {
  if (!truth) throw new Error(message);
}
