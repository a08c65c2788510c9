/** `examples/deno` and `examples/bun`, each by its own runtime. */
import { symlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch, missing, type Running, type Sshd, startSshd, tempDir, userKey } from "../harness/index.ts";
import { bunProgram, denoProgram } from "../runtimes/binaries.ts";
import { forwardedPort, pathOf, printedAsInReadme, settingsForAnyPort } from "./example.ts";

describe.skipIf(missing("sshd"))("examples/deno and examples/bun", () => {
  const dir = tempDir("postern-deno-and-bun");
  const started: Running[] = [];
  let sshd: Sshd;
  let settings: Record<string, string>;

  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    // Bun's scripts look for `bun`, and npm installs it under another name.
    symlinkSync(bunProgram(), dir.file("bun"));
    settings = {
      ...(await settingsForAnyPort(sshd)),
      PATH: `${dir.path}:/usr/bin:/bin`,
      HOME: dir.path,
      DENO_DIR: dir.file("deno"),
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
    };
  });
  afterAll(async () => {
    for (const one of started) await one.stop();
    await sshd?.stop();
    dir.remove();
  });

  async function start(command: string, args: readonly string[], env = settings): Promise<Running> {
    const running = await launch(command, args, { env });
    started.push(running);
    return running;
  }
  const deno = (env?: Record<string, string>): Promise<Running> =>
    start(denoProgram(), ["task", "--cwd", pathOf("deno"), "start"], env);
  const bun = (env?: Record<string, string>): Promise<Running> =>
    start(bunProgram(), ["run", `--cwd=${pathOf("bun")}`, "start"], env);

  it("answers visitors by a handler in Deno, with the permissions of the task", async () => {
    const example = await deno();
    const port = await forwardedPort(example);
    expect(printedAsInReadme(example, "deno"), example.stdout.text()).toBe(true);
    const response = await fetch(`http://127.0.0.1:${port}/path?query`, { method: "PUT", body: "content" });
    expect(await response.text()).toBe("Deno got PUT /path from 127.0.0.1\n");
    expect(example.signalDescendants("SIGTERM", /tunnel\.mjs$/)).toBe(1);
    expect(await example.exited).toBe(0);
  });

  it("leads visitors to Bun.serve", async () => {
    const example = await bun();
    const port = await forwardedPort(example);
    expect(printedAsInReadme(example, "bun"), example.stdout.text()).toBe(true);
    // An idle connection would delay the end until the drain is over.
    const get = async (path: string): Promise<string> =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } })).text();
    expect(await get("/hello/world")).toBe("hello world\n");
    expect(await get("/")).toBe("served by Bun\n");
    expect(example.signalDescendants("SIGTERM", /tunnel\.mjs$/)).toBe(1);
    expect(await example.exited).toBe(0);
  });

  it.each([
    ["Deno", deno],
    ["Bun", bun],
  ] as const)("names the variable that is missing, in %s", async (_, begin) => {
    const { POSTERN_USER: _user, ...rest } = settings;
    const example = await begin(rest);
    expect(await example.exited).toBe(1);
    expect(example.stderr.text()).toContain("expected a value in POSTERN_USER, got none");
  });

  it.each([
    ["Deno", deno],
    ["Bun", bun],
  ] as const)("refuses a server with another host key, in %s", async (_, begin) => {
    const example = await begin({ ...settings, POSTERN_HOST_KEY: `SHA256:${"A".repeat(43)}` });
    expect(await example.exited).toBe(1);
    expect(example.stderr.text()).toMatch(/to have the host key SHA256:A+, got SHA256:/);
  });
});
