/** Local forwarding: its port, its clients while the tunnel is down, its limits, and its end. */
import type { Address, BytePipe } from "@postern/ssh";
import { pipePair, received, turns } from "@postern/testkit";
import { SshError, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  createLocalForwarder,
  type ForwardLocalOptions,
  type LocalErrorEvent,
  type TunnelOptions,
} from "../src/index.ts";
import { advance, onVirtualClock, outcome, tunnelTo, World } from "./world/index.ts";

onVirtualClock();

const target = { host: "web", port: 80 };
const origin = { host: "127.0.0.1", port: 50_000 };

/** A world whose machine listens, in memory. */
class Machine extends World {
  readonly listening = new Map<string, (pipe: BytePipe, origin: Address | undefined) => void>();
  readonly refs: boolean[] = [];
  fails: SshError | undefined;

  readonly local = createLocalForwarder(async (at, onClient) => {
    await Promise.resolve();
    if (this.fails !== undefined) throw this.fails;
    const name = "path" in at ? at.path : `${at.address}:${at.port || 40_000}`;
    this.listening.set(name, onClient);
    return {
      port: "path" in at ? 0 : at.port || 40_000,
      setRef: (keepsAlive) => void this.refs.push(keepsAlive),
      close: async () => void this.listening.delete(name),
    };
  });

  /** A client connects. Returns its pipe. */
  connect(name: string): BytePipe {
    const [ours, theirs] = pipePair();
    this.listening.get(name)?.(ours, origin);
    return theirs;
  }
}

async function forwarding(options: Partial<ForwardLocalOptions> = {}, more: Partial<TunnelOptions> = {}) {
  const machine = new Machine();
  const { tunnel } = tunnelTo(machine, more);
  const errors: string[] = [];
  tunnel.addEventListener("localerror", ({ error }: LocalErrorEvent) => void errors.push((error as SshError).code));
  const local = await tunnel.forwardLocal({ port: 5432, target, ...options });
  return { machine, tunnel, local, errors };
}

