/** Runs `postern status` and `postern down`. @module */
import { parseOptions } from "../help/parse-options.ts";
import { askControl, NotRunning } from "./control/client.ts";
import type { ControlRequest } from "./control/protocol.ts";
import { expectConfig, findConfig, findSockets, isModule } from "./find-config.ts";
import { downHelp, statusHelp } from "./help.ts";
import { formatStatus, isOpen, type UpStatus } from "./status.ts";

/** Stopping waits for connections to finish. */
const downMs = 3_600_000;

/** Shows the status. Resolves with the exit status. */
export async function runStatus(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(statusHelp, args);
  const { result } = await ask("status", values, { command: "status" });
  const status = result as UpStatus;
  const text = values.json === true ? `${JSON.stringify(status)}\n` : formatStatus(status, Date.now());
  process.stdout.write(text);
  return status.configError === undefined && status.tunnels.every(isOpen) ? 0 : 1;
}

/** Stops tunnels. Resolves with the exit status. */
export async function runDown(args: readonly string[]): Promise<number> {
  const { values, positionals: names } = parseOptions(downHelp, args, 1000);
  const { ended } = await ask("down", values, { command: "down", ...(names.length > 0 && { names }) }, downMs);
  await ended;
  return 0;
}

async function ask(
  command: string,
  values: Readonly<Record<string, unknown>>,
  request: ControlRequest,
  timeoutMs?: number,
): ReturnType<typeof askControl> {
  const { config, control } = values as { readonly config?: string; readonly control?: string };
  if (control !== undefined) return await askControl([control], request, timeoutMs);
  const file = findConfig(command, config);
  try {
    return await askControl(await findSockets(file, process.env), request, timeoutMs);
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error;
    // A process may still run after its configuration was removed.
    expectConfig(command, file);
    if (!isModule(file)) throw error;
    throw new NotRunning(`${error.message}: if the module sets a control socket, name it with --control`);
  }
}
