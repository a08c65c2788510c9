/** Our master, driven by the real `ssh` (OpenSSH PROTOCOL.mux). */
import { once } from "node:events";
import { existsSync, linkSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  curl,
  echoTarget,
  exchangeAt,
  freePort,
  httpTarget,
  isListening,
  type Sshd,
  socketDir,
  startSshd,
  type Target,
  type TempDir,
  tempDir,
  unixEchoTarget,
  userKey,
  visit,
} from "../../../../integration/harness/index.ts";
import { ForwardTable } from "../../src/mux/forward-table.ts";
import { startMaster } from "../../src/mux/master.ts";
import { control, type MasterWorld, ssh, startWorld } from "./world.ts";

let sshd: Sshd;
let echo: Target;
let world: MasterWorld;
let sockets: TempDir;
beforeAll(async () => {
  sockets = socketDir();
  [sshd, echo] = await Promise.all([startSshd({ authorizedKeys: [(await userKey()).publicLine] }), echoTarget()]);
  world = await startWorld(sshd);
});
afterAll(async () => {
  await world.close();
  await sshd.stop();
  await echo.stop();
  sockets.remove();
});

const good = { status: 0, stdout: "", stderr: "" };

async function echoes(port: number): Promise<void> {
  const visitor = await visit(port);
  await visitor.send("knock");
  visitor.end();
  expect((await visitor.readAll()).toString()).toBe("knock");
}

