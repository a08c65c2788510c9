/** Shares the connection of a master: its forwardings, and its channels in proxy mode. @module */
import { lstatSync, unlinkSync } from "node:fs";
import { socketPipe } from "@postern/node";
import { plainConnection, type SshConnection } from "@postern/ssh";
import { SshError } from "@postern/wire";
import { type MuxOutput, openForwards } from "./client.ts";
import { MuxDialog } from "./dialog.ts";
import type { MuxForward } from "./forward.ts";

/** Options of {@link connectToMaster}. */
export interface ShareOptions {
  /** ControlPath */
  readonly path: string;
  readonly controlMaster: "yes" | "no" | "ask" | "auto" | "autoask";
  /** opened before the connection is shared, in the order of ssh: local and dynamic ones, then remote ones */
  readonly forwards: readonly MuxForward[];
  /** `-O proxy`: shares the connection of a master of OpenSSH, too; default `false` */
  readonly proxy?: boolean | undefined;
  /** ConnectTimeout, in milliseconds; default: no limit */
  readonly timeoutMs?: number | undefined;
  readonly output: MuxOutput;
}

/**
 * Returns a connection over that of a master, which runs sessions and opens channels to addresses. It belongs to the
 * caller, who closes it. `undefined` if there is no master, or if it refuses: connect to the server then, as ssh does.
 *
 * A master of OpenSSH shares its connection by file descriptors, which Node.js cannot send. Its proxy mode is used only
 * with `proxy`, because a channel that the server refuses would end it, with all sessions of its other clients.
 */
export async function connectToMaster(options: ShareOptions): Promise<SshConnection | undefined> {
  const { path, controlMaster, forwards, proxy = false, timeoutMs, output } = options;
  if (!proxy && (controlMaster === "yes" || controlMaster === "ask")) return undefined;
  if (controlMaster !== "no") output.log("debug", "auto-mux: Trying existing master");
  let dialog: MuxDialog;
  try {
    dialog = await MuxDialog.connect(path, timeoutMs);
  } catch (error) {
    unreachable(error, options);
    return undefined;
  }
  if (!proxy && !dialog.hasRobustProxy) {
    output.log("debug", "the master is not Postern's: connecting to the server instead");
    dialog.close();
    return undefined;
  }
  try {
    if (!(await openForwards(dialog, forwards, output, false))) {
      output.log("error", "muxclient: master forward request failed");
      dialog.close();
      return undefined;
    }
    return plainConnection(socketPipe(await dialog.proxy()));
  } catch (error) {
    dialog.close();
    if (!(error instanceof SshError)) throw error;
    output.log("error", `mux: ${error.message}`);
    return undefined;
  }
}

/** As ssh: without a master, only commands of `-O` fail, and ControlMaster auto removes the socket of a dead one. */
function unreachable(error: unknown, { path, controlMaster, proxy = false, output }: ShareOptions): void {
  if (!(error instanceof SshError)) throw error;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  const cause = error.code === "connect" && !proxy ? code : undefined;
  if (cause === "ENOENT") return output.log("debug", `Control socket "${path.slice(0, 100)}" does not exist`);
  if (cause !== "ECONNREFUSED" || controlMaster === "no" || !isSocket(path)) return output.log("error", error.message);
  output.log("debug", `Stale control socket ${path.slice(0, 100)}, unlinking`);
  unlinkSync(path);
}

/** Connecting to a file that is no socket is refused, too. */
function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}
