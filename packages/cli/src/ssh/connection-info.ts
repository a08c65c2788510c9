/** The output of `-O conninfo` and `-O channels`, in the layout of ssh 10.6. @module */
import { hostname } from "node:os";
import { type Address, type SshConnection, version } from "@postern/ssh";
import * as Limits from "@postern/wire/limits";

/** Facts about the connection of a master. */
export interface ConnectionFacts {
  readonly connection: SshConnection;
  /** undefined: a command leads to the server */
  readonly local: Address | undefined;
  readonly remote: Address;
  /** how long it has been open, in milliseconds */
  readonly ageMs: number;
  /** RekeyLimit; 0 is the default */
  readonly rekeyLimit: { readonly bytes: number; readonly seconds: number } | undefined;
}

/** Returns the lines of a kind of information, or `undefined` for an unknown kind. */
export function describeConnection(kind: string, facts: ConnectionFacts): string | undefined {
  if (kind === "connection") return linesOf(connectionLines(facts));
  if (kind === "channels") return describeChannels(facts.connection);
  return undefined;
}

/** ssh lists each channel; Postern keeps no list with names. */
export function describeChannels({ channelCount }: SshConnection): string {
  return linesOf(["The following connections are open:", `${channelCount} channels, forwardings included`]);
}

function connectionLines({ connection, local, remote, ageMs, rekeyLimit }: ConnectionFacts): string[] {
  const { algorithms, version: theirs } = connection.peer;
  const { kex, hostKey, cipherC2s, macC2s = "<implicit>", compressionC2s } = algorithms;
  const { bytesIn, bytesOut } = connection.stats();
  const bytes = rekeyLimit?.bytes || Limits.rekeyBytes;
  const seconds = rekeyLimit?.seconds || Limits.rekeyMs / 1000;
  return [
    `Connection information for ${hostname()} pid ${process.pid}`,
    `versions Postern_${version} -> ${theirs.replace(/^SSH-[^-]*-/, "")}`,
    ...(local === undefined ? [] : [`tcp ${nameOf(local)} -> ${nameOf(remote)}`]),
    `duration ${durationOf(ageMs)}`,
    `kexalgorithm ${kex}`,
    `hostkeyalgorithm ${hostKey}`,
    `cipher ${cipherC2s}`,
    `mac ${macC2s}`,
    `compression ${compressionC2s}`,
    `rekey limit bytes ${bytes} interval ${durationOf(1000 * seconds)}`,
    `traffic ${sizeOf(bytesIn)} in, ${sizeOf(bytesOut)} out`,
  ];
}

/** The first line is a title. Terminals of ssh are in raw mode, so lines end with CR LF. */
function linesOf([title = "", ...lines]: readonly string[]): string {
  return [title, ...lines.map((line) => `  ${line}`)].map((line) => `${line}\r\n`).join("");
}

function nameOf({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `hours:minutes:seconds` */
function durationOf(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** `2.8KB`, as ssh */
function sizeOf(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)}${units[power]}`;
}
