/** Many tunnels: one server fails and returns, one is refused, and all end together. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  echoTarget,
  exchange,
  freePort,
  missing,
  type Running,
  type Sshd,
  startSshd,
  type Target,
  tempDir,
  userKey,
  visit,
} from "../harness/index.ts";
import { freed, keyPath, npmStart, signalProgram, startProgram } from "./example.ts";

interface Line {
  readonly time: string;
  readonly tunnel: string;
  readonly event: string;
  readonly code?: string;
}

describe.skipIf(missing("sshd"))("examples/many-tunnels", () => {
  const dir = tempDir("postern-many-tunnels");
  let target: Target;
  let shop: Sshd;
  let wiki: Sshd;
  let ports: Readonly<Record<"shop" | "wiki", number>>;
  beforeAll(async () => {
    target = await echoTarget();
    const authorizedKeys = [(await userKey()).publicLine];
    [shop, wiki] = await Promise.all([startSshd({ authorizedKeys }), startSshd({ authorizedKeys })]);
    ports = { shop: await freePort(), wiki: await freePort() };
  });
  afterAll(async () => {
    await shop?.stop();
    await wiki?.stop();
    await target?.stop();
    dir.remove();
  });

  function entry(name: string, sshd: Sshd, port: number): Record<string, unknown> {
    return {
      name,
      host: "127.0.0.1",
      port: sshd.port,
      hostKey: sshd.fingerprint(),
      listen: { port },
      target: { host: "127.0.0.1", port: target.port },
    };
  }

  async function startWith(list: unknown, startExample = npmStart): Promise<Running> {
    const file = dir.file("tunnels.json");
    writeFileSync(file, typeof list === "string" ? list : JSON.stringify(list));
    return startExample("many-tunnels", { TUNNELS: file, POSTERN_USER: shop.user, POSTERN_KEY: await keyPath() });
  }

  /** Parses the log. The first lines are those of npm. */
  function linesOf({ stdout }: Running): readonly Line[] {
    const [, ...complete] = stdout.text().split("\n").reverse();
    return complete
      .reverse()
      .filter((line) => line !== "" && !line.startsWith("> "))
      .map((line) => JSON.parse(line) as Line);
  }
  const count = (running: Running, tunnel: string, event: string): number =>
    linesOf(running).filter((line) => line.tunnel === tunnel && line.event === event).length;
  const reached = (running: Running, tunnel: string, event: string, times = 1): Promise<void> =>
    expect.poll(() => count(running, tunnel, event), { timeout: 30_000 }).toBeGreaterThanOrEqual(times);

  it("reconnects to a server that was down without disturbing the other tunnel, and drains both at SIGTERM", async ({
    signal,
  }) => {
    const running = await startWith([entry("shop", shop, ports.shop), entry("wiki", wiki, ports.wiki)]);
    await reached(running, "shop", "port open");
    await reached(running, "wiki", "port open");
    const visitor = await visit(ports.wiki);
    await visitor.send("before");
    expect((await visitor.read(6)).toString()).toBe("before");
    const before = linesOf(running).filter(({ tunnel }) => tunnel === "wiki");

    await shop.kill();
    await reached(running, "shop", "reconnecting");
    await visitor.send("during");
    expect((await visitor.read(6)).toString()).toBe("during");
    expect((await exchange(ports.wiki, "new visitor")).toString()).toBe("new visitor");
    await shop.restart();
    await reached(running, "shop", "port open", 2);
    expect((await exchange(ports.shop, "back again")).toString()).toBe("back again");
    expect(linesOf(running).filter(({ tunnel }) => tunnel === "wiki")).toEqual(before);
    expect(linesOf(running).every(({ time }) => !Number.isNaN(Date.parse(time)))).toBe(true);

    signalProgram(running, "SIGTERM");
    await freed(ports.shop, signal);
    await freed(ports.wiki, signal);
    await visitor.send("after");
    expect((await visitor.read(5)).toString()).toBe("after");
    visitor.end();
    await visitor.readAll();
    expect(await running.exited).toBe(0);
    expect([count(running, "shop", "closed"), count(running, "wiki", "closed")]).toEqual([1, 1]);
  });

  it("logs a server with another host key as failed, and opens the other tunnel", async () => {
    const forged = { ...entry("shop", shop, ports.shop), hostKey: wiki.fingerprint() };
    const running = await startWith([forged, entry("wiki", wiki, ports.wiki)]);
    await reached(running, "shop", "failed");
    await reached(running, "wiki", "port open");
    expect(linesOf(running).find(({ event }) => event === "failed")).toMatchObject({ tunnel: "shop", code: "hostkey" });
    expect((await exchange(ports.wiki, "works")).toString()).toBe("works");
    signalProgram(running, "SIGTERM");
    expect(await running.exited).toBe(1);
  });

  it.each([
    ["no list", "{}", /tunnels\.json: expected a list/],
    ["no JSON", "[", /tunnels\.json: .*JSON/],
    ["an entry without a host key", [{ name: "shop", host: "a.example" }], /shop: expected hostKey, listen, target/],
  ])("reports %s before it connects", async (_name, list, message) => {
    const running = await startWith(list, startProgram);
    expect(await running.exited).toBe(1);
    expect(running.stderr.text()).toMatch(message);
  });
});
