/**
 * Each preset against a server that behaves as its service does, as far as its source or documentation says. The tests
 * also show that each trap works: without the part of the preset that avoids it, there is no forwarding.
 */
import { none } from "@postern/auth";
import { testHostKeyText, turns } from "@postern/testkit";
import { privateKey } from "@postern/web";
import { describe, expect, it } from "vitest";
import {
  type Forwarding,
  frp,
  type Listener,
  localhostRun,
  ngrok,
  pinggy,
  ReverseTunnel,
  serveo,
  sish,
  srvUs,
  type TunnelOptions,
} from "../src/index.ts";
import { type HostedBehaviour, HostedServer } from "./world/hosted-server.ts";
import { advance, afterTest, onVirtualClock, outcome } from "./world/index.ts";

onVirtualClock();

const key = [privateKey(testHostKeyText)];

/** A tunnel to a service, connected. */
async function tunnelTo(server: HostedServer, options: Omit<TunnelOptions, "hostKey">): Promise<ReverseTunnel> {
  const reconnect = { intervalMs: 1000, backoff: { jitter: 0 } };
  const tunnel = new ReverseTunnel({ ...options, hostKey: () => true, reconnect }, server);
  tunnel.closed.catch(() => {});
  afterTest.push(() => void tunnel.close());
  await tunnel.connect();
  return tunnel;
}

/** As {@link tunnelTo}, with a listener for a port that the preset chooses. */
async function listenerAt(server: HostedServer, options: Omit<TunnelOptions, "hostKey">): Promise<Listener> {
  return await (await tunnelTo(server, options)).listen({});
}

/** A visitor that is reported with this address and port reaches the listener. */
async function expectVisit(server: HostedServer, listener: Forwarding, address: string, port: number): Promise<void> {
  const before = listener.stats().accepted;
  await server.client.visit(address, port);
  await turns();
  expect(listener.stats().accepted).toBe(before + 1);
}

describe("localhostRun", () => {
  /** Documentation: JSON with `--output json`. It is not documented which method logs in; this one refuses `none`. */
  const behaviour = (): HostedBehaviour => {
    let tunnels = 0;
    return {
      login: async (attempt) =>
        attempt.user === "nokey" &&
        attempt.method === "keyboard-interactive" &&
        (await attempt.ask({ name: "", instruction: "", prompts: [] })).length === 0,
      forward: (request) => request.grant(),
      request({ type, accept, refuse }, client, command) {
        if (type !== "exec") return refuse();
        accept();
        client.print(
          "Welcome to localhost.run! Manage your domains at https://admin.localhost.run/",
          JSON.stringify({ connection_id: "a", event: "authn", message: "authenticated as anonymous user" }),
        );
        const address = `tunnel${++tunnels}.lhr.life`;
        const message = `${address} tunneled with tls termination, https://${address}`;
        client.print(
          command === "--output json" ? JSON.stringify({ event: "tcpip-forward", message, address }) : message,
        );
      },
    };
  };

  it("logs in as nokey by none or keyboard-interactive, and reads the URL from JSON", async () => {
    const server = new HostedServer(behaviour());
    const listener = await listenerAt(server, localhostRun());
    await turns();
    expect(server.log).toEqual([
      "dial localhost.run:22",
      "login none nokey",
      "login keyboard-interactive nokey",
      "forward localhost:80",
      "session",
      "exec --output json",
    ]);
    expect(listener.url).toBe("https://tunnel1.lhr.life");
    await expectVisit(server, listener, "localhost", 80);
  });

  it("has the new URL after a reconnection", async () => {
    const server = new HostedServer(behaviour());
    const tunnel = await tunnelTo(server, localhostRun());
    const urls: unknown[] = [];
    tunnel.addEventListener("forwarding", ({ forwarding, state }) => void urls.push([state, forwarding.url]));
    const listener = await tunnel.listen({});
    await turns();
    server.client.hangUp();
    await advance(1000);
    expect(urls).toEqual([
      ["open", undefined],
      ["open", "https://tunnel1.lhr.life"],
      ["pending", undefined],
      ["open", undefined],
      ["open", "https://tunnel2.lhr.life"],
    ]);
    expect(listener.url).toBe("https://tunnel2.lhr.life");
  });

  it("reads the URL from the text of a session without JSON, and no address that is not one", async () => {
    const server = new HostedServer(behaviour());
    const listener = await listenerAt(server, { ...localhostRun(), session: { exec: "--output text" } });
    await turns();
    expect(listener.url).toBe("https://tunnel1.lhr.life");
    server.client.print(
      '{"event":"tcpip-forward","address":"evil.test/ x"}',
      '{"event":"other","address":"a.b"}',
      "null",
    );
    await turns();
    expect(listener.url).toBe("https://tunnel1.lhr.life");
  });
});

