/**
 * The protocol of the control socket: the client sends one request as a line of JSON, the server answers with one line,
 * and closes the connection.
 * @module
 */
import type { Socket } from "node:net";

/** A request. */
export type ControlRequest =
  | { readonly command: "status" }
  | { readonly command: "reload" }
  /** without `names`, all tunnels, which ends the process */
  | { readonly command: "down"; readonly names?: readonly string[] };

/** An answer. */
export type ControlAnswer =
  | { readonly ok: true; readonly result?: unknown }
  | { readonly ok: false; readonly error: string };

/** The longest request and the longest answer, in bytes. */
export const maxRequest = 131_072;
export const maxAnswer = 16_777_216;

/** Returns a request, or `undefined` for anything else. */
export function parseRequest(line: string): ControlRequest | undefined {
  let value: { readonly command?: unknown; readonly names?: unknown } | null;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { command, names } = value;
  if (command === "status" || command === "reload") return { command };
  if (command !== "down") return undefined;
  if (names === undefined) return { command };
  const areNames = Array.isArray(names) && names.every((name) => typeof name === "string");
  return areNames ? { command, names } : undefined;
}

/**
 * Resolves with the first line of a socket, without its end.
 *
 * @throws Error if the line is longer than `maxBytes`, or the peer ends before it is complete
 */
export function readLine(socket: Socket, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const stop = (): void => {
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
    };
    const onData = (chunk: Buffer): void => {
      const end = chunk.indexOf(10);
      chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
      length += end < 0 ? chunk.length : end;
      if (length > maxBytes) {
        stop();
        reject(new Error(`expected a line of at most ${maxBytes} bytes, got a longer one`));
      } else if (end >= 0) {
        stop();
        resolve(Buffer.concat(chunks).toString("utf8"));
      }
    };
    const onEnd = (): void => {
      stop();
      reject(new Error("expected a line, got the end of the connection"));
    };
    const onError = (error: Error): void => {
      stop();
      reject(error);
    };
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
  });
}
