/** A program over the connection of a master (ControlPath). @module */
import type { ResolvedSshConfig } from "@postern/node";
import type { SshConnection } from "@postern/ssh";
import type { SshCommandLine } from "./command-line.ts";
import type { SshLog } from "./log.ts";
import { describeFailure } from "./messages.ts";
import { startProgram, wantsPty } from "./program.ts";
import { type ClientSettings, sessionEnvironment } from "./settings.ts";
import { flush } from "./stdio.ts";

/** Runs the program of a command line (takes the connection). Resolves with its exit status. */
export async function runShared(
  connection: SshConnection,
  line: SshCommandLine,
  settings: ClientSettings,
  config: ResolvedSshConfig,
  log: SshLog,
): Promise<number> {
  const environment = sessionEnvironment(config);
  const { hostName: host, user } = config;
  try {
    if (settings.session === "none" && line.stdioForward === undefined) {
      // Forwardings live in the master.
      return 0;
    }
    const pty = wantsPty(settings, log);
    let disconnect: (status: number) => void = () => {};
    const disconnected = new Promise<number>((resolve) => {
      disconnect = resolve;
    });
    const { stdioForward } = line;
    const context = {
      settings,
      stdioForward,
      log,
      environment,
      onStarted: () => {},
      onDisconnect: () => disconnect(255),
    };
    const program = await startProgram(connection, context, pty);
    const status = await Promise.race([program.exit, disconnected]);
    program.release();
    if (program.hasPty) log.write("info", `Shared connection to ${host} closed.`);
    return status;
  } catch (error) {
    const context = { host, user, address: { host, port: config.port }, wasOpen: true };
    for (const text of describeFailure(error, context)) log.write("fatal", text);
    return 255;
  } finally {
    await connection.close().catch(() => {});
    process.stdin.destroy();
    await flush(process.stderr);
  }
}
