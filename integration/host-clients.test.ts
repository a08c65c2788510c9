/** Real clients open reverse tunnels through TunnelHost: OpenSSH, dropbear, PuTTY, asyncssh, paramiko, and our own. */
import { readFileSync, writeFileSync } from "node:fs";
import { type AuthMethod, fingerprint, keyboardInteractive, password, privateKey, ReverseTunnel } from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { echoes, type HostOptions, nextEvent, type RunningHost, startHost } from "./harness/clients/host.ts";
import { dbclient, missingClient, plink, pythonClient } from "./harness/clients/programs.ts";
import {
  allocatedPort,
  echoTarget,
  freePort,
  isListening,
  type KeyPair,
  type KeyType,
  makeKey,
  missing,
  type Running,
  run,
  runSsh,
  type SshClientOptions,
  type Target,
  type TempDir,
  tempDir,
  visit,
} from "./harness/index.ts";

const userKeyTypes = ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048", "rsa4096"] as const;

let dir: TempDir;
let echo: Target;
let running: Running[] = [];
let hosts: RunningHost[] = [];
const keys: Partial<Record<KeyType, KeyPair>> = {};

beforeAll(async () => {
  dir = tempDir("postern-host-clients");
  echo = await echoTarget();
  if (missing("ssh")) return;
  for (const type of userKeyTypes) keys[type] = await makeKey(type, dir.file(type));
});
afterEach(async () => {
  for (const one of running) await one.stop();
  for (const one of hosts) await one.stop();
  running = [];
  hosts = [];
});
afterAll(async () => {
  await echo?.stop();
  dir?.remove();
});

async function aHost(options: HostOptions = {}): Promise<RunningHost> {
  const keyLines = Object.values(keys).map(({ publicLine }) => `${publicLine}\n`);
  const host = await startHost({ keys: keyLines.join(""), ...options });
  hosts.push(host);
  return host;
}

async function ssh(args: readonly string[], options: SshClientOptions): Promise<Running> {
  const client = await runSsh(args, { identity: keys.ed25519!, ...options });
  running.push(client);
  return client;
}

const target = (): string => `127.0.0.1:${echo.port}`;
const forwarded = /remote forward success for/;

