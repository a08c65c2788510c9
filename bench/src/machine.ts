/** The machine of a run, in one line. @module */
import { cpus, loadavg, release } from "node:os";
import { run } from "../../integration/harness/process.ts";

/** Returns date, processor, system, sshd and load. */
export async function describeMachine(): Promise<string> {
  const printed = await run("sh", ["-c", "$(command -v sshd || echo /usr/sbin/sshd) -V 2>&1 || true"]);
  return [
    new Date().toISOString().slice(0, 10),
    cpus()[0]?.model ?? "?",
    `${cpus().length} cores`,
    `Linux ${release()}`,
    `sshd ${/OpenSSH_[^\s,]+/.exec(printed)?.[0] ?? "?"}`,
    `load average before it ${(loadavg()[0] ?? 0).toFixed(1)}`,
  ].join(", ");
}
