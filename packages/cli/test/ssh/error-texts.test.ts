/** Command lines with mistakes: standard error and exit status, compared with those of the real ssh. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { isThorough } from "../../../../integration/harness/index.ts";
import { main } from "../../src/main.ts";

const { stderr: version } = spawnSync("ssh", ["-V"], { encoding: "utf8" });
const isReference = version?.startsWith("OpenSSH_9.2p1 Debian") === true;
if (!isReference) process.stdout.write(`errors are compared with Debian's OpenSSH 9.2 only; this is ${version}\n`);

/** Wrong values of -o. */
const settings = [
  "Port=abc",
  "Port=0",
  "Port=70000",
  "Port=22 33",
  "Port",
  "",
  "Nonsense=1",
  "Host=x",
  "Match=all",
  "Compression=maybe",
  "StrictHostKeyChecking=perhaps",
  "AddressFamily=ipx",
  "RequestTTY=perhaps",
  "SessionType=perhaps",
  "ControlMaster=perhaps",
  "ControlPersist=abc",
  "Tunnel=abc",
  "UpdateHostKeys=x",
  "CanonicalizeHostname=x",
  "HostbasedAuthentication=x",
  "LogLevel=LOUD",
  "ConnectTimeout=abc",
  "ConnectTimeout=-1",
  "ServerAliveInterval=x",
  "ConnectionAttempts=0",
  "ConnectionAttempts=x",
  "NumberOfPasswordPrompts=x",
  "RequiredRSASize=x",
  "RekeyLimit=1",
  "RekeyLimit=abc",
  "AddKeysToAgent=x",
  "AddKeysToAgent=confirm xx",
  "Ciphers=nonsense",
  "MACs=nonsense",
  "HostKeyAlgorithms=nonsense",
  "LocalForward=abc def",
  "LocalForward=8080",
  "RemoteForward=x y z",
  "DynamicForward=x",
  "ProxyJump=a@",
  "EscapeChar=abc",
  "IPQoS=abc",
  "PermitRemoteOpen=abc",
  "SetEnv=abc",
  "StreamLocalBindMask=9",
  "FingerprintHash=x",
  "User=a b c",
  'User="a',
  "IdentityFile=",
].map((setting) => ["-o", setting, "h"]);

/** Other mistakes. */
const others = [
  ["-p", "abc", "h"],
  ["-p", "65536", "h"],
  ["-J", "a@", "h"],
  ["-J", "@b", "h"],
  ["-J", "", "h"],
  ["-J", "a:b:c", "h"],
  ["-J", "a:0", "h"],
  ["-J", "a", "-J", "b", "h"],
  ["-c", "nonsense", "h"],
  ["-m", "nonsense", "h"],
  ["-L", "abc", "h"],
  ["-L", "99999:a:1", "h"],
  ["-R", "1:2:3:4:5:6", "h"],
  ["-D", "x", "h"],
  ["-W", "x", "h"],
  ["-e", "abc", "h"],
  ["-O", "dance", "h"],
  ["-O", "check", "h"],
  ["-Q", "dance"],
  ["-Z", "h"],
  ["-p"],
  ["-l", "a b", "h"],
  ["-l", "-x", "h"],
  ["-F", "/nonexistent", "h"],
  ["ssh://"],
  ["ssh://h:abc"],
  ["@h"],
  ["a b"],
  ["-s", "h"],
  ["-N", "-s", "h", "x"],
  ["-1", "h"],
  ["-f", "h"],
  ["--"],
];

/** Runs the command in this process. */
async function ours(args: readonly string[]): Promise<{ readonly status: number; readonly stderr: string }> {
  let stderr = "";
  const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  const status = await main(args);
  write.mockRestore();
  process.stderr.removeAllListeners("error");
  return { status, stderr: withoutUsage(stderr) };
}

/** Each program prints its own usage. */
function withoutUsage(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(/usage: .*/s, "usage");
}

it("reads its configuration once, as ssh does, so that Match exec runs once", () => {
  const folder = mkdtempSync(join(tmpdir(), "postern-once-"));
  const program = join(import.meta.dirname, "../../dist/postern.js");
  const run = (command: string, ...args: readonly string[]): unknown => {
    const [config, runs] = [join(folder, `${command}.config`), join(folder, `${command}.runs`)];
    writeFileSync(config, `Match exec "echo run >> ${runs}"\nPort 1\n`);
    const { status, stderr } = spawnSync(command, [...args, "-F", config, "-T", "127.0.0.1"], { encoding: "utf8" });
    return { status, stderr, runs: readFileSync(runs, "utf8") };
  };
  const real = run("ssh");
  expect(run("node", program)).toEqual(real);
  expect(real).toMatchObject({ status: 255, runs: "run\n" });
  rmSync(folder, { recursive: true });
});

describe.skipIf(!isReference)("a command line with a mistake", () => {
  const rows = [...settings, ...others].filter((_, index) => isThorough || index % 4 === 0);
  it.each(rows.map((row) => [row]))("ends %j as ssh does, with the same line", async (row) => {
    const args = row.includes("-F") ? row : ["-F", "none", ...row];
    const { status, stderr } = spawnSync("ssh", args, { encoding: "utf8", input: "" });
    expect(await ours(args)).toEqual({ status, stderr: withoutUsage(stderr) });
  });
});
