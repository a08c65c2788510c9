/** One connection through a forwarding: MB/s up (target to visitor) and down, beside `ssh -R`, all rounds interleaved. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import {
  allocatedPort,
  hashSink,
  patternChunks,
  patternHash,
  patternSource,
  type Running,
  runSsh,
  type Sshd,
  startSshd,
  userKey,
  visit,
} from "../integration/harness/index.ts";
import { launch } from "../integration/harness/process.ts";

const MiB = 1024 * 1024;
const size = Number(process.env.BENCH_MIB ?? 64) * MiB;
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const ciphers = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"];
const clients = ["ssh -R", "node:crypto", "noble"] as const;

interface Figures {
  readonly up: number[];
  readonly down: number[];
  readonly cpu: number[];
}

it("throughput", async () => {
  const key = await userKey();
  const sshd = await startSshd({ authorizedKeys: [key.publicLine] });
  const figures = new Map<string, Figures>();
  const [upHash, downHash] = [patternHash(size, 1), patternHash(size, 2)];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const cipher of ciphers) {
        for (const client of clients) {
          const name = `${cipher.padEnd(30)} ${client}`;
          const into = figures.get(name) ?? { up: [], down: [], cpu: [] };
          figures.set(name, into);
          await measure(sshd, cipher, client, into);
        }
      }
    }
  } finally {
    await sshd.stop();
  }
  const rows = [...figures].map(([name, { up, down, cpu }]) => `${name.padEnd(44)} ${show(up)} ${show(down)} ${show(cpu, 2)}`);
  console.log([`${size / MiB} MiB each way, median of ${rounds} rounds`, `${"".padEnd(44)}  up MB/s  down MB/s  CPU s/GB`, ...rows].join("\n"));

  async function measure(host: Sshd, cipher: string, client: (typeof clients)[number], into: Figures): Promise<void> {
    const source = await patternSource(size, 1);
    const sink = await hashSink();
    for (const direction of ["up", "down"] as const) {
      const target = direction === "up" ? source.port : sink.port;
      const process = await start(host, cipher, client, target);
      const port = await allocatedPort(process);
      const visitor = await visit(port);
      const began = performance.now();
      if (direction === "up") expect((await visitor.hashAll()).sha256).toBe(upHash);
      else {
        await visitor.sendAll(patternChunks(size, 2));
        visitor.end();
        expect((await sink.next()).sha256).toBe(downHash);
      }
      into[direction].push(size / 1e6 / ((performance.now() - began) / 1000));
      into.cpu.push(cpuSeconds(process) / (size / 1e9));
      visitor.socket.destroy();
      await process.stop();
    }
    await Promise.all([source.stop(), sink.stop()]);
  }

  async function start(host: Sshd, cipher: string, client: (typeof clients)[number], target: number): Promise<Running> {
    if (client === "ssh -R") {
      return runSsh(["-N", "-R", `localhost:0:127.0.0.1:${target}`], { server: host, identity: key, config: { Ciphers: cipher } });
    }
    const told = {
      host: "127.0.0.1",
      port: host.port,
      user: host.user,
      key: key.privateText,
      fingerprint: host.fingerprint(),
      cipher,
      implementation: client,
      targetPort: target,
    };
    return launch(globalThis.process.execPath, [fileURLToPath(new URL("client.mjs", import.meta.url)), JSON.stringify(told)]);
  }
});

/** What the process has used so far, its start included (Linux, 100 ticks a second). */
function cpuSeconds({ pid }: Running): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function show(values: readonly number[], digits = 0): string {
  return (values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0).toFixed(digits).padStart(9);
}