describe.skipIf(missing("ssh"))("OpenSSH ssh", () => {
  it("opens a tunnel on a port of its choice, and frees it when it ends", async () => {
    const server = await aHost();
    const port = await freePort();
    const client = await ssh(["-N", "-R", `${port}:${target()}`], { server });
    await client.stderr.waitFor(forwarded);
    expect(await echoes(port)).toBe(true);
    expect(await echoes(port, 1000, "::1")).toBe(true);
    const closed = nextEvent(server.host, "forwardingclosed");
    await client.stop();
    expect((await closed).forwarding).toMatchObject({ address: "localhost", port, visitors: 2, open: 0 });
    expect(isListening(port)).toBe(false);
  });

  it("signs the host key that it sees, because the host offers publickey-hostbound (OpenSSH PROTOCOL)", async () => {
    const server = await aHost();
    const client = await ssh(["-N", "-vv", "-R", `0:${target()}`], { server });
    await client.stderr.waitFor(/publickey-hostbound@openssh\.com=<0>/);
    expect(await echoes(await allocatedPort(client))).toBe(true);
  });

  it("receives a port with -R 0", async () => {
    const server = await aHost();
    const client = await ssh(["-N", "-R", `0:${target()}`], { server });
    expect(await echoes(await allocatedPort(client))).toBe(true);
  });

  // The table of packages/host/test/addresses.test.ts, with addresses as ssh sends them.
  it.each([
    ["", "localhost", ["127.0.0.1", "::1"]],
    ["localhost:", "localhost", ["127.0.0.1", "::1"]],
    ["127.0.0.1:", "127.0.0.1", ["127.0.0.1"]],
    ["[::1]:", "::1", ["::1"]],
    ["*:", "", ["0.0.0.0", "::"]],
    [":", "", ["0.0.0.0", "::"]],
    ["0.0.0.0:", "0.0.0.0", ["0.0.0.0"]],
    ["[::]:", "::", ["::"]],
  ])("listens on -R %sPORT with gatewayPorts clientspecified", async (prefix, address, bound) => {
    const server = await aHost({ gatewayPorts: "clientspecified" });
    const opened = nextEvent(server.host, "forwardingopened");
    const client = await ssh(["-N", "-R", `${prefix}0:${target()}`], { server });
    expect((await opened).forwarding).toMatchObject({ address, hosts: bound });
    expect(await echoes(await allocatedPort(client), 1000, bound[0]?.includes(":") ? "::1" : "127.0.0.1")).toBe(true);
  });

  it("opens two tunnels at once, and cancels them one by one over its control socket", async () => {
    const server = await aHost();
    const [first, second] = [await freePort(), await freePort()];
    const control = ["-S", dir.file("control")];
    const forwards = ["-R", `${first}:${target()}`, "-R", `${second}:${target()}`];
    const client = await ssh(["-N", "-M", ...control, ...forwards], { server });
    await client.stderr.waitFor(new RegExp(`${forwarded.source}.*listen ${second}`));
    expect(await Promise.all([echoes(first), echoes(second)])).toEqual([true, true]);
    const over = (...args: string[]): Promise<string> => run("ssh", [...control, "-F", "none", ...args, "x"]);
    const cancelled = nextEvent(server.host, "forwardingclosed");
    await over("-O", "cancel", "-R", `${first}:${target()}`);
    expect((await cancelled).forwarding.port).toBe(first);
    expect([isListening(first), isListening(second)]).toEqual([false, true]);
    expect((await over("-O", "forward", "-R", `0:${target()}`)).trim()).toMatch(/^\d+$/);
    expect(await echoes(second, 1000)).toBe(true);
  });

  it("rekeys under load (RekeyLimit), and so does the server", async () => {
    for (const [config, rekey] of [
      [{ RekeyLimit: "256K" }, {}],
      [{}, { bytes: 256 * 1024 }],
    ] as const) {
      const server = await aHost({ rekey });
      const client = await ssh(["-N", "-R", `0:${target()}`], { server, config });
      expect(await echoes(await allocatedPort(client), 4_000_000)).toBe(true);
      expect(client.stderr.text().match(/SSH2_MSG_NEWKEYS received/g)?.length).toBeGreaterThan(4);
    }
  });

  it.each([
    ["answers the server's keepalives", { intervalMs: 50, countMax: 2 }, {}],
    ["has its own keepalives answered", { intervalMs: 0 }, { ServerAliveInterval: "1", ServerAliveCountMax: "1" }],
  ])("%s", async (_name, keepAlive, config) => {
    const server = await aHost({ keepAlive });
    const client = await ssh(["-N", "-R", `0:${target()}`], { server, config });
    const port = await allocatedPort(client);
    const [connection] = server.host.clients;
    const before = connection!.bytesIn;
    // Three messages of at least 36 bytes: a side without answers would give up after two.
    await expect.poll(() => connection!.bytesIn - before, { timeout: 30_000 }).toBeGreaterThan(3 * 36);
    expect(await echoes(port)).toBe(true);
    expect(server.host.clients).toHaveLength(1);
  });

  it.each(["password", "keyboard-interactive"])("logs in by %s from a helper program", async (method) => {
    const server = await aHost();
    const login = nextEvent(server.host, "login");
    const config = { PreferredAuthentications: method, PubkeyAuthentication: "no" };
    const client = await ssh(["-N", "-R", `0:${target()}`], { server, config, password: server.password });
    expect(await echoes(await allocatedPort(client), 1000)).toBe(true);
    expect(await login).toMatchObject({ user: server.user, method });
  });

  it("is rejected with a wrong password, while other clients are served", async () => {
    const server = await aHost();
    const config = { PreferredAuthentications: "password", PubkeyAuthentication: "no" };
    const client = await ssh(["-N", "-R", `0:${target()}`], { server, config, password: "wrong" });
    await client.stderr.waitFor(/Permission denied/);
    const other = await ssh(["-N", "-R", `0:${target()}`], { server });
    expect(await echoes(await allocatedPort(other), 1000)).toBe(true);
  });

  it.each(userKeyTypes)("logs in with a key of type %s", async (type) => {
    const server = await aHost();
    const client = await ssh(["-N", "-R", `0:${target()}`], { server, identity: keys[type]! });
    expect(await echoes(await allocatedPort(client), 1000)).toBe(true);
  });

  it.each(["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa3072"] as const)(
    "accepts a host key of type %s",
    async (type) => {
      const server = await aHost({ hostKeyTypes: [type] });
      const client = await ssh(["-N", "-R", `0:${target()}`], { server });
      expect(await echoes(await allocatedPort(client), 1000)).toBe(true);
    },
  );

  it("learns the server's other keys after a proof (OpenSSH PROTOCOL 2.5)", async () => {
    const server = await aHost({ hostKeyTypes: ["ed25519", "rsa3072", "ecdsa256"] });
    const known = dir.file("known_hosts");
    writeFileSync(known, `[127.0.0.1]:${server.port} ${server.hostKeys.ed25519!.publicLine}\n`);
    // Names in another case come before those of the harness, and ssh uses the first.
    const config = { updatehostkeys: "yes", userknownhostsfile: known };
    await ssh(["-N", "-R", `0:${target()}`], { server, config });
    const blob = server.hostKeys.rsa3072!.publicLine.split(" ")[1]!;
    await expect.poll(() => readFileSync(known, "utf8"), { timeout: 20_000 }).toContain(blob);
    expect(readFileSync(known, "utf8")).toContain(server.hostKeys.ecdsa256!.publicLine.split(" ")[1]);
  });

  it("prints a greeting and its port, and stays connected, without -N", async () => {
    const server = await aHost();
    const client = await ssh(["-R", `0:${target()}`], { server });
    const port = await allocatedPort(client);
    await client.stdout.waitFor(/this server only forwards ports\nlistening on "localhost" port \d+\n/);
    expect(client.stdout.text()).toContain(`port ${port}\n`);
    expect(await echoes(port)).toBe(true);
    expect(server.host.clients).toHaveLength(1);
  });

  it("ends at Ctrl-C on a terminal, without -N", async () => {
    const server = await aHost();
    // -tt requests a terminal although ssh has none.
    const client = await ssh(["-tt", "-R", `0:${target()}`], { server, input: "\u0003" });
    await client.stdout.waitFor(/this server only forwards ports\r\n/);
    expect(await client.exited).toBe(0);
  });

  it.each([[[]], [["ls", "-l"]]])("prints a greeting and ends without a tunnel: ssh %j", async (command) => {
    const server = await aHost();
    const client = await ssh([], { server, command });
    await client.stdout.waitFor(/this server only forwards ports\n/);
    expect(await client.exited).toBe(1);
  });

  it("receives the reason of a refused port in SSH_MSG_DEBUG", async () => {
    const server = await aHost({
      authorize: () => ({ permitListen: ["localhost:8080"] }),
      gatewayPorts: "no",
      methods: ["publickey"],
    });
    const client = await ssh(["-N", "-R", `0.0.0.0:8080:${target()}`], { server });
    await client.stderr.waitFor(/Remote: permission denied: "0\.0\.0\.0" port 8080/);
    expect(await client.exited).toBe(255);
  });

  it("receives a note in SSH_MSG_DEBUG about a narrower address than requested", async () => {
    const server = await aHost();
    const client = await ssh(["-N", "-R", `0.0.0.0:0:${target()}`], { server });
    await client.stderr.waitFor(/Remote: the server listens on loopback only/);
    expect(await echoes(await allocatedPort(client), 1000)).toBe(true);
  });

  it("receives no SSH_MSG_DEBUG about a port in use, because a retry may succeed", async () => {
    const server = await aHost();
    const client = await ssh(["-N", "-R", `${echo.port}:${target()}`], { server });
    expect(await client.exited).toBe(255);
    expect(client.stderr.text()).toContain("remote port forwarding failed");
    expect(client.stderr.text()).not.toContain("Remote:");
  });

  it("reaches a target through the server (-L, -W) if permitOpen allows it", async () => {
    const allowed = await aHost();
    const port = await freePort();
    const client = await ssh(["-N", "-L", `${port}:${target()}`], { server: allowed });
    await client.stderr.waitFor(/Entering interactive session/);
    expect(await echoes(port)).toBe(true);
    const forbidden = await aHost({ authorize: () => ({ permitOpen: ["127.0.0.1:1"] }), methods: ["publickey"] });
    const refused = nextEvent(forbidden.host, "refusal");
    const other = await ssh(["-W", target()], { server: forbidden });
    await other.stderr.waitFor(/administratively prohibited: permission denied/);
    expect(await refused).toMatchObject({ what: "channel" });
  });

  it("resets the visitor's connection after the target has refused", async () => {
    const server = await aHost();
    const client = await ssh(["-N", "-R", `0:127.0.0.1:${await freePort()}`], { server });
    const visitor = await visit(await allocatedPort(client));
    expect(await visitor.closed).toBe("ECONNRESET");
  });
});

