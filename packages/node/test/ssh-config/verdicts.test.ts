/** Lines that the real ssh refuses are refused, lines that it accepts are accepted. */
import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { createHome, sshEnvironment, sshVersion } from "@postern/testkit/ssh-config";
import { SshError } from "@postern/wire";
import { afterAll, describe, expect, it } from "vitest";
import { resolveSshConfig } from "../../src/ssh-config.ts";

const world = createHome();
const version = sshVersion();

const refused: readonly string[] = [
  "Port",
  "Port 0",
  "Port 65536",
  "Port 0x16",
  "Port 22 23",
  "Port = = 5",
  "Port==5",
  'Port "22',
  "User 'x",
  "ProxyCommand nc 'x",
  "NoSuchKeyword yes",
  "Host other\nNoSuchKeyword yes",
  "NoSuchKeyword yes\nIgnoreUnknown NoSuchKeyword",
  "\nHost",
  "Host x ''",
  "Include",
  "Match",
  "Match nothing x",
  "Match host",
  "Match all host x",
  "Match host x user root all",
  "HashKnownHosts maybe",
  "StrictHostKeyChecking perhaps",
  "AddressFamily inet5",
  "ConnectTimeout soon",
  "ConnectTimeout 5x",
  "ServerAliveCountMax -1",
  "ServerAliveCountMax x",
  "RekeyLimit 8",
  "RekeyLimit 1x",
  "RekeyLimit 1G soon",
  "UserKnownHostsFile none other",
  "IdentityFile ''",
  "LocalForward 8080",
  "LocalForward 8080 x",
  "LocalForward 8080 x:0",
  "LocalForward 0 x:1",
  "LocalForward 80 ::1:1",
  "RemoteForward 99999 x:1",
  "DynamicForward x",
  "ProxyJump a:x",
  "ProxyJump a,,b",
  "SendEnv A=b",
  "SetEnv A",
  "HostName %q",
  "HostName %",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of ssh_config
  "UserKnownHostsFile ${POSTERN_NOT_SET}",
  "UserKnownHostsFile ~no-such-user-here/x",
  "ControlMaster never",
  "UpdateHostKeys later",
  "ForwardX11 perhaps",
  "RemoteForward /a /b c",
];

const accepted: readonly string[] = [
  "",
  "# only a comment",
  "  \t ",
  '"Port" "22"',
  "Port 022",
  "PORT=22",
  "Port = 22 # comment",
  "IgnoreUnknown NoSuch*\nNoSuchKeyword x",
  "Match host=x\nPort 5",
  "Match host x all",
  "Match !user root",
  "HashKnownHosts TRUE",
  "StrictHostKeyChecking Accept-New",
  "ConnectTimeout none",
  "ConnectTimeout 0",
  "ServerAliveInterval none",
  "RekeyLimit default none",
  "RekeyLimit 1.5G 2w",
  "RemoteForward 0 x:1",
  "RemoteForward 1080",
  "ProxyJump none",
  "ProxyJump ssh://u@h:44",
  "SetEnv A= B=2",
  "IdentityFile none",
  "Include /nonexistent/*.conf",
  "Include missing",
  "User a#b",
  "UsePrivilegedPort yes",
  "GSSAPIAuthentication yes",
  "LocalCommand echo 'hi'",
];

describe.skipIf(version === undefined)("the verdict of ssh -G on a line", () => {
  afterAll(world.remove);

  it.each(refused)("is a refusal: %j", async (text) => {
    const { file, status } = ask(text);
    expect(status).not.toBe(0);
    const error = await resolveSshConfig("x", { file, home: world.home }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SshError);
    const line = text.split("\n").findLastIndex((one) => one !== "" && !one.startsWith("IgnoreUnknown")) + 1;
    expect(error).toMatchObject({ code: "misuse", message: expect.stringMatching(`^${file}:? line ${line}: `) });
  });

  it.each(accepted)("is none: %j", async (text) => {
    const { file, status } = ask(text);
    expect(status).toBe(0);
    await expect(resolveSshConfig("x", { file, home: world.home })).resolves.toMatchObject({ originalHost: "x" });
  });

  it("is a refusal of a file that Include names and others can write", async () => {
    const other = world.write("writable", "Port 7\n");
    const file = world.write("config", `\nInclude ${other}\n`);
    chmodSync(other, 0o622);
    expect(run(file)).not.toBe(0);
    await expect(resolveSshConfig("x", { file, home: world.home })).rejects.toThrow(
      `${file} line 2: expected "${other}" to be yours, and writable by you alone, got mode 622; run chmod go-w`,
    );
    chmodSync(other, 0o644);
    expect(run(file)).toBe(0);
    await expect(resolveSshConfig("x", { file, home: world.home })).resolves.toMatchObject({ port: 7 });
  });

  it("is a refusal of a file that includes itself", async () => {
    const file = world.write("loop", "Host *\n  Include loop-*\n  Include ~/loop\n");
    expect(run(file)).not.toBe(0);
    await expect(resolveSshConfig("x", { file, home: world.home })).rejects.toThrow(
      `${world.home}/loop line 3: expected Include to be nested at most 16 deep; does a file include itself?`,
    );
  });

  it("is a refusal of a file that does not exist", async () => {
    const file = `${world.home}/missing`;
    expect(run(file)).not.toBe(0);
    await expect(resolveSshConfig("x", { file })).rejects.toMatchObject({ code: "misuse" });
  });
});

function ask(text: string): { readonly file: string; readonly status: number | null } {
  const file = world.write("config", `${text}\n`);
  return { file, status: run(file) };
}

function run(file: string): number | null {
  return spawnSync("ssh", ["-G", "-F", file, "x"], { env: sshEnvironment(world.home), stdio: "ignore" }).status;
}
