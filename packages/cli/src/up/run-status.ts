/** Runs `postern status` and `postern down`. @module */
import { parseOptions } from "../help/parse-options.ts";
import { askControl } from "./control/client.ts";
import { findConfig, findSockets } from "./find-config.ts";
import { downHelp, statusHelp } from "./help.ts";
import { formatStatus, isOpen, type UpStatus } from "./status.ts";

/** Stopping waits for connections to finish. */
const downMs = 3_600_000;

/** Shows the status. Resolves with the exit status. */
export async function runStatus(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(statusHelp, args);
  const { result } = await askControl(await socketsOf("status", values), { command: "status" });
  const status = result as UpStatus;
  const text = values.json === true ? `${JSON.stringify(status)}\n` : formatStatus(status, Date.now());
  process.stdout.write(text);
  return status.configError === undefined && status.tunnels.every(isOpen) ? 0 : 1;
}

/** Stops tunnels. Resolves with the exit status. */
export async function runDown(args: readonly string[]): Promise<number> {
  const { values, positionals: names } = parseOptions(downHelp, args, 1000);
  const sockets = await socketsOf("down", values);
  const request = { command: "down", ...(names.length > 0 && { names }) } as const;
  const { ended } = await askControl(sockets, request, downMs);
  await ended;
  return 0;
}

async function socketsOf(command: string, values: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
  const { config, control } = values as { readonly config?: string; readonly control?: string };
  return control === undefined ? await findSockets(findConfig(command, config), process.env) : [control];
}
