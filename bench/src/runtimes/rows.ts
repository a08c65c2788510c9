/** The runtimes of the benchmark: those of the tests, with programs of our own. @module */
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { startProgramServer } from "../../../integration/runtimes/control.ts";
import {
  type Runtime,
  runtimes,
  type Started,
  startPlainChromium,
  worker,
} from "../../../integration/runtimes/runtimes.ts";
import { childrenOf, withDescendants } from "../proc.ts";
import { type Conversation, createConversation } from "./conversation.ts";

export interface Row {
  /** The `client` of its samples. */
  readonly name: string;
  readonly title: string;
  readonly entry: string;
  readonly runtime: Runtime;
}

/** A program that waits for orders. */
export interface Program extends Pick<Conversation, "ask"> {
  readonly version: string;
  readonly page: Started["page"];
  /** Returns the processes of the runtime. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

/** Returns the rows. Each is `@postern/web` over the pipes of its runtime. */
export function runtimeRows(): readonly Row[] {
  const { resolve } = createRequire(import.meta.url);
  const wasm = resolve("@postern/wasm/chacha20-poly1305-simd.wasm");
  const entries = [
    { name: "chromium", title: "Chromium, WebSocket", of: "Chromium", entry: "chromium" },
    { name: "deno", title: "Deno, Deno.connect", of: "Deno", entry: "deno" },
    { name: "bun", title: "Bun, Duplex.toWeb", of: "Bun", entry: "streams" },
    { name: "workerd", title: "workerd, cloudflare:sockets", of: "workerd nodejs_compat", entry: "workerd" },
    { name: "node", title: "Node.js, Duplex.toWeb", of: "Node", entry: "streams" },
  ];
  const all = runtimes([]).filter(({ over }) => over.startsWith("@postern/web"));
  return entries.flatMap(({ of, ...row }) => {
    const found = all.find(({ name }) => name === of);
    if (found === undefined) return [];
    return { ...row, runtime: of.startsWith("workerd") ? { ...found, start: worker("2026-11-01", wasm) } : found };
  });
}

/** Bundles the program of a row, with the packages as they would be published. */
export async function bundleProgram({ entry, runtime }: Row, source: string, outfile: string): Promise<void> {
  await esbuild.build({
    entryPoints: [join(source, `${entry}.ts`)],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: runtime.node ? "node" : "browser",
    external: ["cloudflare:*"],
    plugins: [{ name: "wasm", setup: leaveWasm }],
    logLevel: "warning",
  });
}

/** Modules of WebAssembly stay imports, by the name of the file. */
function leaveWasm(build: esbuild.PluginBuild): void {
  build.onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path: path.split("/").at(-1) ?? path, external: true }));
}

/** Starts the program of a row. `withTools` starts a browser with DevTools. `folder` is a new folder for its files. */
export async function startProgram(
  { runtime }: Row,
  file: string,
  folder: string,
  sshPort: () => number,
  withTools = false,
): Promise<Program> {
  mkdirSync(folder, { recursive: true });
  const conversation = createConversation();
  const server = await startProgramServer(conversation.answers, { page: file, sshPort });
  const others = new Set(childrenOf(process.pid));
  try {
    const isPlain = runtime.page === true && !withTools;
    const started = await (isPlain
      ? startPlainChromium(file, server.url, folder)
      : runtime.start(file, server.url, folder));
    const stop = async (): Promise<void> => {
      await started.stop();
      server.stop();
    };
    const ended = (printed: unknown): void => conversation.fail(new Error(`the program ended: ${String(printed)}`));
    started.ended.then(ended, ended);
    try {
      const { version } = await conversation.started;
      return {
        version,
        page: started.page,
        ask: (order) => conversation.ask(order),
        pids: () => withDescendants(({ pid, parent }) => parent === process.pid && !others.has(pid)),
        stop,
      };
    } catch (error) {
      await stop();
      throw error;
    }
  } catch (error) {
    server.stop();
    throw error;
  }
}
