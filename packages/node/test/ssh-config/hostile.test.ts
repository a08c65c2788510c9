/** Hostile configuration files: a typed error that names file and line, bounded work, and nothing is run. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { matchPattern } from "@postern/keys";
import { createHome } from "@postern/testkit/ssh-config";
import { afterAll, describe, expect, it } from "vitest";
import { matchesPathSegment } from "../../src/ssh-config/path-pattern.ts";
import { fromSshConfig, resolveSshConfig } from "../../src/ssh-config.ts";

const world = createHome();

describe("a hostile configuration", () => {
  afterAll(world.remove);

  const failure = async (content: string | Uint8Array, host = "x"): Promise<string> => {
    const file = world.write("config", content);
    const error: unknown = await resolveSshConfig(host, { file, home: world.home }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: "SshError", code: "misuse" });
    return (error as Error).message.replace(file, "FILE");
  };

  it("is refused for a line of 1 MB", async () => {
    const long = `Port 22\nUser ${"x".repeat(1_000_000)}\n`;
    expect(await failure(long)).toBe("FILE line 2: expected at most 65536 characters, got 1000005");
  });

  it("is refused for a file of more than 1 MiB", async () => {
    expect(await failure("#\n".repeat(600_000))).toBe('expected "FILE" to have at most 1048576 bytes, got more');
  });

  it("is refused for 80 KB of equals signs", async () => {
    expect(await failure("=".repeat(80_000))).toBe("FILE line 1: expected at most 65536 characters, got 80000");
    expect(await failure("=".repeat(60_000))).toMatch(/^FILE line 1: expected a keyword, got "===/);
    expect(await failure(`Port ${"=".repeat(60_000)}`)).toMatch(/^FILE line 1: Bad port '=/);
  });

  it("is refused for a NUL, a quote that is not closed, and nested quotes", async () => {
    expect(await failure("User a\0b\n")).toBe("FILE line 1: expected text, got a NUL character");
    expect(await failure('Host "a\nUser b"\n')).toBe("FILE line 1: invalid quotes");
    expect(await failure(`Port ${"\"'".repeat(30_000)}`)).toMatch(/^FILE line 1: Bad port '/);
    expect(await failure('"Port')).toMatch(/^FILE line 1: invalid quotes/);
  });

  it("is refused for 10,000 files by one pattern of Include", async () => {
    const folder = join(world.home, "many");
    mkdirSync(folder);
    for (let i = 0; i < 10_000; i++) world.write(`many/${i}.conf`, "");
    expect(await failure(`\nInclude ${folder}/*.conf\n`)).toMatch(/^FILE line 2: expected at most 1024 files/);
  });

  it("is refused for files that include each other many times", async () => {
    const file = world.write("config", "");
    world.write("a.inc", `${`Include ${world.home}/b.inc\n`.repeat(1000)}`);
    world.write("b.inc", `${`Include ${world.home}/c.inc\n`.repeat(1000)}`);
    world.write("c.inc", "Port 1\n");
    world.write("config", `Include ${world.home}/a.inc\n`);
    await expect(resolveSshConfig("x", { file, home: world.home })).rejects.toThrow(
      /b\.inc line \d+: expected at most 1024 files and 4194304 bytes, got more/,
    );
  });

  it("is refused for a folder, and for a file that never ends", async () => {
    await expect(resolveSshConfig("x", { file: world.home })).rejects.toThrow("to be a file that can be read");
    await expect(resolveSshConfig("x", { file: "/dev/zero" })).rejects.toThrow("at most 1048576 bytes");
  });

  it.skipIf(process.platform === "win32")("is refused for a FIFO, without waiting for its writer", async () => {
    const fifo = join(world.home, "fifo");
    execFileSync("mkfifo", [fifo]);
    await expect(resolveSshConfig("x", { file: fifo })).rejects.toThrow("to be a file that can be read");
    const file = world.write("config", `IdentityFile ${fifo}\nUserKnownHostsFile none\nIdentityAgent none\n`);
    const { options } = await fromSshConfig("x", { file, home: world.home });
    expect(options.auth).toHaveLength(1);
  });

  it("is refused for a variable that is not set but has the name of a method", async () => {
    for (const name of ["constructor", "toString", "__proto__"]) {
      expect(await failure(`IdentityFile \${${name}}\n`)).toBe(
        `FILE line 1: expected the environment variable "${name}" to be set`,
      );
      const file = world.write("config", `IdentityAgent $${name}\n`);
      const { options } = await fromSshConfig("x", { file, home: world.home });
      expect(options.auth).toMatchObject([{ name: "none" }]);
    }
  });

  it("is refused for text that grows when it is expanded", async () => {
    const name = "h".repeat(1000);
    expect(await failure(`UserKnownHostsFile ${"%n".repeat(10_000)}\n`, name)).toMatch(
      /^FILE line 1: expected at most 65536 characters after expansion/,
    );
  });

  it("is refused for a host that a shell would interpret", async () => {
    for (const host of [
      "-oProxyCommand=x",
      "a b",
      "$(id)",
      "a;b",
      "`id`@x",
      "-x@y",
      "u -oProxyCommand=id@x",
      "a|b",
      "a\0b",
      "a\x7fb",
      "",
    ]) {
      await expect(resolveSshConfig(host, { file: "none" })).rejects.toMatchObject({ code: "misuse" });
    }
    await expect(resolveSshConfig("x", { file: "none", user: "$(id)" })).rejects.toMatchObject({ code: "misuse" });
  });

  it("runs nothing unless that is permitted", async () => {
    const proof = join(world.home, "proof");
    const content = `Match exec "touch ${proof}"\n  User x\n`;
    expect(await failure(content)).toBe(
      "FILE line 1: Match exec runs a command: set allowExec to permit that, or remove the line",
    );
    expect(existsSync(proof)).toBe(false);
    const file = world.write("config", content);
    await expect(resolveSshConfig("x", { file, allowExec: true })).resolves.toMatchObject({ user: "x" });
    expect(existsSync(proof)).toBe(true);
  });

  it("runs no command of a Match line that cannot match", async () => {
    const file = world.write("config", `Match host y exec "false"\n  User x\nHost y\nInclude ${world.home}/inc\n`);
    world.write("inc", `Match exec "true"\n  User z\n`);
    await expect(resolveSshConfig("x", { file, user: "me" })).resolves.toMatchObject({ user: "me" });
  });

  it("ends with the reason of the signal", async () => {
    const file = world.write("config", "Port 1\n");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(resolveSshConfig("x", { file, signal })).rejects.toThrow("enough");
    const slow = world.write("config", 'Match exec "exec sleep 60"\n');
    const controller = new AbortController();
    const resolving = resolveSshConfig("x", { file: slow, allowExec: true, signal: controller.signal });
    setTimeout(() => controller.abort(new Error("too slow")), 200);
    await expect(resolving).rejects.toThrow("too slow");
  });

  it("compares a pattern of many stars in at most the product of both lengths", () => {
    // With backtracking into each star, this would take longer than the universe has existed.
    const stars = "*a".repeat(500);
    expect(matchPattern("a".repeat(1000), `${stars}b`)).toBe(false);
    expect(matchPattern("a".repeat(1000), stars)).toBe(true);
    expect(matchesPathSegment("a".repeat(255), `${"*[a-b]".repeat(120)}c`)).toBe(false);
    expect(matchesPathSegment("a".repeat(255), "*?*[!b]*")).toBe(true);
  });
});
