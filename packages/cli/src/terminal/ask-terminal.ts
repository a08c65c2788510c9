/**
 * Asks a question on the terminal of the process, as readpassphrase of OpenSSH does.
 *
 * Node.js has no ioctl, so echo cannot be turned off by itself. `setRawMode` needs no child process, is there on
 * Windows, and libuv restores the terminal even after a crash. Raw mode has neither line editing nor signals:
 * `line-editor.ts` has both. `stty -echo` would be a second way, but a process that is killed between stty and its end
 * would leave the terminal without echo.
 *
 * @module
 */
import fs from "node:fs";
import tty from "node:tty";
import { deferred, onAbort } from "@postern/ssh";
import { createLineEditor, type LineEnd } from "./line-editor.ts";
import { raise, restoreAtExit, suspend } from "./restore.ts";

/** A question. */
export interface Question {
  readonly text: string;
  /** whether to show the answer while it is typed */
  readonly echo: boolean;
  /** whether ^C also sends its signal to the process; default `true` */
  readonly raises?: boolean | undefined;
}

/** A question was interrupted by ^C, ^\ or `signal`. */
export class PromptInterrupted extends Error {
  override readonly name = "PromptInterrupted";
}

function interruption(): PromptInterrupted {
  return new PromptInterrupted("expected an answer, got an interruption");
}

const device = process.platform === "win32" ? String.raw`\\.\CONIN$` : "/dev/tty";
const outputDevice = process.platform === "win32" ? String.raw`\\.\CONOUT$` : "/dev/tty";

/** Whether the process has a terminal. Standard input may be something else. */
export function hasTerminal(): boolean {
  return openDevice() !== undefined;
}

let isWaiting = false;

/** Whether a question waits for its answer. Nothing else may be written to the terminal meanwhile. */
export function isAsking(): boolean {
  return isWaiting;
}

let deviceFd: number | undefined;

/**
 * Opens the terminal for all questions: libuv opens the device of a stream again, and never closes the descriptor that
 * it was given, so one for each question would be left.
 */
function openDevice(): number | undefined {
  if (deviceFd !== undefined && tty.isatty(deviceFd)) return deviceFd;
  try {
    deviceFd = fs.openSync(device, "r+");
  } catch {
    deviceFd = undefined;
  }
  return deviceFd;
}

/**
 * Asks, and resolves with the line. ^D without a line is an empty answer, as in ssh.
 *
 * @throws PromptInterrupted after ^C or ^\, whose signal is sent to the process group, and if the signal aborts
 */
export async function askTerminal(question: Question, signal?: AbortSignal): Promise<string> {
  for (;;) {
    const end = await readOnce(question, signal);
    if (end.type === "line") return end.line;
    if (end.signal !== "SIGTSTP") {
      if (question.raises !== false) raise(end.signal);
      throw interruption();
    }
    // Afterwards ssh asks again from the start.
    await new Promise<void>((resolve) => suspend(resolve));
  }
}

async function readOnce({ text, echo }: Question, signal?: AbortSignal): Promise<LineEnd> {
  if (signal?.aborted) throw interruption();
  const output = fs.openSync(outputDevice, "w");
  const input = openInput(output);
  const write = (more: string): void => writeAll(output, more);
  const editor = createLineEditor(echo);
  /** Shells change the modes while a program is stopped. */
  const continued = (): void => {
    input.setRawMode(false);
    input.setRawMode(true);
    write(`\r${text}`);
  };
  const ended = deferred<LineEnd>();
  const interrupt = (): void => ended.reject(interruption());
  const stopRestoring = restoreAtExit(() => {
    input.setRawMode(false);
    interrupt();
  });
  const stopListening = onAbort(signal, interrupt);
  process.on("SIGCONT", continued);
  isWaiting = true;
  try {
    input.setRawMode(true);
    dropTypedAhead();
    // At the start of the line, over what was typed before echo was off.
    write(`\r${text}`);
    input.on("error", ended.reject);
    // The terminal was closed.
    input.on("end", interrupt);
    input.on("data", (chunk: Uint8Array) => {
      const { echo: shown, end } = editor.feed(chunk);
      chunk.fill(0);
      if (shown !== "") write(shown);
      if (end !== undefined) ended.resolve(end);
    });
    return await ended.promise;
  } finally {
    process.off("SIGCONT", continued);
    stopListening();
    stopRestoring();
    input.setRawMode(false);
    input.destroy();
    write("\n");
    fs.closeSync(output);
    isWaiting = false;
  }
}

function openInput(output: number): tty.ReadStream {
  const fd = openDevice();
  if (fd !== undefined) return new tty.ReadStream(fd);
  fs.closeSync(output);
  throw new Error(`expected a terminal to ask for an answer: cannot open ${device}`);
}

/** ssh discards what was typed before the question (TCSAFLUSH). In raw mode all of it can be read at once. */
function dropTypedAhead(): void {
  if (process.platform === "win32") return;
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
  const fd = fs.openSync(device, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    while (fs.readSync(fd, new Uint8Array(1024)) > 0);
  } catch {
    // EAGAIN: nothing is left.
  } finally {
    fs.closeSync(fd);
  }
}

function writeAll(fd: number, text: string): void {
  try {
    fs.writeSync(fd, text);
  } catch {
    // The terminal was closed, or is too slow to show a character; the answer still counts.
  }
}
