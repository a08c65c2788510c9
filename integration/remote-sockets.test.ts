/** UNIX sockets on the server, and ports that serve SOCKS: `ssh -R path:…`, `-R port`, and visitors who lie. */
import { rmSync, writeFileSync } from "node:fs";
import type { ReverseTunnel, VisitorErrorEvent } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  curl,
  deafTarget,
  echoTarget,
  exchangeAt,
  halfCloseTarget,
  httpTarget,
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

describe.skipIf(missing("sshd", "curl"))("through OpenSSH", () => {
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

  describe("a UNIX socket on the server (OpenSSH PROTOCOL section 2.4)", () => {
    it("leads to a target, and to this program", async () => {
      const path = newPath();
      const forwarding = await tunnel.forward({ path, target: local(web.port) });
      expect(forwarding).toMatchObject({ path, address: path, port: undefined, state: "open" });
      expect(await curl("--unix-socket", path, "http://web/")).toBe(page);
      expect(await forwarding.probe()).toEqual({ ok: true, answers: new Map([[path, "ours"]]) });
      const listener = await tunnel.listen({ path: newPath() });
      const exchanged = exchangeAt(listener.address, "half-closed");
      for await (const channel of listener) {
        expect(channel.origin).toEqual({ host: "", port: 0 });
        void channel.readable.pipeTo(channel.writable);
        break;
      }
      expect(await exchanged).toBe("half-closed");
      await Promise.all([forwarding.close(), listener.close()]);
      await expect(exchangeAt(path, "")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    });

    it("is refused if a file is there, and the error says which option of sshd removes it", async () => {
      const path = newPath();
      writeFileSync(path, "");
      await expect(tunnel.forward({ path, target: local(web.port) })).rejects.toMatchObject({
        code: "refused",
        message: expect.stringContaining("StreamLocalBindUnlink"),
      });
    });

    it("is requested again after a reconnection, waits for a socket that is left, and is denied by policy", async () => {
      const strict = await startSshd({
        authorizedKeys: [(await userKey()).publicLine],
        config: { StreamLocalBindUnlink: "yes" },
      });
      const again = await openTunnel(strict, { reconnect: { intervalMs: 10 } });
      const path = newPath();
      const forwarding = await again.forward({ path, target: local(web.port) });
      strict.dropConnections();
      await stateOf(again, "waiting");
      await expect.poll(() => forwarding.state, { timeout: 10_000 }).toBe("open");
      expect(await curl("--unix-socket", path, "http://web/")).toBe(page);
      await again.close();
      await strict.stop();
      // Without that option the file stays.
      const kept = tunnel.forward({ path, target: local(web.port), wait: true });
      await Promise.race([kept, sshd.logged(/cannot bind to path/)]);
      rmSync(path);
      await (await kept).close();
      const closed = await startSshd({
        authorizedKeys: [(await userKey()).publicLine],
        config: { AllowStreamLocalForwarding: "no" },
      });
      const other = await openTunnel(closed);
      await expect(other.forward({ path: newPath(), target: local(1) })).rejects.toMatchObject({ code: "denied" });
      await other.close();
      await closed.stop();
    });
  });

  it("connects visitors to a UNIX socket of this machine, with half-close, and refuses them if it is gone", async () => {
    const path = newPath();
    const target = await unixEchoTarget(path);
    const forwarding = await tunnel.forward({ address: "127.0.0.1", port: 0, target: { path } });
    const visitor = await visit(forwarding.port);
    await visitor.send("to the socket");
    visitor.end();
    expect((await visitor.readAll()).toString()).toBe("to the socket");
    await target.stop();
    const errors = errorsOf(tunnel);
    const late = await visit(forwarding.port);
    expect((await late.readAll()).length).toBe(0);
    expect(errors).toMatchObject([{ code: "connect", message: expect.stringContaining("ENOENT") }]);
    await forwarding.close();
  });

  describe("a port that serves SOCKS (`ssh -R port`)", () => {
    const to = (port: number): readonly number[] => [127, 0, 0, 1, port >> 8, port & 255];
    const request = (port: number): Uint8Array => Uint8Array.of(5, 1, 0, 5, 1, 0, 1, ...to(port));
    const granted = "050005000001000000000000";
    const proxy = (...ports: number[]) =>
      tunnel.forward({
        address: "127.0.0.1",
        port: 0,
        target: "socks",
        allow: ({ host, port }) => host === "127.0.0.1" && ports.includes(port),
      });

    it("connects curl to what is allowed, and tells it what is not", async () => {
      const refusing = await refusingPort();
      const socks = await proxy(web.port, refusing);
      expect(socks.target).toBe("socks");
      const at = `127.0.0.1:${socks.port}`;
      const url = `http://127.0.0.1:${web.port}/`;
      expect(await curl("--socks5-hostname", at, url)).toBe(page);
      expect(await curl("--socks5", at, url)).toBe(page);
      expect(await curl("--socks4a", at, url)).toBe(page);
      expect(await curl("--socks4", at, url)).toBe(page);
      const errors = errorsOf(tunnel);
      // RFC 1928 section 6: 2 is "not allowed by ruleset", 5 is "connection refused".
      const name = `http://localhost:${web.port}/`;
      expect(await curl("--socks5-hostname", at, name)).toContain("(2)");
      expect(await curl("--socks4a", at, name)).toContain("(91)");
      expect(await curl("--socks5-hostname", at, `http://127.0.0.1:${refusing}/`)).toContain("(5)");
      expect(errors.map(({ code }) => code)).toEqual(["denied", "denied", "connect"]);
      await socks.close();
    });

    it("carries large streams and half-close in both directions", async () => {
      const size = 8 * 1024 * 1024;
      const [source, sink] = await Promise.all([patternSource(size), halfCloseTarget()]);
      const socks = await proxy(source.port, sink.port);
      const down = await visit(socks.port);
      await down.send(request(source.port));
      expect((await down.read(12)).toString("hex")).toBe(granted);
      expect(await down.hashAll()).toEqual({ bytes: size, sha256: patternHash(size) });
      down.end();
      const up = await visit(socks.port);
      await up.send(request(sink.port));
      await up.read(12);
      await up.sendAll(patternChunks(size));
      up.end();
      expect((await up.readAll()).toString()).toBe(patternHash(size));
      await Promise.all([socks.close(), source.stop(), sink.stop()]);
    });

    it("holds back a visitor whose target does not read", async () => {
      const deaf = await deafTarget();
      const socks = await proxy(deaf.port);
      const visitor = await visit(socks.port);
      await visitor.send(request(deaf.port));
      await visitor.read(12);
      const block = new Uint8Array(1024 * 1024);
      let sent = 0;
      const flood = (async () => {
        for (; sent < 256; sent++) await visitor.send(block);
      })().catch(() => undefined);
      await expect.poll(async () => (await quiet(() => sent)) && sent > 0, { timeout: 10_000 }).toBe(true);
      // The window of the channel (2 MiB) and the buffers of the kernel, not the 256 MiB.
      expect(sent).toBeLessThan(64);
      visitor.reset();
      await flood;
      await Promise.all([socks.close(), deaf.stop()]);
    });

    it("drops visitors who send garbage, too much, or a flood before their target is connected", async () => {
      const echo = await echoTarget();
      let decide: (allowed: boolean) => void = () => {};
      const socks = await tunnel.forward({
        address: "127.0.0.1",
        port: 0,
        target: "socks",
        allow: () =>
          new Promise((resolve) => {
            decide = resolve;
          }),
      });
      const errors = errorsOf(tunnel);
      const dropped = async (...bytes: number[]): Promise<string> => {
        const visitor = await visit(socks.port);
        await visitor.send(Uint8Array.from(bytes));
        const answer = (await visitor.readAll()).toString("hex");
        visitor.end();
        return answer;
      };
      expect(await dropped(...Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toBe("");
      expect(await dropped(5, 1, 2)).toBe("05ff");
      expect(await dropped(5, 1, 0, 5, 3, 0, 1, ...to(80))).toBe("050005070001000000000000");
      expect(await dropped(4, 1, 0, 80, 0, 0, 0, 1, ...new Uint8Array(4000).fill(65))).toBe("005b000000000000");
      expect(errors.map(({ code }) => code)).toEqual(["protocol", "protocol", "protocol", "protocol"]);
      // Bytes before the decision stay within the window, and reach the target afterwards.
      const eager = await visit(socks.port);
      await eager.send(request(echo.port));
      const flood = eager.sendAll(patternChunks(4 * 1024 * 1024));
      expect((await eager.read(2)).toString("hex")).toBe("0500");
      await expect.poll(() => socks.stats().bytesIn).toBeGreaterThan(0);
      decide(true);
      expect((await eager.read(10)).toString("hex")).toBe("05000001000000000000");
      const echoed = eager.hashAll();
      await flood;
      eager.end();
      expect(await echoed).toEqual({ bytes: 4 * 1024 * 1024, sha256: patternHash(4 * 1024 * 1024) });
      await Promise.all([socks.close(), echo.stop()]);
    });
  });
});

function errorsOf(tunnel: ReverseTunnel): { readonly code: string }[] {
  const errors: { code: string }[] = [];
  tunnel.addEventListener(
    "visitorerror",
    ({ error }: VisitorErrorEvent) => void errors.push(error as { code: string }),
  );
  return errors;
}

function stateOf(tunnel: ReverseTunnel, state: string): Promise<void> {
  return new Promise((resolve) => {
    tunnel.addEventListener("state", (event) => {
      if (event.state === state) resolve();
    });
  });
}

/** Whether a figure has not changed for a while. */
async function quiet(figure: () => number): Promise<boolean> {
  const before = figure();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return figure() === before;
}
