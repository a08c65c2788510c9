/** The client of the control socket. @module */
import { lstatSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type ControlAnswer, type ControlRequest, maxAnswer, readLine } from "./protocol.ts";

/** No process listens on the socket. */
export class NotRunning extends Error {
  override readonly name = "NotRunning";
}

const connectMs = 2_000;

/** Connects to a socket. @throws the system's error */
export function connectTo(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(new Error("expected an answer in time, got none")), connectMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", reject).on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject).once("close", () => clearTimeout(timer));
  });
}

/**
 * Sends a request to the first socket that answers, and resolves with the result.
 *
 * @throws NotRunning; Error with the message of the server
 */
export async function askControl(
  paths: readonly string[],
  request: ControlRequest,
  timeoutMs = 10_000,
): Promise<{ readonly result: unknown; readonly ended: Promise<void> }> {
  const socket = await connectToFirst(paths);
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`expected an answer within ${timeoutMs} ms, got none`)));
  socket.write(`${JSON.stringify(request)}\n`);
  try {
    const answer = JSON.parse(await readLine(socket, maxAnswer)) as ControlAnswer;
    if (!answer.ok) throw new Error(answer.error);
    return { result: answer.result, ended };
  } finally {
    socket.end();
  }
}

async function connectToFirst(paths: readonly string[]): Promise<Socket> {
  for (const path of paths) {
    // A socket of another user is not ours to trust.
    if (process.platform !== "win32" && !isTrusted(path)) continue;
    try {
      return await connectTo(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EACCES") throw error;
    }
  }
  throw new NotRunning("expected a running postern up for this configuration, got none");
}

function isTrusted(path: string): boolean {
  try {
    const { uid } = lstatSync(path);
    // The administrator may ask the tunnels of any user.
    return uid === process.geteuid?.() || uid === 0 || process.geteuid?.() === 0;
  } catch {
    return false;
  }
}
