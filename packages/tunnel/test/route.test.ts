/** Proxies and jump hosts on the way to the server. */
import { password } from "@postern/auth";
import { sha256Fingerprint } from "@postern/noble";
import type { BytePipe, ProxyServer } from "@postern/ssh";
import { otherHostKey, rejection, testHostKey, turns } from "@postern/testkit";
import { SshError, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { fingerprint, type HostKeyOffer, type JumpHost, ReverseTunnel, type TunnelOptions } from "../src/index.ts";
import { Network } from "./world/network.ts";

const jump = (host: string, more: Partial<JumpHost> = {}): JumpHost => ({
  host,
  port: 2200,
  user: host,
  auth: password(host),
  ...more,
});

/** A tunnel through the first servers to the last one. */
function tunnelThrough(network: Network, more: Partial<TunnelOptions> = {}): ReverseTunnel {
  const names = [...network.servers.keys()];
  const last = names.at(-1) ?? "";
  const tunnel = new ReverseTunnel(
    {
      host: last,
      user: last,
      auth: password(last),
      hostKey: () => true,
      via: names.slice(0, -1).map((name) => jump(name)),
      reconnect: { mode: "never" },
      keepAlive: { intervalMs: 0 },
      ...more,
    },
    network,
  );
  tunnel.closed.catch(() => {});
  return tunnel;
}

/** Waits until no pipe between a client and a server is open. */
async function emptied(network: Network): Promise<void> {
  while (network.open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("a tunnel through jump hosts", () => {
  it.each([1, 2, 3])("reaches the server through %i of them, each with its own login", async (count) => {
    const names = ["a", "b", "c"].slice(0, count);
    const network = new Network(...names, "server");
    const tunnel = tunnelThrough(network);
    await tunnel.connect();
    const path = [...names.map((name) => `${name}:2200`), "server:22"];
    expect(network.reached).toEqual(path.map((at, index) => (index === 0 ? at : `${names[index - 1]} > ${at}`)));
    expect([...network.servers.values()].map(({ logins }) => logins)).toEqual(path.map(() => 1));
    const listener = await tunnel.listen({ port: 7777 });
    expect(listener.state).toBe("open");
    await tunnel.close();
    expect(network.open).toBe(0);
  });

  it("asks the check of each host about its key, by default that of the tunnel", async () => {
    const network = new Network("a", "b", "server");
    const asked: string[] = [];
    const check =
      (who: string) =>
      ({ host, port, fingerprint: key }: HostKeyOffer) => {
        asked.push(`${who}: ${host} ${port} ${key === sha256Fingerprint(network.server(host).hostKey.publicKey)}`);
        return true;
      };
    network.server("b").hostKey = otherHostKey();
    const via = [jump("a", { hostKey: check("a") }), jump("b")];
    const tunnel = tunnelThrough(network, { via, hostKey: check("tunnel") });
    await tunnel.connect();
    expect(asked).toEqual(["a: a 2200 true", "tunnel: b 2200 true", "tunnel: server 22 true"]);
    await tunnel.close();
  });

  it.each<[string, string, (network: Network) => unknown, RegExp]>([
    ["refuses the login", "auth", (network) => (network.server("a").password = "x"), /^jump host a \(1 of 2\): /],
    [
      "refuses the login, behind another",
      "auth",
      (network) => (network.server("b").password = "x"),
      /^jump host b \(2 of 2\): /,
    ],
    [
      "has another host key",
      "hostkey",
      (network) => (network.server("a").hostKey = otherHostKey()),
      /^jump host a \(1 of 2\): expected a to have/,
    ],
    [
      "has another host key, behind another",
      "hostkey",
      (network) => (network.server("b").hostKey = otherHostKey()),
      /^jump host b \(2 of 2\): expected b to have/,
    ],
    [
      "cannot be reached",
      "connect",
      (network) => network.servers.delete("a"),
      /^jump host a \(1 of 2\): expected a connection to a:2200, got ECONNREFUSED/,
    ],
    [
      "cannot be reached from the one before",
      "refused",
      (network) => network.servers.delete("b"),
      /^jump host a \(1 of 2\): expected a connection to b:2200, got: .*"Connection refused"/,
    ],
    [
      "forbids forwarding",
      "denied",
      (network) => (network.server("b").jumps = "deny"),
      /^jump host b \(2 of 2\): expected a connection to server:22, got: .*\(reason 1\)/,
    ],
    [
      "is no SSH server",
      "version",
      (network) =>
        network.others.set("b:2200", (pipe) => {
          pipe.start({ data() {}, end() {}, drain() {}, closed() {} });
          pipe.write(utf8("HTTP/1.1 400 Bad Request\r\n".repeat(1025)));
        }),
      /^jump host b \(2 of 2\): /,
    ],
  ])("names the one that %s, with the code %s", async (_, code, spoil, message) => {
    const network = new Network("a", "b", "server");
    const hostKey = fingerprint(sha256Fingerprint(testHostKey().publicKey));
    const tunnel = tunnelThrough(network, { hostKey });
    spoil(network);
    const error = await rejection(tunnel.connect());
    expect(error).toMatchObject({ name: "SshError", code, message: expect.stringMatching(message) });
    expect(error.cause).toMatchObject({ name: "SshError" });
    await emptied(network);
  });

  it("does not name a jump host if the server itself refuses", async () => {
    const network = new Network("a", "server");
    network.server("server").password = "x";
    const error = await rejection(tunnelThrough(network).connect());
    expect(error).toMatchObject({ code: "auth", message: expect.not.stringContaining("jump host") });
    await emptied(network);
  });

  it.each<[string, (network: Network) => unknown, string]>([
    ["the first one is mute", (network) => (network.server("a").isMute = true), "jump host a (1 of 2): "],
    ["the second one is mute", (network) => (network.server("b").isMute = true), "jump host b (2 of 2): "],
    [
      "a channel never opens",
      (network) => (network.server("b").jumps = "hang"),
      "jump host b (2 of 2): expected a connection to server:22 within",
    ],
    ["the server is mute", (network) => (network.server("server").isMute = true), "expected login to complete"],
  ])("ends at loginTimeoutMs if %s", async (_, spoil, message) => {
    const network = new Network("a", "b", "server");
    spoil(network);
    const started = performance.now();
    const error = await rejection(tunnelThrough(network, { loginTimeoutMs: 300 }).connect());
    expect(error).toMatchObject({ code: "timeout", message: expect.stringContaining(message) });
    // Three logins with the full time each would take longer.
    expect(performance.now() - started).toBeLessThan(3 * 300);
    await emptied(network);
  });

  it("stops at a signal, at every moment, and leaves no connection", async () => {
    let moment = 0;
    for (let isDone = false; !isDone; moment++) {
      const network = new Network("a", "b", "server");
      const stop = new AbortController();
      let left = moment;
      network.onStep = () => {
        if (left-- === 0) stop.abort(new Error("enough"));
      };
      const tunnel = tunnelThrough(network);
      const connected = tunnel.connect({ signal: stop.signal });
      if (
        await connected.then(
          () => true,
          () => false,
        )
      ) {
        isDone = true;
        await tunnel.close();
      } else expect(await rejection(connected)).toMatchObject({ message: "enough" });
      await emptied(network);
    }
    expect(moment).toBeGreaterThan(10);
  });

  it.each([0, 1, 2])("loses everything with the connection number %i", async (index) => {
    const network = new Network("a", "b", "server");
    const tunnel = tunnelThrough(network);
    await tunnel.connect();
    await turns();
    network.ends[index]?.abort(new Error("ECONNRESET"));
    const error = await rejection(tunnel.closed);
    expect(error.code).toBe("closed");
    expect(error.message).toMatch(
      index === 2 ? /^(?!jump host)/ : ([/^jump host a \(1 of 2\)/, /^jump host b \(2 of 2\)/][index] ?? /x/),
    );
    await emptied(network);
    for (const { connections } of network.servers.values()) expect(connections.size).toBe(0);
  });

  it("keeps the code and the reason of a jump host that disconnects", async () => {
    const network = new Network("a", "server");
    const tunnel = tunnelThrough(network);
    await tunnel.connect();
    await turns();
    const [connection] = network.server("a").connections;
    connection?.abort(new SshError("limit", "shutting down"));
    expect(await rejection(tunnel.closed)).toMatchObject({
      code: "disconnected",
      reason: 12,
      message: expect.stringMatching(/^jump host a: the peer disconnected/),
    });
    await emptied(network);
  });

  it("notices by keepalive that one of them is gone, and names it", async () => {
    const network = new Network("a", "b", "server");
    const tunnel = tunnelThrough(network, { keepAlive: { intervalMs: 40, countMax: 2 } });
    await tunnel.connect();
    // It stops reading, so nothing arrives behind it either. Its own keepalive is due first.
    network.ends[0]?.pause();
    const error = await rejection(tunnel.closed);
    expect(error).toMatchObject({ code: "timeout", message: expect.stringContaining("to answer keepalives") });
    for (const end of network.ends) end.abort();
    await emptied(network);
  });

  it("rebuilds all of them, and leaves no connection after 50 reconnections", async () => {
    const network = new Network("a", "b", "server");
    const tunnel = tunnelThrough(network, { reconnect: { intervalMs: 0, backoff: { jitter: 0 } } });
    await tunnel.connect();
    const listener = await tunnel.listen({ port: 7777 });
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    let first = 0;
    for (let round = 1; round <= 50; round++) {
      const reopened = new Promise<void>((resolve) => {
        const opened = ({ state }: { state: string }): void => {
          if (state !== "open") return;
          tunnel.removeEventListener("forwarding", opened);
          resolve();
        };
        tunnel.addEventListener("forwarding", opened);
      });
      network.ends.at(-1 - (round % 3))?.abort(new Error("ECONNRESET"));
      await reopened;
      if (round === 1) first = timers();
    }
    while (network.open > 3) await turns();
    expect(network.open).toBe(3);
    expect([...network.servers.values()].map(({ logins }) => logins)).toEqual([51, 51, 51]);
    expect([...network.servers.values()].map(({ connections }) => connections.size)).toEqual([1, 1, 1]);
    expect(listener.state).toBe("open");
    await expect.poll(timers).toBeLessThanOrEqual(first + 1);
    await tunnel.close();
    expect(network.open).toBe(0);
  });
});

describe("a tunnel through a proxy", () => {
  /** A proxy without a protocol: it connects to the address that `open` gets. */
  const proxyOf = (network: Network, open: Partial<ProxyServer> = {}): ProxyServer => {
    network.others.set("proxy:1080", (pipe) =>
      pipe.start({ data() {}, end: () => pipe.end(), drain() {}, closed() {} }),
    );
    return {
      host: "proxy",
      port: 1080,
      async open(pipe, { host, port }) {
        network.reached.push(`proxy > ${host}:${port}`);
        await Promise.resolve();
        pipe.abort();
        return network.connect(host, port);
      },
      ...open,
    };
  };

  it("dials the proxy, which connects to the server", async () => {
    const network = new Network("server");
    const tunnel = tunnelThrough(network, { proxy: proxyOf(network), via: [] });
    await tunnel.connect();
    expect(network.reached).toEqual(["proxy:1080", "proxy > server:22"]);
    await tunnel.close();
  });

  it("dials the proxy, which connects to the first jump host", async () => {
    const network = new Network("a", "server");
    const tunnel = tunnelThrough(network, { proxy: proxyOf(network) });
    await tunnel.connect();
    expect(network.reached).toEqual(["proxy:1080", "proxy > a:2200", "a > server:22"]);
    await tunnel.close();
  });

  it("fails with the proxy's reason, which is retried as a failed dial", async () => {
    const network = new Network("server");
    let refusals = 2;
    const proxy = proxyOf(network);
    const tunnel = tunnelThrough(network, {
      via: [],
      reconnect: { mode: "always", intervalMs: 0 },
      proxy: {
        ...proxy,
        open: async (pipe, target, call) => {
          if (refusals-- > 0) throw new SshError("connect", "expected the proxy to connect, got: host unreachable");
          return await proxy.open(pipe, target, call);
        },
      },
    });
    const reasons: string[] = [];
    tunnel.addEventListener("reconnectattempt", ({ reason }) => void reasons.push(`${reason.code} ${reason.message}`));
    await tunnel.connect();
    expect(reasons).toEqual(Array(2).fill("connect expected the proxy to connect, got: host unreachable"));
    await tunnel.close();
  });

  it("names a proxy that cannot be reached", async () => {
    const network = new Network("server");
    const proxy = proxyOf(network);
    network.others.clear();
    const error = await rejection(tunnelThrough(network, { proxy, via: [] }).connect());
    expect(error).toMatchObject({
      code: "connect",
      message: expect.stringMatching(/^proxy proxy:1080: .*ECONNREFUSED/),
    });
  });

  it("ends at loginTimeoutMs, and at a signal, if the proxy hangs and ignores its signal", async () => {
    const network = new Network("server");
    let closed = 0;
    const proxy = proxyOf(network, { open: () => new Promise(() => {}) });
    network.others.set("proxy:1080", (pipe) =>
      pipe.start({ data() {}, end() {}, drain() {}, closed: () => void closed++ }),
    );
    const late = tunnelThrough(network, { proxy, via: [], loginTimeoutMs: 50 });
    expect(await rejection(late.connect())).toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/^expected the proxy proxy:1080 to connect to server:22 within \d+ ms$/),
    });
    const stop = new AbortController();
    const connecting = rejection(tunnelThrough(network, { proxy, via: [] }).connect({ signal: stop.signal }));
    await turns();
    stop.abort(new Error("enough"));
    expect(await connecting).toMatchObject({ message: "enough" });
    await turns();
    expect(closed).toBe(2);
  });
});