describe("a local forwarding", () => {
  it("listens before connect(), and its clients wait for the tunnel to open", async () => {
    const { machine, tunnel, local, errors } = await forwarding();
    expect([local.state, local.address, local.port, local.path]).toEqual(["open", "localhost", 5432, undefined]);
    machine.directAnswer = () => "foreign";
    const client = received(machine.connect("localhost:5432"));
    await turns();
    await tunnel.connect();
    await turns();
    // The program that listens at the server's target speaks first.
    expect(client.text).toMatch(/^220 /);
    expect(local.stats()).toMatchObject({ accepted: 1, open: 1, refused: 0 });
    expect(errors).toEqual([]);
  });

  it("resets a client that has no channel after targetTimeoutMs", async () => {
    const { machine, local, errors } = await forwarding({}, { targetTimeoutMs: 5_000 });
    const client = received(machine.connect("localhost:5432"));
    await advance(4_999);
    expect(client.closed).toBe(false);
    await advance(1);
    expect(client.error).toBeInstanceOf(Error);
    expect(errors).toEqual(["timeout"]);
    expect(local.stats()).toMatchObject({ accepted: 0, open: 0, refused: 1 });
  });

  it("keeps its port during a reconnection, and connects the clients that came meanwhile", async () => {
    const { machine, tunnel, local } = await forwarding({}, { reconnect: { intervalMs: 1_000 } });
    machine.directAnswer = () => "foreign";
    await tunnel.connect();
    const before = received(machine.connect("localhost:5432"));
    await turns();
    expect(before.text).not.toBe("");
    machine.link.cut();
    await turns();
    expect(before.error).toBeInstanceOf(Error);
    expect([tunnel.state, local.state]).toEqual(["waiting", "open"]);
    const meanwhile = received(machine.connect("localhost:5432"));
    await advance(1_500);
    expect(tunnel.state).toBe("open");
    expect(meanwhile.text).not.toBe("");
    expect(local.stats()).toMatchObject({ accepted: 2, open: 1 });
  });

  it("resets clients above its limit, whether they wait or are connected", async () => {
    const { machine, local, errors } = await forwarding({ limits: { connections: 2 } }, { targetTimeoutMs: 1_000 });
    const clients = [1, 2, 3, 4].map(() => received(machine.connect("localhost:5432")));
    await turns();
    expect(clients.map(({ closed }) => closed)).toEqual([false, false, true, true]);
    expect(errors).toEqual(["limit", "limit"]);
    expect(local.stats().refused).toBe(2);
    await advance(1_000);
    machine.connect("localhost:5432");
    await turns();
    expect(errors).toEqual(["limit", "limit", "timeout", "timeout"]);
    await advance(1_000);
  });

  it("reports what the server refuses", async () => {
    const { machine, tunnel, errors } = await forwarding();
    await tunnel.connect();
    machine.directAnswer = () => "denied";
    const client = received(machine.connect("localhost:5432"));
    await turns();
    expect(client.error).toBeInstanceOf(Error);
    expect(errors).toEqual(["refused"]);
  });

  it("frees its port with close(), and open connections go on", async () => {
    const { machine, tunnel, local } = await forwarding();
    machine.directAnswer = () => "foreign";
    await tunnel.connect();
    const client = received(machine.connect("localhost:5432"));
    await turns();
    await local.close();
    await local.closed;
    expect([...machine.listening.keys()]).toEqual([]);
    expect([local.state, client.closed, local.stats().open]).toEqual(["closed", false, 1]);
  });

  it("ends with the tunnel, and so do the clients that wait", async () => {
    for (const closes of [true, false]) {
      const { machine, tunnel, local } = await forwarding();
      const client = received(machine.connect("localhost:5432"));
      await turns();
      if (closes) await tunnel.close();
      else {
        machine.fate = "refuse";
        await tunnel.connect().catch(() => {});
      }
      await turns();
      expect(await outcome(local.closed)).toBe(closes ? "resolved" : "connect");
      expect([local.state, machine.listening.size]).toEqual(["closed", 0]);
      expect(client.error).toBeInstanceOf(Error);
      expect(await outcome(tunnel.forwardLocal({ port: 1, target }))).toBe("closed");
    }
  });

  it("lets its connections finish if the tunnel closes with drainMs", async () => {
    const { machine, tunnel } = await forwarding();
    machine.directAnswer = () => "mute";
    await tunnel.connect();
    const pipe = machine.connect("localhost:5432");
    const client = received(pipe);
    await turns();
    const closing = tunnel.close({ drainMs: 10_000 });
    await turns();
    expect([machine.listening.size, tunnel.state]).toEqual([0, "open"]);
    pipe.abort();
    await turns();
    await closing;
    expect(client.closed).toBe(true);
  });

  it("does not keep the process alive after unref(), whenever it began", async () => {
    const { machine, tunnel } = await forwarding();
    tunnel.unref();
    await tunnel.socks({ path: "/run/proxy" });
    tunnel.ref();
    expect(machine.refs).toEqual([true, false, false, true, true]);
    expect([...machine.listening.keys()]).toEqual(["localhost:5432", "/run/proxy"]);
  });

  it("rejects if this machine does not listen, or the signal aborts meanwhile", async () => {
    const { machine, tunnel } = await forwarding();
    machine.fails = new SshError("connect", "in use");
    expect(await outcome(tunnel.forwardLocal({ port: 1, target }))).toBe("connect");
    machine.fails = undefined;
    const abort = new AbortController();
    const late = tunnel.forwardLocal({ port: 2, target, signal: abort.signal });
    abort.abort("no more");
    await expect(late).rejects.toBe("no more");
    expect([...machine.listening.keys()]).toEqual(["localhost:5432"]);
  });

  it.each([
    [{ target }],
    [{ port: 1 }],
    [{ port: 1, target: "socks" }],
    [{ port: 65_536, target }],
    [{ port: 1, path: "/a", target }],
    [{ path: "/a", address: "", target }],
    [{ path: "", target }],
    [{ port: 1, target: { host: "a", port: 0 } }],
    [{ port: 1, target: { path: "" } }],
    [{ port: 1, target: { path: "/a", port: 1 } }],
    [{ port: 1, target, limits: { connections: 0 } }],
    [{ port: 1, target, limits: { visitors: 1 } }],
    [{ port: 1, target, wait: true }],
  ])("is rejected as misuse in %j", async (options) => {
    const { tunnel } = await forwarding();
    expect(await outcome(tunnel.forwardLocal(options as ForwardLocalOptions))).toBe("misuse");
  });
});

describe("a local SOCKS proxy", () => {
  it("opens a channel to the address that its client names (RFC 4254 section 7.2)", async () => {
    const { machine, tunnel } = await forwarding();
    const asked: string[] = [];
    machine.directAnswer = (host, port) => {
      asked.push(`${host}:${port}`);
      return "foreign";
    };
    await tunnel.connect();
    const proxy = await tunnel.socks({ port: 1080 });
    expect(proxy.target).toBe("socks");
    const pipe = machine.connect("localhost:1080");
    const client = received(pipe);
    pipe.write(Uint8Array.of(4, 1, 0, 80, 0, 0, 0, 1, 0, ...utf8("web.internal"), 0));
    await turns();
    expect(asked).toEqual(["web.internal:80"]);
    expect(client.text).toMatch(/^\0Z\0{6}220 /);
  });
});
