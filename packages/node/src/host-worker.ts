/** The program of a worker process of a TunnelHost. @module */
import type { Socket } from "node:net";
import { WorkerHost, type WorkerPlatform } from "@postern/host";
import { SshError } from "@postern/wire";
import { hostPlatform, knownAlgorithms } from "./host-platform.ts";
import { listenOnSocket } from "./host-sockets.ts";
import { socketPipe } from "./socket.ts";

/** How long the connections of slow visitors may outlive the host. */
const lingerMs = 60_000;
/** The process that started this one decides when it ends, also if a terminal signals both. */
const ignored = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Makes this process a worker of a TunnelHost, which serves the clients that the host passes to it and ends with it.
 * Only a program that `workers.command` names calls this function.
 *
 * @throws SshError `misuse` if a TunnelHost has not started this process
 */
export function runHostWorker(): void {
  if (process.send === undefined) throw new SshError("misuse", "expected a process that a TunnelHost has started");
  const ignore = (): void => {};
  for (const signal of ignored) process.on(signal, ignore);
  // Without its host, a worker has no clients.
  const exit = (): void => process.exit(0);
  process.on("disconnect", exit);
  const platform: WorkerPlatform = {
    ...hostPlatform,
    ...(hostPlatform.listenPath !== undefined && {
      listenPath: (path, options, onVisitor) => listenOnSocket(path, options, onVisitor, paths),
    }),
    allAlgorithms: knownAlgorithms,
    openHandle: (handle) => (handle === undefined ? undefined : socketPipe(handle as Socket)),
  };
  const worker = new WorkerHost(platform, (message) => {
    if (process.connected) process.send?.(message, undefined, {}, ignore);
  });
  const paths = { reserve: worker.reservePath, release: worker.releasePath };
  process.on("message", (message: { readonly type: string }, handle: unknown) => {
    if (message.type !== "end") {
      worker.receive(message, handle);
      return;
    }
    process.off("disconnect", exit);
    for (const signal of ignored) process.off(signal, ignore);
    setTimeout(exit, lingerMs).unref();
    if (process.connected) process.disconnect();
  });
}
