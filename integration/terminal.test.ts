/** Prompts, raw mode and the status line on a terminal of tmux. */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  freePort,
  isListening,
  isThorough,
  launch,
  makeKey,
  missing,
  type Sshd,
  startSshd,
  startTerminal,
  type TestTerminal,
  tempDir,
} from "./harness/index.ts";

/** Bundles programs from the sources of the packages. */
async function bundle(outdir: string, ...programs: readonly string[]): Promise<void> {
  await esbuild.build({
    entryPoints: programs.map((path) => fileURLToPath(new URL(path, import.meta.url))),
    outdir,
    entryNames: "[name]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    conditions: ["@postern/source"],
    logLevel: "warning",
  });
  writeFileSync(`${outdir}/package.json`, '{"type":"module"}');
}

/** The key of another server. */
const otherKey = "AAAAC3NzaC1lZDI1NTE5AAAAIHf1D6Wq0WpDx2PqGYFvQdSx3dT1lM2qg2SGD3b9Hf7q";

/** Returns the modes of the terminal, as the shell leaves them to the next program. */
async function modesOf(terminal: TestTerminal): Promise<string> {
  await terminal.prompt();
  terminal.enter("echo modes $(stty -g) end");
  const [, text = ""] = await terminal.waitFor(/^modes (\S+) end$/m);
  return text;
}

