/** Metric: the CPU of a login with a long known_hosts file, and with many forwardings. @module */
import { writeFileSync } from "node:fs";
import { freePort } from "../../integration/harness/ports.ts";
import { aes128, type Client, type ClientName, type Started, start, stop } from "./clients.ts";
import { knownHostsLines } from "./host/lists.ts";
import type { Case, Metric, Settings } from "./metric.ts";
import { cpuNs } from "./proc.ts";
import type { Stage } from "./stage.ts";

const clients: readonly ClientName[] = ["ssh", "postern"];

export const logins: Metric = {
  name: "logins",
  title: "Client: CPU ms from the start of the process to the open port, with long lists",
  rounds: { quick: 1, most: 3 },
  cases: (settings) => [hosts(settings, false), hosts(settings, true), forwardings(settings)],
};

/** The server's line is the last one. */
const hosts = ({ quick }: Settings, isHashed: boolean): Case => ({
  title: `lines in known_hosts${isHashed ? ", hashed" : ""}`,
  cipher: aes128,
  clients,
  async run(stage, client, cipher, put) {
    const name = `[127.0.0.1]:${stage.sshd.port}`;
    for (const count of quick ? [10, 10_000] : [10, 1_000, 10_000]) {
      const knownHosts = stage.dir.file(`known_hosts_long_${count}`);
      writeFileSync(knownHosts, knownHostsLines(count, isHashed, name, stage.sshd.hostKeys.ed25519?.publicLine ?? ""));
      for (let i = 0; i < (quick ? 1 : 2); i++) {
        put(`${count} lines`, await cpuMs(stage, client, cipher, { knownHosts }), 1);
      }
    }
  },
});

/** `freePort` returns none twice, and has 12,768. */
const ports: number[] = [];

const forwardings = ({ quick }: Settings): Case => ({
  title: "forwardings",
  cipher: aes128,
  clients,
  async run(stage, client, cipher, put) {
    for (const count of quick ? [1, 1_000] : [1, 100, 1_000]) {
      while (ports.length < count - 1) ports.push(await freePort());
      put(`${count} forwardings`, await cpuMs(stage, client, cipher, { otherPorts: ports.slice(0, count - 1) }), 1);
    }
  },
});

/** Starts the client and returns its CPU time until the last port is open. */
async function cpuMs(stage: Stage, client: Client, cipher: string, more: Parameters<typeof start>[4]): Promise<number> {
  let started: Started | undefined;
  try {
    started = await start(stage, client, cipher, stage.sshd.port, more);
    return cpuNs([started.pid]) / 1e6;
  } finally {
    if (started !== undefined) await stop(stage, started.process);
    await stage.reset();
  }
}
