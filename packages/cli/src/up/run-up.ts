/** Runs `postern up`. @module */
import { closeSync, openSync } from "node:fs";
import { parseOptions } from "../help/parse-options.ts";
import { UsageError } from "../help/usage-error.ts";
import { createLogSink } from "../system/log.ts";
import { createNotifier } from "../system/notify.ts";
import { runAgain } from "../system/run-again.ts";
import { readConfig } from "./config/read-config.ts";
import { expectConfig, findConfig } from "./find-config.ts";
import { upHelp } from "./help.ts";
import { startUp } from "./up.ts";

/** Opens the tunnels of a file until a signal or `postern down`. Resolves with the exit status. */
export async function runUp(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(upHelp, args);
  const { config: given, log: format = "text", "log-file": logFile } = values as Readonly<Record<string, string>>;
  if (format !== "text" && format !== "json") throw new UsageError("up", "expected --log text or --log json");
  const file = findConfig("up", given);
  expectConfig("up", file);
  const config = await readConfig(file);
  if (values.check === true) return 0;
  const sink = createLogSink({ format, file: logFile, level: config.log?.level });
  const notifier = createNotifier({
    onError: ({ message }) => sink.log({ level: "warn", event: "notify", message }),
  });
  const up = await startUp({ file, config, env: process.env, sink, notifier });
  const stop = (): void => up.stop();
  const hadTerminal = process.stdin.isTTY || process.stderr.isTTY;
  const reload = runAgain(() => up.reload({ restart: true }));
  const hangUp = (): void => {
    // The same signal announces that the terminal was closed.
    if (hadTerminal && !hasTerminal()) return stop();
    sink.reopen();
    reload();
  };
  process.on("SIGHUP", hangUp);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
  try {
    return await up.ended;
  } finally {
    process.off("SIGHUP", hangUp);
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, stop);
    await notifier.close();
    sink.close();
  }
}

/** Whether the process still has a controlling terminal: a hang-up takes it away (tty(4)). */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