describe("pinggy", () => {
  /** Documentation: an empty password, and the URLs as text of a shell. */
  const behaviour: HostedBehaviour = {
    login: (attempt) => attempt.method === "password" && attempt.password === "",
    forward: (request) => (request.port === 0 ? request.grant() : request.refuse()),
    request({ type, accept, refuse }, client) {
      if (type !== "shell") return refuse();
      accept();
      client.print(
        "You are not authenticated.",
        "Your tunnel will expire in 60 minutes. Upgrade to Pinggy Pro. https://dashboard.pinggy.io",
        "",
        "http://rnabc.a.free.pinggy.link",
        "https://rnabc.a.free.pinggy.link",
      );
    },
  };

  it("logs in with an empty password at port 443, asks for port 0, and reads the URL from a shell", async () => {
    const server = new HostedServer(behaviour);
    const listener = await listenerAt(server, pinggy({ token: "secret" }));
    await turns();
    expect(server.log).toEqual([
      "dial a.pinggy.io:443",
      "login password secret+force+http",
      "forward localhost:0",
      "session",
      "shell",
    ]);
    expect([listener.port, listener.url]).toEqual([undefined, "https://rnabc.a.free.pinggy.link"]);
    await expectVisit(server, listener, "localhost", 12_345);
  });

  it("needs no token, and has other types", () => {
    expect([pinggy().user, pinggy({ type: "tcp" }).user]).toEqual(["http", "tcp"]);
    expect(() => pinggy({ token: "" })).toThrow("expected token to be a non-empty string");
  });
});

describe("srvUs", () => {
  /** Its source: `tcpip-forward` waits for a session, and a session waits a second for a `tcpip-forward`. */
  const behaviour = (): HostedBehaviour => {
    const waiting: (() => void)[] = [];
    return {
      login: (attempt) => attempt.method === "publickey",
      connected(client) {
        let answered = true;
        client.every(5000, () => {
          answered = false;
          client.connection.request("keepalive@openssh.com", new Uint8Array(0)).then(
            () => {
              answered = true;
            },
            () => {},
          );
          client.after(10_000, () => answered || client.hangUp());
        });
      },
      forward(request, client) {
        const answer = (): void => {
          client.print(`${request.port}: https://hash${request.port}.srv.us/, https://me.gh.srv.us/`);
          request.grant(443);
        };
        if (client.sessions.length > 0) answer();
        else waiting.push(answer);
      },
      session(client) {
        client.print("Support: https://discord.gg/6YnHXskF4a");
        client.after(1000, () => client.forwards.length === 0 && client.endSession(1));
        for (const answer of waiting.splice(0)) answer();
      },
      request: ({ type, accept, refuse }) => (type === "shell" || type === "pty-req" ? accept() : refuse()),
    };
  };

  it("has its URL although the forwarding is answered only once there is a session", async () => {
    const server = new HostedServer(behaviour());
    const listener = await listenerAt(server, { ...srvUs(), auth: key });
    expect(server.log.slice(-3)).toEqual(["forward localhost:1", "session", "shell"]);
    expect([listener.port, listener.url]).toEqual([1, "https://hash1.srv.us/"]);
    await expectVisit(server, listener, "localhost", 1);
  });

  it("has a URL for each of several forwardings", async () => {
    const server = new HostedServer(behaviour());
    const tunnel = await tunnelTo(server, { ...srvUs(), auth: key });
    const [first, second] = [await tunnel.listen({}), await tunnel.listen({ port: 2 })];
    await turns();
    expect([first.url, second.url]).toEqual(["https://hash1.srv.us/", "https://hash2.srv.us/"]);
    expect(server.client.sessions).toHaveLength(1);
  });

  it("answers its pings, so that it does not hang up", async () => {
    const server = new HostedServer(behaviour());
    const listener = await listenerAt(server, { ...srvUs(), auth: key });
    await advance(60_000);
    expect(listener.state).toBe("open");
    expect(server.clients).toHaveLength(1);
  });

  it("opens its session behind the first forwarding, because a session alone is closed", async () => {
    const server = new HostedServer(behaviour());
    const tunnel = await tunnelTo(server, { ...srvUs(), auth: key });
    await advance(5000);
    expect(server.log.at(-1)).toBe("login publickey srv");
    expect((await tunnel.listen({})).url).toBe("https://hash1.srv.us/");
  });

  it("would never be answered without the session", async () => {
    const server = new HostedServer(behaviour());
    const { session: _, ...sessionless } = srvUs();
    const tunnel = await tunnelTo(server, { ...sessionless, auth: key });
    const listening = tunnel.listen({});
    await advance(60_000);
    expect(await outcome(listening)).toBe("unsettled");
  });
});

