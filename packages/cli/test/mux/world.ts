/** A master that forwards over a tunnel, and the programs that a command line would set up. @module */
import type { ReverseTunnel } from "@postern/node";
import {
  launch,
  openTunnel,
  type Running,
  runSsh,
  type SshServer,
  tempDir,
  userKey,
} from "../../../../integration/harness/index.ts";
import type { Master, MasterContext } from "../../src/mux/context.ts";
import type { MuxEnd, MuxForward, OpenedForward } from "../../src/mux/forward.ts";
import { ForwardTable } from "../../src/mux/forward-table.ts";
import { startMaster } from "../../src/mux/master.ts";

export interface MasterWorld {
  readonly master: Master;
  readonly tunnel: ReverseTunnel;
  readonly path: string;
  readonly log: readonly string[];
  /** the calls of `stopped` and `exit` */
  readonly calls: readonly string[];
  close(): Promise<void>;
}

/** Starts a master as `postern -M -S path host` does. */
export async function startWorld(server: SshServer, more: Partial<MasterContext> = {}): Promise<MasterWorld> {
  const tunnel = await openTunnel(server);
  const dir = tempDir("postern-mux");
  const path = dir.file("control");
  const log: string[] = [];
  const calls: string[] = [];
  const context: MasterContext = {
    pid: process.pid,
    host: "somehost",
    forwards: new ForwardTable((forward) => openForward(tunnel, forward)),
    connection: () => tunnel.connection,
    stopped: () => void calls.push("stopped"),
    exit: () => void calls.push("exit"),
    log: (level, line) => void log.push(`${level} ${line}`),
    ...more,
  };
  const master = await startMaster({ path, context });
  if (master === undefined) throw new Error(`expected a master, got ${log.join()}`);
  return {
    master,
    tunnel,
    path,
    log,
    calls,
    async close() {
      await master.close();
      await tunnel.close();
      dir.remove();
    },
  };
}

async function openForward(tunnel: ReverseTunnel, { type, listen, connect }: MuxForward): Promise<OpenedForward> {
  const at = "path" in listen ? listen : { address: listen.host ?? "localhost", port: listen.port };
  if (type === "remote") {
    const opened = await (connect === undefined
      ? tunnel.forward({ ...at, target: "socks", allow: () => true })
      : tunnel.forward({ ...at, target: targetOf(connect) }));
    return { allocatedPort: opened.port, close: () => opened.close() };
  }
  const opened = await (connect === undefined
    ? tunnel.socks(at)
    : tunnel.forwardLocal({ ...at, target: targetOf(connect) }));
  return { close: () => opened.close() };
}

const targetOf = (end: MuxEnd) => ("path" in end ? end : { host: end.host ?? "localhost", port: end.port });

/** Runs the real `ssh -S path ARGS somehost` to its end. It never connects to a server. */
export async function control(path: string, ...args: readonly string[]): Promise<Ran> {
  return await finish(await launch("ssh", ["-F", "none", "-S", path, ...args, "somehost"]));
}

/** Runs `ssh -S path ARGS user@server COMMAND` to its end. */
export async function ssh(
  server: SshServer,
  path: string,
  args: readonly string[],
  command: readonly string[],
): Promise<Ran> {
  return await finish(await runSsh(["-S", path, ...args], { server, identity: await userKey(), command }));
}

/** The outcome of a program. */
export interface Ran {
  readonly status: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

async function finish(running: Running): Promise<Ran> {
  const status = await running.exited;
  await running.stop();
  return { status, stdout: running.stdout.text(), stderr: running.stderr.text() };
}
