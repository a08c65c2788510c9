/** The main rows of the benchmark, measured so briefly that all versions of Node.js take minutes. @module */
import { aes128, aes256, type ClientName, chacha20 } from "../clients.ts";
import type { Case, Metric } from "../metric.ts";
import { bulk, eight, roundTrip, roundTrips, short, shorts, streams } from "../metrics-load.ts";
import { memory } from "../metrics-memory.ts";
import { startUp } from "../metrics-start.ts";
import { majorOf, type Node } from "./find-nodes.ts";

const library: readonly ClientName[] = ["postern", "ssh2", "dev-tunnels"];
const warm = { warmMs: 200, ms: 400 };

/** The title of a case on one version. */
export function titleOn(title: string, node: Node): string {
  return `${title}, Node.js ${majorOf(node)}`;
}

/** Returns the metrics. `ssh` takes part once in each round, with the first version. */
export function nodeMetrics(nodes: readonly Node[], withoutBinding: readonly Node[]): readonly Metric[] {
  const [idle] = memory.cases({ quick: true }).filter(({ title }) => title.startsWith("idle"));
  const [started] = startUp.cases({ quick: true });
  if (idle === undefined || started === undefined)
    throw new Error("expected the cases of idle connections and of start");
  const ciphers = [aes256, chacha20].map((cipher) => ({
    ...streams(cipher, 1, warm),
    clients: ["ssh", "postern", "ssh2", "floor"] as const,
    most: 2,
  }));
  const all: readonly (readonly [Metric, readonly Case[]])[] = [
    [
      bulk,
      [{ ...streams(aes128, 1, { ...warm, cold: true }), clients: ["ssh", ...library, "relay", "floor"] }, ...ciphers],
    ],
    [eight, [{ ...streams(aes128, 8, warm), clients: ["ssh", ...library], most: 2 }]],
    [roundTrip, [{ ...roundTrips({ coldMs: 500, warmMs: 100, ms: 400 }), clients: ["ssh", ...library] }]],
    [short, [{ ...shorts({ coldMs: 500, warmMs: 100, ms: 400 }), clients: ["ssh", ...library] }]],
    [startUp, [{ ...started, clients: ["ssh", ...library] }]],
    [memory, [{ ...idle, clients: ["ssh", ...library] }]],
  ];
  const on = (one: Case, node: Node): Case => {
    const clients = (one.clients ?? [])
      .filter((name) => name !== "ssh" || node === nodes[0])
      .map((name): ClientName => (name === "ssh2" && withoutBinding.includes(node) ? "ssh2-js" : name));
    return { ...one, title: titleOn(one.title, node), node, clients };
  };
  return all.map(([metric, cases]) => ({
    ...metric,
    cases: () => cases.flatMap((one) => nodes.map((node) => on(one, node))),
  }));
}