describe.skipIf(missingClient("dbclient"))("dropbear dbclient", () => {
  it.each(["password", "publickey"] as const)("opens a tunnel by %s, and frees it when it ends", async (method) => {
    const server = await aHost();
    const identity = method === "publickey" ? { identity: keys.ed25519! } : {};
    const listen = await freePort();
    const opened = nextEvent(server.host, "forwardingopened");
    const client = await dbclient({ server, listen, target: echo.port, ...identity });
    running.push(client);
    expect((await opened).forwarding.port).toBe(listen);
    expect(await echoes(listen, 3_000_000)).toBe(true);
    const closed = nextEvent(server.host, "forwardingclosed");
    await client.stop();
    await closed;
    expect(isListening(listen)).toBe(false);
  });
});

describe.skipIf(missingClient("plink"))("PuTTY plink", () => {
  it.each(["password", "publickey"] as const)("opens a tunnel by %s, and frees it when it ends", async (method) => {
    const server = await aHost();
    const identity = method === "publickey" ? { identity: keys.ed25519! } : {};
    const listen = await freePort();
    const client = await plink({ server, listen, target: echo.port, ...identity });
    running.push(client);
    await client.stderr.waitFor(/Remote port forwarding from \S+ enabled/);
    expect(await echoes(listen, 3_000_000)).toBe(true);
    const closed = nextEvent(server.host, "forwardingclosed");
    await client.stop();
    await closed;
    expect(isListening(listen)).toBe(false);
  });
});

