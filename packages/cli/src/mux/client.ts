/**
 * The client of a master: `-O check`, `forward`, `cancel`, `stop`, `exit`, `conninfo` and `channels`, with the words of
 * ssh.
 * @module
 */
import { SshError } from "@postern/wire";
import { MuxDialog } from "./dialog.ts";
import type { MuxForward } from "./forward.ts";

/** The argument of `-O`, apart from `proxy`. */
export type MuxCommand = "check" | "forward" | "cancel" | "stop" | "exit" | "conninfo" | "channels";

/** Options of {@link runMuxCommand}. */
export interface MuxCommandOptions {
  /** ControlPath */
  readonly path: string;
  readonly command: MuxCommand;
  /** in the order of ssh: local and dynamic ones, then remote ones */
  readonly forwards: readonly MuxForward[];
  /** `-q` */
  readonly quiet?: boolean | undefined;
  /** ConnectTimeout, in milliseconds; default: no limit */
  readonly timeoutMs?: number | undefined;
  readonly output: MuxOutput;
}

/** Where a client writes to. */
export interface MuxOutput {
  /** the ports that servers chose, and information */
  stdout(text: string): void;
  /** the answer to the user */
  stderr(text: string): void;
  /** lines for the log, as ssh prints them with `-v` (`info`), `-vv` (`debug`) or always (`error`) */
  log(level: "error" | "info" | "debug", line: string): void;
}

/** Sends a command to a master. Resolves with the exit status of ssh: 0, or 255 after a line in the log. */
export async function runMuxCommand(options: MuxCommandOptions): Promise<number> {
  const { path, timeoutMs, output } = options;
  let dialog: MuxDialog | undefined;
  try {
    dialog = await MuxDialog.connect(path, timeoutMs);
    return await run(dialog, options);
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    output.log("error", error.message);
    return 255;
  } finally {
    dialog?.close();
  }
}

async function run(
  dialog: MuxDialog,
  { command, forwards, quiet = false, output }: MuxCommandOptions,
): Promise<number> {
  switch (command) {
    case "check":
      output.stderr(`Master running (pid=${await dialog.check()})\r\n`);
      return 0;
    case "conninfo":
      output.stdout(await dialog.describe("connection"));
      return 0;
    case "channels":
      output.stdout(await dialog.describe("channels"));
      return 0;
    case "exit":
      await dialog.terminate();
      if (!quiet) output.stderr("Exit request sent.\r\n");
      return 0;
    case "stop":
      await dialog.stopListening();
      if (!quiet) output.stderr("Stop listening request sent.\r\n");
      return 0;
    case "forward":
      if (await openForwards(dialog, forwards, output)) return 0;
      output.log("error", "muxclient: master forward request failed");
      return 255;
    case "cancel":
      // ssh exits with 0 here.
      if (!(await cancelForwards(dialog, forwards, output)))
        output.log("error", "muxclient: master cancel forward request failed");
      return 0;
    default:
      return command satisfies never;
  }
}

/**
 * Requests all forwardings, also after one has failed, and prints the ports that the server chose unless `prints` is
 * `false`. Returns whether all are open.
 */
export async function openForwards(
  dialog: MuxDialog,
  forwards: readonly MuxForward[],
  output: MuxOutput,
  prints = true,
): Promise<boolean> {
  let good = true;
  for (const forward of forwards) {
    try {
      const port = await dialog.openForward(forward);
      if (port === undefined) continue;
      const { connect } = forward;
      const target = connect === undefined || "path" in connect ? "" : `${connect.host ?? ""}:${connect.port}`;
      output.log("info", `Allocated port ${port} for remote forward to ${target}`);
      if (prints) output.stdout(`${port}\n`);
    } catch (error) {
      good = refused(error, output);
    }
  }
  return good;
}

async function cancelForwards(dialog: MuxDialog, forwards: readonly MuxForward[], output: MuxOutput): Promise<boolean> {
  let good = true;
  for (const forward of forwards) {
    try {
      await dialog.closeForward(forward);
    } catch (error) {
      good = refused(error, output);
    }
  }
  return good;
}

/** The master refused one forwarding. Other errors end the dialog. */
function refused(error: unknown, output: MuxOutput): false {
  if (!(error instanceof SshError) || (error.code !== "refused" && error.code !== "denied")) throw error;
  output.log("error", error.message);
  return false;
}