describe("a proxy of the program", () => {
  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a socket", { on() {} }],
  ])("is refused if it returns %s instead of a pipe", async (_, result) => {
    const network = new Network("server");
    let closed = 0;
    network.others.set("proxy:1080", (pipe) =>
      pipe.start({ data() {}, end() {}, drain() {}, closed: () => void closed++ }),
    );
    const proxy = { host: "proxy", port: 1080, open: async () => result as BytePipe };
    const error = await rejection(tunnelThrough(network, { proxy, via: [] }).connect());
    expect(error).toMatchObject({ code: "misuse", message: expect.stringContaining("a byte pipe") });
    await turns();
    expect(closed).toBe(1);
  });

  it("may throw at once", async () => {
    const network = new Network("server");
    network.others.set("proxy:1080", (pipe) => pipe.start({ data() {}, end() {}, drain() {}, closed() {} }));
    const open = (): never => {
      throw new Error("no way");
    };
    const error = await rejection(
      tunnelThrough(network, { proxy: { host: "proxy", port: 1080, open }, via: [] }).connect(),
    );
    expect(error).toMatchObject({
      code: "connect",
      message: "expected the proxy proxy:1080 to connect to server:22, got: no way",
    });
  });

  it("may return its pipe too late: it is aborted", async () => {
    const network = new Network("server");
    network.others.set("proxy:1080", (pipe) => pipe.start({ data() {}, end() {}, drain() {}, closed() {} }));
    let finish = (_pipe: BytePipe): void => {};
    const open = () =>
      new Promise<BytePipe>((resolve) => {
        finish = resolve;
      });
    const proxy = { host: "proxy", port: 1080, open };
    const late = tunnelThrough(network, { proxy, via: [], loginTimeoutMs: 50 });
    expect(await rejection(late.connect())).toMatchObject({ code: "timeout" });
    finish(network.connect("server", 22));
    await turns();
    expect(network.open).toBe(0);
  });
});

