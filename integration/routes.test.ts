/** Ways to a real server: proxies, jump hosts, commands and WebSockets, and every near miss. */
import { writeSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { fileURLToPath } from "node:url";
import {
  commandPipe,
  fingerprint,
  generatePrivateKey,
  httpConnect,
  modernAlgorithms,
  type NodeTunnelOptions,
  nodeRandom,
  type ProxyServer,
  policy,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  sha256Fingerprint,
  socketPipe,
  socks5,
  TunnelHost,
} from "@postern/node";
import { connect } from "@postern/ssh";
import { webSocketPipe } from "@postern/web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";
import {
  atEnd,
  connectionCount,
  deafTarget,
  echoTarget,
  exchange,
  hashSink,
  isThorough,
  launch,
  leavesNothing,
  missing,
  patternChunks,
  patternHash,
  type RealProxy,
  refusingPort,
  type Sshd,
  startDante,
  startMicrosocks,
  startSshd,
  startTinyproxy,
  startTls,
  type Target,
  target,
  tunnelOptions,
  userKey,
  visit,
} from "./harness/index.ts";

const login = { username: "me", password: "s3cret-of-the-proxy" };
const local = (port: number): { host: string; port: number } => ({ host: "127.0.0.1", port });
const rows: string[] = [];

/** Connects, lets a visitor exchange bytes, and closes. */
async function proves(title: string, options: NodeTunnelOptions, echo: Target): Promise<void> {
  const tunnel = new ReverseTunnel(options);
  tunnel.closed.catch(() => {});
  await tunnel.connect();
  const forwarding = await tunnel.forward({ port: 0, target: local(echo.port) });
  expect((await exchange(forwarding.port, title)).toString()).toBe(title);
  await tunnel.close();
  rows.push(`${title} | passed`);
}

async function refusal(title: string, options: NodeTunnelOptions): Promise<Error & { readonly code: string }> {
  const tunnel = new ReverseTunnel(options);
  const error = await tunnel.connect().then(
    () => expect.unreachable("the login must fail"),
    (reason: unknown) => reason as Error & { readonly code: string },
  );
  expect(`${error.message}${JSON.stringify(error)}`).not.toContain(login.password);
  rows.push(`${title} | ${error.code}: ${error.message.replaceAll(/\d{5}/g, "N")}`);
  return error;
}

describe.skipIf(missing("sshd"))("a route", () => {
  let sshd: Sshd;
  let echo: Target;
  let options: NodeTunnelOptions;
  leavesNothing();
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    echo = await echoTarget();
    options = { ...(await tunnelOptions(sshd)), reconnect: { mode: "never" } };
  });
  afterAll(async () => {
    await sshd.stop();
    await echo.stop();
    writeSync(2, `\n${rows.join("\n")}\n`);
  });

  describe.skipIf(missing("proxies"))("through a proxy", () => {
    let open: RealProxy;
    let locked: RealProxy;
    let dante: RealProxy;
    let tiny: RealProxy;
    let tinyLocked: RealProxy;
    let tls: Awaited<ReturnType<typeof startTls>>;
    let blocked: number;
    beforeAll(async () => {
      blocked = await refusingPort();
      [open, locked, dante, tiny, tinyLocked] = await Promise.all([
        startMicrosocks(),
        startMicrosocks(login),
        startDante([blocked]),
        startTinyproxy({ connectPort: sshd.port }),
        startTinyproxy({ login }),
      ]);
      tls = await startTls(tinyLocked);
    });
    afterAll(async () => {
      for (const one of [open, locked, dante, tiny, tls, tinyLocked]) await one.stop();
    });

    it("reaches the server, with and without a password, by name and by address, and over TLS", async () => {
      const secret = `${login.username}:${login.password}`;
      const ways: [string, ProxyServer][] = [
        ["microsocks", socks5(`socks5://127.0.0.1:${open.port}`)],
        ["microsocks, password", socks5({ host: "127.0.0.1", port: locked.port, ...login })],
        ["microsocks, password in a URL", socks5(`socks5h://${secret}@localhost:${locked.port}`)],
        ["Dante", socks5(`socks5://127.0.0.1:${dante.port}`)],
        ["tinyproxy", httpConnect(`http://127.0.0.1:${tiny.port}`)],
        ["tinyproxy, basic authentication", httpConnect({ host: "127.0.0.1", port: tinyLocked.port, ...login })],
        ["tinyproxy, basic authentication in a URL", httpConnect(`http://${secret}@127.0.0.1:${tinyLocked.port}`)],
        [
          "tinyproxy behind TLS, by name",
          httpConnect({ host: "localhost", port: tls.port, ...login, tls: { ca: tls.certificate } }),
        ],
        [
          "tinyproxy behind TLS, by address",
          httpConnect({ host: "127.0.0.1", port: tls.port, ...login, tls: { ca: tls.certificate } }),
        ],
      ];
      for (const [title, proxy] of ways) {
        await proves(title, { ...options, proxy }, echo);
        // The proxy resolves the name.
        await proves(`${title}, to a name`, { ...options, host: "localhost", proxy }, echo);
      }
      expect(open.log()).toContain(`localhost:${sshd.port}`);
      expect(tiny.log()).toContain(`CONNECT localhost:${sshd.port}`);
    });

    it("carries many bytes in both directions", async () => {
      const size = 8 * 1024 * 1024;
      for (const proxy of [
        socks5(`socks5://127.0.0.1:${open.port}`),
        httpConnect({ host: "127.0.0.1", port: tls.port, ...login, tls: { ca: tls.certificate } }),
      ]) {
        const sink = await hashSink();
        const tunnel = new ReverseTunnel({ ...options, proxy });
        await tunnel.connect();
        const forwarding = await tunnel.forward({ port: 0, target: local(sink.port) });
        const visitor = await visit(forwarding.port);
        await visitor.sendAll(patternChunks(size));
        visitor.end();
        expect((await sink.next()).sha256).toBe(patternHash(size));
        await visitor.readAll();
        await tunnel.close();
        await sink.stop();
      }
    });

    it("fails with the proxy's reason", async () => {
      const closedPort = await refusingPort();
      const wrong = { ...login, password: `${login.password}!` };
      const at = (port: number, more = {}) => ({ host: "127.0.0.1", port, ...more });
      const misses: [string, NodeTunnelOptions, RegExp][] = [
        [
          "microsocks, no password",
          { ...options, proxy: socks5(at(locked.port)) },
          /may require a username and a password/,
        ],
        [
          "microsocks, wrong password",
          { ...options, proxy: socks5(at(locked.port, wrong)) },
          /to accept the username and the password/,
        ],
        [
          "microsocks, no server",
          { ...options, port: closedPort, proxy: socks5(at(open.port)) },
          /connection refused \(reply 5\)/,
        ],
        [
          "microsocks, unknown name",
          { ...options, host: "nobody.invalid", proxy: socks5(at(open.port)) },
          /got: \w.* \(reply \d\)/,
        ],
        [
          "Dante, blocked by a rule",
          { ...options, port: blocked, proxy: socks5(at(dante.port)) },
          /not allowed by ruleset \(reply 2\)/,
        ],
        [
          "tinyproxy, no password",
          { ...options, proxy: httpConnect(at(tinyLocked.port)) },
          /407 .*"; it requires a username and a password/,
        ],
        [
          "tinyproxy, wrong password",
          { ...options, proxy: httpConnect(at(tinyLocked.port, wrong)) },
          /got "HTTP\/1\.\d 40[17] [^"]*"/,
        ],
        [
          "tinyproxy, port not allowed",
          { ...options, port: closedPort, proxy: httpConnect(at(tiny.port)) },
          /got "HTTP\/1\.\d 403 /,
        ],
        [
          "tinyproxy, no server",
          { ...options, port: closedPort, proxy: httpConnect(at(tinyLocked.port, login)) },
          /got "HTTP\/1\.\d 50\d /,
        ],
        ["a SOCKS proxy as HTTP", { ...options, proxy: httpConnect(at(open.port)) }, /HTTP proxy/],
        [
          "no proxy",
          { ...options, proxy: socks5(at(closedPort)) },
          /^proxy 127\.0\.0\.1:\d+: expected a connection .*ECONNREFUSED/,
        ],
        [
          "TLS, unknown certificate",
          { ...options, proxy: httpConnect(`https://localhost:${tls.port}`) },
          /expected a TLS connection to the HTTP proxy localhost:\d+, got DEPTH_ZERO_SELF_SIGNED_CERT/,
        ],
        [
          "TLS, another name",
          {
            ...options,
            proxy: httpConnect({ ...at(tls.port), tls: { ca: tls.certificate, servername: "proxy.example" } }),
          },
          /got ERR_TLS_CERT_ALTNAME_INVALID/,
        ],
        [
          "TLS to a proxy without",
          { ...options, proxy: httpConnect({ ...at(open.port), tls: true }) },
          /expected a TLS connection/,
        ],
        ["no TLS to a proxy with", { ...options, proxy: httpConnect(at(tls.port)) }, /HTTP proxy/],
      ];
      for (const [title, given, message] of misses) {
        const error = await refusal(title, given);
        expect(error).toMatchObject({ name: "SshError", code: "connect", message: expect.stringMatching(message) });
      }
    });

    it("ends in time if the proxy hangs, and at a signal", async () => {
      const deaf = await deafTarget();
      atEnd(() => deaf.stop());
      for (const proxy of [
        socks5(local(deaf.port)),
        httpConnect(local(deaf.port)),
        httpConnect({ ...local(deaf.port), tls: true }),
        // It waits for the end of a line.
        socks5(local(tiny.port)),
      ]) {
        const error = await refusal("a proxy that hangs", { ...options, proxy, loginTimeoutMs: 300 });
        expect(error).toMatchObject({ code: "timeout", message: expect.stringContaining("the proxy 127.0.0.1:") });
        const tunnel = new ReverseTunnel({ ...options, proxy });
        const stop = new AbortController();
        const connecting = tunnel.connect({ signal: stop.signal });
        setTimeout(() => stop.abort(new Error("enough")), 100);
        await expect(connecting).rejects.toThrow("enough");
      }
    });

    it("reconnects when the proxy dies and comes back", async () => {
      const proxy = await startMicrosocks();
      atEnd(() => proxy.stop());
      const tunnel = new ReverseTunnel({
        ...options,
        proxy: socks5(local(proxy.port)),
        reconnect: { intervalMs: 50 },
      });
      atEnd(() => tunnel.close());
      const reasons: string[] = [];
      tunnel.addEventListener("reconnectattempt", ({ reason }) => void reasons.push(reason.code));
      await tunnel.connect();
      const forwarding = await tunnel.forward({ port: 0, target: local(echo.port) });
      await proxy.kill();
      await expect.poll(() => reasons.length).toBeGreaterThan(2);
      await proxy.restart();
      await expect.poll(() => forwarding.state, { timeout: 10_000 }).toBe("open");
      expect((await exchange(forwarding.port, "again")).toString()).toBe("again");
      expect(new Set(reasons.slice(1))).toEqual(new Set(["connect"]));
    });
  });

  describe("through jump hosts", () => {
    let first: Sshd;
    let second: Sshd;
    beforeAll(async () => {
      const authorizedKeys = [(await userKey()).publicLine];
      [first, second] = await Promise.all([startSshd({ authorizedKeys }), startSshd({ authorizedKeys })]);
    });
    afterAll(async () => {
      await first.stop();
      await second.stop();
    });
    const hop = async (server: Sshd, more = {}) => {
      const { host = "", port = 0, user, auth, hostKey } = await tunnelOptions(server);
      return { host, port, user, auth, hostKey, ...more };
    };

    it("reaches the server through one and through two sshd", async () => {
      await proves("one sshd", { ...options, via: [await hop(first)] }, echo);
      await proves("two sshd", { ...options, via: [await hop(first), await hop(second)] }, echo);
      await expect
        .poll(() => connectionCount(first.port) + connectionCount(second.port) + connectionCount(sshd.port))
        .toBe(0);
    });

    it.skipIf(missing("proxies"))("reaches the first jump host through a proxy", async () => {
      const proxy = await startMicrosocks(login);
      atEnd(() => proxy.stop());
      const way = { proxy: socks5({ ...local(proxy.port), ...login }), via: [await hop(first)] };
      await proves("microsocks and one sshd", { ...options, ...way }, echo);
      expect(proxy.log()).toContain(`127.0.0.1:${first.port}`);
    });

    it("carries many bytes", async () => {
      const size = 8 * 1024 * 1024;
      const sink = await hashSink();
      atEnd(() => sink.stop());
      const tunnel = new ReverseTunnel({
        ...options,
        via: [await hop(first), await hop(second)],
        rekey: { bytes: 3 * 1024 * 1024 },
      });
      await tunnel.connect();
      const forwarding = await tunnel.forward({ port: 0, target: local(sink.port) });
      const visitors = await Promise.all([1, 2, 3].map(() => visit(forwarding.port)));
      await Promise.all(
        visitors.map(async (visitor) => {
          await visitor.sendAll(patternChunks(size));
          visitor.end();
        }),
      );
      for (const _ of visitors) expect((await sink.next()).sha256).toBe(patternHash(size));
      for (const visitor of visitors) await visitor.readAll();
      await tunnel.close();
    });

    it("fails with the name of the one that refuses", async () => {
      const closed = await startSshd({
        authorizedKeys: [(await userKey()).publicLine],
        config: { AllowTcpForwarding: "no" },
      });
      atEnd(() => closed.stop());
      const other = privateKey(generatePrivateKey());
      const wrong = { hostKey: fingerprint(sshd.fingerprint()) };
      const misses: [string, NodeTunnelOptions, string, RegExp][] = [
        [
          "wrong host key of the first",
          { ...options, via: [await hop(first, wrong), await hop(second)] },
          "hostkey",
          /^jump host 127\.0\.0\.1 \(1 of 2\): /,
        ],
        [
          "wrong host key of the second",
          { ...options, via: [await hop(first), await hop(second, wrong)] },
          "hostkey",
          /^jump host 127\.0\.0\.1 \(2 of 2\): /,
        ],
        ["unknown key", { ...options, via: [await hop(first, { auth: other })] }, "auth", /^jump host 127\.0\.0\.1: /],
        [
          "AllowTcpForwarding no",
          { ...options, via: [await hop(closed)] },
          "denied",
          /^jump host 127\.0\.0\.1: expected a connection to 127\.0\.0\.1:\d+, got: .*\(reason 1\)/,
        ],
        [
          "no server behind",
          { ...options, port: await refusingPort(), via: [await hop(first)] },
          "refused",
          /^jump host 127\.0\.0\.1: expected a connection .*\(reason 2\)/,
        ],
        [
          "wrong host key of the server",
          { ...options, hostKey: fingerprint(first.fingerprint()), via: [await hop(first)] },
          "hostkey",
          /^expected 127\.0\.0\.1 to have/,
        ],
      ];
      for (const [title, given, code, message] of misses) {
        expect(await refusal(title, given)).toMatchObject({ code, message: expect.stringMatching(message) });
      }
      await expect
        .poll(
          () =>
            connectionCount(first.port) +
            connectionCount(second.port) +
            connectionCount(sshd.port) +
            connectionCount(closed.port),
        )
        .toBe(0);
    });

    it("rebuilds all when one of them drops the connection, and names it", async () => {
      const tunnel = new ReverseTunnel({
        ...options,
        via: [await hop(first), await hop(second)],
        reconnect: { intervalMs: 20 },
      });
      atEnd(() => tunnel.close());
      const reasons: string[] = [];
      tunnel.addEventListener(
        "reconnectattempt",
        ({ reason }) => void reasons.push(`${reason.code} ${reason.message}`),
      );
      await tunnel.connect();
      const forwarding = await tunnel.forward({ port: 0, target: local(echo.port) });
      for (const [index, server] of [first, second, sshd].entries()) {
        server.dropConnections();
        await expect.poll(() => reasons.length).toBe(index + 1);
        await expect.poll(() => forwarding.state, { timeout: 10_000 }).toBe("open");
        expect((await exchange(forwarding.port, "again")).toString()).toBe("again");
      }
      expect(reasons[0]).toMatch(/^closed jump host 127\.0\.0\.1 \(1 of 2\): /);
      expect(reasons[1]).toMatch(/^closed jump host 127\.0\.0\.1 \(2 of 2\): /);
      expect(reasons[2]).toMatch(/^closed (?!jump host)/);
      // Of each server one session is left.
      await expect.poll(() => [first, second, sshd].map(({ port }) => connectionCount(port))).toEqual([1, 1, 1]);
    });

    const rounds = isThorough ? 50 : 20;
    it(`leaves no connection after ${rounds} reconnections`, async () => {
      const tunnel = new ReverseTunnel({
        ...options,
        via: [await hop(first), await hop(second)],
        reconnect: { intervalMs: 0, backoff: { jitter: 0 } },
      });
      atEnd(() => tunnel.close());
      await tunnel.connect();
      // Once it listens, the session's last process runs: a process that is just starting would not be dropped.
      await tunnel.forward({ port: 0, target: local(echo.port) });
      const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
      await expect.poll(() => [first, second, sshd].map(({ port }) => connectionCount(port))).toEqual([1, 1, 1]);
      const before = sockets();
      for (let round = 1; round <= rounds; round++) {
        const reopened = new Promise<void>((resolve) => {
          const changed = ({ state }: { readonly state: string }): void => {
            if (state !== "open") return;
            tunnel.removeEventListener("forwarding", changed);
            resolve();
          };
          tunnel.addEventListener("forwarding", changed);
        });
        ([first, second, sshd][round % 3] as Sshd).dropConnections();
        await reopened;
      }
      expect(tunnel.stats().reconnects).toBe(rounds);
      await expect.poll(sockets, { timeout: 10_000 }).toBe(before);
      await expect
        .poll(() => [first, second, sshd].map(({ port }) => connectionCount(port)), { timeout: 10_000 })
        .toEqual([1, 1, 1]);
    }, 120_000);

    it("jumps through a TunnelHost that permits it, and is denied elsewhere", async () => {
      const hostKey = await readPrivateKey(generatePrivateKey());
      const { publicLine, privateText } = await userKey();
      const host = await TunnelHost.listen({
        address: "127.0.0.1",
        port: 0,
        hostKeys: [hostKey],
        authorize: policy({ jumper: { keys: publicLine, permitOpen: [`127.0.0.1:${sshd.port}`] } }),
      });
      atEnd(() => host.close());
      const jump = {
        ...local(host.port),
        user: "jumper",
        auth: privateKey(privateText),
        hostKey: fingerprint(sha256Fingerprint(hostKey.publicKey)),
      };
      await proves("TunnelHost", { ...options, via: [jump] }, echo);
      const error = await refusal("TunnelHost, target not permitted", { ...options, port: first.port, via: [jump] });
      expect(error).toMatchObject({ code: "denied", message: expect.stringMatching(/^jump host 127\.0\.0\.1: /) });
      await expect.poll(() => host.clients.length).toBe(0);
    });

    it("works below the tunnel: connect() over the channel of openTcp()", async () => {
      const { auth, hostKey: _, ...rest } = options;
      const common = {
        user: rest.user,
        auth: [auth].flat(),
        algorithms: modernAlgorithms,
        random: nodeRandom,
        hostKey: () => true,
      };
      const outer = await connect(socketPipe(connectTcp(first.port, "127.0.0.1")), common);
      const inner = await connect(await outer.openTcp(local(sshd.port)), common);
      expect(inner.loggedIn).toBe(true);
      expect(inner.peer.version).toMatch(/^SSH-2\.0-OpenSSH/);
      await expect(outer.openTcp(local(await refusingPort()))).rejects.toMatchObject({ code: "refused", reason: 2 });
      await expect(outer.openTcp({ host: "", port: 1 })).rejects.toMatchObject({ code: "misuse" });
      await expect(outer.openTcp({ host: "x", port: 0 })).rejects.toMatchObject({ code: "misuse" });
      await inner.close();
      await outer.close();
    });
  });

  describe("by the program's own dial", () => {
    it.skipIf(missing("nc"))("is a command, with and without a shell", async () => {
      await proves(
        "nc",
        {
          ...options,
          dial: ({ host, port }, { signal }) => commandPipe("nc.openbsd", [host, String(port)], { signal }),
        },
        echo,
      );
      await proves(
        "nc in a shell",
        {
          ...options,
          dial: ({ host, port }, { signal }) =>
            commandPipe(`exec nc.openbsd ${host} ${port}`, [], { shell: true, signal }),
        },
        echo,
      );
    });

    it.skipIf(missing("nc", "proxies"))("is a command that reaches a proxy, which reaches a jump host", async () => {
      const jump = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
      atEnd(() => jump.stop());
      const proxy = await startTinyproxy({ login });
      atEnd(() => proxy.stop());
      const { host = "", port = 0, user, auth, hostKey } = await tunnelOptions(jump);
      const dialled: number[] = [];
      await proves(
        "nc, tinyproxy and one sshd",
        {
          ...options,
          proxy: httpConnect({ ...local(proxy.port), ...login }),
          via: [{ host, port, user, auth, hostKey }],
          dial: (at, { signal }) => {
            dialled.push(at.port);
            return commandPipe("nc.openbsd", [at.host, String(at.port)], { signal });
          },
        },
        echo,
      );
      expect(dialled).toEqual([proxy.port]);
    });

    it.skipIf(missing("nc"))("fails with the status and the words of the command", async () => {
      const closedPort = await refusingPort();
      const error = await refusal("nc, no server", {
        ...options,
        dial: () => commandPipe("nc.openbsd", ["-v", "127.0.0.1", String(closedPort)]),
      });
      expect(error.code).toBe("version");
      expect(error.message).toMatch(
        /got nothing: the command "nc.openbsd" ended with status 1 and printed ".*Connection refused"/,
      );
    });

    it.skipIf(missing("nc"))("half-closes as a socket does", async () => {
      const told: string[] = [];
      const server = await target((socket) => {
        socket.on("data", (chunk) => told.push(String(chunk)));
        socket.on("end", () => socket.end("after the end"));
      });
      atEnd(() => server.stop());
      const pipe = await commandPipe("nc.openbsd", ["-N", "127.0.0.1", String(server.port)]);
      const text = await new Promise<string>((resolve, reject) => {
        let got = "";
        pipe.start({
          data: (chunk) => {
            got += Buffer.from(chunk).toString();
          },
          end: () => {
            got += "|end";
          },
          drain() {},
          closed: (error) => (error === undefined ? resolve(got) : reject(error)),
        });
        pipe.write(Buffer.from("hello"));
        pipe.end();
      });
      expect(text).toBe("after the end|end");
      expect(told.join("")).toBe("hello");
    });

    it("is a WebSocket", async () => {
      const script = fileURLToPath(new URL("../examples/bridge-node/bridge.mjs", import.meta.url));
      const bridge = await launch(process.execPath, [script, "--listen", "0", "--to", `127.0.0.1:${sshd.port}`]);
      atEnd(() => bridge.stop());
      const [, url = ""] = await bridge.stdout.waitFor(/(ws:\S+) leads to/);
      // Node 20 has no WebSocket.
      const dial = () => webSocketPipe(new NodeWebSocket(url) as unknown as WebSocket);
      await proves("a WebSocket", { ...options, dial }, echo);
    });
  });
});
