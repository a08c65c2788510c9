/** OpenSSH forwards a port through a TunnelHost in every runtime that can accept connections. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { echoes } from "../harness/clients/host.ts";
import {
  allocatedPort,
  echoTarget,
  freePort,
  type KeyPair,
  launch,
  makeKey,
  missing,
  type Running,
  runSsh,
  type Target,
  type TempDir,
  tempDir,
} from "../harness/index.ts";
import { bunProgram, denoProgram } from "./binaries.ts";
import { bundle } from "./bundle.ts";

const require = createRequire(import.meta.url);
const workerd = (require("workerd") as { readonly default: string }).default;

process.stderr.write("skipped: a host in Chromium: a page cannot accept connections\n");

describe.skipIf(missing("ssh"))("a TunnelHost", () => {
  let dir: TempDir;
  let key: KeyPair;
  let echo: Target;
  let running: Running[] = [];
  beforeAll(async () => {
    dir = tempDir("postern-runtime-hosts");
    key = await makeKey("ed25519", dir.file("host"));
    echo = await echoTarget();
  });
  afterAll(async () => {
    await echo.stop();
    dir.remove();
  });
  const start = async (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const process = await launch(command, args, { env });
    running.push(process);
    return process;
  };
  const ssh = async (port: number, args: readonly string[]): Promise<Running> => {
    const server = { port, user: "test", hostKeys: { ed25519: key } };
    const client = await runSsh(["-N", ...args], { server, password: "secret" });
    running.push(client);
    return client;
  };
  const stopAll = async (): Promise<void> => {
    for (const one of running) await one.stop();
    running = [];
  };

  it.each([
    ["Node", () => [process.execPath]],
    ["Deno", () => [denoProgram(), "run", "-A"]],
    ["Bun", () => [bunProgram(), "run"]],
  ] as const)("of @postern/node serves ssh -R and -L in %s", async (name, command) => {
    const folder = dir.file(name);
    mkdirSync(folder);
    const file = `${folder}/host.mjs`;
    await bundle("host-node", file, { node: true });
    const [program = "", ...args] = command();
    const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder, DENO_DIR: `${folder}/deno` };
    try {
      const host = await start(program, [...args, file, key.privateText], env);
      const [, port] = await host.stdout.waitFor(/listening on (\d+)/);
      const local = await freePort();
      const forwards = ["-R", `0:127.0.0.1:${echo.port}`, "-L", `${local}:127.0.0.1:${echo.port}`];
      const client = await ssh(Number(port), forwards);
      expect(await echoes(await allocatedPort(client), 1_000_000)).toBe(true);
      expect(await echoes(local, 1_000_000)).toBe(true);
    } finally {
      await stopAll();
    }
  });

  // A worker cannot listen, so clients can request no port; see docs/runtimes.md.
  it("of @postern/web serves ssh -L in workerd, by the inbound connect() handler", async () => {
    const folder = dir.file("workerd");
    mkdirSync(folder);
    await bundle("host-workerd", `${folder}/worker.mjs`);
    writeFileSync(`${folder}/key`, key.privateText);
    const config = `${folder}/worker.capnp`;
    writeFileSync(
      config,
      `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .program),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "ssh", address = "127.0.0.1:0", tcp = (), service = "main")],
);
const program :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.mjs")],
  bindings = [(name = "HOST_KEY", text = embed "key")],
  compatibilityDate = "2026-11-01",
  globalOutbound = "internet",
);
`,
    );
    try {
      const host = await start(workerd, ["serve", "--control-fd=1", config]);
      const [, port] = await host.stdout.waitFor(/"socket":"ssh","port":(\d+)/);
      const local = await freePort();
      const client = await ssh(Number(port), ["-L", `${local}:127.0.0.1:${echo.port}`]);
      await client.stderr.waitFor(/Entering interactive session/);
      expect(await echoes(local, 1_000_000)).toBe(true);
      const refused = await ssh(Number(port), ["-R", `0:127.0.0.1:${echo.port}`]);
      expect(await refused.exited).toBe(255);
    } finally {
      await stopAll();
    }
  });
});
