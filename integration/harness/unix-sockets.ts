/** UNIX sockets, and curl, which speaks to them and to SOCKS proxies. @module */
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { launch } from "./process.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

/** Makes a folder in which the account of a server may create sockets. Its path is short: unix(7) allows 107 bytes. */
export function socketDir(): TempDir {
  const dir = tempDir("postern-unix");
  chmodSync(dir.path, 0o777);
  return dir;
}

/** Echoes all bytes at a path, and ends when the peer ends. */
export async function unixEchoTarget(path: string): Promise<{ stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(path);
  await once(server, "listening");
  // The account of a server connects to it.
  chmodSync(path, 0o777);
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Connects to a path, sends, half-closes, and returns the whole answer. Rejects if nothing listens. */
export async function exchangeAt(path: string, text: string): Promise<string> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, "connect");
  socket.end(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Runs curl. Returns the page, or the error. Needs `missing("curl") === undefined`. */
export async function curl(...args: readonly string[]): Promise<string> {
  const process = await launch("curl", ["--silent", "--show-error", "--max-time", "20", ...args]);
  const code = await process.exited;
  return code === 0 ? process.stdout.text() : process.stderr.text();
}
