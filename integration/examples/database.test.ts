/** `examples/database`: a Redis that a program on the SSH server reaches. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  freePort,
  isListening,
  lacks,
  launch,
  missing,
  type Running,
  run,
  type Sshd,
  startSshd,
  tempDir,
  userKey,
  visit,
} from "../harness/index.ts";
import { forwardedPort, npmStart, printedAsInReadme, settingsForAnyPort } from "./example.ts";

const noRedis = lacks("redis-server", "redis-server");
if (noRedis !== undefined) process.stderr.write(`skipped: examples/database: ${noRedis}\n`);

describe.skipIf(missing("sshd") ?? noRedis)("examples/database", () => {
  const dir = tempDir("postern-database");
  let sshd: Sshd;
  let redis: Running;
  let example: Running;
  let port: number;

  beforeAll(async () => {
    const redisPort = String(await freePort());
    redis = await launch("redis-server", [
      ...["--port", redisPort, "--bind", "127.0.0.1", "--dir", dir.path],
      ...["--save", "", "--appendonly", "no", "--requirepass", "of the database"],
    ]);
    await redis.stdout.waitFor(/Ready to accept connections/);
    // A server that would let the port be public.
    sshd = await startSshd({
      authorizedKeys: [(await userKey()).publicLine],
      config: { GatewayPorts: "clientspecified" },
    });
    example = await npmStart("database", { ...(await settingsForAnyPort(sshd)), POSTERN_TARGET_PORT: redisPort });
    port = await forwardedPort(example);
  });
  afterAll(async () => {
    await example?.stop();
    await redis?.stop();
    await sshd?.stop();
    dir.remove();
  });

  const redisCli = (args: readonly string[], password?: string): Promise<string> =>
    run("redis-cli", ["-h", "127.0.0.1", "-p", String(port), ...args], {
      env: password === undefined ? {} : { REDISCLI_AUTH: password },
    });

  it("prints the lines of the README", () => {
    expect(printedAsInReadme(example, "database"), example.stdout.text()).toBe(true);
  });

  it("carries queries of the database's own client", async () => {
    expect(await redisCli(["set", "colour", "green"], "of the database")).toBe("OK\n");
    expect(await redisCli(["get", "colour"], "of the database")).toBe("green\n");
    expect(await redisCli(["--raw", "eval", "return string.rep('x', 1000000)", "0"], "of the database")).toBe(
      `${"x".repeat(1_000_000)}\n`,
    );
    expect(example.stdout.text()).toMatch(/visitor: 127\.0\.0\.1, port \d+/);
  });

  it("leaves the login to the database", async () => {
    expect(await redisCli(["get", "colour"])).toMatch(/NOAUTH/);
  });

  it("listens on loopback only", async () => {
    expect(isListening(port)).toBe(true);
    // A port on all addresses would be reachable here, too.
    await expect(visit(port, "127.0.0.2")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
