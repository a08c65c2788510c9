/** The status of all tunnels: as data, and as a table for people. @module */
import type { TunnelState } from "@postern/node";
import { sanitizeText } from "@postern/wire";

/** The status of a forwarding. */
export interface ForwardStatus {
  readonly type: "remote" | "local" | "dynamic";
  /** address and port, or a path */
  readonly listen: string;
  readonly target: string;
  /** `pending`: it will be requested again; `failed`: with the next connection, at the earliest */
  readonly state: "open" | "pending" | "failed";
  readonly url?: string;
  readonly error?: string;
}

/** The status of a tunnel. */
export interface TunnelStatus {
  readonly name: string;
  readonly state: TunnelState | "failed" | "stopped";
  /** milliseconds since 1970, when the state changed */
  readonly since: number;
  readonly server: string;
  readonly forwardings: readonly ForwardStatus[];
  /** connections that are open now */
  readonly visitors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly reconnects: number;
  readonly roundTripMs?: number;
  readonly lastError?: { readonly at: number; readonly message: string };
}

/** The status of `postern up`. */
export interface UpStatus {
  readonly pid: number;
  readonly config: string;
  /** milliseconds since 1970 */
  readonly startedAt: number;
  readonly loadedAt: number;
  /** why the last version of the file is not used */
  readonly configError?: string;
  readonly tunnels: readonly TunnelStatus[];
}

/** Returns one line for a service manager, such as `2 of 3 tunnels are open; wiki: waiting`. */
export function statusLine({ tunnels, configError }: UpStatus): string {
  const open = tunnels.filter(isOpen);
  const others = tunnels
    .filter((one) => !isOpen(one))
    .map(({ name, state, forwardings }) => {
      const done = forwardings.filter((one) => one.state === "open").length;
      return `${name}: ${state === "open" ? `${done} of ${forwardings.length} forwardings` : state}`;
    });
  const shown = others.length > 5 ? [...others.slice(0, 5), `${others.length - 5} more`] : others;
  const parts = [`${open.length} of ${tunnels.length} tunnels are open`, ...shown];
  return [...parts, ...(configError === undefined ? [] : ["the changed file has a mistake"])].join("; ");
}

/** Whether a tunnel is connected and all its forwardings are open. */
export function isOpen({ state, forwardings }: TunnelStatus): boolean {
  return state === "open" && forwardings.every((one) => one.state === "open");
}

/** Returns a table for a terminal. Texts that come from servers are escaped. */
export function formatStatus(status: UpStatus, now: number): string {
  const { pid, config, startedAt, configError, tunnels } = status;
  const rows = [
    ["NAME", "STATE", "SINCE", "SERVER", "FORWARDING", "VISITORS", "IN", "OUT"],
    ...tunnels.flatMap((one) => rowsOf(one, now)),
  ];
  const errors = tunnels.flatMap(({ name, lastError, forwardings }) => [
    ...forwardings.flatMap(({ listen, error }) => (error === undefined ? [] : [`${name} ${listen}: ${error}`])),
    ...(lastError === undefined ? [] : [`${name}: ${lastError.message} (${duration(now - lastError.at)} ago)`]),
  ]);
  return [
    `postern up, process ${pid}, ${config}, for ${duration(now - startedAt)}`,
    ...(configError === undefined ? [] : [`the changed file is not used: ${configError}`]),
    "",
    ...alignColumns(rows),
    ...(errors.length === 0 ? [] : ["", "Last errors:", ...new Set(errors)]),
    "",
  ]
    .map((line) => sanitizeText(line))
    .join("\n");
}

function rowsOf(tunnel: TunnelStatus, now: number): string[][] {
  const { name, state, since, server, forwardings, visitors, bytesIn, bytesOut } = tunnel;
  const [first = "", ...others] = forwardings.map(forwardText);
  return [
    [name, state, duration(now - since), server, first, String(visitors), size(bytesIn), size(bytesOut)],
    ...others.map((text) => ["", "", "", "", text, "", "", ""]),
  ];
}

function forwardText({ type, listen, target, state, url }: ForwardStatus): string {
  const text = type === "remote" ? `${url ?? listen} -> ${target}` : `here ${listen} -> ${target}`;
  return state === "open" ? text : `${text} (${state})`;
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] as number))
      .join("  ")
      .trimEnd(),
  );
}

/** Returns a duration, such as `3h 5m`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const units = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return units
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(" ");
}

/** Returns a number of bytes, such as `1.5 MB`. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
