import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { lacksManager, startManager } from "../system/service-manager.ts";
import { atEnd, cleanUp, secret, startHost, startTarget, temporaryFolder, tunnelTo, visit } from "./world.ts";

const program = join(import.meta.dirname, "../../dist/postern.js");
const isMissing = lacksManager();

beforeAll(() => {
  if (!existsSync(program)) expect.fail("the command is not built: run `node scripts/build.mjs`");
});
afterEach(cleanUp);

const env = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  TEST_PASSWORD: secret,
  ...more,
});

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  /** standard error */
  text(): string;
}

function run(folder: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, [program, ...args], { cwd: folder, env: env(more) });
  atEnd(() => child.kill("SIGKILL"));
  let text = "";
  child.stderr.on("data", (data) => {
    text += String(data);
  });
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  return { child, exited, text: () => text };
}

/** Runs a command to its end. The host of this process goes on. */
async function ask(folder: string, args: readonly string[]) {
  const { child, exited, text } = run(folder, args);
  let stdout = "";
  child.stdout?.on("data", (data) => {
    stdout += String(data);
  });
  const status = await exited;
  return { status, stdout, stderr: text() };
}

async function until(fits: () => boolean): Promise<void> {
  while (!fits()) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function oneTunnel(more: object = {}) {
  const host = await startHost();
  const target = await startTarget("shop");
  const folder = temporaryFolder();
  const config = { ...more, tunnels: { shop: tunnelTo(host.port, { forwards: [{ port: 0, target }] }) } };
  writeFileSync(join(folder, "postern.json"), JSON.stringify(config));
  return { host, folder, config };
}

const portIn = (text: string): number => Number(/forwarding of localhost:(\d+) is open/.exec(text)?.[1] ?? 0);

describe("the process of postern up", () => {
  it("is asked by status, refuses a second one, and ends with 0 after down", async () => {
    const { folder } = await oneTunnel();
    const { text, exited } = run(folder, ["up"]);
    await until(() => portIn(text()) > 0);
    const status = await ask(folder, ["status", "--json"]);
    expect(status.status).toBe(0);
    expect(JSON.parse(status.stdout).tunnels[0]).toMatchObject({ name: "shop", state: "open" });
    expect((await ask(folder, ["status"])).stdout).toMatch(/^shop +open .* localhost:\d+ -> 127\.0\.0\.1:\d+ /m);
    const second = await ask(folder, ["up"]);
    expect([second.status, second.stderr]).toEqual([255, expect.stringContaining("see postern status")]);
    expect((await ask(folder, ["down"])).status).toBe(0);
    expect(await exited).toBe(0);
    const late = await ask(folder, ["status"]);
    expect([late.status, late.stderr]).toEqual([255, expect.stringContaining("expected a running postern up")]);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "frees the ports at %s, lets visitors finish, and ends with 0",
    async (signal) => {
      const { host, folder } = await oneTunnel({ drainMs: 30_000 });
      const { child, text, exited } = run(folder, ["up"]);
      await until(() => portIn(text()) > 0);
      const { socket } = await visit(portIn(text()));
      child.kill(signal);
      await until(() => host.clients[0]?.forwardings.length === 0);
      await expect(visit(portIn(text()))).rejects.toThrow();
      expect(socket.destroyed).toBe(false);
      socket.destroy();
      expect(await exited).toBe(0);
    },
  );

  it("ends visitors at the second signal", async () => {
    const { host, folder } = await oneTunnel({ drainMs: 30_000 });
    const { child, text, exited } = run(folder, ["up"]);
    await until(() => portIn(text()) > 0);
    await visit(portIn(text()));
    child.kill("SIGTERM");
    await until(() => host.clients[0]?.forwardings.length === 0);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  });

  it.skipIf(isMissing)("sends its states to the service manager, and reopens its log at SIGHUP", async () => {
    const manager = await startManager(atEnd);
    const { folder } = await oneTunnel({ watch: false });
    const args = ["up", "--log", "json", "--log-file", "up.log"];
    const { child, exited } = run(folder, args, { NOTIFY_SOCKET: manager.socket, WATCHDOG_USEC: "60000000" });
    await manager.until(() => manager.lines().some((line) => /READY=1/.test(line)));
    const log = join(folder, "up.log");
    renameSync(log, `${log}.1`);
    child.kill("SIGHUP");
    await manager.until(() => manager.lines().filter((line) => /READY=1/.test(line)).length === 2);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    const lines = manager.lines();
    expect(lines.join("\n")).toMatch(/WATCHDOG=1/);
    // Messages that wait are sent as one, so a state may come with an earlier line of status.
    const states = lines.flatMap((line) => /(?:READY|RELOADING|STOPPING)=1/.exec(line) ?? []);
    expect(states).toEqual(["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
    expect(lines.find((line) => line.includes("READY=1"))).toContain("STATUS=1 of 1 tunnels are open");
    expect(lines.find((line) => line.includes("RELOADING=1"))).toMatch(/MONOTONIC_USEC=\d+/);
    const [before, after] = [`${log}.1`, log].map((file) => readFileSync(file, "utf8"));
    expect(before).toContain('"message":"the tunnel is open"');
    expect(after).toContain('"event":"reloaded"');
    expect(before + String(after)).not.toContain(secret);
  });

  it("reads a module, whose default export may be a function", async () => {
    const host = await startHost();
    const folder = temporaryFolder();
    const config = { tunnels: { shop: tunnelTo(host.port, { dynamic: [{ port: 0 }] }) } };
    writeFileSync(join(folder, "postern.mjs"), `export default async () => (${JSON.stringify(config)});`);
    const { child, text, exited } = run(folder, ["up"]);
    await until(() => /connections to localhost:\d+ lead to socks/.test(text()));
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  });

  it("reports mistakes in the configuration with 255 before it connects", async () => {
    const { host, folder } = await oneTunnel();
    const file = join(folder, "wrong.json");
    writeFileSync(file, JSON.stringify({ tunnels: { shop: { host: "a", user: "b", password: secret } } }));
    const { status, stderr } = await ask(folder, ["up", "--check", "--config", file]);
    expect(status).toBe(255);
    expect(stderr).toBe(`postern: ${file}: expected tunnels.shop.password to be an object, got a text\n`);
    writeFileSync(join(folder, "wrong.mjs"), "export default 1;");
    expect((await ask(folder, ["up", "--config", "wrong.mjs"])).stderr).toContain(
      "expected the file to be an object, got 1",
    );
    writeFileSync(join(folder, "postern.ts"), `export default { tunnels: {} };`);
    const typed = (await ask(folder, ["up", "--config", "postern.ts"])).stderr;
    expect(typed).toMatch(/expected Node\.js 22\.18 or newer|expected tunnels to be at least 1 entries/);
    expect((await ask(folder, ["up", "--check"])).status).toBe(0);
    expect(host.clients).toEqual([]);
  });

  it.each(["up", "status", "down"])(
    "reports to %s that the configuration is missing, whatever its name",
    async (command) => {
      const folder = temporaryFolder();
      for (const name of ["nope", "nope.json", "nope.mjs"]) {
        const file = join(folder, name);
        const { status, stderr } = await ask(folder, [command, "--config", name]);
        const lines = [`postern: expected a configuration, got no file ${file}`, `Try: postern ${command} --help`, ""];
        expect([status, stderr]).toEqual([255, lines.join("\n")]);
      }
    },
  );

  it.skipIf(spawnSync("script", ["--version"]).error !== undefined)("ends when its terminal is closed", async () => {
    const { host, folder } = await oneTunnel();
    const line = `exec ${process.execPath} ${program} up`;
    const child = spawn("script", ["-qec", line, "/dev/null"], {
      cwd: folder,
      env: env(),
      stdio: ["pipe", "pipe", "pipe"],
    });
    atEnd(() => child.kill("SIGKILL"));
    await until(() => host.clients.some(({ forwardings }) => forwardings.length > 0));
    // The terminal closes with the process that holds its other end.
    child.kill("SIGKILL");
    await until(() => host.clients.length === 0);
    await until(() => !existsSync(join(folder, ".postern", "postern.json.sock")));
  });
});
