import type { AuthMethod } from "@postern/auth";
import type { SshConnection } from "@postern/ssh";
import { echo, readToEnd } from "@postern/testkit";
import { DirectTcpip, fromUtf8, PasswordRequest, UserauthRequest } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { ask, echoing, forward, type HostWorld, hostWorld } from "./world.ts";

describe("a session channel", () => {
  const session = async (world: HostWorld, ssh: SshConnection, setUp: readonly string[] = []) => {
    const channel = await ssh.openChannel("session", new Uint8Array(0));
    for (const type of setUp) expect(await channel.request(type, new Uint8Array(0))).toBe(true);
    void world;
    return channel;
  };

  it("prints a line and exits with status 1 if the client has no port", async () => {
    const world = hostWorld();
    const ssh = await world.client();
    const channel = await session(world, ssh, ["env", "shell"]);
    expect(await readToEnd(channel)).toMatchObject({ text: "this server only forwards ports\n", error: undefined });
    await ssh.close();
  });

  it("prints the client's ports, and later ones, until Ctrl-C", async () => {
    const world = hostWorld();
    const ssh = await world.client();
    await forward(ssh, "localhost", 8080);
    const channel = await session(world, ssh, ["pty-req", "shell"]);
    expect(await channel.request("shell", new Uint8Array(0))).toBe(false);
    expect(await channel.request("subsystem", new Uint8Array(0))).toBe(false);
    await forward(ssh, "", 9090);
    channel.write(Uint8Array.of(0x61, 3));
    expect((await readToEnd(channel)).text).toBe(
      [
        "this server only forwards ports",
        'listening on "localhost" port 8080',
        "press Ctrl-C to leave",
        'listening on "" port 9090',
        "",
      ].join("\r\n"),
    );
    expect(await forward(ssh, "localhost", 7070)).toBe(7070);
    await ssh.close();
  });

  it("prints URLs and visitors escaped, and drops lines once the client's window is full", async () => {
    const world = hostWorld({ url: () => "https://example.com/\u001b[2J", limits: { visitorsPerSource: 512 } });
    const ssh = await world.client({ onChannelOpen: echoing() });
    const port = (await forward(ssh, "localhost", 0)) ?? 0;
    const channel = await ssh.openChannel("session", new Uint8Array(0), { window: 1000 });
    let text = "";
    channel.start({
      data: (chunk) => {
        text += fromUtf8(chunk);
      },
      end() {},
      drain() {},
      closed() {},
    });
    channel.pause();
    expect(await channel.request("shell", new Uint8Array(0))).toBe(true);
    for (let n = 0; n < 100; n++) {
      const origin = { host: `192.0.2.${n % 200}\u001b`, port: n };
      expect(await ask(world.network.visit(port, origin), "x")).toBe("x");
    }
    const client = world.host.clients[0];
    const before = client?.bytesOut ?? 0;
    await ssh.request("keepalive@openssh.com", new Uint8Array(0));
    // Nothing is queued for the session: the reply alone is sent.
    expect((client?.bytesOut ?? 0) - before).toBeLessThan(200);
    channel.resume();
    await ssh.request("keepalive@openssh.com", new Uint8Array(0));
    // The window, and the rest of the line that filled it.
    expect(text.length).toBeLessThan(1100);
    expect(text).toContain("https://example.com/\\u{1b}[2J");
    expect(text).toContain('"192.0.2.0\\u{1b}" port 0 connected to "localhost"');
    expect(text).not.toContain("\u001b");
    await ssh.close();
  });

  it("is refused after no-more-sessions@openssh.com", async () => {
    const { client } = hostWorld();
    const ssh = await client();
    expect((await ssh.request("no-more-sessions@openssh.com", new Uint8Array(0))).ok).toBe(true);
    await expect(ssh.openChannel("session", new Uint8Array(0))).rejects.toMatchObject({ code: "refused" });
    await ssh.close();
  });
});

describe("a fault", () => {
  it("gains nothing for a client that abandons its answers for another method (RFC 4252 5.1)", async () => {
    let dropped: unknown;
    const world = hostWorld({
      methods: ["password", "keyboard-interactive"],
      authorize: async (attempt) => {
        if (attempt.method !== "keyboard-interactive") return false;
        const prompts = [{ prompt: "Code: ", echo: true }];
        await attempt.ask({ name: "", instruction: "", prompts }).catch((error: unknown) => {
          dropped = error;
        });
        // Too late: this must not count as an answer to the next attempt.
        return true;
      },
    });
    const wrong = PasswordRequest.encode({ isChange: false, password: "wrong" });
    const request = (method: string, specificData: Uint8Array): Uint8Array =>
      UserauthRequest.encode({ user: "test", service: "ssh-connection", method, specificData });
    const rude: AuthMethod = {
      name: "keyboard-interactive",
      begin: () => ({
        next: (answer) =>
          answer === undefined ? request("keyboard-interactive", new Uint8Array(8)) : request("password", wrong),
      }),
    };
    await expect(world.client({ auth: [rude] })).rejects.toMatchObject({ code: "auth" });
    expect(dropped).toMatchObject({ code: "aborted" });
  });

  it("refuses the login, and nothing else, if authorize throws", async () => {
    for (const authorize of [
      () => Promise.reject(new Error("the database is down")),
      () => {
        throw new Error("the database is down");
      },
      () => ({ permitListen: ["nonsense"] }),
      () => ({ permitListen: "localhost:*" as never }),
    ]) {
      const world = hostWorld({ authorize });
      const refusal = world.event("refusal");
      await expect(world.client()).rejects.toMatchObject({ code: "auth" });
      expect(await refusal).toMatchObject({ what: "login", reason: expect.stringMatching(/database|pattern/) });
    }
  });

  it("refuses the request, and keeps the connection, if a permission throws", async () => {
    const { client, network } = hostWorld({
      authorize: () => ({
        permitListen: () => {
          throw new Error("oops");
        },
        permitOpen: () => {
          throw new Error("oops");
        },
      }),
    });
    network.targets.set("db:1", echo);
    const ssh = await client();
    expect(await forward(ssh, "localhost", 8080)).toBeUndefined();
    const specificData = DirectTcpip.encode({ host: "db", port: 1, originAddress: "", originPort: 0 });
    await expect(ssh.openChannel("direct-tcpip", specificData)).rejects.toMatchObject({ code: "refused", reason: 1 });
    await ssh.close();
  });

  it.each(["tcpip-forward", "cancel-tcpip-forward", "hostkeys-prove-00@openssh.com"])(
    "ends only the connection of a client that sends a malformed %s request",
    async (name) => {
      const world = hostWorld();
      const other = await world.client({ onChannelOpen: echoing() });
      await forward(other, "localhost", 8080);
      const ssh = await world.client();
      const closed = world.event("clientclosed");
      await expect(ssh.request(name, Uint8Array.of(0, 0, 0, 9, 1))).rejects.toMatchObject({
        code: "disconnected",
        reason: 2,
      });
      expect((await closed).reason).toMatchObject({ code: "protocol" });
      expect(await ask(world.network.visit(8080), "still served")).toBe("still served");
      await other.close();
    },
  );

  it("resets a visitor that its client refuses", async () => {
    const { client, network, event } = hostWorld();
    const ssh = await client({ onChannelOpen: (open) => open.refuse(2, "nobody home") });
    await forward(ssh, "localhost", 8080);
    const refusal = event("refusal");
    expect((await readToEnd(network.visit(8080))).error).toBeDefined();
    expect(await refusal).toMatchObject({ what: "visitor", reason: expect.stringContaining("nobody home") });
    await ssh.close();
  });
});
