/** Parts of ssh_config(5) that only newer versions of ssh have, and the default files. */
import { mkdirSync } from "node:fs";
import { createHome } from "@postern/testkit/ssh-config";
import { afterAll, describe, expect, it } from "vitest";
import { resolveSshConfig } from "../../src/ssh-config.ts";

const world = createHome();

describe("resolveSshConfig", () => {
  afterAll(world.remove);

  const resolve = (host: string, text: string, env: Record<string, string> = {}) =>
    resolveSshConfig(host, { file: world.write("config", text), home: world.home, env });

  it("compares Match tagged with Tag, as OpenSSH 9.4", async () => {
    const text = 'Host a\nTag prod\nMatch tagged prod*,x\nPort 9\nMatch tagged ""\nPort 8\n';
    expect(await resolve("a", text)).toMatchObject({ tag: "prod", port: 9 });
    expect(await resolve("b", text)).toMatchObject({ port: 8 });
  });

  it("matches no session and no command, as OpenSSH 10.0 with -N", async () => {
    expect(await resolve("a", 'Match sessiontype none command ""\nPort 9\n')).toMatchObject({ port: 9 });
    expect((await resolve("a", "Match sessiontype shell,exec\nPort 9\n")).port).toBe(22);
  });

  it("expands tokens and variables in Include and User, as OpenSSH 10.0", async () => {
    world.write("a.inc", "Port 77\n");
    const env = { FOLDER: world.home, TEAM: "ops" };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: variables of ssh_config
    const text = "Include ${FOLDER}/%n.inc\nUser ${TEAM}-%h\nIdentityFile ~/%r\n";
    expect(await resolve("a", text, env)).toMatchObject({
      port: 77,
      user: "ops-a",
      identityFile: [`${world.home}/ops-a`],
    });
  });

  it("includes %j, the jump hosts, in %C, as OpenSSH 9.6", async () => {
    const plain = await resolve("a", "ControlPath %C\n");
    const jump = await resolve("a", "ControlPath %C\nProxyJump u@b:2\n");
    expect(plain.controlPath).toMatch(/^[0-9a-f]{40}$/);
    expect(jump.controlPath).not.toBe(plain.controlPath);
    expect(jump.tokens.j).toBe("u@b:2");
  });

  it("accepts quotes around ProxyJump, as OpenSSH 10.0, and a byte order mark", async () => {
    const { proxyJump } = await resolve("a", '\ufeffProxyJump "u@b:2,[::1]" # c\n');
    expect(proxyJump).toEqual([{ host: "b", user: "u", port: 2 }, { host: "::1" }]);
  });

  it("reads the file of the user, then the one of the system", async () => {
    const home = `${world.home}/other`;
    mkdirSync(`${home}/.ssh`, { recursive: true });
    world.write("other/.ssh/config", "Host a\nPort 5\n");
    const { port, settings } = await resolveSshConfig("a", { home });
    expect(port).toBe(5);
    expect(settings[0]).toEqual({ keyword: "port", file: `${home}/.ssh/config`, line: 2 });
    for (const { file } of settings.slice(1)) expect(file).toMatch(/^\/etc\/ssh\//);
  });

  it("reads no file if `file` is none", async () => {
    expect(await resolveSshConfig("User@Host", { file: "none" })).toMatchObject({
      hostName: "host",
      user: "User",
      settings: [],
    });
  });

  it("puts the lines of `settings` ahead of the file, and names them in errors as ssh -o", async () => {
    const file = world.write("config", "Port 5\nUser file\nRemoteForward 1 x:1\n");
    const options = { file, home: world.home };
    const settings = ["Port=2222", 'User "a b"', "RemoteForward=2 y:2", "IgnoreUnknown=Foo", "foo=1", " ", "# comment"];
    const config = await resolveSshConfig("h", { ...options, settings });
    expect(config).toMatchObject({ port: 2222, user: "a b" });
    expect(config.remoteForward).toHaveLength(2);
    expect(config.settings).toContainEqual({ keyword: "port", file: "command-line", line: 0 });
    for (const [line, message] of [
      ["foo=1", "command-line: line 0: Bad configuration option: foo"],
      ["Port=x", "command-line line 0: Bad port 'x'."],
      ["Port", 'command-line line 0: no argument after keyword "port"'],
      ["Match all", "Host directive not supported as a command-line option"],
    ] as const)
      await expect(resolveSshConfig("h", { ...options, settings: [line] })).rejects.toMatchObject({
        code: "misuse",
        message,
      });
    const many = Array.from({ length: 1001 }, () => "Port=1");
    await expect(resolveSshConfig("h", { settings: many })).rejects.toThrow("expected at most 1000 settings, got 1001");
  });
});