describe("a master, driven by ssh -O", () => {
  it("answers an alive check with its process id (section 4)", async () => {
    const stderr = `Master running (pid=${process.pid})\r\n`;
    expect(await control(world.path, "-O", "check")).toEqual({ ...good, stderr });
  });

  it("opens and closes a local forwarding (sections 6 and 7)", async () => {
    const port = await freePort();
    const forward = `${port}:127.0.0.1:${echo.port}`;
    expect(await control(world.path, "-O", "forward", "-L", forward)).toEqual(good);
    await echoes(port);
    // The same again is no error, as in ssh.
    expect(await control(world.path, "-O", "forward", "-L", forward)).toEqual(good);
    expect(await control(world.path, "-O", "cancel", "-L", forward)).toEqual(good);
    expect(isListening(port)).toBe(false);
  });

  it("opens and closes a remote forwarding (sections 6 and 7)", async () => {
    const port = await freePort();
    const forward = `${port}:127.0.0.1:${echo.port}`;
    expect(await control(world.path, "-O", "forward", "-R", forward)).toEqual(good);
    await echoes(port);
    expect(await control(world.path, "-O", "cancel", "-R", forward)).toEqual(good);
    expect(isListening(port)).toBe(false);
  });

  it("replies with the port that the server chose, once and again (section 6)", async () => {
    const forward = `0:127.0.0.1:${echo.port}`;
    const { status, stdout } = await control(world.path, "-O", "forward", "-R", forward);
    expect(status).toBe(0);
    await echoes(Number(stdout));
    expect((await control(world.path, "-O", "forward", "-R", forward)).stdout).toBe(stdout);
    expect(await control(world.path, "-O", "cancel", "-R", forward)).toEqual(good);
    expect(isListening(Number(stdout))).toBe(false);
  });

  it("opens and closes SOCKS proxies on both sides (section 6)", async () => {
    const web = await httpTarget();
    for (const option of ["-D", "-R"]) {
      const port = await freePort();
      expect(await control(world.path, "-O", "forward", option, `${port}`)).toEqual(good);
      const page = await curl("--proxy", `socks5h://127.0.0.1:${port}`, `http://127.0.0.1:${web.port}/`);
      expect(page).toBe("the door is open\n");
      expect(await control(world.path, "-O", "cancel", option, `${port}`)).toEqual(good);
      expect(isListening(port)).toBe(false);
    }
    await web.stop();
  });

  it("forwards between UNIX sockets in both directions (section 6)", async () => {
    const [target, local, remote] = [sockets.file("echo"), sockets.file("local"), sockets.file("remote")];
    const unixEcho = await unixEchoTarget(target);
    expect(await control(world.path, "-O", "forward", "-L", `${local}:${target}`)).toEqual(good);
    expect(await control(world.path, "-O", "forward", "-R", `${remote}:${local}`)).toEqual(good);
    expect(await exchangeAt(remote, "knock")).toBe("knock");
    expect(await control(world.path, "-O", "cancel", "-R", `${remote}:${local}`)).toEqual(good);
    expect(await control(world.path, "-O", "cancel", "-L", `${local}:${target}`)).toEqual(good);
    await expect(exchangeAt(local, "knock")).rejects.toThrow();
    await unixEcho.stop();
  });

  it("refuses a forwarding whose port is taken, here or on the server (section 10)", async () => {
    const here = await control(world.path, "-O", "forward", "-L", `${echo.port}:127.0.0.1:1`);
    expect(here).toMatchObject({ status: 255, stdout: "" });
    expect(here.stderr).toContain("forwarding request failed: Port forwarding failed");
    const port = await freePort();
    expect(await control(world.path, "-O", "forward", "-R", `${port}:127.0.0.1:1`)).toEqual(good);
    const there = await control(world.path, "-O", "forward", "-R", `${port}:127.0.0.1:2`);
    expect(there).toMatchObject({ status: 255, stdout: "" });
    expect(there.stderr).toContain(`remote port forwarding failed for listen port ${port}`);
    expect(await control(world.path, "-O", "cancel", "-R", `${port}:127.0.0.1:1`)).toEqual(good);
  });

  it("refuses to cancel a forwarding that is not there (section 10)", async () => {
    const { stderr } = await control(world.path, "-O", "cancel", "-L", `1:127.0.0.1:${echo.port}`);
    expect(stderr).toContain("forwarding request failed: port not forwarded");
  });

  it("cancels a forwarding of its own command line", async () => {
    const closed: string[] = [];
    const forwards = new ForwardTable(async () => ({ close: async () => void closed.push("db") }));
    const own = await startWorld(sshd, { forwards });
    await forwards.open({
      type: "local",
      listen: { host: undefined, port: 4000 },
      connect: { host: "db", port: 5432 },
    });
    expect(await control(own.path, "-O", "cancel", "-L", "4000:db:5432")).toEqual(good);
    expect(closed).toEqual(["db"]);
    await own.close();
  });

  it("asks the user with ControlMaster ask, and refuses if they do", async () => {
    const questions: string[] = [];
    const asking = await startWorld(sshd, { confirm: async (question) => questions.push(question) > 3 });
    const forward = `0:127.0.0.1:${echo.port}`;
    const denied = await control(asking.path, "-O", "forward", "-R", forward);
    expect(denied).toMatchObject({ status: 255, stdout: "" });
    expect(denied.stderr).toContain("Master refused forwarding request: Permission denied");
    expect((await control(asking.path, "-O", "stop")).stderr).toContain("Permission denied");
    expect((await control(asking.path, "-O", "exit")).stderr).toContain("Permission denied");
    expect(questions).toEqual([
      `Open remote forward LOCALHOST:0 -> 127.0.0.1:${echo.port} on somehost?`,
      "Disable further multiplexing on shared connection to somehost? ",
      "Terminate shared connection to somehost? ",
    ]);
    expect(await control(asking.path, "-O", "exit")).toMatchObject({ status: 0, stderr: "Exit request sent.\r\n" });
    await asking.close();
  });

  it("removes its socket at -O stop, and ends at -O exit (sections 5 and 8)", async () => {
    const stopped = await startWorld(sshd);
    const other = await startWorld(sshd);
    const stderr = "Stop listening request sent.\r\n";
    expect(await control(stopped.path, "-O", "stop")).toEqual({ ...good, stderr });
    expect(existsSync(stopped.path)).toBe(false);
    expect(stopped.calls).toEqual(["stopped"]);
    expect(await control(other.path, "-O", "exit")).toEqual({ ...good, stderr: "Exit request sent.\r\n" });
    expect(other.calls).toEqual(["exit"]);
    await stopped.close();
    await other.close();
  });
});

