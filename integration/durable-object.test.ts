/** The Durable Object of the examples, in plain workerd, against a real server. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  isListening,
  missing,
  patternChunks,
  patternHash,
  run,
  type Sshd,
  startSshd,
  tempDir,
  userKey,
} from "./harness/index.ts";
import { startWorker, type Worker } from "./harness/workerd.ts";

interface Status {
  readonly state: string;
  readonly port: number;
  readonly forwarding: string;
  readonly inMemorySince: string;
  readonly alarms: number;
  readonly visits: number;
  readonly reconnects: number;
  readonly errors: readonly string[];
}

const build = fileURLToPath(new URL("../examples/durable-object/build.mjs", import.meta.url));

describe.skipIf(missing("sshd"))("examples/durable-object", () => {
  const dir = tempDir("postern-durable");
  let sshd: Sshd;
  let worker: Worker;
  let script: string;
  let privateText: string;

  const start = async (): Promise<void> => {
    worker = await startWorker({
      script,
      dir,
      bindings: { TOKEN: "let me in", PRIVATE_KEY: privateText, ALARM_MS: "500" },
      durableObject: { className: "Tunnel", binding: "TUNNELS" },
    });
  };
  beforeAll(async () => {
    privateText = (await userKey()).privateText;
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    await run(process.execPath, [build, dir.file("bundle.mjs")]);
    script = readFileSync(dir.file("bundle.mjs"), "utf8");
    await start();
  });
  afterAll(async () => {
    await worker?.stop();
    await sshd?.stop();
    dir.remove();
  });

  async function ask(method: string, name: string, body?: object, token = "let me in"): Promise<Response> {
    return await fetch(new URL(`tunnels/${name}`, worker.url), {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  }
  const settings = (): object => ({
    host: "127.0.0.1",
    hostPort: sshd.port,
    user: sshd.user,
    hostKey: sshd.fingerprint(),
  });
  const status = async (name: string): Promise<Status> => (await (await ask("GET", name)).json()) as Status;
  const visit = async (port: number): Promise<unknown> => (await fetch(`http://127.0.0.1:${port}/`)).json();

  it("rejects requests without the token", async () => {
    expect((await ask("PUT", "one", settings(), "please")).status).toBe(401);
    expect((await ask("GET", "one", undefined, "")).status).toBe(401);
    expect((await fetch(worker.url)).status).toBe(404);
    expect((await ask("PUT", "one", { ...settings(), hostKey: "?" })).status).toBe(400);
    expect((await ask("PUT", "one", { ...settings(), prot: 1 })).status).toBe(400);
    expect((await status("one")).state).toBe("closed");
  });

  it("opens a separate tunnel for each name", async () => {
    const names = ["one", "two", "three"];
    const opened = await Promise.all(names.map((name) => ask("PUT", name, settings())));
    expect(opened.map((response) => response.status)).toEqual([200, 200, 200]);
    const all = await Promise.all(names.map(status));
    expect(all.map(({ state }) => state)).toEqual(["open", "open", "open"]);
    expect(new Set(all.map(({ port }) => port)).size).toBe(3);
    for (const [i, { port }] of all.entries()) {
      expect(await visit(port)).toEqual({ tunnel: names[i], visit: 1, from: "127.0.0.1" });
      expect(await visit(port)).toEqual({ tunnel: names[i], visit: 2, from: "127.0.0.1" });
    }
  });

  it("carries large bodies in both directions", async () => {
    const { port } = await status("one");
    const size = 8 * 1024 * 1024;
    const response = await fetch(`http://127.0.0.1:${port}/echo`, {
      method: "POST",
      body: Buffer.concat([...patternChunks(size, 8)]),
    });
    const hash = createHash("sha256").update(new Uint8Array(await response.arrayBuffer()));
    expect(hash.digest("hex")).toBe(patternHash(size, 8));
  });

  it("stays in memory without requests, because of its alarms", async () => {
    const before = await status("one");
    await sleep(3000);
    const after = await status("one");
    expect(after.inMemorySince).toBe(before.inMemorySince);
    expect(after.alarms - before.alarms).toBeGreaterThanOrEqual(4);
    expect(after).toMatchObject({ state: "open", port: before.port, reconnects: before.reconnects });
  });

  it("reconnects after a lost connection, with the same port", async () => {
    const { port } = await status("two");
    sshd.dropConnections();
    await expect.poll(async () => (await status("two")).reconnects, { timeout: 20_000 }).toBe(1);
    await expect.poll(async () => (await status("two")).port, { timeout: 10_000 }).toBe(port);
    expect(await visit(port)).toEqual({ tunnel: "two", visit: 3, from: "127.0.0.1" });
  });

  it("reconnects after its process was killed, by the alarm alone", async () => {
    // Its connection was reset together with the one above.
    await expect.poll(async () => (await status("three")).forwarding, { timeout: 20_000 }).toBe("open");
    const { port, inMemorySince } = await status("three");
    await worker.stop();
    await expect.poll(() => isListening(port), { timeout: 10_000 }).toBe(false);
    await start();
    // The test sends no request to the worker.
    await expect.poll(() => isListening(port), { timeout: 20_000 }).toBe(true);
    await expect.poll(() => visit(port).catch(() => undefined)).toMatchObject({ tunnel: "three", visit: 3 });
    expect((await status("three")).inMemorySince).not.toBe(inMemorySince);
  });

  it("retries while the server is down", async () => {
    const lost = await ask("PUT", "four", { ...settings(), hostPort: 1 });
    expect(lost.status).toBe(202);
    await sleep(1500);
    const { state, errors } = await status("four");
    expect(state).toBe("closed");
    expect(errors.length).toBeGreaterThan(1);
    expect(errors[0]).toContain("expected a connection");
    expect((await ask("PUT", "four", settings())).status).toBe(200);
  });

  it("gives up after an error that a retry cannot fix", async () => {
    const hostKey = `SHA256:${"A".repeat(43)}`;
    expect((await ask("PUT", "five", { ...settings(), hostKey })).status).toBe(202);
    expect(await status("five")).toMatchObject({ state: "closed", givenUp: true });
    await sleep(1500);
    expect((await status("five")).errors).toHaveLength(1);
  });

  it("deletes the settings of a closed tunnel", async () => {
    const { port } = await status("one");
    expect((await ask("DELETE", "one")).status).toBe(204);
    await expect.poll(() => isListening(port)).toBe(false);
    await sleep(1500);
    expect(await status("one")).toMatchObject({ state: "closed", visits: 0, alarms: 0 });
  });
});
