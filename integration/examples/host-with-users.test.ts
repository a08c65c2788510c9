/** `examples/host-with-users`: two users with the real ssh, and visitors of their names. */
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  freePort,
  httpTarget,
  type KeyPair,
  makeKey,
  missing,
  publicKeyInfo,
  type Running,
  run,
  runSsh,
  type SshServer,
  type Target,
  tempDir,
} from "../harness/index.ts";
import { npmStart, printedAsInReadme } from "./example.ts";

describe.skipIf(missing("ssh"))("examples/host-with-users", () => {
  const dir = tempDir("postern-host-with-users");
  const keys: Record<string, KeyPair> = {};
  const ports: Record<string, number> = {};
  const pages: Record<string, Target> = {};
  const clients: Running[] = [];
  let example: Running;
  let server: Omit<SshServer, "user">;
  let web: number;
  let settings: Record<string, string>;

  beforeAll(async () => {
    const users: Record<string, unknown> = {};
    for (const user of ["alice", "bob"]) {
      const key = await makeKey("ed25519", dir.file(user));
      keys[user] = key;
      pages[user] = await httpTarget(`the page of ${user}\n`);
      ports[user] = await freePort();
      users[user] = { name: `${user}.example.com`, port: ports[user], keys: [key.publicLine] };
    }
    writeFileSync(dir.file("users.json"), JSON.stringify(users));
    settings = {
      POSTERN_ADDRESS: "127.0.0.1",
      POSTERN_PORT: "0",
      POSTERN_HTTP_PORT: "0",
      POSTERN_KEY: dir.file("host_key"),
      POSTERN_USERS: dir.file("users.json"),
    };
    example = await npmStart("host-with-users", settings);
    const [, port, fingerprint] = await example.stdout.waitFor(/ssh on port (\d+), host key (SHA256:\S+)/);
    const [, http] = await example.stdout.waitFor(/http on port (\d+)/);
    web = Number(http);
    expect(printedAsInReadme(example, "host-with-users"), example.stdout.text()).toBe(true);
    expect(statSync(dir.file("host_key")).mode & 0o777).toBe(0o600);
    writeFileSync(dir.file("host_key.pub"), await run("ssh-keygen", ["-y", "-f", dir.file("host_key")]));
    const hostKey = await publicKeyInfo(dir.file("host_key.pub"));
    expect(hostKey.fingerprint).toBe(fingerprint);
    server = { port: Number(port), hostKeys: { ed25519: hostKey } };
  });
  afterAll(async () => {
    for (const client of clients) await client.stop();
    await example?.stop();
    for (const page of Object.values(pages)) await page.stop();
    dir.remove();
  });

  /** Runs `ssh -N -R` as `user`, with the port of `owner`. */
  async function forward(user: string, owner = user, target = pages[user]?.port): Promise<Running> {
    const identity = keys[user] as KeyPair;
    const ssh = await runSsh(["-N", "-R", `${ports[owner]}:127.0.0.1:${target}`], {
      server: { ...server, user },
      identity,
    });
    clients.push(ssh);
    return ssh;
  }
  async function get(name: string): Promise<{ readonly status: number | undefined; readonly body: string }> {
    const asked = request({ host: "127.0.0.1", port: web, headers: { host: name } }).end();
    const [response] = await once(asked, "response");
    return { status: response.statusCode, body: await text(response) };
  }

  it("leads each name to the port of its user", async () => {
    expect(await get("alice.example.com")).toMatchObject({ status: 502 });
    for (const user of ["alice", "bob"]) await (await forward(user)).stderr.waitFor(/remote forward success/);
    expect(await get("alice.example.com")).toEqual({ status: 200, body: "the page of alice\n" });
    expect(await get("BOB.example.com:80")).toEqual({ status: 200, body: "the page of bob\n" });
    expect(await get("carol.example.com")).toMatchObject({ status: 404 });
    await example.stdout.waitFor(/alice logged in from 127\.0\.0\.1/);
    await example.stdout.waitFor(new RegExp(`bob listens on port ${ports.bob}`));
  });

  it("refuses the port of another user, and unknown keys", async () => {
    const ssh = await forward("bob", "alice");
    expect(await ssh.exited).toBe(255);
    expect(ssh.stderr.text()).toMatch(/remote port forwarding failed/);
    await example.stdout.waitFor(new RegExp(`bob: forwarding refused: .*${ports.alice}`));
    const stranger = await runSsh(["-N"], { server: { ...server, user: "alice" }, identity: keys.bob as KeyPair });
    expect(await stranger.exited).toBe(255);
    expect(stranger.stderr.text()).toMatch(/Permission denied/);
    await example.stdout.waitFor(/ 127\.0\.0\.1 disconnected without a login/);
  });

  it("logs the end of a forwarding, and then answers 502", async () => {
    await clients[0]?.stop();
    await example.stdout.waitFor(new RegExp(`alice left port ${ports.alice}: 1 visitors, \\d+ bytes in`));
    expect(await get("alice.example.com")).toMatchObject({ status: 502 });
    expect(await get("bob.example.com")).toMatchObject({ status: 200 });
  });

  it("carries WebSockets, and survives what Node does not pass on", async () => {
    const faulty = createServer((_request, response) => response.socket?.end("HTTP/1.1 099 Odd\r\n\r\n"));
    const echo = new WebSocketServer({ server: faulty, path: "/echo" });
    echo.on("connection", (socket) =>
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })),
    );
    await once(faulty.listen(0, "127.0.0.1"), "listening");
    const ssh = await forward("alice", "alice", (faulty.address() as AddressInfo).port);
    await ssh.stderr.waitFor(/remote forward success/);
    const open = (name: string, path: string): WebSocket =>
      new WebSocket(`ws://127.0.0.1:${web}${path}`, { headers: { host: name } });
    const socket = open("alice.example.com", "/echo");
    await once(socket, "open");
    socket.send("there and back");
    const [answer] = await once(socket, "message");
    expect(String(answer)).toBe("there and back");
    socket.terminate();
    const [refused] = await once(open("alice.example.com", "/other"), "error");
    expect(String(refused)).toMatch(/400/);
    const [unknown] = await once(open("carol.example.com", "/echo"), "error");
    expect(String(unknown)).toMatch(/404/);
    expect(await get("alice.example.com")).toMatchObject({ status: 502 });
    const visitor = connect(web, "127.0.0.1");
    visitor.write("GET / HTTP/1.1\r\nHost: bob.example.com\r\nTrailer: x\r\nConnection: close\r\n\r\n");
    expect(await text(visitor)).toMatch(/^HTTP\/1\.1 200 /);
    echo.close();
    faulty.close();
  });

  it("keeps its host key, and ends at SIGTERM", async () => {
    expect(example.signalDescendants("SIGTERM", /^node host\.mjs$/)).toBe(1);
    expect(await example.exited).toBe(0);
    const again = await npmStart("host-with-users", settings);
    const [, fingerprint] = await again.stdout.waitFor(/host key (SHA256:\S+)/);
    expect(fingerprint).toBe(server.hostKeys.ed25519?.fingerprint);
    await again.stop();
  });
});
