/** Finds the configuration of a command line, and its control socket. @module */
import { existsSync } from "node:fs";
import { extname, resolve } from "node:path";
import { sanitizeText } from "@postern/wire";
import { UsageError } from "../help/usage-error.ts";
import { defaultFiles, readConfig } from "./config/read-config.ts";
import { socketPaths } from "./control/socket-path.ts";

/** Returns the absolute path of the configuration. @throws UsageError if there is none */
export function findConfig(command: string, given: string | undefined): string {
  const file = given ?? defaultFiles.find((name) => existsSync(name));
  if (file === undefined) {
    const names = defaultFiles.join(", ");
    throw new UsageError(command, `expected ${names} in this folder, or --config, got none of them`);
  }
  return resolve(file);
}

/** @throws UsageError if the configuration is missing */
export function expectConfig(command: string, file: string): void {
  if (!existsSync(file)) throw new UsageError(command, `expected a configuration, got no file ${sanitizeText(file)}`);
}

/**
 * Returns the control sockets of a configuration to try. A file with a mistake has the default ones, and so has a
 * module: a question about the status must not run its code.
 */
export async function findSockets(file: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const defaults = socketPaths(file, undefined, env);
  if (isModule(file)) return defaults;
  try {
    return socketPaths(file, (await readConfig(file, env)).control, env);
  } catch {
    return defaults;
  }
}

/** Whether a configuration is code. */
export function isModule(file: string): boolean {
  return extname(file) !== ".json";
}