describe("serveo", () => {
  const behaviour: HostedBehaviour = {
    login: async (attempt) =>
      attempt.method === "keyboard-interactive" &&
      (await attempt.ask({ name: "", instruction: "", prompts: [{ prompt: "Press enter", echo: true }] }))[0] === "",
    forward(request, client) {
      request.grant(request.port);
      client.after(10, () =>
        client.print(
          request.port === 80
            ? "\u001b[32mForwarding HTTP traffic from https://name.serveo.net\u001b[0m"
            : "Forwarding TCP connections from serveo.net:1492",
        ),
      );
    },
    request: ({ accept }) => accept(),
  };

  it("answers keyboard-interactive, and reads the URL", async () => {
    const server = new HostedServer(behaviour);
    const tunnel = await tunnelTo(server, serveo());
    const web = await tunnel.listen({ address: "name" });
    await advance(10);
    expect(server.log.slice(-3)).toEqual(["forward name:80", "session", "shell"]);
    expect(web.url).toBe("https://name.serveo.net");
    await expectVisit(server, web, "name", 80);
  });

  it("reads the address of TCP", async () => {
    const server = new HostedServer(behaviour);
    const tunnel = await tunnelTo(server, serveo());
    const tcp = await tunnel.listen({ port: 1492 });
    await advance(10);
    expect(tcp.url).toBe("tcp://serveo.net:1492");
  });
});

