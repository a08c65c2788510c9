/** Local forwarding through real servers: `ssh -L` and `ssh -D`. */
import { statSync, writeFileSync } from "node:fs";
import type { LocalErrorEvent, LocalForwarding, ReverseTunnel } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  curl,
  deafTarget,
  echoTarget,
  exchange,
  exchangeAt,
  freePort,
  halfCloseTarget,
  httpTarget,
  isListening,
  missing,
  openTunnel,
  patternChunks,
  patternHash,
  patternSource,
  refusingPort,
  type Sshd,
  socketDir,
  startSshd,
  type Target,
  unixEchoTarget,
  userKey,
  visit,
} from "./harness/index.ts";

const local = (port: number): { host: string; port: number } => ({ host: "127.0.0.1", port });
const page = "the door is open\n";

describe.skipIf(missing("sshd", "curl"))("local forwarding through OpenSSH", () => {
  const folder = socketDir();
  let sshd: Sshd;
  let tunnel: ReverseTunnel;
  let web: Target;
  let sockets = 0;
  const newPath = (): string => folder.file(`${++sockets}.sock`);
  beforeAll(async () => {
    [sshd, web] = await Promise.all([startSshd({ authorizedKeys: [(await userKey()).publicLine] }), httpTarget(page)]);
    tunnel = await openTunnel(sshd);
  });
  afterAll(async () => {
    await tunnel.close();
    await Promise.all([sshd.stop(), web.stop()]);
    folder.remove();
  });

  it("connects both loopback addresses to a target of the server, and counts (`ssh -L`)", async () => {
    const forwarding = await tunnel.forwardLocal({ port: 0, target: local(web.port) });
    expect(forwarding).toMatchObject({ address: "localhost", path: undefined, state: "open" });
    for (const host of ["127.0.0.1", "[::1]"]) expect(await curl(`http://${host}:${forwarding.port}/`)).toBe(page);
    await expect.poll(() => forwarding.stats()).toMatchObject({ accepted: 2, open: 0, refused: 0 });
    expect(forwarding.stats().bytesIn).toBeGreaterThan(100);
    expect(forwarding.stats().bytesOut).toBeGreaterThan(page.length);
    await forwarding.close();
    expect(isListening(forwarding.port)).toBe(false);
    await forwarding.closed;
  });

  it("connects a UNIX socket of this user to one of the server (OpenSSH PROTOCOL section 2.4)", async () => {
    const [here, there] = [newPath(), newPath()];
    const echo = await unixEchoTarget(there);
    const forwarding = await tunnel.forwardLocal({ path: here, target: { path: there } });
    expect(statSync(here).mode & 0o777).toBe(0o600);
    expect(await exchangeAt(here, "from path to path")).toBe("from path to path");
    await expect(tunnel.forwardLocal({ path: here, target: { path: there } })).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("EADDRINUSE"),
    });
    await forwarding.close();
    await expect(exchangeAt(here, "")).rejects.toMatchObject({ code: "ENOENT" });
    // A file that is no socket is left alone.
    writeFileSync(here, "mine");
    await expect(tunnel.forwardLocal({ path: here, target: { path: there } })).rejects.toMatchObject({
      code: "connect",
    });
    expect(statSync(here).size).toBe(4);
    await echo.stop();
  });

  it("carries large streams and half-close in both directions, and holds back a fast client", async () => {
    const size = 8 * 1024 * 1024;
    const [source, sink, deaf] = await Promise.all([patternSource(size), halfCloseTarget(), deafTarget()]);
    const [down, up, slow] = await Promise.all(
      [source, sink, deaf].map(({ port }) => tunnel.forwardLocal({ port: 0, target: local(port) })),
    );
    const client = await visit((down as LocalForwarding).port);
    expect(await client.hashAll()).toEqual({ bytes: size, sha256: patternHash(size) });
    client.end();
    const sender = await visit((up as LocalForwarding).port);
    await sender.sendAll(patternChunks(size));
    sender.end();
    expect((await sender.readAll()).toString()).toBe(patternHash(size));
    const fast = await visit((slow as LocalForwarding).port);
    let sent = 0;
    const flood = (async () => {
      for (; sent < 256; sent++) await fast.send(new Uint8Array(1024 * 1024));
    })().catch(() => undefined);
    await expect.poll(() => slow?.stats().stalls, { timeout: 10_000 }).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(sent).toBeLessThan(64);
    fast.reset();
    await flood;
    await Promise.all([source, sink, deaf].map((one) => one.stop()));
  });

  it("serves SOCKS to curl, and tells it why a connection failed (`ssh -D`, RFC 1928 section 6)", async () => {
    const proxy = await tunnel.socks({ port: 0 });
    const at = `127.0.0.1:${proxy.port}`;
    // The server resolves the name.
    const url = `http://localhost:${web.port}/`;
    expect(await curl("--socks5-hostname", at, url)).toBe(page);
    expect(await curl("--socks4a", at, url)).toBe(page);
    const errors: LocalErrorEvent[] = [];
    tunnel.addEventListener("localerror", (event) => void errors.push(event));
    expect(await curl("--socks5-hostname", at, `http://127.0.0.1:${await refusingPort()}/`)).toContain("(5)");
    expect(await curl("--socks5-hostname", at, `http://nowhere.invalid/`)).toContain("(4)");
    expect(await exchange(proxy.port, "GET / HTTP/1.1\r\n\r\n")).toHaveLength(0);
    expect(errors.map(({ error }) => (error as { code: string }).code)).toEqual(["refused", "refused", "protocol"]);
    expect(errors[0]).toMatchObject({ forwarding: proxy, origin: { host: "127.0.0.1" } });
    expect(proxy.stats()).toMatchObject({ accepted: 2, refused: 3 });
    await proxy.close();
    const socket = await tunnel.socks({ path: newPath() });
    expect(await curl("--proxy", `socks5h://localhost${socket.path}`, url)).toBe(page);
    await socket.close();
  });

  it("keeps its port while the tunnel reconnects, and its clients wait for the tunnel", async () => {
    const host = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    const again = await openTunnel(host, { reconnect: { intervalMs: 20 }, targetTimeoutMs: 20_000 });
    const echo = await echoTarget();
    const forwarding = await again.forwardLocal({ port: 0, target: local(echo.port) });
    const open = await visit(forwarding.port);
    await open.send("a");
    await open.read(1);
    await host.kill();
    expect(await open.closed).toBe("ECONNRESET");
    expect([again.state, forwarding.state]).not.toContain("closed");
    const waiting = exchange(forwarding.port, "from the time without a server");
    await host.restart();
    expect((await waiting).toString()).toBe("from the time without a server");
    expect(again.stats().reconnects).toBe(1);
    await again.close();
    expect(isListening(forwarding.port)).toBe(false);
    await Promise.all([host.stop(), echo.stop()]);
  });

  it("lets open connections finish if the tunnel is closed with drainMs", async () => {
    const other = await openTunnel(sshd);
    const echo = await echoTarget();
    const forwarding = await other.forwardLocal({ port: 0, target: local(echo.port) });
    const client = await visit(forwarding.port);
    await client.send("before");
    await client.read(6);
    const closing = other.close({ drainMs: 20_000 });
    await expect.poll(() => isListening(forwarding.port)).toBe(false);
    await client.send("after");
    expect((await client.read(5)).toString()).toBe("after");
    client.end();
    await closing;
    expect(await client.closed).toBeUndefined();
    await echo.stop();
  });

  it("is refused if the port is in use, and after the tunnel has ended", async () => {
    const other = await openTunnel(sshd);
    const target = local(web.port);
    await expect(other.forwardLocal({ address: "127.0.0.1", port: web.port, target })).rejects.toMatchObject({
      code: "connect",
    });
    const port = await freePort();
    const aborted = other.forwardLocal({ port, target, signal: AbortSignal.abort("no") });
    await expect(aborted).rejects.toBe("no");
    expect(isListening(port)).toBe(false);
    await other.close();
    await expect(other.forwardLocal({ port, target })).rejects.toMatchObject({ code: "closed" });
    await expect(other.socks({ port })).rejects.toMatchObject({ code: "closed" });
  });
});
