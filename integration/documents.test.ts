/**
 * The programs of the pages run, against a real server: a visitor reaches each port that they forward, and they end by
 * themselves once their tunnel is closed.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programsOf, testOf } from "../scripts/lib/code-blocks.mjs";
import { bundlePrograms } from "./documents/bundle.ts";
import { rewrite, shapeOf } from "./documents/rewrite.ts";
import { answer, createWorld, type World } from "./documents/world.ts";
import { exchange, freePort, launch, missing, visit } from "./harness/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "--", "*.md"], { cwd: root, encoding: "utf8" })
  .stdout.split("\n")
  .filter((file) => testOf(file) === "integration/documents.test.ts");
const programs = pages.flatMap((file) =>
  programsOf(readFileSync(`${root}/${file}`, "utf8")).map(({ language, line, code }) => ({
    language,
    code,
    at: `${file}:${line}`,
    name: `${file}:${line}`.replaceAll(/\W/g, "_"),
  })),
);
const typeScript = programs.filter(({ language, code }) => language === "ts" && lacking(code) === undefined);
const skipped = programs.filter(({ code }) => lacking(code) !== undefined);
const javaScript = programs.filter(({ language }) => language === "js");

describe.skipIf(missing("sshd", "password"))("the programs of the pages", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    const rewritten = typeScript.map(({ name, code }) => [name, rewrite(code, world, 0)] as const);
    await bundlePrograms(new Map(rewritten), world.dir.file("programs"));
  });
  afterAll(() => world?.stop());

  it.concurrent.each(typeScript.map((one) => [one.at, one] as const))("runs %s", async (_at, { name, code }) => {
    const { forwardings, waits, isHost, signal } = shapeOf(code);
    const program = await start(world.dir.file("programs", `${name}.js`));
    try {
      for (let index = 1; index <= forwardings; index++) {
        const [, port] = await program.stdout.waitFor(new RegExp(`(?:@forwarding (\\d+)[^@]*){${index}}`), 60_000);
        expect(await askPort(Number(port))).toMatch(/^(HTTP\/1\.1 200 |GET \/)/);
      }
      if (isHost) {
        const [, port] = await program.stdout.waitFor(/@host (\d+)/, 60_000);
        expect(await readVersion(Number(port))).toMatch(/^SSH-2\.0-/);
      }
      await program.stdout.waitFor(waits ? /@connected/ : /@end/, 60_000);
      if (signal !== undefined) process.kill(program.pid, signal);
      expect(await program.exited).toBe(0);
      await program.stdout.waitFor(/@end/);
    } catch (error) {
      throw new Error(`${String(error)}\nIts errors: ${program.stderr.text()}`, { cause: error });
    } finally {
      await program.stop();
    }
  });

  it.skip.each(skipped.map(({ at }) => at))("runs %s", () => undefined);

  it.concurrent.each(javaScript.map((one) => [one.at, one] as const))("runs %s", async (_at, { name, code }) => {
    const port = await freePort();
    const file = world.dir.file(`${name}.cjs`);
    writeFileSync(file, rewrite(code, world, port));
    const program = await launch(process.execPath, [file], { env: { NODE_PATH: `${root}/integration/node_modules` } });
    try {
      if (/\.connect\(/.test(code))
        await expect.poll(() => askPort(port).catch(String), { timeout: 60_000 }).toContain(answer);
      else expect(await program.exited, program.stderr.text()).toBe(0);
    } finally {
      await program.stop();
    }
  });

  function start(file: string): ReturnType<typeof launch> {
    const hasWebSocket = Number(process.versions.node.split(".")[0]) >= 22;
    return launch(process.execPath, [...(hasWebSocket ? [] : ["--experimental-websocket"]), file], {
      env: {
        HOME: world.dir.path,
        ...Object.fromEntries(
          ["SSH", "POSTERN"].flatMap((prefix) => [
            [`${prefix}_KEY`, world.dir.file("files", "ssh-key")],
            [`${prefix}_USER`, world.server.user],
          ]),
        ),
        FINGERPRINT: world.server.fingerprint(),
      },
    });
  }
});

/** Returns why a program cannot run on this machine. */
function lacking(code: string): string | undefined {
  return (/socks5:/.test(code) ? missing("proxies") : undefined) ?? (/"nc"/.test(code) ? missing("nc") : undefined);
}

async function askPort(port: number): Promise<string> {
  return (await exchange(port, "GET / HTTP/1.0\r\nhost: example.com\r\n\r\n")).toString();
}

async function readVersion(port: number): Promise<string> {
  const visitor = await visit(port);
  try {
    return (await visitor.read(8)).toString();
  } finally {
    visitor.reset();
  }
}
