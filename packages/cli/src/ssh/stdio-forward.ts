/** `-W`: standard input and output over a channel to a host and port, or to a UNIX socket. @module */
import type { SshConnection } from "@postern/ssh";
import { describeOpenFailure } from "./messages.ts";
import { joinStdio, type Stdio } from "./stdio.ts";

/** The address of `-W`. */
export type StdioTarget = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * Joins standard input and output with a channel. Resolves with 0 when it is closed.
 *
 * @throws Error in the words of ssh if the server refuses the channel
 */
export async function forwardStdio(connection: SshConnection, target: StdioTarget, stdio: Stdio): Promise<number> {
  const open = "path" in target ? connection.openUnix(target.path) : connection.openTcp(target);
  const channel = await open.catch((cause: unknown) => {
    throw describeOpenFailure(0, cause, "stdio forwarding failed");
  });
  await joinStdio(channel, stdio).closed;
  return 0;
}
