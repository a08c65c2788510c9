/** The runtimes: how each starts the program, or why it cannot. @module */
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { chromium, type Page } from "playwright-core";
import { launch, type Running } from "../harness/process.ts";
import { program } from "../harness/requirements.ts";
import { bunProgram, denoProgram } from "./binaries.ts";

/** One way to run the program. */
export interface Runtime {
  readonly name: string;
  /** The package of Postern and the transport below it. */
  readonly over: string;
  /** The entry of the program. */
  readonly entry: string;
  /** True if the bundle may import `node:` modules. */
  readonly node: boolean;
  /** The reason why the runtime cannot run here. */
  readonly missing?: string | undefined;
  /** Where its vectors run, if not here. */
  readonly vectors?: string;
  /** True if the program is a page of the control server. */
  readonly page?: boolean;
  /** Starts the program at `file`. `folder` belongs to the runtime. */
  start(file: string, control: string, folder: string): Promise<Started>;
}

export interface Started {
  /** Resolves with all output when the program ends by itself. */
  readonly ended: Promise<string>;
  /** The page of a browser. */
  readonly page?: Page;
  stop(): Promise<void>;
}

const require = createRequire(import.meta.url);
const workerd = (require("workerd") as { readonly default: string }).default;

/** The runtimes of `npm test`, and the versions of Node in POSTERN_NODES=22,24,26. */
export function runtimes(nodes: readonly string[]): readonly Runtime[] {
  const deno = denoProgram();
  const bun = bunProgram();
  const onNode = (name: string, command: readonly string[], vectors?: string): Runtime[] =>
    [
      { over: "@postern/node", entry: "node" },
      { over: "@postern/web, Duplex.toWeb", entry: "node-streams" },
    ].map((row) => ({
      ...row,
      name,
      node: true,
      start: commandLine([...command]),
      ...(vectors !== undefined && { vectors }),
    }));
  return [
    ...onNode("Node", [process.execPath], "unit tests"),
    ...nodes.flatMap((version) => onNode(`Node ${version}`, ["npx", "--yes", `node@${version}`])),
    { name: "Deno", over: "@postern/node", entry: "node", node: true, start: commandLine([deno, "run", "-A"]) },
    {
      name: "Deno",
      over: "@postern/web, Deno.connect",
      entry: "deno",
      node: false,
      start: commandLine([deno, "run", "-A"]),
    },
    { name: "Bun", over: "@postern/node", entry: "node", node: true, start: commandLine([bun, "run"]) },
    {
      name: "Bun",
      over: "@postern/web, Duplex.toWeb",
      entry: "node-streams",
      node: true,
      start: commandLine([bun, "run"]),
    },
    {
      name: "workerd",
      over: "@postern/web, cloudflare:sockets",
      entry: "workerd",
      node: false,
      vectors: "below",
      start: worker("2025-06-01"),
    },
    {
      name: "workerd nodejs_compat",
      over: "@postern/web, cloudflare:sockets",
      entry: "workerd",
      node: false,
      start: worker("2026-11-01"),
    },
    {
      name: "Chromium",
      over: "@postern/web, WebSocket bridge",
      entry: "chromium",
      node: false,
      page: true,
      missing: program("chromium") === undefined ? "chromium is not installed: apt-get install chromium" : undefined,
      start: startChromium,
    },
  ];
}

/** A command line program: its first argument is the URL of the control server. */
function commandLine([command = "", ...args]: readonly string[]): Runtime["start"] {
  return async (file, control, folder) => {
    const path = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
    // Keeps npm's cache.
    const home = command === "npx" ? (process.env.HOME ?? folder) : folder;
    const running = await launch(command, [...args, file, control], {
      env: { PATH: path, HOME: home, DENO_DIR: join(folder, "deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
    });
    return started(running);
  };
}

/**
 * From compatibility date 2026-08-04 on, `nodejs_compat` is on by default. `wasm` is a module of WebAssembly that the
 * program imports by the name of its file.
 */
export function worker(compatibilityDate: string, wasm?: string): Runtime["start"] {
  return async (file, control, folder) => {
    const config = join(folder, "worker.capnp");
    writeFileSync(join(folder, "worker.mjs"), readFileSync(file));
    const modules = ['(name = "worker", esModule = embed "worker.mjs")'];
    if (wasm !== undefined) {
      copyFileSync(wasm, join(folder, "module.wasm"));
      modules.push(`(name = "${basename(wasm)}", wasm = embed "module.wasm")`);
    }
    writeFileSync(
      config,
      `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .program),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const program :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = "${compatibilityDate}",
  globalOutbound = "internet",
);
`,
    );
    const running = await launch(workerd, ["serve", "--control-fd=1", config]);
    try {
      const [, port] = await running.stdout.waitFor(/"socket":"http","port":(\d+)/);
      const query = new URLSearchParams({ control, version: require("workerd/package.json").version });
      const answer = fetch(`http://127.0.0.1:${port}/?${query}`).then((response) => response.text());
      return { ...started(running), ended: Promise.race([started(running).ended, answer]) };
    } catch (error) {
      await running.stop();
      throw error;
    }
  };
}

const chromiumArguments = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
];

/** A browser without DevTools. With them, it copies each message of a WebSocket to another process. */
export async function startPlainChromium(_file: string, control: string, folder: string): Promise<Started> {
  const command = program("chromium") ?? "chromium";
  const [version = ""] = /\d[\d.]+/.exec(spawnSync(command, ["--version"], { encoding: "utf8" }).stdout) ?? [];
  const page = `${control}?${new URLSearchParams({ version })}`;
  const own = ["--headless=new", "--no-first-run", `--user-data-dir=${join(folder, "profile")}`];
  return started(
    await launch(command, [...own, ...chromiumArguments, page], {
      env: { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: folder },
    }),
  );
}

async function startChromium(_file: string, control: string): Promise<Started> {
  const browser = await chromium.launch({
    executablePath: program("chromium") ?? "chromium",
    args: chromiumArguments,
  });
  const printed: string[] = [];
  const page = await browser.newPage();
  page.on("console", (message) => printed.push(message.text()));
  page.on("pageerror", (error) => printed.push(String(error)));
  const ended = new Promise<string>((resolve) => {
    page.on("pageerror", () => resolve(printed.join("\n")));
    page.on("crash", () => resolve(`the page crashed\n${printed.join("\n")}`));
    browser.on("disconnected", () => resolve(`the browser ended\n${printed.join("\n")}`));
  });
  await page.goto(`${control}?version=${browser.version()}`);
  return { ended, page, stop: () => browser.close() };
}

function started(running: Running): Started {
  return {
    ended: running.exited.then((code) => `exit ${code}\n${running.stdout.text()}${running.stderr.text()}`),
    stop: () => running.stop(),
  };
}
