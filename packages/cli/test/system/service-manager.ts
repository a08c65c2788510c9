/** A service manager that prints the messages of its services: sd_notify(3). @module */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const programs = ["perl", "systemd-notify"];

/** Whether the programs for {@link startManager} are missing. Prints the reason. */
export function lacksManager(): boolean {
  const missing = programs.filter((program) => spawnSync(program, ["--version"]).error !== undefined);
  if (missing.length === 0) return false;
  process.stderr.write(`skipped: expected ${missing.join(" and ")} for messages to a service manager\n`);
  return true;
}

/** A UNIX datagram socket in the place of systemd's. */
export async function startManager(atEnd: (cleanup: () => void) => void) {
  const folder = mkdtempSync(join(tmpdir(), "postern-notify-"));
  const socket = join(folder, "notify");
  const child = spawn("perl", [join(import.meta.dirname, "datagram-receiver.pl"), socket]);
  atEnd(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  let text = "";
  const checks = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    for (const check of checks) check();
  });
  const lines = (): string[] => text.split("\n").slice(1, -1);
  const until = (isEnough: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!isEnough()) return;
        checks.delete(check);
        resolve();
      };
      checks.add(check);
      check();
    });
  await until(() => text.includes("listening\n"));
  return { socket, lines, until };
}