describe("sessions through a master", () => {
  it("carry a command, its input, its errors and its exit status in proxy mode (section 9)", async () => {
    const script = "cat; echo warning >&2; exit 44";
    const ran = await ssh(sshd, world.path, ["-O", "proxy"], [script]);
    expect(ran).toMatchObject({ status: 44, stdout: "" });
    expect(ran.stderr).toContain("warning\n");
  });

  it("carry the exit status of a command that closed its output long ago in proxy mode (section 9)", async () => {
    const script = 'exec sh -c "exec > /dev/null 2>&1; sleep 1; exit 5"';
    expect(await ssh(sshd, world.path, ["-n", "-O", "proxy"], [script])).toMatchObject({ status: 5 });
  });

  it("carry a megabyte of output and of errors in proxy mode, without loss (section 9)", async () => {
    const script = "head -c 1000000 /dev/zero | tr '\\0' a; head -c 1000000 /dev/zero | tr '\\0' b >&2";
    const { status, stdout, stderr } = await ssh(sshd, world.path, ["-O", "proxy"], [script]);
    expect(status).toBe(0);
    expect(stdout.replaceAll("a", "").length).toBe(0);
    expect(stdout.length).toBe(1_000_000);
    expect(stderr.split("b").length - 1).toBeGreaterThanOrEqual(1_000_000);
  });

  it("are refused if file descriptors come with them, and ssh connects by itself (section 2)", async () => {
    const ran = await ssh(sshd, world.path, [], ["exit 3"]);
    expect(ran.status).toBe(3);
    expect(ran.stderr).toContain("session request failed: this master does not take file descriptors");
  });

  it("are refused for -W, which ssh does not repeat by itself (section 3)", async () => {
    const ran = await control(world.path, "-W", `127.0.0.1:${echo.port}`);
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain("Stdio forwarding request failed: this master does not take file descriptors");
    // The descriptors are gone, and the master serves on.
    expect((await control(world.path, "-O", "check")).status).toBe(0);
  });
});

describe("a control path", () => {
  const context = () => ({
    pid: 1,
    host: "somehost",
    forwards: new ForwardTable(async () => ({ close: async () => {} })),
    connection: () => undefined,
    stopped() {},
    exit() {},
    log: (level: string, line: string) => void lines.push(`${level} ${line}`),
  });
  let lines: string[] = [];
  let dir: TempDir;
  beforeAll(() => {
    dir = tempDir("postern-control");
  });
  afterAll(() => dir.remove());

  it("is a socket that only its user may use", async () => {
    expect(statSync(world.path).mode & 0o777).toBe(0o600);
    expect(statSync(world.path).isSocket()).toBe(true);
  });

  it("stays with the master that has it, and with a file that is no socket", async () => {
    lines = [];
    expect(await startMaster({ path: world.path, context: context() })).toBeUndefined();
    expect(lines).toContain(`error ControlSocket ${world.path} already exists, disabling multiplexing`);
    expect((await control(world.path, "-O", "check")).status).toBe(0);
    const file = dir.file("file");
    writeFileSync(file, "precious");
    expect(await startMaster({ path: file, context: context() })).toBeUndefined();
    expect(statSync(file).isFile()).toBe(true);
  });

  it("is taken over from a master that died, and removed only by its own", async () => {
    const path = dir.file("stale");
    const dead = createServer().listen(`${path}.old`);
    await once(dead, "listening");
    linkSync(`${path}.old`, path);
    dead.close();
    const first = await startMaster({ path, context: context() });
    expect((await control(path, "-O", "check")).stderr).toBe("Master running (pid=1)\r\n");
    await first?.close();
    expect(existsSync(path)).toBe(false);
    await first?.close();
  });

  it("that cannot be used is an error, in the words of ssh", async () => {
    const path = dir.file("no/such/folder");
    await expect(startMaster({ path, context: context() })).rejects.toMatchObject({ code: "connect" });
    const long = dir.file("a".repeat(108));
    await expect(startMaster({ path: long, context: context() })).rejects.toThrow("too long for Unix domain socket");
  });
});
