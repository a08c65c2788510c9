/** The parts that all clients share: sshd, keys, both ends of the load, and the network. @module */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type KeyPair, makeKey } from "../../integration/harness/keys.ts";
import type { Running } from "../../integration/harness/process.ts";
import { type Sshd, startSshd } from "../../integration/harness/sshd.ts";
import { type TempDir, tempDir } from "../../integration/harness/temp-dir.ts";
import type { Link } from "./link.ts";
import { familyOf } from "./proc.ts";
import { type Remote, startHelper } from "./rpc.ts";
import type { Targets } from "./targets.ts";
import type { Visitors } from "./visitors.ts";

export interface Stage {
  /** The folder of this package. */
  readonly folder: string;
  readonly sshd: Pick<Sshd, "port" | "user" | "hostKeys" | "fingerprint">;
  readonly dir: TempDir;
  readonly keys: { readonly ed25519: KeyPair; readonly ecdsa256: KeyPair };
  readonly targetPort: number;
  /** The port of the link in front of sshd. */
  readonly linkPort: number;
  readonly targets: Remote<Targets>;
  readonly visitors: Remote<Visitors>;
  readonly link: Remote<Link>;
  /** Aborted when the current case is stopped. */
  readonly signal: AbortSignal;
  /** The running clients. */
  readonly running: Set<Running>;
  /** The folder for the profiles of Postern's clients; undefined for no profiles. */
  readonly profiles: string | undefined;
  /** Returns the running processes of sshd. */
  sshdPids(): readonly number[];
  /** Closes every connection of the load, and kills the sshd processes of former clients. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts all parts. `programs` is the folder of the bundled helpers. */
export async function startStage(folder: string, programs: string, profiles: string | undefined): Promise<Stage> {
  const dir = tempDir("postern-bench");
  const helpers: { stop(): void }[] = [];
  const helper = <H extends { stop(): void }>(one: H): H => {
    helpers.push(one);
    return one;
  };
  try {
    const keys = {
      ed25519: await makeKey("ed25519", dir.file("ed25519")),
      ecdsa256: await makeKey("ecdsa256", dir.file("ecdsa256"), { format: "PKCS8" }),
    };
    const sshd = await startSshd({
      authorizedKeys: [keys.ed25519.publicLine, keys.ecdsa256.publicLine],
      hostKeyTypes: ["ed25519", "ecdsa256"],
      // Logging is not part of the comparison.
      config: { LogLevel: "INFO" },
    });
    const listening = new Set(familyOf(sshd.dir));
    const targets = helper(startHelper<Targets>(join(programs, "targets.mjs")));
    const visitors = helper(startHelper<Visitors>(join(programs, "visitors.mjs")));
    const link = helper(startHelper<Link>(join(programs, "link.mjs")));
    return {
      folder,
      sshd,
      dir,
      keys,
      targetPort: await targets.call.listen(),
      linkPort: await link.call.start(sshd.port),
      targets: targets.call,
      visitors: visitors.call,
      link: link.call,
      signal: new AbortController().signal,
      running: new Set(),
      profiles,
      sshdPids: () => familyOf(sshd.dir),
      async reset() {
        await Promise.all([visitors.call.reset(), targets.call.reset(), link.call.heal(), link.call.roundTrip(0)]);
        await endSessions(() => familyOf(sshd.dir).filter((pid) => !listening.has(pid)));
      },
      async stop() {
        for (const one of helpers) one.stop();
        await sshd.stop();
        dir.remove();
      },
    };
  } catch (error) {
    for (const one of helpers) one.stop();
    dir.remove();
    throw error;
  }
}

/** With thousands of connections sshd works on for minutes, and would slow the next client. */
async function endSessions(sessions: () => readonly number[]): Promise<void> {
  for (let waited = 0; waited < 2_000 && sessions().length > 0; waited += 50) {
    if (waited >= 1_000) for (const pid of sessions()) tryKill(pid);
    await sleep(50);
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended.
  }
}
