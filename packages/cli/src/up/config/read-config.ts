/** Reads the configuration of `postern up` from a JSON file or a module. @module */
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { quote } from "@postern/wire";
import { ConfigError, type Replacements, readBySchema } from "../../system/schema.ts";
import { checkTunnel } from "./check-tunnel.ts";
import { tunnelsSchema } from "./schema.ts";
import type { TunnelsConfig } from "./types.ts";

/** The files that `up` looks for in the working directory, in order. */
export const defaultFiles = ["postern.json", "postern.mjs", "postern.ts"] as const;

const maxBytes = 1_048_576;
/** Modules are cached by their address, so each load of a module has its own. */
let loads = 0;

/**
 * Reads and checks a configuration. Variables of the environment are replaced, and paths are absolute.
 *
 * @throws ConfigError that begins with the file
 */
export async function readConfig(file: string, env: NodeJS.ProcessEnv = process.env): Promise<TunnelsConfig> {
  try {
    const value = extname(file) === ".json" ? parseJson(await readText(file)) : await loadModule(file);
    return checkConfig(value, dirname(resolve(file)), env);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${file}: ${error.message}`);
    throw error;
  }
}

/** Checks a configuration. @throws ConfigError with the path of the first mistake */
export function checkConfig(value: unknown, folder: string, env: NodeJS.ProcessEnv): TunnelsConfig {
  const config = readBySchema(tunnelsSchema, value, replacements(folder, env)) as TunnelsConfig;
  for (const [name, tunnel] of Object.entries(config.tunnels)) checkTunnel(tunnel, `tunnels.${name}`, env);
  return config;
}

/** Reads a file with a bounded size. @throws ConfigError */
export async function readText(file: string): Promise<string> {
  try {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(size, maxBytes) + 1));
      if (bytesRead > maxBytes) throw new ConfigError(`expected at most ${maxBytes} bytes, got more`);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`expected a file that can be read, got ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The message of V8 quotes the text, which may hold secrets.
    const before = text.slice(0, mistakeIn(text)).split("\n");
    const at = `line ${before.length}, column ${(before.at(-1) as string).length + 1}`;
    throw new ConfigError(`expected JSON, got a mistake at ${at}`);
  }
}

/** Returns the position of the first mistake: the length of the longest beginning that could still become JSON. */
function mistakeIn(text: string): number {
  let [good, bad] = [0, text.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isBeginning(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const position = /at position (\d+)/.exec(message)?.[1];
    return /end of JSON|Unterminated/.test(message) || (position !== undefined && Number(position) >= text.length);
  }
}

async function loadModule(file: string): Promise<unknown> {
  const kind = extname(file);
  if (kind !== ".mjs" && kind !== ".ts")
    throw new ConfigError(`expected a file with the ending .json, .mjs or .ts, got ${quote(kind)}`);
  if (kind === ".ts" && !stripsTypes())
    throw new ConfigError(
      `expected Node.js 22.18 or newer for a module in TypeScript, got ${process.versions.node}: use .mjs or .json`,
    );
  // A clear error for a file that is missing.
  await readText(file);
  const address = pathToFileURL(resolve(file));
  address.search = `load=${++loads}`;
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(address.href)) as typeof loaded;
    const { default: exported } = loaded;
    return typeof exported === "function" ? await (exported as () => unknown)() : await exported;
  } catch (cause) {
    throw new ConfigError(`expected a module with a default export, got the error ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Whether this Node.js runs TypeScript: 22.18 and 24 do. */
function stripsTypes(): boolean {
  return (
    (process.features as { readonly typescript?: unknown }).typescript !== undefined &&
    (process.features as { readonly typescript?: unknown }).typescript !== false
  );
}

function replacements(folder: string, env: NodeJS.ProcessEnv): Replacements {
  const expand = (text: string, at: string): string =>
    text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
      const value = /^[A-Za-z_]\w*$/.test(name) ? env[name] : undefined;
      if (value !== undefined) return value;
      throw new ConfigError(`expected ${at} to name variables of the environment that are set, got ${quote(name, 80)}`);
    });
  return {
    text: expand,
    remotePath: expand,
    path(given, at) {
      const path = expand(given, at);
      if (path.includes("\0")) throw new ConfigError(`expected ${at} to be a path without a NUL, got one`);
      if (process.platform === "win32" && path.startsWith("\\\\.\\pipe\\")) return path;
      return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(folder, path);
    },
  };
}
