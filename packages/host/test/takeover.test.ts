import { password, publickey } from "@postern/auth";
import { formatPublicKey } from "@postern/keys";
import type { SshConnection } from "@postern/ssh";
import { otherHostKey, rejection } from "@postern/testkit";
import { policy } from "@postern/web";
import { SshError, TcpipForward } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { TunnelHostOptions } from "../src/index.ts";
import { ask, type ClientSettings, cuttable, echoing, forward, hostKey, hostWorld } from "./world.ts";

const key = otherHostKey();
const keys = [formatPublicKey(key.publicKey), formatPublicKey(hostKey.publicKey)];
const users = policy({ test: { password: "secret", keys }, other: { password: "secret" } });

/** A world in which one client holds port 3000. `cut` makes it silent. */
async function held(options: Partial<TunnelHostOptions> = {}, settings: ClientSettings = {}) {
  const world = hostWorld({ authorize: users, keepAlive: { intervalMs: 0 }, ...options });
  const asked: string[] = [];
  let [cut, abort, pause] = [(): void => {}, (): void => {}, (): void => {}];
  const holder = await world.client({
    wrap: (pipe) => {
      const wrapped = cuttable(pipe);
      cut = wrapped.cut;
      abort = () => wrapped.pipe.abort();
      pause = () => wrapped.pipe.pause();
      return wrapped.pipe;
    },
    onGlobalRequest: (request) => {
      if (request.name === "keepalive@openssh.com") asked.push(request.name);
      request.refuse();
    },
    ...settings,
  });
  holder.closed.catch(() => {});
  expect(await forward(holder, "localhost", 3000)).toBe(3000);
  return { ...world, holder, asked, cut, abort, pause };
}

const outcome = (client: SshConnection): Promise<number | undefined> => forward(client, "localhost", 3000);

describe("a takeover", () => {
  it("moves a port to the user's new connection if the connection that holds it does not answer", async () => {
    const world = await held();
    world.cut();
    const [takeover, closed] = [world.event("takeover"), world.event("clientclosed")];
    const client = await world.client({ onChannelOpen: echoing() });
    expect(await outcome(client)).toBe(3000);
    const event = await takeover;
    expect([event.port, event.previous.id, event.client.id]).toEqual([3000, 1, 2]);
    expect((await closed).reason?.code).toBe("timeout");
    expect(await ask(world.network.visit(3000), "hello")).toBe("hello");
    expect(world.host.clients).toHaveLength(1);
    expect(world.host.metrics()).toContain("postern_host_takeovers_total 1\n");
    await client.close();
  });

  it("leaves the port to a connection that answers the keepalive, and refuses the request as sshd does", async () => {
    const world = await held();
    const client = await world.client();
    expect(await outcome(client)).toBeUndefined();
    expect(world.asked).toEqual(["keepalive@openssh.com"]);
    expect(world.host.clients).toHaveLength(2);
    await Promise.all([client.close(), world.holder.close()]);
  });

  it("leaves the port of another user alone, and sends no keepalive", async () => {
    const world = await held();
    world.cut();
    const other = await world.client({ user: "other" });
    expect(await outcome(other)).toBeUndefined();
    expect(world.host.clients).toHaveLength(2);
    await other.close();
    world.abort();
  });

  it("requires the same key if the policy is key", async () => {
    const world = await held({ takeover: "key" }, { auth: [publickey(key)] });
    world.cut();
    const byOtherKey = await world.client({ auth: [publickey(hostKey)] });
    const byPassword = await world.client({ auth: [password("secret")] });
    expect(await outcome(byOtherKey)).toBeUndefined();
    expect(await outcome(byPassword)).toBeUndefined();
    const byKey = await world.client({ auth: [publickey(key)] });
    expect(await outcome(byKey)).toBe(3000);
    await Promise.all([byOtherKey, byPassword, byKey].map((client) => client.close()));
  });

  it("never happens if the option is false", async () => {
    const world = await held({ takeover: false });
    world.cut();
    const client = await world.client();
    expect(await outcome(client)).toBeUndefined();
    await client.close();
    world.abort();
  });

  it("asks the silent connection once while many wait for it, and one of them gets the port", async () => {
    const world = await held();
    world.cut();
    const holder = world.host.clients[0];
    const before = holder?.bytesOut ?? 0;
    const clients = await Promise.all(Array.from({ length: 8 }, () => world.client()));
    const got = await Promise.all(clients.map(outcome));
    expect(got.filter((port) => port === 3000)).toHaveLength(1);
    // One keepalive and one DISCONNECT of at most 100 bytes each, not eight keepalives.
    expect((holder?.bytesOut ?? 0) - before).toBeLessThan(200);
    expect(world.host.metrics()).toContain("postern_host_takeovers_total 1\n");
    await Promise.all(clients.map((client) => client.close()));
  });

  it("holds at most one pending takeover of a client that floods it with requests", async () => {
    const world = await held();
    const client = await world.client();
    const specificData = TcpipForward.encode({ address: "localhost", port: 3000 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.request("tcpip-forward", specificData)));
    expect(answers.every(({ ok }) => !ok)).toBe(true);
    // One after the other: each request of the client costs the holder one small message at most.
    expect(world.asked.length).toBeLessThanOrEqual(100);
    expect(world.host.clients).toHaveLength(2);
    await Promise.all([client.close(), world.holder.close()]);
  });

  it("ends quietly if the connection that asked is gone before the answer", async () => {
    const world = await held();
    world.cut();
    const client = await world.client();
    const request = rejection(outcome(client));
    await client.close();
    expect((await request).code).toBe("closed");
    const next = await world.client();
    expect(await outcome(next)).toBe(3000);
    await next.close();
  });

  it("moves the port also to a user who may have one port only, which the silent connection holds", async () => {
    const world = await held({ limits: { forwardingsPerUser: 1 } });
    world.cut();
    const client = await world.client();
    expect(await forward(client, "localhost", 3001)).toBeUndefined();
    expect(await outcome(client)).toBe(3000);
    expect(world.host.clients).toHaveLength(1);
    await client.close();
  });

  it("leaves the port to a connection that has not read its output yet", async () => {
    let opened = false;
    const onChannelOpen: ClientSettings["onChannelOpen"] = (open) => {
      open.accept().start({ data() {}, end() {}, drain() {}, closed() {} });
      opened = true;
    };
    const world = await held({}, { onChannelOpen });
    const visitor = world.network.visit(3000);
    visitor.start({ data() {}, end() {}, drain() {}, closed() {} });
    await expect.poll(() => opened).toBe(true);
    world.pause();
    visitor.write(new Uint8Array(256 * 1024));
    await expect.poll(() => world.host.clients[0]?.bytesOut).toBeGreaterThan(64 * 1024);
    const client = await world.client();
    expect(await outcome(client)).toBeUndefined();
    expect(world.host.clients).toHaveLength(2);
    world.abort();
    await client.close();
  });

  it.each([
    ["EACCES", 0],
    ["EADDRINUSE", 1],
  ])("asks the holder only if the port is in use: %s", async (code, count) => {
    const world = await held();
    const cause = Object.assign(new Error(code), { code });
    world.network.listen = () => Promise.reject(new SshError("connect", code, { cause }));
    const client = await world.client();
    expect(await outcome(client)).toBeUndefined();
    expect(world.asked).toHaveLength(count);
    await Promise.all([client.close(), world.holder.close()]);
  });
});
