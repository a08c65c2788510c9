/** Helper process: many clients of one host, by Postern. @module */
import { readFileSync } from "node:fs";
import { fingerprint, modernAlgorithms, privateKey, ReverseTunnel } from "@postern/node";
import { clockMs } from "../orders.ts";
import { answer } from "../rpc.ts";

export type Driver = typeof procedures;

/** Where and as whom the clients log in. */
export interface Login {
  readonly port: number;
  readonly user: string;
  readonly keyFile: string;
  readonly hostKey: string;
  readonly cipher: string;
  /** Undefined for all of Postern's. */
  readonly kex: string | undefined;
}

export interface Logins {
  readonly count: number;
  readonly failed: number;
  readonly ms: number;
}

const tunnels = new Set<ReverseTunnel>();

const procedures = {
  /** Opens tunnels with one forwarding each. Stops early at the time limit. Returns their ports. */
  async open(
    login: Login,
    options: {
      readonly count: number;
      readonly parallel: number;
      readonly targetPort: number;
      readonly limitMs: number;
    },
  ): Promise<number[]> {
    const ports: number[] = [];
    const limit = clockMs() + options.limitMs;
    let started = 0;
    const openAll = async (): Promise<void> => {
      while (started++ < options.count && clockMs() < limit) {
        const tunnel = await connected(login);
        tunnels.add(tunnel);
        ports.push(await forward(tunnel, options.targetPort));
      }
    };
    await Promise.all(Array.from({ length: options.parallel }, openAll));
    return ports;
  },

  /** Logs in and out, repeatedly. */
  async logins(login: Login, parallel: number, ms: number): Promise<Logins> {
    const began = clockMs();
    let count = 0;
    let failed = 0;
    const loginAll = async (): Promise<void> => {
      while (clockMs() - began < ms) {
        try {
          const tunnel = await connected(login);
          count++;
          await tunnel.close();
        } catch {
          failed++;
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, loginAll));
    return { count, failed, ms: clockMs() - began };
  },

  /** Opens one tunnel with many forwardings, without waiting for one before the next. */
  async forwardings(login: Login, count: number, targetPort: number): Promise<void> {
    const tunnel = await connected(login);
    tunnels.add(tunnel);
    await Promise.all(Array.from({ length: count }, () => forward(tunnel, targetPort)));
  },

  /** Closes all tunnels. */
  async close(): Promise<void> {
    const all = [...tunnels];
    tunnels.clear();
    await Promise.all(all.map((tunnel) => tunnel.close()));
  },
};

answer(procedures);

async function connected({ port, user, keyFile, hostKey, cipher, kex }: Login): Promise<ReverseTunnel> {
  const tunnel = new ReverseTunnel({
    host: "127.0.0.1",
    port,
    user,
    auth: [privateKey(readFileSync(keyFile, "utf8"))],
    hostKey: fingerprint(hostKey),
    algorithms: {
      ...modernAlgorithms,
      ciphers: modernAlgorithms.ciphers.filter(({ name }) => name === cipher),
      kex: modernAlgorithms.kex.filter(({ name }) => kex === undefined || name === kex),
    },
    reconnect: { mode: "never" },
    keepAlive: { intervalMs: 0 },
  });
  // A lost connection rejects the call in progress.
  tunnel.closed.catch(() => undefined);
  await tunnel.connect();
  return tunnel;
}

async function forward(tunnel: ReverseTunnel, targetPort: number): Promise<number> {
  const target = { host: "127.0.0.1", port: targetPort };
  // One address, because some hosts bind all addresses of "localhost".
  const { port = 0 } = await tunnel.forward({ address: "127.0.0.1", port: 0, target });
  return port;
}