describe("sish", () => {
  /** Its source: it answers no request on a session but `shell`, and a second one panics. */
  const behaviour = (): HostedBehaviour & { panics: number } => {
    let next = 40_000;
    const one: HostedBehaviour & { panics: number } = {
      panics: 0,
      login: (attempt) => attempt.method === "none",
      forward(request, client) {
        const isHttp = request.port === 80 || request.port === 443;
        const bound = next++;
        const reply = request.port === 0 ? bound : request.port;
        // Without a session it waits a second.
        client.after(client.sessions.length > 0 ? 0 : 1000, () => {
          request.grant(reply);
          client.print(
            `Starting SSH Forwarding service for \u001b[32m${isHttp ? "http" : "tcp"}:${request.port}\u001b[0m.`,
            ...(isHttp
              ? [
                  `\u001b[44mHTTP\u001b[0m: http://${request.address}.tuns.test`,
                  `\u001b[44mHTTPS\u001b[0m: https://${request.address}.tuns.test`,
                ]
              : [`\u001b[44mTCP\u001b[0m: tuns.test:${bound}`]),
          );
        });
      },
      session(client) {
        client.print("\u001b[41mPress Ctrl-C to close the session.\u001b[0m");
      },
      request({ type, accept }, client) {
        if (type === "shell" || type === "exec") {
          const previous = starts.get(client) ?? 0;
          starts.set(client, previous + 1);
          if (previous > 0) {
            one.panics++;
            client.hangUp();
          }
        }
        // `exec` and `pty-req` are never answered.
        if (type === "shell") accept();
      },
    };
    const starts = new Map<unknown, number>();
    return one;
  };

  it("asks for a TCP port that the server chooses, again after a reconnection", async () => {
    const server = new HostedServer(behaviour());
    const tunnel = await tunnelTo(server, sish({ host: "tuns.test", port: 2222 }));
    const listening = tunnel.listen({});
    await advance(1000);
    const listener = await listening;
    expect(server.log).toEqual(["dial tuns.test:2222", "login none sish", "forward localhost:0", "session", "shell"]);
    expect([listener.port, listener.url]).toEqual([40_000, "tcp://tuns.test:40000"]);
    await expectVisit(server, listener, "localhost", 40_000);
    server.client.hangUp();
    // The wait, and the second without a session, which is opened behind the request.
    await advance(2000);
    expect(server.log.slice(-3)).toEqual(["forward localhost:0", "session", "shell"]);
    expect([listener.port, listener.url]).toEqual([40_001, "tcp://tuns.test:40001"]);
    await expectVisit(server, listener, "localhost", 40_001);
  });

  it("has the address of each of several ports", async () => {
    const server = new HostedServer(behaviour());
    const tunnel = await tunnelTo(server, sish({ host: "tuns.test" }));
    const opening = [tunnel.listen({}), tunnel.listen({})];
    await advance(1000);
    const [first, second] = await Promise.all(opening);
    await turns();
    expect([first?.url, second?.url]).toEqual(["tcp://tuns.test:40000", "tcp://tuns.test:40001"]);
  });

  it("has the HTTPS URL of each name, with one session", async () => {
    const one = behaviour();
    const server = new HostedServer(one);
    const tunnel = await tunnelTo(server, {
      ...sish({ host: "tuns.test" }),
      session: { exec: "force-https=true", pty: true },
    });
    const opening = [tunnel.listen({ address: "a", port: 80 }), tunnel.listen({ address: "b", port: 80 })];
    await advance(1000);
    const [a, b] = await Promise.all(opening);
    await turns();
    expect([a?.url, b?.url]).toEqual(["https://a.tuns.test", "https://b.tuns.test"]);
    expect(one.panics).toBe(0);
    expect(server.log).toContain("exec force-https=true");
  });
});

describe("ngrok", () => {
  /** Documentation: a key, `exec` with the type of endpoint, and one endpoint. */
  const behaviour: HostedBehaviour = {
    login: (attempt) => attempt.method === "publickey",
    connected: (client) =>
      client.after(5000, () => client.forwards.length > 0 && client.sessions.length === 0 && client.hangUp()),
    forward: (request, client) =>
      client.forwards.length > 1 ? request.refuse() : request.grant(request.port || 12_345),
    request({ type, accept, refuse }, client, command) {
      if (type !== "exec") return refuse();
      accept();
      const url = command.startsWith("http") ? "https://1a2b.ngrok.app" : "tcp://6.tcp.ngrok.io:12345";
      client.print("ngrok (via SSH) (Ctrl+C to quit)", "", "Account     me (Plan: Free)", `Forwarding  ${url}`);
    },
  };

  it("runs http at port 443, and reads the URL", async () => {
    const server = new HostedServer(behaviour);
    const listener = await listenerAt(server, { ...ngrok(), auth: key });
    await turns();
    expect(server.log.slice(-3)).toEqual(["forward localhost:443", "session", "exec http"]);
    expect(server.log[0]).toBe("dial connect.ngrok-agent.com:22");
    expect(listener.url).toBe("https://1a2b.ngrok.app");
    await expectVisit(server, listener, "localhost", 443);
  });

  it("asks for port 0 for tcp", async () => {
    const server = new HostedServer(behaviour);
    const listener = await listenerAt(server, { ...ngrok({ exec: "tcp" }), auth: key });
    await turns();
    expect([listener.port, listener.url]).toEqual([12_345, "tcp://6.tcp.ngrok.io:12345"]);
  });
});

