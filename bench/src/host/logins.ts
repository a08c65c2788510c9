/** Metrics of logins: per second and CPU, time until the port is open, long lists of keys and forwardings. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { aes128, type Client } from "../clients.ts";
import { withClient } from "../metric.ts";
import { cpuNs, familyCpuNs } from "../proc.ts";
import { cores, type HostCase, type HostMetric, pin, type Seen, withHost } from "./host-stage.ts";
import { randomPublicKeys } from "./lists.ts";

interface LoginRate {
  readonly perSecond: number;
  readonly cpuMs: number;
  /** The share of a core that the host used. */
  readonly busy: number;
}

/** Logs in and out, four at a time, after a warm-up. */
async function measureLogins({ drivers, login, host }: Seen, warmMs: number, ms: number): Promise<LoginRate> {
  const all = (time: number) => Promise.all(drivers.map(({ call }) => call.logins(login, 2, time)));
  await all(warmMs);
  await sleep(150);
  const pids = host.pids();
  const before = familyCpuNs(pids);
  const results = await all(ms);
  // The CPU of a session's processes is known once they have ended.
  await sleep(150);
  const cpuMs = (familyCpuNs(host.pids()) - before) / 1e6;
  const count = results.reduce((sum, one) => sum + one.count, 0);
  const failed = results.reduce((sum, one) => sum + one.failed, 0);
  const took = Math.max(...results.map((one) => one.ms));
  if (count === 0 || failed > count / 100) throw new Error(`${failed} of ${failed + count} logins failed`);
  return { perSecond: (count / took) * 1_000, cpuMs: cpuMs / count, busy: (100 * cpuMs) / took };
}

export const hostLogins: HostMetric = {
  name: "host-logins",
  title: "Host: logins, with key exchange and public key, on one core; the clients on the others",
  rounds: { quick: 1, most: 3 },
  cases: ({ quick }) => [
    loginCase("curve25519-sha256", quick),
    // Hosts that have a post-quantum key exchange use it with Postern, without this setting.
    ...(quick ? [] : [{ ...loginCase(undefined, quick), most: 1 }]),
  ],
};

function loginCase(kex: string | undefined, quick: boolean): HostCase {
  return {
    title: `four at a time, ${kex ?? "the key exchange that client and host prefer"}`,
    cipher: aes128,
    run: (given, host, cipher, put) =>
      withHost(given, host, { cipher, kex }, async (seen) => {
        const split = cores();
        const clients = seen.drivers.map(({ pid }) => pid);
        try {
          if (split !== undefined) {
            pin(seen.host.pids(), split.host);
            pin(clients, split.clients);
          }
          const { perSecond, cpuMs, busy } = await measureLogins(seen, quick ? 400 : 800, quick ? 700 : 1_500);
          put("logins per s", perSecond);
          put("host CPU ms each", cpuMs, 2);
          put("per s of host CPU", 1_000 / cpuMs);
          put("host busy %", busy);
        } finally {
          if (split !== undefined) pin(clients, split.all);
        }
      }),
  };
}

/** The time from a client's TCP connection to the open port. */
export function hostOpen(clients: readonly Client[]): HostMetric {
  return {
    name: "host-open",
    title: "Host: from TCP connect to port open, ms",
    rounds: { quick: 1, most: 2 },
    cases: ({ quick }) => [
      {
        title: "loopback",
        cipher: aes128,
        run: (given, host, cipher, put) =>
          withHost(given, host, { cipher }, async ({ stage, host: { port } }) => {
            const linkPort = await stage.link.start(port);
            // The first login of a host also compiles its code.
            await withClient(stage, clients[0] as Client, { cipher, port: linkPort }, async () => undefined);
            for (const client of clients) {
              for (let i = 0; i < (quick ? 1 : 3); i++) {
                await withClient(stage, client, { cipher, port: linkPort }, async ({ openAt }) => {
                  put(client.title, openAt - (await stage.link.accepted()));
                });
              }
            }
          }),
      },
    ],
  };
}

export const hostLists: HostMetric = {
  name: "host-lists",
  title: "Host: logins with many authorized keys, and many forwardings of one client",
  rounds: { quick: 1, most: 1 },
  cases: ({ quick }) => [
    {
      title: "lines in the user's authorized_keys, the right one last; TunnelHost reads them once, at its start",
      cipher: aes128,
      timeoutMs: 60_000,
      hosts: ({ name }) => name !== "sshd-newer",
      async run(given, host, cipher, put) {
        for (const lines of quick ? [10, 10_000] : [10, 1_000, 10_000]) {
          await withHost(given, host, { cipher, otherKeys: randomPublicKeys(lines - 1) }, async (seen) => {
            put(`${lines} lines, CPU of the start ms`, familyCpuNs(seen.host.pids()) / 1e6);
            const { cpuMs } = await measureLogins(seen, 200, quick ? 300 : 500);
            put(`${lines} lines, CPU ms per login`, cpuMs, 2);
          });
        }
      },
    },
    {
      title: "forwardings of one client, Postern; CPU of login and forwardings",
      cipher: aes128,
      timeoutMs: 60_000,
      hosts: ({ name }) => name !== "sshd-newer",
      async run(given, host, cipher, put) {
        for (const count of [1, 100, 1_000].filter((one) => one <= host.maxForwardings)) {
          await withHost(given, host, { cipher }, async ({ stage, drivers: [driver], login, host: { pids } }) => {
            if (driver === undefined) return;
            await driver.call.forwardings(login, 1, stage.targetPort);
            const before = { host: familyCpuNs(pids()), client: cpuNs([driver.pid]) };
            await driver.call.forwardings(login, count, stage.targetPort);
            put(`${count}, host CPU ms`, (familyCpuNs(pids()) - before.host) / 1e6, 1);
            put(`${count}, client CPU ms`, (cpuNs([driver.pid]) - before.client) / 1e6, 1);
          });
        }
      },
    },
  ],
};