describe("the options of a route", () => {
  const make = (more: object) => (): ReverseTunnel =>
    tunnelThrough(new Network("server"), more as Partial<TunnelOptions>);
  const auth = password("x");
  it.each<[object, string | RegExp]>([
    [{ via: "host" }, "expected via to list jump hosts: via: [{ host, user, auth }], got a string"],
    [{ via: jump("a") }, /expected via to list jump hosts: .* got an object$/],
    [{ via: ["host"] }, /expected via to list jump hosts: .* got a string$/],
    [{ via: [null] }, /expected via to list jump hosts: .* got null$/],
    [{ via: Array(17).fill(jump("a")) }, "expected via to list at most 16 jump hosts, got 17"],
    [{ via: [{ ...jump("a"), username: "x" }] }, 'unknown option "username" of via: did you mean "user"?'],
    [{ via: [jump("a"), { user: "x", auth }] }, "expected via[1].host to be a non-empty string, got undefined"],
    [
      { via: [jump("me@a:22")] },
      'expected via[0].host to be a name or an address, got "me@a:22": write user: "me", host: "a", port: 22',
    ],
    [{ via: [{ ...jump("a"), port: "22" }] }, /expected via\[0\]\.port to be a port number .*got the string "22"/],
    [{ via: [{ host: "a", auth }] }, "expected via[0].user to be a non-empty string, got undefined"],
    [{ via: [{ host: "a", user: "x" }] }, "expected via[0].auth to be a login method or a list of them, got undefined"],
    [{ via: [{ ...jump("a"), auth: [] }] }, /expected via\[0\]\.auth to be a login method/],
    [
      { via: [{ ...jump("a"), hostKey: "SHA256:x" }] },
      /expected via\[0\]\.hostKey to be a function.*write fingerprint/,
    ],
    [
      { proxy: "socks5://me:secret@proxy" },
      /expected proxy to be a proxy such as socks5\('socks5:\/\/host:port'\).*, got a string$/,
    ],
    [{ proxy: { host: "proxy", port: 1080 } }, /expected proxy to be a proxy .* got an object$/],
    [{ proxy: null }, /expected proxy to be a proxy .* got null$/],
    [{ proxy: { host: "", port: 1, open() {} } }, /expected proxy.host/],
    [{ proxy: { host: "p", port: 0, open() {} } }, /expected proxy.port/],
    [{ vai: [] }, 'unknown option "vai" of ReverseTunnel: did you mean "via"?'],
  ])("are refused: %j", (more, message) => {
    expect(make(more)).toThrow(
      expect.objectContaining({
        code: "misuse",
        message: typeof message === "string" ? message : expect.stringMatching(message),
      }),
    );
  });
});
