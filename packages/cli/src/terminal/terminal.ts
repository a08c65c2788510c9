/** The terminal of a session: raw mode, size and modes. @module */
import tty from "node:tty";
import { type TerminalSize, terminalModes } from "@postern/ssh";
import type { Bytes } from "@postern/wire";
import { encodeSttyModes } from "./pty-modes.ts";
import { restoreAtExit, suspend } from "./restore.ts";
import { stty } from "./stty.ts";

/** The terminal in which a session runs. */
export interface Terminal {
  /** what the user types; in raw mode byte by byte, without echo, and without signals */
  readonly input: tty.ReadStream;
  readonly isRaw: boolean;
  /**
   * Turns raw mode on or off. However the process ends, the terminal is restored, except after SIGKILL. A process that
   * was stopped and continues turns raw mode on again.
   */
  raw(on: boolean): void;
  /** Returns the size of the window. */
  size(): TerminalSize;
  /** Calls the listener when the size has changed, and when the process continues. Returns a function to stop. */
  onResize(listener: (size: TerminalSize) => void): () => void;
  /** Returns the modes as ssh sends them (RFC 4254 section 8), for `pty.modes`. Those of before raw mode. */
  modes(): Bytes;
  /**
   * Restores the terminal and stops the process, as `~^Z` does. Afterwards raw mode is what it was, and the listeners
   * of `onResize` are called. Resolves when the process runs again.
   */
  suspend(): Promise<void>;
  /** Restores the terminal, and stops listening to its size. */
  close(): void;
}

/**
 * Flags of ssh's raw mode (`enter_raw_mode` of sshtty.c) that Node's raw mode leaves as they are. OPOST counts most:
 * programs on the server that draw would get a CR for each LF.
 */
const rawFlags = ["ignpar", "-istrip", "-inlcr", "-igncr", "-icrnl", "-ixon", "-ixany", "-ixoff", "-opost"] as const;

/** Opens the terminal of standard input, as ssh does for a session. `undefined`: standard input is not a terminal. */
export function openTerminal(): Terminal | undefined {
  // Before process.stdin is touched: the getter of a closed stdin throws.
  if (!tty.isatty(0)) return undefined;
  const { stdin } = process as NodeJS.Process & { readonly stdin: tty.ReadStream };
  return new StdinTerminal(stdin);
}

class StdinTerminal implements Terminal {
  readonly input: tty.ReadStream;
  readonly #listeners = new Set<(size: TerminalSize) => void>();
  #isRaw = false;
  #stopRestoring: (() => void) | undefined;
  #modes: Bytes | undefined;
  /** the settings before raw mode, as `stty -g` prints them */
  #saved: string | undefined;
  #suspended = false;

  constructor(input: tty.ReadStream) {
    this.input = input;
    process.on("SIGWINCH", this.#resized);
    process.on("SIGCONT", this.#continued);
  }

  get isRaw(): boolean {
    return this.#isRaw;
  }

  raw(on: boolean): void {
    if (on === this.#isRaw) return;
    if (on) this.modes();
    this.#isRaw = on;
    this.#apply(on);
    if (on) this.#stopRestoring = restoreAtExit(() => this.raw(false));
    else this.#stopRestoring?.();
  }

  size(): TerminalSize {
    // A stream reads the size once, when it is created. Those of standard output and error may be files.
    const probe = new tty.WriteStream(0);
    const [columns, rows] = probe.getWindowSize();
    probe.destroy();
    return { columns, rows };
  }

  onResize(listener: (size: TerminalSize) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  modes(): Bytes {
    if (this.#modes !== undefined) return this.#modes;
    const text = process.platform === "win32" ? undefined : stty(0, "-a");
    this.#modes = text === undefined ? terminalModes({}) : encodeSttyModes(text);
    return this.#modes;
  }

  suspend(): Promise<void> {
    const wasRaw = this.#isRaw;
    // Signals are handled after input, so that what was typed first would reach the server before the new size.
    const wasPaused = this.input.isPaused();
    this.input.pause();
    this.raw(false);
    this.#suspended = true;
    return new Promise((resolve) => {
      suspend(() => {
        this.#suspended = false;
        this.raw(wasRaw);
        this.#resized();
        if (!wasPaused) this.input.resume();
        resolve();
      });
    });
  }

  close(): void {
    this.raw(false);
    this.#listeners.clear();
    process.off("SIGWINCH", this.#resized);
    process.off("SIGCONT", this.#continued);
  }

  /** libuv keeps the modes of before, and restores them when raw mode ends. So what stty changed is undone, too. */
  #apply(on: boolean): void {
    const hasStty = process.platform !== "win32";
    if (on && hasStty) this.#saved = stty(0, "-g")?.trim();
    this.input.setRawMode(on);
    if (on && hasStty) stty(0, ...rawFlags);
    // A stream that was destroyed has no handle any more.
    if (!on && this.input.destroyed && this.#saved !== undefined) stty(0, this.#saved);
  }

  readonly #resized = (): void => {
    const size = this.size();
    for (const listener of this.#listeners) listener(size);
  };

  /** Shells change the modes while a program is stopped. */
  readonly #continued = (): void => {
    if (this.#suspended) return;
    if (this.#isRaw) {
      this.#apply(false);
      this.#apply(true);
    }
    this.#resized();
  };
}
