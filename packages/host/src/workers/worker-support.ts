/** The part of a TunnelHost that platforms with workers use, and programs do not. @module */
import type { Algorithms } from "@postern/crypto";
import { SshError } from "@postern/wire";
import type { HostWorker, HostWorkers, PathReservations } from "./host-worker.ts";
import type { PassedSocket } from "./passing-sockets.ts";

/** The option `origin` of `serve`. */
export interface OriginOption {
  readonly origin?: { readonly host: string | undefined; readonly port: number | undefined } | undefined;
}

/** The part of a host that only a platform with workers uses. */
export interface WorkerSupport {
  /**
   * Prepares a host for workers.
   *
   * @param paths reserves their paths of UNIX sockets
   * @param known the algorithms that they know
   * @throws SshError `misuse` for options that workers cannot have
   */
  createWorkers(paths: PathReservations, known: Algorithms): HostWorkers;
  /** Serves the client of a socket in a worker; refuses it if there is none. Throws and resolves as `serve` does. */
  serveIn(worker: HostWorker | undefined, socket: PassedSocket, options: OriginOption): Promise<void>;
}

/** The support of each host. */
export const workerSupports: WeakMap<object, WorkerSupport> = /* @__PURE__ */ new WeakMap();

/** Returns the support of a host for workers. */
export function workerSupport(host: object): WorkerSupport {
  const support = workerSupports.get(host);
  if (support === undefined) throw new SshError("misuse", "expected a TunnelHost");
  return support;
}