describe.each(["asyncssh", "paramiko"] as const)("python3-%s", (name) => {
  const there = missingClient(name) === undefined;

  it.runIf(there).each(["password", "publickey", "keyboard-interactive"] as const)(
    "opens a tunnel by %s, carries bytes in both directions, and cancels",
    async (method) => {
      const server = await aHost();
      const identity = method === "publickey" ? { identity: keys.ed25519! } : {};
      const interactive = { interactive: true, methods: "keyboard-interactive" };
      const fields = method === "keyboard-interactive" ? interactive : {};
      const login = nextEvent(server.host, "login");
      const client = await pythonClient(name, { server, listen: 0, target: echo.port, fields, ...identity });
      running.push(client);
      const [, port] = await client.stdout.waitFor(/listening (\d+)/);
      expect((await login).method).toBe(method);
      expect(await echoes(Number(port), 2_000_000)).toBe(true);
      const closed = nextEvent(server.host, "forwardingclosed");
      process.kill(client.pid, "SIGUSR1");
      await client.stdout.waitFor(/cancelled/);
      expect((await closed).forwarding.port).toBe(Number(port));
      expect(isListening(Number(port))).toBe(false);
      expect(server.host.clients).toHaveLength(1);
    },
  );
});

describe("our own ReverseTunnel", () => {
  const open = async (server: RunningHost, auth: AuthMethod): Promise<ReverseTunnel> => {
    const { port, user } = server;
    const hostKey = fingerprint(server.fingerprint());
    const tunnel = new ReverseTunnel({ host: "127.0.0.1", port, user, auth: [auth], hostKey });
    await tunnel.connect();
    return tunnel;
  };
  const methods = [
    ["password", () => password("open sesame")],
    ["publickey", () => privateKey(keys.ed25519!.privateText)],
    ["keyboard-interactive", () => keyboardInteractive(({ prompts }) => prompts.map(() => "open sesame"))],
  ] as const;

  it.skipIf(missing("ssh")).each(methods)("opens a tunnel by %s, and cancels", async (_name, auth) => {
    const server = await aHost();
    const tunnel = await open(server, auth());
    const forwarding = await tunnel.forward({ port: 0, target: { host: "127.0.0.1", port: echo.port } });
    expect(await echoes(forwarding.port, 3_000_000)).toBe(true);
    await forwarding.close();
    expect(isListening(forwarding.port)).toBe(false);
    await tunnel.close();
    await expect.poll(() => server.host.clients).toEqual([]);
  });

  it.skipIf(missing("ssh"))("reports the reason of a refusal in its error", async () => {
    const server = await aHost({ authorize: () => ({ permitListen: ["localhost:8080"] }), methods: ["publickey"] });
    const tunnel = await open(server, privateKey(keys.ed25519!.privateText));
    await expect(tunnel.listen({ port: 9090 })).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining("permission denied"),
    });
    await tunnel.close();
  });
});
