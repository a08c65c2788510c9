import { keyboardInteractive, password } from "@postern/auth";
import { rsaSha2_512, sshEd25519 } from "@postern/noble";
import type { BytePipe } from "@postern/ssh";
import { echo, Liar, pipePair, readToEnd } from "@postern/testkit";
import { policy } from "@postern/web";
import {
  ChannelOpen,
  DirectTcpip,
  GlobalRequest,
  maxTimerMs,
  PasswordRequest,
  Reader,
  RequestSuccess,
  ServiceRequest,
  SshError,
  TcpipForward,
  UserauthRequest,
  Writer,
} from "@postern/wire";
import { describe, expect, it, vi } from "vitest";
import { ask, cancel, echoing, forward, hostKey, hostWorld, type Opened } from "./world.ts";

describe("the login event", () => {
  /** A client that requests a port, a connection and a session together with its password. */
  const hasty = (world: ReturnType<typeof hostWorld>): Liar => {
    const [ours, theirs] = pipePair();
    void world.host.serve(theirs);
    const client = new Liar("client", ours);
    const listen = TcpipForward.encode({ address: "localhost", port: 8080 });
    const direct = DirectTcpip.encode({ host: "db", port: 5432, originAddress: "", originPort: 0 });
    const channel = { senderChannel: 0, initialWindow: 65_536, maxPacket: 32_768 };
    client.send(
      ServiceRequest.encode({ service: "ssh-userauth" }),
      UserauthRequest.encode({
        user: "test",
        service: "ssh-connection",
        method: "password",
        specificData: PasswordRequest.encode({ isChange: false, password: "secret" }),
      }),
      ChannelOpen.encode({ channelType: "direct-tcpip", specificData: direct, ...channel }),
      GlobalRequest.encode({ name: "tcpip-forward", wantReply: true, specificData: listen }),
    );
    return client;
  };
  /** A world that permits everything and records what its server does. */
  const noting = (): { readonly world: ReturnType<typeof hostWorld>; readonly did: string[] } => {
    const did: string[] = [];
    const world = hostWorld({ authorize: policy({ test: { password: "secret", permitOpen: ["*:*"] } }) });
    const { listen, dial } = world.network;
    world.network.listen = (...args) => {
      did.push("listen");
      return listen(...args);
    };
    world.network.dial = (...args) => {
      did.push("dial");
      return dial(...args);
    };
    return { world, did };
  };

  it("fires before the server listens or dials for the client", async () => {
    const { world, did } = noting();
    world.host.addEventListener("login", () => did.push("login"));
    const client = hasty(world);
    await client.until(RequestSuccess.number);
    expect(did).toEqual(["login", "dial", "listen"]);
    client.abort();
  });

  it("sees the user in the list of clients, and can disconnect the client before its requests are handled", async () => {
    const { world, did } = noting();
    world.host.addEventListener("login", ({ client, user }) => {
      did.push(`${user} ${world.host.clients[0]?.user}`);
      void client.close();
    });
    const closed = world.event("clientclosed");
    await hasty(world).closed;
    expect((await closed).reason).toBeUndefined();
    expect(did).toEqual(["test test"]);
  });
});