describe("frp", () => {
  /** Its source: it needs a forward and `exec` within 3 s, and answers every global request with an empty SUCCESS. */
  const behaviour = (): HostedBehaviour => {
    const commands = new Map<unknown, string>();
    return {
      login: (attempt) => attempt.method === "none",
      connected: (client) =>
        client.after(3000, () => (client.forwards.length === 0 || !commands.has(client)) && client.hangUp()),
      forward: (request) => request.grant(),
      session: (client) => client.every(30_000, () => client.sessions[0]?.notify("heartbeat", new Uint8Array(0))),
      request({ accept, wantReply }, client, command) {
        if (wantReply) accept();
        if (command === "") return;
        commands.set(client, command);
        client.after(100, () => {
          const [type = ""] = command.split(" ");
          const address = type === "http" ? "www.example.com:8080" : ":6000";
          client.print(
            "",
            "frp (via SSH) (Ctrl+C to quit)",
            "",
            "User: ",
            "ProxyName: web",
            `Type: ${type}`,
            `RemoteAddress: ${address}`,
          );
        });
      },
    };
  };
  const http = frp({ host: "frp.test", exec: "http --proxy_name web --custom_domain www.example.com" });

  it("asks for `:80` and runs the command at once, and reads the URL", async () => {
    const server = new HostedServer(behaviour());
    const listener = await listenerAt(server, http);
    await advance(100);
    expect(server.log).toEqual([
      "dial frp.test:2200",
      "login none v0",
      "forward :80",
      "session",
      "exec http --proxy_name web --custom_domain www.example.com",
    ]);
    expect(listener.url).toBe("http://www.example.com:8080");
    await advance(60_000);
    expect([listener.state, server.clients.length]).toEqual(["open", 1]);
    await expectVisit(server, listener, "", 80);
  });

  it("reads the address of tcp, and accepts an answer without a port for port 0", async () => {
    const server = new HostedServer(behaviour());
    const tunnel = await tunnelTo(server, frp({ host: "frp.test", exec: "tcp --remote_port 6000" }));
    const listener = await tunnel.listen({ port: 0 });
    await advance(100);
    expect([listener.port, listener.url]).toEqual([undefined, "tcp://frp.test:6000"]);
    await expectVisit(server, listener, "", 0);
  });

  it("would be disconnected after 3 s without the command", async () => {
    const server = new HostedServer(behaviour());
    const { session: _, ...sessionless } = http;
    const listener = await listenerAt(server, sessionless);
    await advance(3000);
    expect(listener.state).toBe("pending");
  });

  it("checks its options", () => {
    expect(() => frp({ host: "frp.test", exec: "udp --remote_port 6000" })).toThrow("expected exec to start with tcp");
    expect(() => sish({ host: "a", hosts: ["b"] } as never)).toThrow('unknown option "hosts"');
  });
});

describe("a preset", () => {
  it("brings no host key check, and no key", () => {
    const presets = [
      localhostRun(),
      pinggy(),
      srvUs(),
      serveo(),
      sish({ host: "h" }),
      ngrok(),
      frp({ host: "h", exec: "tcp" }),
    ];
    for (const preset of presets) expect(preset).not.toHaveProperty("hostKey");
    for (const preset of [srvUs(), ngrok()]) expect(preset).not.toHaveProperty("auth");
  });

  it("is replaced by what follows it in the options", async () => {
    const server = new HostedServer({ login: () => true, forward: (request) => request.grant(), request: () => {} });
    await tunnelTo(server, { ...pinggy(), host: "pro.pinggy.io", auth: [none()] });
    expect(server.log).toEqual(["dial pro.pinggy.io:443", "login none http"]);
  });
});
