/**
 * The programs of the pages run, against a real server: a visitor reaches each port that they forward, and they end by
 * themselves once their tunnel is closed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// biome-ignore lint/correctness/useImportExtensions: it takes the declarations for the module.
import { programsOf, testOf } from "../scripts/lib/code-blocks.mjs";
import { rewrite, shapeOf } from "./documents/rewrite.ts";
import { answer, createWorld, type World } from "./documents/world.ts";
import { exchange, freePort, launch, missing, visit } from "./harness/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "--", "*.md"], { cwd: root, encoding: "utf8" })
  .stdout.split("\n")
  .filter((file) => testOf(file) === "integration/documents.test.ts");
const programs = pages.flatMap((file) =>
  programsOf(readFileSync(`${root}/${file}`, "utf8")).map((block) => ({ ...block, at: `${file}:${block.line}` })),
);

describe.skipIf(missing("sshd", "password"))("the programs of the pages", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world?.stop());

  it.each(programs.filter(({ language }) => language === "ts"))("$at runs", async ({ at, code }) => {
    const { forwardings, waits, isHost, signal } = shapeOf(code);
    const program = await start(at, rewrite(code, world, 0));
    try {
      for (let index = 1; index <= forwardings; index++) {
        const [, port] = await program.stdout.waitFor(new RegExp(`(?:@forwarding (\\d+)[^@]*){${index}}`), 30_000);
        expect(await askPort(Number(port))).toMatch(/^(HTTP\/1\.1 200 OK|GET \/)/);
      }
      if (isHost) {
        const [, port] = await program.stdout.waitFor(/@host (\d+)/);
        expect(await readVersion(Number(port))).toMatch(/^SSH-2\.0-/);
      }
      await program.stdout.waitFor(waits ? /@connected/ : /@end/, 30_000);
      process.kill(program.pid, signal ?? "SIGUSR2");
      expect(await program.exited, program.stderr.text()).toBe(0);
      await program.stdout.waitFor(/@end/);
    } finally {
      await program.stop();
    }
  });

  it.each(programs.filter(({ language }) => language === "js"))("$at runs", async ({ at, code }) => {
    const port = await freePort();
    const file = world.dir.file(`${at.replaceAll(/\W/g, "_")}.cjs`);
    writeFileSync(file, rewrite(code, world, port));
    const program = await launch(process.execPath, [file], { env: { NODE_PATH: `${root}/integration/node_modules` } });
    try {
      if (/\.connect\(/.test(code)) await expect.poll(() => askPort(port).catch(String), { timeout: 30_000 }).toContain(answer);
      else expect(await program.exited, program.stderr.text()).toBe(0);
    } finally {
      await program.stop();
    }
  });

  /** Bundles a program with the sources of the packages, and starts it. */
  async function start(at: string, code: string): Promise<Awaited<ReturnType<typeof launch>>> {
    const file = world.dir.file(`${at.replaceAll(/\W/g, "_")}.mjs`);
    await esbuild.build({
      stdin: {
        contents: `import "./prelude.ts";\nimport "program";\n`,
        resolveDir: fileURLToPath(new URL("documents", import.meta.url)),
        loader: "ts",
      },
      plugins: [
        {
          name: "program",
          setup(build) {
            build.onResolve({ filter: /^program$/ }, () => ({ path: at, namespace: "program" }));
            build.onLoad({ filter: /.*/, namespace: "program" }, () => ({
              contents: `import { writeSync } from "node:fs";\n${code}\nwriteSync(1, "@end\\n");\n`,
              resolveDir: fileURLToPath(new URL(".", import.meta.url)),
              loader: "ts",
            }));
          },
        },
      ],
      outfile: file,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "es2022",
      conditions: ["@postern/source"],
      logLevel: "warning",
    });
    const hasWebSocket = Number(process.versions.node.split(".")[0]) >= 22;
    return launch(process.execPath, [...(hasWebSocket ? [] : ["--experimental-websocket"]), file], {
      env: {
        HOME: world.dir.path,
        SSH_KEY: world.dir.file("files", "ssh-key"),
        SSH_USER: world.server.user,
        FINGERPRINT: world.server.fingerprint(),
      },
    });
  }
});

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
