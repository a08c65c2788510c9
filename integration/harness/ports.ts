/** Ports below the ephemeral range, so that no outgoing connection takes one between the check and the use. @module */
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const handedOut = new Set<number>();

/** Returns a port that is free on all addresses, IPv4 and IPv6. Never returns a port twice in one process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_768);
    if (handedOut.has(port)) continue;
    if ((await canBind(port, "0.0.0.0")) && (await canBind(port, "::"))) {
      handedOut.add(port);
      return port;
    }
  }
}

/** Waits until something listens on the port, without connecting to it. */
export async function listening(port: number, signal: AbortSignal): Promise<void> {
  while (!isListening(port)) await sleep(10, undefined, { signal });
}

/** Reads the kernel's table. */
export function isListening(port: number | undefined): boolean {
  if (port === undefined) throw new Error("expected the port of a forwarding, got none");
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return ["/proc/net/tcp", "/proc/net/tcp6"].some((table) =>
    new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A `, "m").test(read(table)),
  );
}

/** Returns whether a socket of this process listens at this port. Other programs take ports that are free again. */
export function isListeningHere(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const row = new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A(?: +\\S+){5} +(\\d+) `, "gm");
  const inodes = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => [...read(table).matchAll(row)]);
  const ours = new Set(readdirSync("/proc/self/fd").map((fd) => linkOf(`/proc/self/fd/${fd}`)));
  return inodes.some(([, inode]) => ours.has(`socket:[${inode}]`));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Returns the number of connections of the server at this port that are not over, from the kernel's table. */
export function connectionCount(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  // 06 is TIME_WAIT, 0A is LISTEN.
  const connection = new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:[0-9A-F]{4} (?!06|0A)`, "gm");
  return ["/proc/net/tcp", "/proc/net/tcp6"].reduce(
    (sum, table) => sum + (read(table).match(connection)?.length ?? 0),
    0,
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

function canBind(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      // Without IPv6 there is no such table.
      resolve(error.code === "EAFNOSUPPORT" || error.code === "EADDRNOTAVAIL"),
    );
    server.listen({ port, host, ipv6Only: host === "::" }, () => server.close(() => resolve(true)));
  });
}
