/** The stage of the host side: the load of the clients' stage, and processes that hold many clients. @module */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { cipherFor, stop } from "../clients.ts";
import type { Put } from "../metric.ts";
import type { MetricOf, TimedCase } from "../rounds.ts";
import { type Helper, startHelper } from "../rpc.ts";
import type { Stage } from "../stage.ts";
import type { Driver, Login } from "./driver.ts";
import type { Host, RunningHost } from "./hosts.ts";

/** A case of a host. */
export interface HostCase extends TimedCase {
  /** A host without it uses its own one, see `cipherFor`. */
  readonly cipher: string;
  /** Default: all, except the one with workers, which only matter to several clients. */
  readonly hosts?: (host: Host) => boolean;
  run(stage: HostStage, host: Host, cipher: string, put: Put): Promise<void>;
}

export type HostMetric = MetricOf<HostCase>;

export interface HostStage {
  readonly stage: Stage;
  readonly running: Set<RunningHost>;
  /** Returns two processes that hold many clients. */
  readonly drivers: () => readonly Helper<Driver>[];
  /** Ends whatever a failed case has left: hosts, clients and drivers. */
  clear(): Promise<void>;
  stop(): void;
}

/** Creates the stage. `programs` is the folder of the bundled helpers. */
export function createHostStage(stage: Stage, programs: string): HostStage {
  const drivers: Helper<Driver>[] = [];
  const running = new Set<RunningHost>();
  const stopDrivers = (): void => {
    for (const one of drivers.splice(0)) one.stop();
  };
  return {
    stage,
    running,
    drivers() {
      while (drivers.length < 2) drivers.push(startHelper<Driver>(join(programs, "host", "driver.mjs")));
      return drivers;
    },
    async clear() {
      stopDrivers();
      for (const one of running) await one.stop();
      running.clear();
      for (const process of stage.running) await stop(stage, process);
      await stage.reset();
    },
    stop: stopDrivers,
  };
}

/** Returns whether the host takes part in the case. */
export function hostTakesPart({ hosts, cipher }: HostCase, host: Host): boolean {
  const isMeant = hosts === undefined ? host.name !== "tunnelhost-workers" : hosts(host);
  return isMeant && cipherFor(host, cipher) !== undefined;
}

/** A started host, as the cases see it. */
export interface Seen {
  /** Its clients connect to the host. */
  readonly stage: Stage;
  readonly host: RunningHost;
  readonly drivers: readonly Helper<Driver>[];
  readonly login: Login;
}

/** All hosts and clients have it. */
const commonKex = "curve25519-sha256";

/** Starts the host, calls `use`, and stops all. */
export async function withHost<T>(
  { stage, drivers, running }: HostStage,
  host: Host,
  options: {
    readonly cipher: string;
    /** The key exchange of the drivers' clients; undefined for the one that client and host prefer. */
    readonly kex?: string | undefined;
    readonly otherKeys?: readonly string[];
  },
  use: (seen: Seen) => Promise<T>,
): Promise<T> {
  stage.signal.throwIfAborted();
  const { ed25519 } = stage.keys;
  const started = await host.start({
    authorizedKeys: [...(options.otherKeys ?? []), ed25519.publicLine],
    profiles: host.name.startsWith("tunnelhost") ? stage.profiles : undefined,
  });
  running.add(started);
  try {
    const { port, user } = started;
    const hostKey = started.fingerprint("ed25519");
    return await use({
      stage: { ...stage, sshd: started, sshdPids: () => started.pids() },
      host: started,
      drivers: drivers(),
      login: {
        ...{ port, user, hostKey, keyFile: ed25519.file, cipher: options.cipher },
        kex: "kex" in options ? options.kex : commonKex,
      },
    });
  } finally {
    // Clients whose host has ended need no answer to their close.
    await started.stop();
    running.delete(started);
    await Promise.all(drivers().map(({ call }) => call.close()));
    await stage.reset();
  }
}

/** Restricts processes, with all their threads and future children, to some cores. */
export function pin(pids: readonly number[], cores: string): void {
  for (const pid of pids) spawnSync("taskset", ["--all-tasks", "--cpu-list", "--pid", cores, String(pid)]);
}

/** The first core for the host and the others for the clients; undefined on a machine with one core. */
export function cores(): { readonly host: string; readonly clients: string; readonly all: string } | undefined {
  const count = cpus().length;
  return count < 2 ? undefined : { host: "0", clients: `1-${count - 1}`, all: `0-${count - 1}` };
}
