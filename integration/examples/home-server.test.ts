/** `examples/home-server`: two sshd, and an ssh that reaches one through the other. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  freePort,
  isListening,
  type KeyPair,
  makeKey,
  missing,
  type Running,
  run,
  runSsh,
  type Sshd,
  startSshd,
  tempDir,
  userKey,
} from "../harness/index.ts";
import { forwardedPort, npmStart, printedAsInReadme, readmeBlocks, settingsForAnyPort } from "./example.ts";

describe.skipIf(missing("sshd", "ssh"))("examples/home-server", () => {
  const dir = tempDir("postern-home-server");
  let me: KeyPair;
  let gateway: Sshd;
  let home: Sshd;
  let port: number;
  let example: Running;
  let settings: Record<string, string>;

  beforeAll(async () => {
    me = await makeKey("ed25519", dir.file("me"));
    port = await freePort();
    const [options = ""] = readmeBlocks("home-server", "text").at(-1)?.split(" ") ?? [];
    expect(options).toBe(
      'restrict,port-forwarding,permitlisten="localhost:2222",permitopen="localhost:1",command="/bin/false"',
    );
    const restricted = `${options.replace(":2222", `:${port}`)} ${(await userKey()).publicLine}`;
    gateway = await startSshd({
      authorizedKeys: [restricted, me.publicLine],
      config: { GatewayPorts: "clientspecified", SetEnv: "PLACE=gateway", AllowStreamLocalForwarding: "no" },
    });
    home = await startSshd({ authorizedKeys: [me.publicLine], config: { SetEnv: "PLACE=home" } });
    settings = {
      ...(await settingsForAnyPort(gateway)),
      POSTERN_REMOTE_PORT: String(port),
      POSTERN_TARGET_PORT: String(home.port),
    };
    example = await npmStart("home-server", settings);
    expect(await forwardedPort(example)).toBe(port);
  });
  afterAll(async () => {
    await example?.stop();
    await home?.stop();
    await gateway?.stop();
    dir.remove();
  });

  it("prints the lines of the README", () => {
    expect(printedAsInReadme(example, "home-server"), example.stdout.text()).toBe(true);
  });

  it("runs a command at home by ssh to the port of the server", async () => {
    const ssh = await runSsh([], {
      server: { ...home, port },
      identity: me,
      command: ["echo $PLACE, $USER"],
    });
    expect(await ssh.exited).toBe(0);
    expect(ssh.stdout.text()).toBe(`home, ${home.user}\n`);
  });

  it("runs a command at home with the ssh_config of the README", async () => {
    const [config = ""] = readmeBlocks("home-server", "ssh-config");
    const known = [
      `[127.0.0.1]:${gateway.port} ${gateway.hostKeys.ed25519?.publicLine}`,
      `home ${home.hostKeys.ed25519?.publicLine}`,
    ];
    writeFileSync(dir.file("known_hosts"), known.map((line) => `${line}\n`).join(""));
    writeFileSync(
      dir.file("config"),
      config
        .replace("HostName ssh.example.com", `HostName 127.0.0.1\n  Port ${gateway.port}`)
        .replace("Port 2222", `Port ${port}`)
        .replaceAll("User me", `User ${home.user}`)
        .concat(`\nHost *\n  IdentityFile ${me.file}\n  IdentitiesOnly yes\n`)
        .concat(`  UserKnownHostsFile ${dir.file("known_hosts")}\n  GlobalKnownHostsFile /dev/null\n  BatchMode yes\n`),
    );
    expect(await run("ssh", ["-F", dir.file("config"), "home", "echo $PLACE"])).toBe("home\n");
    expect(await run("ssh", ["-F", dir.file("config"), "gateway", "echo $PLACE"])).toBe("gateway\n");
  });

  it("logs in with a key that permits one port and nothing else", async () => {
    const other = await npmStart("home-server", { ...settings, POSTERN_REMOTE_PORT: String(await freePort()) });
    expect(await other.exited).toBe(1);
    expect(other.stderr.text()).toMatch(/^expected the server to listen on "localhost" port \d+, got a refusal/);
    const identity = await userKey();
    const shell = await runSsh([], { server: gateway, identity, command: ["true"] });
    expect(await shell.exited).not.toBe(0);
    const ssh = await runSsh(["-W", `127.0.0.1:${home.port}`], { server: gateway, identity });
    expect(await ssh.exited).not.toBe(0);
    expect(ssh.stderr.text()).toMatch(/open failed: administratively prohibited/);
    const socket = await runSsh(["-N", "-R", `${dir.file("socket")}:127.0.0.1:1`], { server: gateway, identity });
    expect(await socket.exited).not.toBe(0);
    expect(socket.stderr.text()).toMatch(/remote port forwarding failed for listen path/);
  });

  it("ends at SIGTERM before a login", async () => {
    const other = await npmStart("home-server", { ...settings, POSTERN_PORT: String(await freePort()) });
    await other.stdout.waitFor(/tunnel: waiting/);
    expect(other.signalDescendants("SIGTERM", /^node home\.mjs$/)).toBe(1);
    expect(await other.exited).toBe(0);
    expect(other.stderr.text()).not.toContain("SshError");
  });

  it("names the variable that is missing", async () => {
    const { POSTERN_HOST_KEY: _, ...rest } = settings;
    const other = await npmStart("home-server", rest);
    expect(await other.exited).toBe(1);
    expect(other.stderr.text()).toContain("expected a value in POSTERN_HOST_KEY, got none");
  });

  it("reconnects, and frees the port at SIGTERM", async () => {
    gateway.dropConnections();
    await example.stdout.waitFor(/tunnel: waiting[\s\S]*tunnel: open/, 20_000);
    await expect.poll(() => isListening(port), { timeout: 10_000 }).toBe(true);
    expect(example.signalDescendants("SIGTERM", /^node home\.mjs$/)).toBe(1);
    expect(await example.exited).toBe(0);
    await expect.poll(() => isListening(port)).toBe(false);
    expect(example.stdout.text()).toMatch(/tunnel: closed\s*$/);
  });
});
