/** The messages about a wrong configuration, beside those of sshd itself. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createConnections } from "../../src/host/connections.ts";
import { HostConfigError } from "../../src/host/sshd-config/config-error.ts";
import { setupFromSshdConfig } from "../../src/host/sshd-config/setup.ts";

const sshd = "/usr/sbin/sshd";
const folder = mkdtempSync(join(tmpdir(), "postern-sshd-messages-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "sshd_config");
const hostKey = join(folder, "host_key");
execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", hostKey]);
writeFileSync(join(folder, "no_key"), "no key\n", { mode: 0o600 });
writeFileSync(join(folder, "open_key"), execFileSync("cat", [hostKey]), { mode: 0o644 });

/** Debian's sshd 9.2 is the reference; newer ones word some of these in other ways. */
function why(): string | undefined {
  if (!existsSync(sshd)) return "no sshd is installed";
  const { stderr } = spawnSync(sshd, ["-V"], { encoding: "utf8" });
  return stderr.includes("OpenSSH_9.2") ? undefined : `sshd is not 9.2 but ${stderr.split(",")[0]}`;
}
const reason = why();
if (reason !== undefined) process.stderr.write(`skipped: ${reason}\n`);

interface Given {
  readonly path?: string;
  readonly settings?: readonly string[];
  readonly hostKeys?: readonly string[];
}

async function ours({ path = file, settings = [], hostKeys = [] }: Given): Promise<string> {
  const logger = { write() {}, configure() {}, async close() {} };
  try {
    await setupFromSshdConfig({ file: path, settings }, { logger, connections: createConnections(), hostKeys });
    return "status 0";
  } catch (error) {
    if (error instanceof HostConfigError) return `${error.message}\nstatus ${error.status}`;
    throw error;
  }
}

function theirs({ path = file, settings = [], hostKeys = [] }: Given): string {
  const more = [...settings.flatMap((one) => ["-o", one]), ...hostKeys.flatMap((one) => ["-h", one])];
  const { stderr, status } = spawnSync(sshd, ["-t", "-f", path, ...more], { encoding: "utf8" });
  return `${stderr.replaceAll("\r\n", "\n")}status ${status}`;
}

it
  .skipIf(reason !== undefined)
  .each([
    "Foo bar\nPort x",
    "Foo bar\nBar x",
    "Port",
    "Port 22 33",
    "Port 99999",
    "PubkeyAuthentication maybe",
    "Ciphers foo",
    "MACs foo",
    "LogLevel foo",
    "LoginGraceTime foo",
    "MaxStartups foo",
    "MaxAuthTries foo",
    "PermitOpen foo",
    "Match User",
    "Match Foo a",
    "Match All User a",
    "Match User foo\nPort 33",
    'UseLogin yes\nPidFile "a',
    "Include /nonexistent/*.conf\nFoo",
  ])("prints what sshd prints about %j, with its exit status", async (text) => {
  writeFileSync(file, `HostKey ${hostKey}\n${text}\n`);
  expect(await ours({})).toBe(theirs({}));
});

it.skipIf(reason !== undefined)("prints what sshd prints about host keys, and about the command line", async () => {
  for (const hostKeys of [["/nonexistent"], [join(folder, "open_key")]])
    expect(await ours({ path: "none", hostKeys })).toBe(theirs({ path: "none", hostKeys }));
  expect(await ours({ path: "/nonexistent" })).toBe(theirs({ path: "/nonexistent" }));
  expect(await ours({ path: "none", settings: ["Foo bar"] })).toBe(theirs({ path: "none", settings: ["Foo bar"] }));
});