describe("a TunnelHost", () => {
  it("forwards visitors to the client with their address", async () => {
    const { client, network } = hostWorld();
    const opened: Opened[] = [];
    const ssh = await client({ onChannelOpen: echoing(opened) });
    expect(await forward(ssh, "localhost", 8080)).toBe(8080);
    expect(network.hosts(8080)).toEqual(["127.0.0.1", "::1"]);
    expect(await ask(network.visit(8080, { host: "198.51.100.7", port: 5 }), "hello")).toBe("hello");
    expect(opened).toEqual([{ address: "localhost", port: 8080, originAddress: "198.51.100.7", originPort: 5 }]);
    await ssh.close();
  });

  it("chooses a port for 0, and returns the port only then (RFC 4254 7.1)", async () => {
    const { client, network } = hostWorld();
    const ssh = await client({ onChannelOpen: echoing() });
    const port = await forward(ssh, "", 0);
    expect(network.listening).toEqual([port]);
    const writer = new Writer().text("localhost").uint32(8080).finish();
    expect(await ssh.request("tcpip-forward", writer)).toMatchObject({ ok: true, specificData: new Uint8Array(0) });
    await ssh.close();
  });

  it("cancels by the requested address and the assigned port, and keeps visitors connected", async () => {
    const { client, network } = hostWorld();
    const ssh = await client({ onChannelOpen: echoing() });
    const port = (await forward(ssh, "localhost", 0)) ?? 0;
    const visitor = network.visit(port);
    expect(await cancel(ssh, "127.0.0.1", port)).toBe(false);
    expect(await cancel(ssh, "localhost", 0)).toBe(false);
    expect(await cancel(ssh, "localhost", port)).toBe(true);
    expect(await cancel(ssh, "localhost", port)).toBe(false);
    expect(network.listening).toEqual([]);
    expect(await ask(visitor, "still here")).toBe("still here");
    await ssh.close();
  });

  it("answers requests in order, even slow ones (RFC 4254 4)", async () => {
    const { client } = hostWorld();
    const ssh = await client();
    const replies = await Promise.all([
      forward(ssh, "localhost", 8080),
      forward(ssh, "localhost", 8080),
      ssh.request("keepalive@openssh.com", new Uint8Array(0)).then(({ ok }) => ok),
      cancel(ssh, "localhost", 8080),
      forward(ssh, "localhost", 8080),
    ]);
    expect(replies).toEqual([8080, undefined, false, true, 8080]);
    await ssh.close();
  });

  it("opens channels for visitors only after the reply to the request (RFC 4254 7.1)", async () => {
    const { client, network } = hostWorld();
    const { listen } = network;
    let early: BytePipe | undefined;
    network.listen = async (hosts, port, onVisitor) => {
      const [ours, theirs] = pipePair();
      early = ours;
      onVisitor(theirs, { host: "192.0.2.1", port: 1 });
      return await listen(hosts, port, onVisitor);
    };
    const order: string[] = [];
    const echoes = echoing();
    const ssh = await client({
      onChannelOpen(open) {
        order.push("open");
        echoes(open);
      },
    });
    const specificData = TcpipForward.encode({ address: "localhost", port: 8080 });
    await ssh.request("tcpip-forward", specificData, { onReply: () => order.push("reply") });
    expect(await ask(early!, "early")).toBe("early");
    expect(order).toEqual(["reply", "open"]);
    await ssh.close();
  });

  it("frees the ports of a client that has disconnected", async () => {
    const { client, network, event } = hostWorld();
    const ssh = await client();
    await forward(ssh, "localhost", 8080);
    const closed = event("clientclosed");
    ssh.abort(new SshError("closed", "power loss"));
    await closed;
    expect(network.listening).toEqual([]);
  });

  it("fires events with byte counts", async () => {
    const world = hostWorld();
    const seen: string[] = [];
    const names = ["clientopened", "login", "forwardingopened", "forwardingclosed", "clientclosed", "refusal"] as const;
    for (const name of names) world.host.addEventListener(name, () => seen.push(name));
    const ssh = await world.client({ onChannelOpen: echoing(), origin: { host: "::ffff:192.0.2.1", port: 7 } });
    await forward(ssh, "localhost", 8080);
    await forward(ssh, "localhost", 80);
    await ask(world.network.visit(8080), "12345");
    const [client] = world.host.clients;
    expect(client).toMatchObject({ user: "test", version: "SSH-2.0-Postern_0.1.0", channels: 0 });
    expect(client?.origin).toEqual({ host: "192.0.2.1", port: 7 });
    expect(client?.forwardings).toMatchObject([
      { address: "localhost", port: 8080, visitors: 1, bytesIn: 5, bytesOut: 5 },
    ]);
    const closed = world.event("clientclosed");
    await ssh.close();
    const event = await closed;
    expect(event.reason).toBeUndefined();
    expect(event.client.bytesIn).toBeGreaterThan(1000);
    expect(event.client.bytesOut).toBeGreaterThan(1000);
    expect(seen).toEqual(["clientopened", "login", "forwardingopened", "refusal", "forwardingclosed", "clientclosed"]);
    expect(world.host.clients).toEqual([]);
  });

  it("connects to the targets that permitOpen allows", async () => {
    const authorize = () => ({ permitOpen: ["db:5432", "gone:1"] });
    const { client, network, event } = hostWorld({ authorize });
    network.targets.set("db:5432", echo);
    network.targets.set("other:5432", echo);
    const ssh = await client();
    const open = (host: string, port: number) =>
      ssh.openChannel("direct-tcpip", DirectTcpip.encode({ host, port, originAddress: "127.0.0.1", originPort: 1 }));
    expect(await ask(await open("db", 5432), "select")).toBe("select");
    const refusal = event("refusal");
    await expect(open("other", 5432)).rejects.toMatchObject({ code: "refused", reason: 1 });
    expect(await refusal).toMatchObject({ what: "channel", reason: expect.stringContaining("permission denied") });
    await expect(open("gone", 1)).rejects.toMatchObject({ code: "refused", reason: 2 });
    await expect(ssh.openChannel("x11", new Uint8Array(0))).rejects.toMatchObject({ code: "refused", reason: 3 });
    await ssh.close();
  });

  it("announces its keys and proves them (OpenSSH PROTOCOL 2.5)", async () => {
    const { client } = hostWorld();
    let announced: Uint8Array | undefined;
    const ssh = await client({
      onGlobalRequest(request) {
        if (request.name === "hostkeys-00@openssh.com") announced = request.specificData;
      },
    });
    const { ok, specificData } = await ssh.request(
      "hostkeys-prove-00@openssh.com",
      new Writer().string(hostKey.publicKey).finish(),
    );
    expect(ok).toBe(true);
    expect(new Reader(announced ?? new Uint8Array(0), "hostkeys").string()).toEqual(hostKey.publicKey);
    const signed = new Writer()
      .text("hostkeys-prove-00@openssh.com")
      .string(ssh.peer.sessionId)
      .string(hostKey.publicKey)
      .finish();
    expect(sshEd25519.verify(hostKey.publicKey, signed, new Reader(specificData, "proof").string())).toBe(true);
    const foreign = new Writer().string(hostKey.publicKey.map((byte) => byte ^ 1)).finish();
    expect((await ssh.request("hostkeys-prove-00@openssh.com", foreign)).ok).toBe(false);
    const twice = new Writer().string(hostKey.publicKey).string(hostKey.publicKey).finish();
    expect((await ssh.request("hostkeys-prove-00@openssh.com", twice)).ok).toBe(false);
    await ssh.close();
  });

  it("accepts a password by keyboard-interactive (RFC 4256)", async () => {
    const { client, event } = hostWorld();
    const login = event("login");
    const prompts: unknown[] = [];
    const answer = (request: { readonly prompts: readonly unknown[] }): string[] => {
      prompts.push(...request.prompts);
      return ["secret"];
    };
    const ssh = await client({ auth: [keyboardInteractive(answer)] });
    expect(prompts).toEqual([{ prompt: "Password: ", echo: false }]);
    expect(await login).toMatchObject({ user: "test", method: "keyboard-interactive" });
    await ssh.close();
  });

  it("escapes unprintable characters of a user name, except for authorize", async () => {
    const asked: string[] = [];
    const { client, event, host } = hostWorld({
      authorize: ({ user, method }) => {
        asked.push(user);
        return method === "password";
      },
    });
    const [opened, login] = [event("clientopened"), event("login")];
    const ssh = await client({ user: "a\u001b[2J\n\u202eb" });
    const shown = "a\\u{1b}[2J\\u{a}\\u{202e}b";
    expect((await login).user).toBe(shown);
    expect((await opened).client.user).toBe(shown);
    expect(host.clients.map(({ user }) => user)).toEqual([shown]);
    expect(asked).toEqual(["a\u001b[2J\n\u202eb"]);
    await ssh.close();
  });

  it("refuses to listen on an address with unprintable characters", async () => {
    const { client, event } = hostWorld();
    const refusal = event("refusal");
    const ssh = await client();
    expect(await forward(ssh, "localhost\u001b[2J", 8080)).toBeUndefined();
    expect((await refusal).reason).toMatch(/^"localhost\\u\{1b\}\[2J" port 8080: /);
    await ssh.close();
  });

  it("can require two methods (RFC 4252 5.1)", async () => {
    const { client } = hostWorld({
      methods: ["password", "keyboard-interactive"],
      authorize: async (attempt) => {
        if (attempt.method === "password") return { partial: ["keyboard-interactive"] };
        if (attempt.method !== "keyboard-interactive") return false;
        const [first] = await attempt.ask({ name: "", instruction: "", prompts: [{ prompt: "Code: ", echo: true }] });
        const [second] = await attempt.ask({ name: "", instruction: "", prompts: [{ prompt: "Again: ", echo: true }] });
        return first === "1" && second === "2";
      },
    });
    let asked = 0;
    const ssh = await client({ auth: [password("x"), keyboardInteractive(() => [String(++asked)])] });
    expect(asked).toBe(2);
    await ssh.close();
  });

  it("closes by refusing new clients, letting visitors finish, and then disconnecting clients", async () => {
    const { client, host, network } = hostWorld();
    const ssh = await client({ onChannelOpen: echoing() });
    await forward(ssh, "localhost", 8080);
    const visitor = network.visit(8080);
    await expect.poll(() => host.clients[0]?.channels).toBe(1);
    const closed = host.close({ drainMs: 30_000 });
    expect(await forward(ssh, "localhost", 9090)).toBeUndefined();
    expect(network.listening).toEqual([]);
    const [ours, theirs] = pipePair();
    void host.serve(theirs);
    expect((await readToEnd(ours)).text).toBe("Not allowed at this time\r\n");
    expect(await ask(visitor, "last words")).toBe("last words");
    await closed;
    await expect(ssh.closed).rejects.toMatchObject({ code: "disconnected" });
    expect(host.clients).toEqual([]);
  });

  it("waits for visitors without a limit if drainMs is Infinity, until another call ends the wait", async () => {
    for (const drainMs of [Number.POSITIVE_INFINITY, 2 ** 40]) {
      const { client, host, network } = hostWorld();
      const ssh = await client({ onChannelOpen: echoing() });
      await forward(ssh, "localhost", 8080);
      const first = network.visit(8080);
      const second = readToEnd(network.visit(8080));
      await expect.poll(() => host.clients[0]?.channels).toBe(2);
      const closed = host.close({ drainMs });
      // An overflowing timer fires after one millisecond.
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await ask(first, "last words")).toBe("last words");
      await host.close({ drainMs: 0 });
      await closed;
      expect((await second).error).toBeDefined();
    }
  });

  it("closes without waiting for a visitor that came before the reply", async () => {
    const world = hostWorld();
    const client = await world.client();
    const { listen } = world.network;
    let closing: Promise<void> | undefined;
    world.network.listen = async (hosts, port, onVisitor) => {
      const listening = await listen(hosts, port, onVisitor);
      void readToEnd(world.network.visit(listening.port));
      closing = world.host.close({ drainMs: Number.POSITIVE_INFINITY });
      await new Promise((resolve) => setTimeout(resolve, 5));
      return listening;
    };
    await expect(forward(client, "localhost", 0)).rejects.toMatchObject({ code: "disconnected" });
    await closing;
    expect(world.network.listening).toEqual([]);
  });

  it("does not compile with a misspelt event name", () => {
    // @ts-expect-error: the event is `clientclosed`
    hostWorld().host.addEventListener("clientclose", () => {});
  });

  it("accepts times that exceed the maximum of setTimeout", async () => {
    const penalties = { delayMs: 2 ** 40, maxDelayMs: Number.POSITIVE_INFINITY };
    const { client, host } = hostWorld({ limits: { loginTimeoutMs: Number.POSITIVE_INFINITY, penalties } });
    const timers = vi.spyOn(globalThis, "setTimeout");
    const delays = (): readonly unknown[] => timers.mock.calls.map(([, ms]) => ms);
    // One timer for the time to log in, one for the answer to the wrong password.
    const refused = client({ auth: [password("wrong")] }).catch(() => {});
    await expect.poll(() => delays().filter((ms) => ms === maxTimerMs)).toHaveLength(2);
    expect(delays().filter((ms) => Number(ms) > maxTimerMs)).toEqual([]);
    timers.mockRestore();
    await (await client()).close();
    await host.close({ drainMs: 0 });
    await refused;
  });

  it("disconnects visitors that stay, and clients that do not log in", async () => {
    const { client, host, network } = hostWorld();
    const ssh = await client({ onChannelOpen: echoing() });
    await forward(ssh, "localhost", 8080);
    const visitor = readToEnd(network.visit(8080));
    const [ours, theirs] = pipePair();
    void host.serve(theirs);
    const silent = readToEnd(ours);
    await expect.poll(() => host.clients[0]?.channels).toBe(1);
    await host.close({ drainMs: 0 });
    await expect(ssh.closed).rejects.toMatchObject({ code: "disconnected" });
    expect((await visitor).error).toBeDefined();
    expect((await silent).text).toMatch(/^SSH-2\.0-Postern/);
  });

  it.each([
    [{ hostKey: [] }, /did you mean "hostKeys"/],
    [{ hostKeys: [] }, /at least one signer/],
    [{ algorithms: { hostKeys: [rsaSha2_512] } }, /a host key for one of rsa-sha2-512, got keys for ssh-ed25519/],
    [{ authorize: { test: {} } }, /expected authorize to be a function/],
    [{ gatewayPorts: "maybe" }, /no, yes or clientspecified/],
    [{ limits: { chanels: 1 } }, /did you mean "channels"/],
    [{ limits: { startups: { begin: 1 } } }, /unknown option "begin"/],
    [{ limits: { channels: -1 } }, /limits.channels/],
    [{ limits: { penalties: { maxMs: "long" } } }, /limits.penalties.maxMs/],
    [{ keepAlive: { interval: 1 } }, /did you mean "intervalMs"/],
  ])("refuses the options %o", (options, message) => {
    expect(() => hostWorld(options as never)).toThrow(
      expect.objectContaining({ code: "misuse", message: expect.stringMatching(message) }),
    );
  });
});
