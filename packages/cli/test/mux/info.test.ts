/** `-O conninfo` and `-O channels`, as in ssh 10.6. */
import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runSsh, type Sshd, startSshd, tempDir, userKey } from "../../../../integration/harness/index.ts";
import { type MuxCommand, runMuxCommand } from "../../src/mux/client.ts";
import { describeConnection } from "../../src/ssh/connection-info.ts";
import { startWorld } from "./world.ts";

let sshd: Sshd;
beforeAll(async () => {
  sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
});
afterAll(async () => await sshd.stop());

async function command(path: string, name: MuxCommand): Promise<{ code: number; stdout: string; errors: string }> {
  const text = { stdout: "", errors: "" };
  const code = await runMuxCommand({
    path,
    command: name,
    forwards: [],
    output: {
      stdout: (more) => {
        text.stdout += more;
      },
      stderr: () => {},
      log: (level, line) => {
        if (level === "error") text.errors += line;
      },
    },
  });
  return { code, ...text };
}

describe("information about a shared connection", () => {
  it("names the versions, addresses, algorithms, limits and bytes, in the lines of ssh 10.6", async () => {
    const world = await startWorld(sshd, {
      describe(kind) {
        const { connection } = world.tunnel;
        if (connection === undefined) return undefined;
        const local = { host: "::1", port: 40_000 };
        const remote = { host: "127.0.0.1", port: sshd.port };
        const rekeyLimit = { bytes: 0, seconds: 5400 };
        return describeConnection(kind, { connection, local, remote, ageMs: 90_061_000, rekeyLimit });
      },
    });
    const { code, stdout } = await command(world.path, "conninfo");
    expect(code).toBe(0);
    expect(stdout.split("\r\n")).toEqual([
      `Connection information for ${hostname()} pid ${process.pid}`,
      expect.stringMatching(/^ {2}versions Postern_\S+ -> OpenSSH_.+$/),
      `  tcp [::1]:40000 -> 127.0.0.1:${sshd.port}`,
      "  duration 25:01:01",
      expect.stringMatching(/^ {2}kexalgorithm \S+$/),
      "  hostkeyalgorithm ssh-ed25519",
      expect.stringMatching(/^ {2}cipher \S+$/),
      "  mac <implicit>",
      "  compression none",
      "  rekey limit bytes 1073741824 interval 01:30:00",
      expect.stringMatching(/^ {2}traffic \d\.\dKB in, \d\.\dKB out$/),
      "",
    ]);
    const channels = "The following connections are open:\r\n  0 channels, forwardings included\r\n";
    expect(await command(world.path, "channels")).toEqual({ code: 0, stdout: channels, errors: "" });
    await world.close();
  });

  it("is refused while the connection is lost, and by masters that do not have it", async () => {
    const world = await startWorld(sshd, { describe: () => undefined });
    expect(await command(world.path, "conninfo")).toMatchObject({
      code: 255,
      errors: "mux_client_request_info: info request type not supported",
    });
    await world.close();
    const dir = tempDir("postern-info");
    const path = dir.file("control");
    const master = await runSsh(["-N", "-M", "-S", path], { server: sshd, identity: await userKey() });
    await master.stderr.waitFor(/Entering interactive session/);
    const { code, stdout, errors } = await command(path, "channels");
    // ssh 9.2 does not have it, and later ones have.
    if (code === 0) expect(stdout).toContain("connections are open");
    else expect(errors).toBe("mux server does not support info request");
    await master.stop();
    dir.remove();
  });
});
