/** A worker in workerd, on a loopback port. @module */
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch, type Running } from "./process.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

const require = createRequire(import.meta.url);
const binary = (require("workerd") as { readonly default: string }).default;

export interface WorkerOptions {
  /** The worker: an ES module that imports only modules of the runtime. */
  readonly script: string;
  /** Text bindings. */
  readonly bindings?: Readonly<Record<string, string>>;
  /** Default: 2026-11-01. From 2026-08-04 on, `nodejs_compat` is on by default. */
  readonly compatibilityDate?: string;
  /** A class of Durable Objects, bound by its name, with its storage in `dir`. */
  readonly durableObject?: { readonly className: string; readonly binding: string };
  /** The folder for files. Default: a new temporary folder. */
  readonly dir?: TempDir;
}

export interface Worker {
  /** Ends with a slash. */
  readonly url: string;
  readonly process: Running;
  /** Also removes `dir`, unless the caller has passed it. */
  stop(): Promise<void>;
}

/** Starts workerd itself, because it outlives the script that npm installs around it. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const dir = options.dir ?? tempDir("postern-workerd");
  writeFileSync(dir.file("worker.mjs"), options.script);
  writeFileSync(dir.file("worker.capnp"), configuration(options, dir));
  const process = await launch(binary, ["serve", "--control-fd=1", dir.file("worker.capnp")]);
  const stop = async (): Promise<void> => {
    await process.stop();
    if (options.dir === undefined) dir.remove();
  };
  try {
    const [, port] = await process.stdout.waitFor(/"socket":"http","port":(\d+)/);
    return { url: `http://127.0.0.1:${port}/`, process, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(options: WorkerOptions, dir: TempDir): string {
  const { bindings = {}, compatibilityDate = "2026-11-01", durableObject } = options;
  const texts = Object.entries(bindings).map(
    ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`,
  );
  const storage = dir.file("storage");
  if (durableObject) mkdirSync(storage, { recursive: true });
  const { className = "", binding = "" } = durableObject ?? {};
  if (durableObject) texts.push(`(name = "${binding}", durableObjectNamespace = "${className}")`);
  const disk = durableObject ? `(name = "storage", disk = (path = ${JSON.stringify(storage)}, writable = true)),` : "";
  const objects = durableObject
    ? `durableObjectNamespaces = [(className = "${className}", uniqueKey = "${className}", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),`
    : "";
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["private"])),
    ${disk}
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.mjs")],
  compatibilityDate = "${compatibilityDate}",
  bindings = [${texts.join(", ")}],
  ${objects}
  globalOutbound = "internet",
);
`;
}