describe.skipIf(missing("tmux", "ssh"))("a terminal", () => {
  const dir = tempDir("postern-terminal");
  const ask = `node ${dir.file("program.js")}`;
  let terminal: TestTerminal;

  beforeAll(async () => {
    await bundle(dir.path, "../packages/cli/test/terminal/program.ts");
    writeFileSync(dir.file("askpass"), '#!/bin/sh\necho "$1 [$SSH_ASKPASS_PROMPT]" >&2\necho "from askpass"\n', {
      mode: 0o700,
    });
    terminal = await startTerminal();
  });
  afterAll(() => {
    terminal.stop();
    dir.remove();
  });
  beforeEach(() => terminal.clear());

  const modes = (): Promise<string> => modesOf(terminal);

  it("asks for a password without echo, and again after a refusal, in the words of ssh", async () => {
    terminal.enter(`${ask} password password`);
    await terminal.waitFor(/^ann@example\.com's password:$/m);
    terminal.enter("wrong");
    await terminal.waitFor(/Permission denied, please try again\.\nann@example\.com's password:$/m);
    terminal.enter("rigt");
    await terminal.waitFor(/<rigt>/);
    expect(terminal.screen().match(/wrong|rigt/g)).toEqual(["wrong", "rigt"]);
  });

  it("edits an answer that is shown, and drops what was typed before the question", async () => {
    terminal.enter(`sleep 0.3; ${ask} confirm='Really? '`);
    terminal.enter("yes");
    await terminal.waitFor(/^Really\?$/m);
    terminal.enter("maybe");
    await terminal.waitFor(/^Please type 'yes' or 'no':$/m);
    terminal.type("nx");
    terminal.press("BSpace", "o", "C-u");
    terminal.enter("yess\x7f");
    await terminal.waitFor(/^Please type 'yes' or 'no': yes\n<true>$/m);
  });

  it("ends at ^C as a signal does, and restores the terminal", async () => {
    const before = await modes();
    terminal.enter(`${ask} password; echo not reached`);
    await terminal.waitFor(/password:$/m);
    terminal.type("half");
    terminal.press("C-c");
    await terminal.prompt();
    terminal.enter("echo status $?");
    await terminal.waitFor(/^status 130$/m);
    expect(await modes()).toBe(before);
    expect(terminal.screen()).not.toMatch(/half|^not reached/m);
  });

  it("stops at ^Z, and asks again from the start in the foreground", async () => {
    const before = await modes();
    terminal.enter(`${ask} password`);
    await terminal.waitFor(/password:$/m);
    terminal.type("half");
    terminal.press("C-z");
    await terminal.waitFor(/Stopped/);
    expect(await modes()).toBe(before);
    terminal.enter("fg");
    await terminal.waitFor(/password:$(?![\s\S]*\S)/m);
    terminal.enter("whole");
    await terminal.waitFor(/^<whole>$/m);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("restores the terminal when %s ends it during a question", async (signal, status) => {
    const before = await modes();
    terminal.enter(`sh -c 'echo process $$; exec ${ask} password'; echo status $?`);
    const [, pid] = await terminal.waitFor(/^process (\d+)\nann@example\.com's password:$/m);
    process.kill(Number(pid), signal);
    await terminal.waitFor(new RegExp(`^status ${status}$`, "m"));
    expect(await modes()).toBe(before);
  });

  it("restores the terminal when an error ends it during a question, and in raw mode", async () => {
    const before = await modes();
    terminal.enter(`${ask} crash`);
    await terminal.waitFor(/Error: crash[\s\S]*^%%$/m);
    expect(await modes()).toBe(before);
    await terminal.clear();
    terminal.enter(`${ask} raw`);
    await terminal.waitFor(/raw/);
    await terminal.waitFor(/mode/);
    terminal.type("x");
    await terminal.waitFor(/Error: crash/);
    expect(await modes()).toBe(before);
  });

  it("ends a question when the connection ends", async () => {
    const before = await modes();
    terminal.enter(`${ask} cancel password`);
    await terminal.waitFor(/^<PromptInterrupted>\nann@example\.com's password:$/m);
    terminal.enter("x");
    await terminal.waitFor(/<x>/);
    expect(await modes()).toBe(before);
  });

  it("asks what the server asks, prefixed as ssh does, and hides secrets (RFC 4256)", async () => {
    terminal.enter(`${ask} interactive='Token: '`);
    await terminal.waitFor(/^A name\nTwo\nlines\n\(ann@example\.com\) Token:$/m);
    terminal.enter("123");
    await terminal.waitFor(/^\(ann@example\.com\) Token: 123\n\(ann@example\.com\) PIN:$/m);
    terminal.enter("456");
    await terminal.waitFor(/^<123,456>$/m);
    expect(terminal.screen()).toMatch(/PIN:\n/);
  });

  it("asks for a passphrase again after a wrong one, and remembers the right one", async () => {
    const { file } = await makeKey("ed25519", dir.file("id"), { passphrase: "secret" });
    terminal.enter(`${ask} passphrase=${file} passphrase=${file}`);
    await terminal.waitFor(new RegExp(`^Enter passphrase for key '${file}':$`, "m"));
    terminal.enter("wrong");
    await terminal.waitFor(/^Enter.*:\nEnter.*:$/m);
    terminal.enter("secret");
    await terminal.waitFor(/^<secret>\n<secret>$/m);
  });

  it("leaves no file open after a question", async () => {
    terminal.enter(`${ask} files`);
    for (const number of [1, 2, 3, 4, 5]) {
      await terminal.waitFor(new RegExp(`^${number}:$`, "m"));
      terminal.press("Enter");
    }
    await terminal.waitFor(/^<0>$/m);
  });

  it("asks by SSH_ASKPASS without a terminal, and fails without both (ssh(1), ENVIRONMENT)", async () => {
    const alone = `setsid -w env SSH_ASKPASS=${dir.file("askpass")}`;
    terminal.enter(`DISPLAY=:7 ${alone} ${ask} password`);
    await terminal.waitFor(/^ann@example\.com's password: {2}\[\]\n<from askpass>$/m);
    await terminal.clear();
    terminal.enter(`WAYLAND_DISPLAY=w ${alone} ${ask} permission='Share?'`);
    await terminal.waitFor(/^Share\? \[confirm\]\n<false>$/m);
    await terminal.clear();
    terminal.enter(`${alone} ${ask} password < /dev/null`);
    await terminal.waitFor(/expected a terminal, or SSH_ASKPASS with DISPLAY, to ask for an answer/);
    await terminal.clear();
    terminal.enter(`DISPLAY=:7 SSH_ASKPASS_REQUIRE=never ${alone} ${ask} password`);
    await terminal.waitFor(/expected a terminal/);
  });

  it("prefers SSH_ASKPASS, or forces it, as SSH_ASKPASS_REQUIRE says", async () => {
    const environment = `SSH_ASKPASS=${dir.file("askpass")}`;
    terminal.enter(`SSH_ASKPASS_REQUIRE=force ${environment} ${ask} password`);
    await terminal.waitFor(/^<from askpass>$/m);
    await terminal.clear();
    terminal.enter(`SSH_ASKPASS_REQUIRE=prefer ${environment} ${ask} password`);
    await terminal.waitFor(/^ann@example\.com's password:$/m);
    terminal.enter("typed");
    await terminal.waitFor(/^<typed>$/m);
    await terminal.clear();
    terminal.enter(`SSH_ASKPASS_REQUIRE=prefer DISPLAY=:7 ${environment} ${ask} password`);
    await terminal.waitFor(/^<from askpass>$/m);
  });

  it("turns raw mode on and off, follows the size, and stops in between", async () => {
    const before = await modes();
    terminal.enter(`${ask} raw`);
    // LF is not turned into CR LF.
    await terminal.waitFor(/^raw\n {3}mode$/m);
    terminal.press("C-c");
    await terminal.waitFor(/^"\\u0003"$/m);
    terminal.resize(80, 20);
    await terminal.waitFor(/^80x20$/m);
    terminal.type("z");
    await terminal.waitFor(/Stopped/);
    expect(await modes()).toBe(before);
    terminal.resize(100, 30);
    terminal.enter("fg");
    await terminal.waitFor(/^100x30$/m);
    terminal.press("C-z");
    await terminal.waitFor(/^"\\u001a"$/m);
    terminal.type("q");
    await terminal.waitFor(/<closed>/);
    expect(await modes()).toBe(before);
    await terminal.clear();
    terminal.enter(`${ask} raw < /dev/null`);
    await terminal.waitFor(/^<no terminal>$/m);
  });

  it("shows the status in one line that other output replaces", async () => {
    terminal.enter(`${ask} status`);
    const shown = String.raw`open example.com · 8080 · \u{1b}]0;title\u{7} · 1 of 20 visitors · 999 B in, 1.2 kB out · 12 ms`;
    await terminal.waitFor(/^open .* · …$/m);
    terminal.resize(120, 30);
    const [full] = await terminal.waitFor(/^open .* · 00:01:3\d$/m);
    expect(full.startsWith(shown)).toBe(true);
    terminal.resize(100, 30);
    terminal.press("Enter");
    await terminal.waitFor(/^<true>$/m);
    expect(terminal.screen()).toMatch(/^a line of the log$/m);
    await terminal.clear();
    terminal.enter(`TERM=dumb ${ask} status`);
    await terminal.waitFor(/^<false>$/m);
    expect(terminal.screen()).not.toMatch(/visitors/);
  });
});

describe.skipIf(missing("tmux", "ssh", "sshd", "password"))("postern on a terminal", () => {
  const dir = tempDir("postern-terminal");
  const knownHosts = dir.file("known_hosts");
  const postern = `node ${dir.file("postern.js")}`;
  let terminal: TestTerminal;
  let sshd: Sshd;
  let destination: string;

  beforeAll(async () => {
    await bundle(dir.path, "../packages/cli/src/postern.ts");
    sshd = await startSshd({ password: true, config: { UsePAM: "yes", KbdInteractiveAuthentication: "yes" } });
    destination = [
      ...["-F", "none", "-p", String(sshd.port), "-o", "GlobalKnownHostsFile=none"],
      ...["-o", `UserKnownHostsFile=${knownHosts}`, "-o", "UpdateHostKeys=no"],
      ...["-o", "PreferredAuthentications=$METHOD", "-o", "PubkeyAuthentication=no"],
      `${sshd.user}@127.0.0.1`,
    ].join(" ");
    terminal = await startTerminal({ env: { METHOD: "password" } });
  });
  afterAll(async () => {
    terminal?.stop();
    await sshd?.stop();
    dir.remove();
  });
  beforeEach(async () => {
    writeFileSync(knownHosts, knownLine());
    await terminal.clear();
  });

  const publicLine = (): string => sshd.hostKeys.ed25519?.publicLine ?? "";
  const knownLine = (): string => `[127.0.0.1]:${sshd.port} ${publicLine()}\n`;

  /** Runs a program until its dialogue ends with the answers, and returns the screen without the command line. */
  const patience = { timeout: 10_000, interval: 20 };

  async function dialogue(program: string, answers: readonly string[]): Promise<string> {
    await terminal.clear();
    terminal.enter(`eval "${program} ${destination} echo hello"; echo "status $?"`);
    let before = "";
    for (const answer of answers) {
      // A password leaves the screen as it was, so the question before it is still the last line for a while.
      await expect.poll(() => terminal.screen() !== before && /[:?]$/.test(terminal.screen()), patience).toBe(true);
      before = terminal.screen();
      terminal.enter(answer);
    }
    await terminal.waitFor(/^status \d+$/m);
    await terminal.prompt();
    return terminal.screen().split("\n").slice(1).join("\n");
  }

  it("asks about an unknown host key as ssh does, and takes no for an answer", async () => {
    writeFileSync(knownHosts, "");
    const screens = [await dialogue("ssh", ["maybe", "no"]), await dialogue(postern, ["maybe", "no"])];
    expect(screens[0]).toMatch(/Host key verification failed\.\nstatus 255/);
    expect(screens[1]).toBe(screens[0]);
  });

  it("asks again for a wrong password, as ssh does, and accepts the fingerprint of the host key", async () => {
    const answers = [sshd.fingerprint(), "wrong", sshd.password ?? ""];
    const screens: string[] = [];
    for (const program of ["ssh", postern]) {
      writeFileSync(knownHosts, "");
      screens.push(await dialogue(program, answers));
    }
    expect(screens[0]).toMatch(/Permission denied, please try again\.[\s\S]*hello\nstatus 0/);
    expect(screens[1]).toBe(screens[0]);
    expect(screens[1]).not.toContain(sshd.password);
  });

  it.each([
    ["a key that has changed", (line: string) => line.replace(/ AAAA.*/, ` ${otherKey}`), []],
    ["a revoked key", (line: string) => `@revoked * ${line.replace(/^\S+ /, "")}`, []],
    ["a key that is not known", () => "", []],
    ["MD5", (line: string) => line.replace(/ AAAA.*/, ` ${otherKey}`), ["-o", "FingerprintHash=md5"]],
  ])("refuses %s in the words of ssh", async (_what, known, options) => {
    writeFileSync(knownHosts, known(knownLine()));
    const args = [...options, "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"];
    const command = `${args.join(" ")} ${destination.replace("$METHOD", "password")} true`.split(" ");
    const outputs = await Promise.all(
      [["ssh"], postern.split(" ")].map(async ([program = "", ...first]) => {
        const process = await launch(program, [...first, ...command]);
        return { status: await process.exited, stderr: process.stderr.text() };
      }),
    );
    expect(outputs[0]?.stderr).toMatch(/Host key verification failed\.\r\n$/);
    expect(outputs[1]).toEqual(outputs[0]);
  });

  it("shows the picture and the other names of an unknown host key, as ssh does", async () => {
    writeFileSync(knownHosts, `one.example,two.example ${publicLine()}\n`);
    const programs = ["ssh", postern].map((program) => `${program} -o VisualHostKey=yes`);
    const screens = [await dialogue(programs[0] ?? "", ["no"]), await dialogue(programs[1] ?? "", ["no"])];
    expect(screens[0]).toMatch(/\[ED25519 256\][\s\S]*known_hosts:1: one\.example,two\.example/);
    expect(screens[1]).toBe(screens[0]);
  });

  it("asks the questions of PAM, as ssh does", async () => {
    const answers = ["wrong", sshd.password ?? ""];
    terminal.enter("METHOD=keyboard-interactive");
    const screens = [await dialogue("ssh", answers), await dialogue(postern, answers)];
    terminal.enter("METHOD=password");
    expect(screens[0]).toMatch(/hello\nstatus 0/);
    expect(screens[1]).toBe(screens[0]);
  });

  it("asks for a password below the status line of -N, and removes the line at the end", async () => {
    const before = await modesOf(terminal);
    terminal.enter(`eval "${postern} -N -R 0:127.0.0.1:9 ${destination}"; echo "status $?"`);
    await terminal.waitFor(/password:$/);
    // Longer than the status line takes to be drawn again.
    await sleep(1200);
    expect(terminal.screen()).toMatch(/password:$/);
    terminal.enter(sshd.password ?? "");
    await terminal.waitFor(/^open .* · 0 of 0 visitors · .*$/m);
    terminal.press("C-c");
    await terminal.waitFor(/^(?:\^C)?status 255$/m);
    expect(terminal.screen()).not.toMatch(/visitors/);
    expect(await modesOf(terminal)).toBe(before);
  });

  it("runs a shell whose terminal has our modes and size, and the escapes of ssh", async () => {
    const before = await modesOf(terminal);
    const remote: string[] = [];
    for (const program of ["ssh", postern]) {
      await terminal.clear();
      terminal.enter(`stty -ixon erase ^H; ${program} -e '~' ${destination}`);
      await terminal.waitFor(/password:$/);
      terminal.enter(sshd.password ?? "");
      await terminal.waitFor(/\$$/);
      terminal.enter("clear; stty -a | tr '\\n' ' '; echo end");
      const [text] = await terminal.waitFor(/^speed .* end$/m);
      remote.push(text);
      if (program === "ssh") terminal.enter("exit");
    }
    expect(remote[1]).toBe(remote[0]);
    terminal.resize(90, 25);
    terminal.enter("stty size");
    await terminal.waitFor(/^25 90$/m);
    terminal.enter("~?");
    await terminal.waitFor(/Supported escape sequences:/);
    terminal.press("Enter");
    terminal.type("~");
    terminal.press("C-z");
    await terminal.waitFor(/Stopped/);
    terminal.resize(100, 30);
    // tmux changes the size a moment later.
    terminal.enter("until [ \"$(stty size)\" = '30 100' ]; do sleep 0.05; done; echo changed");
    await terminal.waitFor(/^changed$/m);
    terminal.enter("fg");
    terminal.enter("stty size");
    await terminal.waitFor(/^30 100$/m);
    terminal.press("C-c", "Enter");
    terminal.type("~.");
    await terminal.waitFor(/^Connection to 127\.0\.0\.1 closed\.$/m);
    await terminal.prompt();
    terminal.enter("echo status $?; stty ixon erase ^?");
    await terminal.waitFor(/^status 255$/m);
    expect(await modesOf(terminal)).toBe(before);
  });

  it("opens and closes forwardings by ~C, as ssh does", async () => {
    const [port, other] = [await freePort(), await freePort()];
    /** A line, its answer, and whether `port` is open then. */
    const lines: readonly (readonly [line: string, answer: string, isOpen: boolean])[] = [
      [`-L ${port}:127.0.0.1:1`, "Forwarding port.", true],
      [`KL ${port}`, "Canceled forwarding.", false],
      [`-R ${other}:127.0.0.1:1`, "Forwarding port.", false],
      ...(isThorough
        ? ([
            ["-h", "Cancel dynamic forward", false],
            ["x", "Invalid command.", false],
            ["L a b", "Bad local forwarding specification.", false],
            ["-KL 1", "Unknown port forwarding.", false],
            [`D${port}`, "Forwarding port.", true],
            [`-KD ${port}`, "Canceled forwarding.", false],
            [`KR ${other}`, "Canceled forwarding.", false],
          ] as const)
        : []),
    ];
    const screens: string[] = [];
    for (const program of ["ssh", postern]) {
      await terminal.clear();
      terminal.enter(`${program} -t -o EnableEscapeCommandline=yes ${destination} 'echo ready; exec cat'`);
      await terminal.waitFor(/password:$/);
      terminal.enter(sshd.password ?? "");
      await terminal.waitFor(/^ready$/m);
      for (const [line, answer, isOpen] of lines) {
        terminal.type("~C");
        await terminal.waitFor(/^ssh>$(?![\s\S]*^ssh>)/m);
        terminal.enter(line);
        await terminal.waitFor(new RegExp(`^ssh> ${line}\\n[\\s\\S]*${answer}`, "m"));
        expect(isListening(port)).toBe(isOpen);
      }
      screens.push(terminal.screen().replace(/^[\s\S]*?^ready$/m, ""));
      terminal.type("~.");
      await terminal.waitFor(/^Connection to 127\.0\.0\.1 closed\.$/m);
      await terminal.prompt();
    }
    expect(screens[1]).toBe(screens[0]);
  });
});
