/** The status line of a tunnel on a terminal. @module */
import type { WriteStream } from "node:tty";
import type { TunnelState } from "@postern/tunnel";
import { sanitizeText } from "@postern/wire";
import { isAsking } from "./ask-terminal.ts";
import { fitColumns } from "./columns.ts";

/** The figures of the status line. */
export interface Status {
  readonly state: TunnelState;
  /** the server as the user named it, or its address */
  readonly server: string;
  /** what each forwarding reaches, such as `8080 → 127.0.0.1:80` or its URL */
  readonly forwardings: readonly string[];
  /** visitors that are connected now, and all since the start */
  readonly visitors: number;
  readonly accepted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly roundTripMs?: number | undefined;
  /** when the connection was opened, in milliseconds since 1970; `undefined` while it is not open */
  readonly openedAt?: number | undefined;
}

/** One line at the bottom of the terminal. */
export interface StatusLine {
  /** whether there is a terminal that can show it */
  readonly isOn: boolean;
  /** Shows a status, at most a few times a second. */
  show(status: Status): void;
  /** Removes the line, before other output. The next status, or second, draws it again. */
  clear(): void;
  /** Removes the line for good. */
  close(): void;
}

/** Most drawings in a second, and how often the time connected moves on. */
const minIntervalMs = 250;
const tickMs = 1000;

/**
 * Creates the status line of a stream, mostly standard error. It shows nothing unless the stream is a terminal that can
 * erase a line.
 */
export function createStatusLine(
  stream: NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>,
  env: NodeJS.ProcessEnv = process.env,
): StatusLine {
  const { TERM: term = "dumb" } = env;
  const isOn = stream.isTTY === true && term !== "dumb";
  if (!isOn) return { isOn, show() {}, clear() {}, close() {} };
  let status: Status | undefined;
  let isDrawn = false;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const draw = (): void => {
    timer = undefined;
    if (status === undefined) return;
    if (isAsking()) return drawIn(minIntervalMs);
    // The last column stays free: a full line would move the cursor to the next one.
    const text = fitColumns(statusText(status, Date.now()), Math.max(0, (stream.columns ?? 80) - 1));
    stream.write(`\r${text}\x1b[K`);
    isDrawn = true;
    drawnAt = performance.now();
    drawIn(tickMs);
  };
  const drawIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(draw, ms);
    timer.unref();
  };
  const clear = (): void => {
    if (!isDrawn) return;
    stream.write("\r\x1b[K");
    isDrawn = false;
    // After the output that follows.
    drawIn(minIntervalMs);
  };
  return {
    isOn,
    show(next) {
      status = next;
      drawIn(Math.max(0, drawnAt + minIntervalMs - performance.now()));
    },
    clear,
    close() {
      status = undefined;
      clear();
      clearTimeout(timer);
    },
  };
}

/** Returns the text of a status: what matters most comes first, because a narrow terminal cuts the end. */
function statusText(status: Status, now: number): string {
  const { state, server, forwardings, visitors, accepted, bytesIn, bytesOut, roundTripMs, openedAt } = status;
  return [
    `${state} ${sanitizeText(server)}`,
    // The server chooses the URL of some.
    ...forwardings.map((one) => sanitizeText(one)),
    `${visitors} of ${accepted} ${accepted === 1 ? "visitor" : "visitors"}`,
    `${sizeText(bytesIn)} in, ${sizeText(bytesOut)} out`,
    ...(roundTripMs === undefined ? [] : [`${Math.max(1, Math.round(roundTripMs))} ms`]),
    ...(openedAt === undefined ? [] : [durationText(now - openedAt)]),
  ].join(" · ");
}

function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const days = Math.floor(seconds / 86_400);
  return days === 0 ? clock : `${days} d ${clock}`;
}
