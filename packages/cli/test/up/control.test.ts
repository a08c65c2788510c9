import { chmodSync, existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { askControl, NotRunning } from "../../src/up/control/client.ts";
import { AlreadyRunning, listenForControl } from "../../src/up/control/server.ts";
import { socketPaths } from "../../src/up/control/socket-path.ts";
import { runDown, runStatus } from "../../src/up/run-status.ts";
import type { UpStatus } from "../../src/up/status.ts";
import { atEnd, cleanUp, everythingOpen, start, startHost, startTarget, temporaryFolder, tunnelTo } from "./world.ts";

afterEach(cleanUp);

async function oneTunnel() {
  const host = await startHost();
  const target = await startTarget("shop");
  const world = await start({ tunnels: { shop: tunnelTo(host.port, { forwards: [{ port: 0, target }] }) } });
  await world.until("shop", everythingOpen);
  return world;
}

/** Sends bytes, and resolves with the answer once the server has ended the connection. */
function send(path: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect(path, () => socket.write(bytes));
    atEnd(() => socket.destroy());
    socket.on("data", (data) => {
      text += String(data);
    });
    socket.on("error", () => {}).on("close", () => resolve(text));
  });
}

describe("the control socket", () => {
  it("is for its user only: 0600 in a folder of 0700", async () => {
    const { up, file } = await oneTunnel();
    expect(up.control).toBe(join(dirname(file), ".postern", "postern.json.sock"));
    expect(lstatSync(up.control).mode & 0o777).toBe(0o600);
    expect(lstatSync(dirname(up.control)).mode & 0o777).toBe(0o700);
  });

  it("is in XDG_RUNTIME_DIR if there is one, otherwise beside the file", () => {
    const folder = temporaryFolder();
    const file = join(folder, "postern.json");
    const paths = socketPaths(file, undefined, { XDG_RUNTIME_DIR: "/run/user/1000" });
    expect(paths[0]).toMatch(/^\/run\/user\/1000\/postern\/[0-9a-f]{16}\.sock$/);
    expect(paths.at(-1)).toBe(join(folder, ".postern", "postern.json.sock"));
    expect(socketPaths(file, undefined, {})).toEqual(paths.slice(1));
    expect(socketPaths(file, "/run/mine.sock", {})).toEqual(["/run/mine.sock"]);
  });

  it("answers status, and ends the process at down", async () => {
    const { up } = await oneTunnel();
    const { result } = await askControl([up.control], { command: "status" });
    expect((result as UpStatus).tunnels.map(({ name, state }) => [name, state])).toEqual([["shop", "open"]]);
    await expect(askControl([up.control], { command: "down", names: ["shop", "wiki"] })).rejects.toThrow(
      "expected names of tunnels (shop), got wiki",
    );
    const { ended } = await askControl([up.control], { command: "down" });
    await ended;
    expect(await up.ended).toBe(0);
    expect(existsSync(up.control)).toBe(false);
    await expect(askControl([up.control], { command: "status" })).rejects.toThrow(NotRunning);
  });

  it("refuses a second process for the same configuration", async () => {
    const { up } = await oneTunnel();
    await expect(listenForControl([up.control], async () => undefined)).rejects.toThrow(AlreadyRunning);
    // Also if the other one has listened on another path.
    const other = join(temporaryFolder(), "other.sock");
    await expect(listenForControl([other, up.control], async () => undefined)).rejects.toThrow(AlreadyRunning);
  });

  it("is found without running the code of a module", async () => {
    const folder = temporaryFolder();
    const [file, mark] = [join(folder, "postern.mjs"), join(folder, "mark")];
    const code = `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(mark)}, "");`;
    writeFileSync(file, `${code} export default { control: "/x", tunnels: {} };`);
    for (const run of [runStatus, runDown])
      await expect(run(["--config", file])).rejects.toThrow(
        "expected a running postern up for this configuration, got none: if the module sets a control socket, name it with --control",
      );
    expect(existsSync(mark)).toBe(false);
  });

  it("is beside the file if the first folder cannot be used", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    const beside = join(folder, "run", "up.sock");
    const server = await listenForControl([join(folder, "file", "up.sock"), beside], async () => undefined);
    expect(server.path).toBe(beside);
    await server.close();
  });

  it("replaces a socket that a dead process has left behind, and no other file", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "run", "up.sock");
    mkdirSync(dirname(path), { mode: 0o700 });
    const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    const { spawnSync } = await import("node:child_process");
    spawnSync(process.execPath, ["-e", script]);
    expect(lstatSync(path).isSocket()).toBe(true);
    const server = await listenForControl([path], async () => "hello");
    expect((await askControl([path], { command: "status" })).result).toBe("hello");
    await server.close();
    writeFileSync(path, "mine");
    await expect(listenForControl([path], async () => undefined)).rejects.toThrow("got another file");
  });

  it("refuses a folder in which others could put their own socket", async () => {
    const folder = join(temporaryFolder(), "open");
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    const path = join(folder, "up.sock");
    await expect(listenForControl([path], async () => undefined)).rejects.toThrow("that only its owner can change");
    await expect(listenForControl([`/${"a".repeat(120)}`], async () => undefined)).rejects.toThrow(
      /at most 1\d\d bytes/,
    );
  });

  it("survives clients that send nonsense, too much, nothing, or do not read", async () => {
    const { up } = await oneTunnel();
    const refused = "expected a request that this version knows, got another";
    for (const line of ["{", "null", "[]", '{"command":"exec"}', '{"command":"down","names":[1]}', "\0\0"])
      expect(JSON.parse(await send(up.control, `${line}\n`))).toEqual({ ok: false, error: refused });
    expect(await send(up.control, "x".repeat(200_000))).toContain("expected a line of at most 131072 bytes");
    const silent = Array.from({ length: 20 }, () => net.connect(up.control).on("error", () => {}));
    for (const socket of silent) atEnd(() => socket.destroy());
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    for (const socket of silent) socket.destroy();
    const { result } = await askControl([up.control], { command: "status" });
    expect((result as UpStatus).tunnels).toHaveLength(1);
  });
});
