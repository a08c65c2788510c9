/** The tables of a run on several versions of Node.js. @module */
import { aes128, aes256, type ClientName, chacha20 } from "../clients.ts";
import { markdown, median, ratio, type Sample } from "../report.ts";
import { titleOn } from "./cases.ts";
import { majorOf, type Node } from "./find-nodes.ts";

/** A row: a column of a case. */
interface Row {
  readonly title: string;
  readonly metric: string;
  readonly case: string;
  readonly column: string;
  /** The column of the same process when it was new. */
  readonly cold?: string;
  readonly digits?: number;
}

const rows: readonly Row[] = [
  ...(
    [
      ["AES-128-GCM", aes128],
      ["AES-256-GCM", aes256],
      ["ChaCha20-Poly1305", chacha20],
    ] as const
  ).flatMap(([name, cipher]) =>
    ["up", "down"].flatMap((direction): Row[] => {
      const one = { metric: "bulk", case: cipher };
      const speed = { ...one, title: `one stream, ${name}, ${direction}, MB/s`, column: `${direction} MB/s` };
      const cpu = { ...one, title: "the same, client CPU s/GB", column: `${direction} client CPU s/GB`, digits: 2 };
      if (cipher !== aes128) return [speed, cpu];
      const cold = { cold: `${direction} cold MB/s` };
      return [
        { ...speed, ...cold },
        { ...cpu, cold: `${direction} cold client CPU s/GB` },
      ];
    }),
  ),
  ...["up", "down"].map((direction) => ({
    metric: "eight",
    case: aes128,
    title: `eight streams, AES-128-GCM, ${direction}, MB/s`,
    column: `${direction} MB/s`,
  })),
  {
    metric: "roundtrip",
    case: aes128,
    title: "one byte there and back, p50, us",
    column: "p50 us",
    cold: "cold p50 us",
  },
  { metric: "roundtrip", case: aes128, title: "the same, p99, us", column: "p99 us", cold: "cold p99 us" },
  { metric: "short", case: aes128, title: "short connections in a row, per s", column: "in a row, per s" },
  {
    metric: "short",
    case: aes128,
    title: "short connections, 32 at a time, per s",
    column: "32 at a time, per s",
    cold: "32 at a time, cold, per s",
  },
  {
    metric: "short",
    case: aes128,
    title: "client CPU for each of the 32, us",
    column: "32 at a time, client CPU us each",
    cold: "32 at a time, cold, client CPU us each",
  },
  { metric: "start", case: "loopback", title: "process start to port open, ms", column: "process start to open ms" },
  { metric: "start", case: "loopback", title: "connect to port open, ms", column: "connect to open ms" },
  { metric: "memory", case: "idle connections", title: "memory idle, MB", column: "idle", digits: 1 },
  {
    metric: "memory",
    case: "idle connections",
    title: "growth with 1,000 connections, MB",
    column: "1000 connections, growth",
    digits: 1,
  },
];

/** Returns the tables in Markdown. The first is that of the newest version with long-term support. */
export function nodeTables(
  samples: readonly Sample[],
  nodes: readonly Node[],
  clients: readonly { readonly name: ClientName; readonly title: string }[],
): string {
  const main = nodes.filter(({ isLts }) => isLts).at(-1) ?? nodes.at(-1);
  const [first] = nodes;
  if (main === undefined || first === undefined) throw new Error("expected versions of Node.js, got none");
  const of = (row: Row, client: string, node: Node): readonly Sample[] =>
    samples.filter(
      (one) =>
        one.metric === row.metric &&
        one.client === client &&
        one.column === row.column &&
        one.case === titleOn(row.case, client === "ssh" ? first : node),
    );
  const value = (row: Row, client: string, node: Node): number | undefined => {
    const own = of(row, client, node).map((one) => one.value);
    return own.length === 0 ? undefined : median(own);
  };
  /** Postern's figure in those of another client, round by round. */
  const times = (row: Row, base: string, node: Node): number | undefined =>
    ratio(of(row, base, node), of(row, "postern", node), base, row.column);
  const told = (row: Row, number: number | undefined): string => number?.toFixed(row.digits ?? 0) ?? "-";
  const measured = rows.filter((row) => nodes.some((node) => of(row, "postern", node).length > 0));
  const heads = nodes.map((node) => `Node.js ${majorOf(node)}`);

  const mainTable = markdown(
    ["measurement", ...clients.map(({ title }) => title)],
    measured.map((row) => [row.title, ...clients.map(({ name }) => told(row, value(row, name, main)))]),
  );
  const byVersion = markdown(
    ["measurement", ...heads],
    measured.map((row) => [
      row.title,
      ...nodes.map((node) => {
        const [ssh, ssh2] = ["ssh", "ssh2"].map((base) => times(row, base, node)?.toFixed(2) ?? "-");
        return `${told(row, value(row, "postern", node))} (${ssh}, ${ssh2})`;
      }),
    ]),
  );
  const overFloor = markdown(
    ["client CPU", ...heads],
    measured
      .filter(({ column }) => column.endsWith("client CPU s/GB"))
      .map((row) => {
        const [direction] = row.column.split(" ");
        return [
          `${row.case}, ${direction}`,
          ...nodes.map((node) => {
            const share = times(row, "floor", node)?.toFixed(2) ?? "-";
            return `${share} (${told(row, value(row, "postern", node))} / ${told(row, value(row, "floor", node))})`;
          }),
        ];
      }),
  );
  const cold = markdown(
    ["cold / warm", ...heads],
    measured.flatMap((row) => {
      if (row.cold === undefined) return [];
      const coldRow = { ...row, column: row.cold };
      const cells = nodes.map((node) => {
        const [early, late] = [value(coldRow, "postern", node), value(row, "postern", node)];
        const share = early !== undefined && late !== undefined ? ` = ${(early / late).toFixed(2)}` : "";
        return `${told(row, early)} / ${told(row, late)}${share}`;
      });
      return [[row.title.startsWith("the same") ? `${row.case}, ${row.column}` : row.title, ...cells]];
    }),
  );
  return [
    `### Node.js ${main.version}`,
    mainTable,
    "### By version: Postern (times `ssh -R`, times ssh2 with its binding on the same Node.js)",
    byVersion,
    "### Client CPU, Postern in times of the floor (s/GB)",
    overFloor,
    "### Postern, cold and warm: the first 256 MB or the first second of a process",
    cold,
  ].join("\n\n");
}
