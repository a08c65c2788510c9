/** Each limit: the server refuses what exceeds it, and still serves other clients. */

import { password, publickey } from "@postern/auth";
import { modernAlgorithms } from "@postern/noble";
import { type BytePipe, connect } from "@postern/ssh";
import { pipePair, type Received, readToEnd, rejection, seededRandom, wrapped } from "@postern/testkit";
import { SshError, TcpipForward, utf8, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { Address } from "../src/index.ts";
import { ask, cancel, echoing, forward, type HostWorld, hostKey, hostWorld } from "./world.ts";

const here: Address = { host: "192.0.2.1", port: 1 };
const elsewhere: Address = { host: "198.51.100.1", port: 1 };

/** Another client logs in, listens, and has a visitor. */
async function othersAreServed(world: HostWorld): Promise<void> {
  const client = await world.client({ origin: elsewhere, onChannelOpen: echoing() });
  const port = (await forward(client, "localhost", 0)) ?? 0;
  expect(await ask(world.network.visit(port), "served")).toBe("served");
  await client.close();
}

/** A client that connects and sends nothing. */
function silent(world: HostWorld, origin: Address = here): Promise<Received> {
  const [ours, theirs] = pipePair();
  void world.host.serve(theirs, { origin });
  return readToEnd(ours);
}

describe("a TunnelHost", () => {
  it("refuses connections beyond the limit", async () => {
    const world = hostWorld({ limits: { connections: 2 } });
    const first = await world.client();
    const second = await world.client();
    const refusal = world.event("refusal");
    expect((await silent(world)).text).toBe("Not allowed at this time\r\n");
    expect(await refusal).toMatchObject({ what: "connection", reason: "too many connections", origin: here });
    const closed = world.event("clientclosed");
    await first.close();
    await closed;
    await othersAreServed(world);
    await second.close();
  });

  it("refuses an address or a path of more than 255 characters, and keeps nothing of it", async () => {
    const world = hostWorld();
    const client = await world.client();
    const refusal = world.event("refusal");
    expect(await forward(client, "x".repeat(256), 0)).toBeUndefined();
    const { what, reason } = await refusal;
    expect([what, reason.length < 255]).toEqual(["forwarding", true]);
    expect(await cancel(client, "x".repeat(200_000), 0)).toBe(false);
    expect(world.host.clients[0]?.forwardings).toEqual([]);
    expect(await forward(client, "x".repeat(255), 0)).toBeGreaterThan(0);
    await client.close();
  });

  it("refuses a user name of more than 255 characters before authorize sees it", async () => {
    const seen: number[] = [];
    const authorize = ({ user }: { readonly user: string }): boolean => seen.push(user.length) > 0;
    const world = hostWorld({ authorize, limits: { penalties: false } });
    const refusal = world.event("refusal");
    expect((await rejection(world.client({ user: "u".repeat(256) }))).code).toBe("auth");
    expect((await refusal).reason.length).toBeLessThan(255);
    expect(seen).toEqual([]);
    await (await world.client({ user: "u".repeat(255) })).close();
    expect(seen).toContain(255);
  });

  it("drops refused clients beyond 64 at once, without a message", async () => {
    const world = hostWorld({ limits: { connections: 0 } });
    const dropped: number[] = [];
    for (let i = 0; i < 70; i++) {
      // It reads nothing and stays until the server drops it.
      const [ours, theirs] = pipePair();
      ours.pause();
      const closed = (error: Error | undefined): void => void (error !== undefined && dropped.push(i));
      ours.start({ data() {}, end() {}, drain() {}, closed });
      void world.host.serve(theirs);
    }
    await expect.poll(() => dropped).toEqual([64, 65, 66, 67, 68, 69]);
  });

  it("refuses connections beyond the limit of those that have not logged in, until one logs in", async () => {
    const world = hostWorld({ limits: { startups: { start: 1, full: 1 } } });
    const [ours, theirs] = pipePair();
    void world.host.serve(theirs);
    expect((await silent(world)).text).toBe("Not allowed at this time\r\n");
    const closed = world.event("clientclosed");
    ours.abort();
    await closed;
    const client = await world.client();
    await othersAreServed(world);
    await client.close();
  });

  it("drops a client that does not log in in time", async () => {
    const world = hostWorld({ limits: { loginTimeoutMs: 1000 } });
    const closed = new Promise((resolve) => {
      world.host.addEventListener("clientclosed", ({ client, reason }) => {
        if (client.user === undefined) resolve(reason);
      });
    });
    const slow = silent(world);
    await othersAreServed(world);
    expect((await slow).text).toMatch(/^SSH-2\.0-/);
    expect(await closed).toMatchObject({ code: "timeout" });
  });

  it("counts the decision of authorize towards the time to log in", async () => {
    let waits: Promise<never> | undefined;
    const world = hostWorld({
      limits: { loginTimeoutMs: 200 },
      authorize: (attempt) => {
        if (attempt.user === "test") return true;
        waits = new Promise(() => {});
        return waits;
      },
    });
    const closed = world.event("clientclosed");
    await expect(world.client({ user: "slow" })).rejects.toMatchObject({ code: "disconnected" });
    expect(waits).toBeDefined();
    expect((await closed).reason).toMatchObject({ code: "timeout" });
    await othersAreServed(world);
  });

  it("disconnects a client after too many login attempts", async () => {
    const world = hostWorld({ limits: { attempts: 3, penalties: false } });
    const wrong = ["one", "two", "three", "secret"].map((text) => password(text));
    await expect(world.client({ auth: wrong })).rejects.toMatchObject({ reason: 14 });
    const closed = world.event("clientclosed");
    await (await world.client({ auth: wrong.slice(1) })).close();
    expect((await closed).reason).toBeUndefined();
    await othersAreServed(world);
  });

  it("refuses a source with too many failed logins", async () => {
    const world = hostWorld({ limits: { penalties: { delayMs: 0 } } });
    const guess = (): Promise<unknown> => world.client({ origin: here, auth: [password("wrong")] });
    for (let i = 0; i < 4; i++) await expect(guess()).rejects.toMatchObject({ code: "auth" });
    const refusal = world.event("refusal");
    await expect(guess()).rejects.toMatchObject({ message: expect.stringContaining("Not allowed at this time") });
    expect(await refusal).toMatchObject({
      what: "connection",
      reason: "this source is refused until the penalty for its earlier failures has passed",
    });
    await othersAreServed(world);
  });

  it.each([
    ["tried a key", [publickey(hostKey)]],
    ["tried nothing", undefined],
  ])("refuses a source that repeatedly %s", async (_name, auth) => {
    const world = hostWorld({
      authorize: ({ method }) => method === "password",
      methods: ["publickey", "password"],
      limits: { penalties: { thresholdMs: 1 } },
    });
    const closed = world.event("clientclosed");
    if (auth === undefined) {
      const [ours, theirs] = pipePair();
      void world.host.serve(theirs, { origin: here });
      ours.abort();
    } else await expect(world.client({ origin: here, auth })).rejects.toMatchObject({ code: "auth" });
    await closed;
    expect((await silent(world)).text).toBe("Not allowed at this time\r\n");
    await othersAreServed(world);
  });

  it("refuses forwardings of a client beyond the limit", async () => {
    const world = hostWorld({ limits: { forwardings: 2 } });
    const said: string[] = [];
    const client = await world.client({ onDebug: (message) => said.push(message) });
    const ports = [await forward(client, "localhost", 0), await forward(client, "localhost", 0)];
    expect(await forward(client, "localhost", 0)).toBeUndefined();
    expect(said).toEqual(['more than 2 ports are not permitted: "localhost" port 0']);
    await othersAreServed(world);
    expect(await cancel(client, "localhost", ports[0] ?? 0)).toBe(true);
    expect(await forward(client, "localhost", 0)).toBeDefined();
    await client.close();
  });

  it("limits the channels of a client, visitors and direct-tcpip together", async () => {
    const world = hostWorld({ limits: { channels: 2, visitorsPerSource: 3, visitorsPerForwarding: 3 } });
    const client = await world.client({ onChannelOpen: echoing() });
    await forward(client, "localhost", 8080);
    const first = world.network.visit(8080);
    const second = world.network.visit(8080);
    const refusal = world.event("refusal");
    expect((await readToEnd(world.network.visit(8080))).error).toBeDefined();
    expect(await refusal).toMatchObject({ what: "visitor", reason: "too many channels of this client" });
    await othersAreServed(world);
    expect(await ask(first, "first")).toBe("first");
    expect(await ask(second, "second")).toBe("second");
    await expect.poll(() => world.host.clients[0]?.channels).toBe(0);
    expect(await ask(world.network.visit(8080), "third")).toBe("third");
    await client.close();
  });

  it("limits visitors from one address (IPv6: one /64) to half of a client's channels, and admits others", async () => {
    for (const [one, same, another] of [
      ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.8"],
      ["2001:db8::7", "2001:db8::8", "2001:db8:0:1::7"],
    ] as const) {
      const world = hostWorld({ limits: { channels: 4 } });
      const client = await world.client({ onChannelOpen: echoing() });
      for (const port of [8080, 9090]) await forward(client, "localhost", port);
      const visit = (port: number, host: string): BytePipe => world.network.visit(port, { host, port: 1 });
      const first = visit(8080, one);
      const second = visit(9090, same);
      const refusal = world.event("refusal");
      expect((await readToEnd(visit(8080, one))).error).toBeDefined();
      expect(await refusal).toMatchObject({ what: "visitor", reason: "too many visitors from this address" });
      expect(await ask(visit(8080, another), "other")).toBe("other");
      expect(await ask(first, "first")).toBe("first");
      await expect.poll(() => world.host.clients[0]?.channels).toBe(1);
      expect(await ask(visit(8080, one), "third")).toBe("third");
      expect(await ask(second, "second")).toBe("second");
      await othersAreServed(world);
      await client.close();
    }
  });

  it("limits visitors of one forwarding, and admits those of the client's other ports", async () => {
    const world = hostWorld({ limits: { channels: 4, visitorsPerSource: 4 } });
    const client = await world.client({ onChannelOpen: echoing() });
    for (const port of [8080, 9090]) await forward(client, "localhost", port);
    const crowd = [1, 2, 3].map(() => world.network.visit(8080));
    const refusal = world.event("refusal");
    expect((await readToEnd(world.network.visit(8080))).error).toBeDefined();
    expect(await refusal).toMatchObject({ what: "visitor", reason: "too many visitors of this port" });
    expect(await ask(world.network.visit(9090), "other")).toBe("other");
    for (const visitor of crowd) expect(await ask(visitor, "crowd")).toBe("crowd");
    await expect.poll(() => world.host.clients[0]?.channels).toBe(0);
    expect(await ask(world.network.visit(8080), "again")).toBe("again");
    await client.close();
  });

  it("limits visitors that come before the reply to the request", async () => {
    const world = hostWorld({ limits: { channels: 4, visitorsPerSource: 1 } });
    const client = await world.client({ onChannelOpen: echoing() });
    const listen = world.network.listen;
    const early: Promise<unknown>[] = [];
    world.network.listen = async (...args) => {
      const listening = await listen(...args);
      for (let i = 0; i < 100; i++) early.push(readToEnd(world.network.visit(8080)));
      let refused = 0;
      world.host.addEventListener("refusal", () => void refused++);
      // All but one are refused at once, before the reply is sent.
      await expect.poll(() => refused).toBe(99);
      return listening;
    };
    await forward(client, "localhost", 8080);
    await client.close();
    await Promise.all(early);
  });

  it("refuses sessions of a client beyond the limit", async () => {
    const world = hostWorld({ limits: { sessions: 2 } });
    const client = await world.client();
    const open = () => client.openChannel("session", new Uint8Array(0));
    const first = await open();
    await open();
    await expect(open()).rejects.toMatchObject({ code: "refused", reason: 4 });
    await othersAreServed(world);
    first.close();
    await first.closed;
    await open();
    await client.close();
  });

  it("buffers no more than the window for a visitor that does not read", async () => {
    const world = hostWorld({ limits: { channels: 4, memory: 4 * 64 * 1024 } });
    let sent = 0;
    const client = await world.client({
      onChannelOpen(open) {
        const channel = open.accept();
        const chunk = new Uint8Array(16_384);
        const more = (): void => {
          do sent += chunk.length;
          while (channel.write(chunk));
        };
        channel.start({ data() {}, end() {}, drain: more, closed() {} });
        more();
      },
    });
    await forward(client, "localhost", 8080);
    const visitor = world.network.visit(8080);
    visitor.pause();
    visitor.start({ data() {}, end() {}, drain() {}, closed() {} });
    await othersAreServed(world);
    // The window, the buffer of the visitor's own pipe, and the chunk that did not fit.
    expect(sent).toBeGreaterThan(64 * 1024);
    expect(sent).toBeLessThanOrEqual(64 * 1024 + 2 * 65_536 + 2 * 16_384);
    await client.close();
  });

  it("refuses low ports and addresses that are not permitted, with the reason in SSH_MSG_DEBUG", async () => {
    const world = hostWorld({ authorize: () => ({ permitListen: ["localhost:*", "*:80"] }) });
    const said: string[] = [];
    const client = await world.client({ onDebug: (message) => said.push(message) });
    expect(await forward(client, "localhost", 1023)).toBeUndefined();
    expect(await forward(client, "", 80)).toBeUndefined();
    expect(await forward(client, "0.0.0.0", 8080)).toBeUndefined();
    expect(await forward(client, "localhost", 65_536)).toBeUndefined();
    expect(await forward(client, "localhost", 1024)).toBe(1024);
    expect(said).toEqual([
      'ports below 1024 are not permitted: "localhost" port 1023',
      'ports below 1024 are not permitted: "" port 80',
      'permission denied: "0.0.0.0" port 8080',
      'ports above 65535 are not permitted: "localhost" port 65536',
    ]);
    expect(await forward(client, "localhost", 1024)).toBeUndefined();
    await client.close();
    await othersAreServed(world);
  });

  it("frees the port of a client that does not answer keepalives", async () => {
    const world = hostWorld({ keepAlive: { intervalMs: 20, countMax: 2 } });
    const dead = { cut: false };
    const [ours, theirs] = pipePair();
    void world.host.serve(theirs, { origin: here });
    const client = await world.client({ origin: elsewhere, onChannelOpen: echoing() });
    const port = (await forward(client, "localhost", 0)) ?? 0;
    const closed = world.event("clientclosed");
    const lost = await connect(cutting(ours, dead), {
      algorithms: modernAlgorithms,
      random: seededRandom("lost"),
      user: "test",
      auth: [password("secret")],
      hostKey: () => true,
    });
    await forward(lost, "localhost", 8080);
    dead.cut = true;
    expect((await closed).reason).toMatchObject({ code: "timeout" });
    expect(world.network.listening).toEqual([port]);
    expect(await ask(world.network.visit(port), "alive")).toBe("alive");
    await client.close();
  });

  it("ends only the connection of a client that floods it with requests", async () => {
    const world = hostWorld();
    const client = await world.client();
    const closed = world.event("clientclosed");
    for (let port = 10_000; port < 11_000; port++) {
      client.notify("tcpip-forward", TcpipForward.encode({ address: "localhost", port }));
    }
    expect((await closed).reason).toMatchObject({ code: "limit" });
    expect(world.network.listening).toEqual([]);
    await othersAreServed(world);
  });

  it("refuses proofs of the host keys beyond the limit", async () => {
    const world = hostWorld();
    const client = await world.client();
    const prove = async (): Promise<boolean> =>
      (await client.request("hostkeys-prove-00@openssh.com", new Writer().string(hostKey.publicKey).finish())).ok;
    expect([await prove(), await prove(), await prove(), await prove(), await prove()]).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    await client.close();
    await othersAreServed(world);
  });

  it("ends only the connection of a client that does not speak SSH", async () => {
    const world = hostWorld();
    const [ours, theirs] = pipePair();
    void world.host.serve(theirs, { origin: here });
    const closed = world.event("clientclosed");
    ours.write(utf8("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"));
    void readToEnd(ours);
    expect((await closed).reason).toMatchObject({ code: "version" });
    await othersAreServed(world);
  });
});

/** The pipe of a client whose network fails: it delivers nothing more, and does not close. */
function cutting(pipe: BytePipe, state: { readonly cut: boolean }): BytePipe {
  return {
    ...wrapped(pipe),
    start: (sink) =>
      pipe.start({
        data: (chunk) => (state.cut ? undefined : sink.data(chunk)),
        end: () => sink.end(),
        drain: () => sink.drain(),
        closed: (error) => sink.closed(error),
      }),
    write: (chunk) => (state.cut ? true : pipe.write(chunk)),
    end() {},
    close() {},
    abort: (reason) => pipe.abort(reason ?? new SshError("closed", "cut")),
  };
}
