/** A terminal in tmux, with a shell that types what a user would. @module */
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { atExit } from "./at-exit.ts";
import { tempDir } from "./temp-dir.ts";

export interface TerminalOptions {
  /** Environment variables of the shell. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default 100. */
  readonly columns?: number;
  /** Default 30. */
  readonly rows?: number;
}

export interface TestTerminal {
  /** Types text, without Enter. */
  type(text: string): void;
  /** Presses keys by the names of tmux, such as `Enter` and `C-c`. */
  press(...keys: readonly string[]): void;
  /** Types a line and Enter. */
  enter(line: string): void;
  /** Returns the text on the screen and above it, without spaces at the ends. Lines that were wrapped are whole. */
  screen(): string;
  /** Waits until the text of {@link screen} matches. Throws with the text at the timeout. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** Waits until the shell asks for its next command. */
  prompt(): Promise<void>;
  /** Clears the screen. Only while the shell asks for a command. */
  clear(): Promise<void>;
  resize(columns: number, rows: number): void;
  /** Ends the shell and its programs. */
  stop(): void;
}

const { PATH: searchPath = "" } = process.env;

/** Starts bash in a tmux server of its own. Needs `missing("tmux") === undefined`. */
export async function startTerminal(options: TerminalOptions = {}): Promise<TestTerminal> {
  const { env = {}, columns = 100, rows = 30 } = options;
  const dir = tempDir("postern-tmux");
  const tmux = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync("tmux", ["-S", dir.file("socket"), "-f", "/dev/null", ...args], {
      encoding: "utf8",
      env: { PATH: searchPath, HOME: dir.path, LC_ALL: "C.UTF-8", SHELL: "/bin/bash", ...env },
    });
    if (status !== 0) throw new Error(`tmux ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const stop = (): void => {
    spawnSync("tmux", ["-S", dir.file("socket"), "kill-server"]);
    dir.remove();
  };
  atExit(stop);
  const size = ["-x", String(columns), "-y", String(rows)];
  tmux("new-session", "-d", ...size, "env PS1='%% ' bash --norc --noprofile --noediting");
  const terminal: TestTerminal = {
    type: (text) => void tmux("send-keys", "-l", "--", text),
    press: (...keys) => void tmux("send-keys", ...keys),
    enter(line) {
      terminal.type(line);
      terminal.press("Enter");
    },
    screen: () => tmux("capture-pane", "-p", "-J", "-S", "-200").replace(/ +$/gm, "").trim(),
    async waitFor(pattern, timeoutMs = 10_000) {
      for (const end = performance.now() + timeoutMs; ; await sleep(20)) {
        const found = pattern.exec(terminal.screen());
        if (found !== null) return found;
        if (performance.now() > end) throw new Error(`expected ${pattern} on the terminal, got:\n${terminal.screen()}`);
      }
    },
    prompt: async () => void (await terminal.waitFor(/(^|\n)%%$/)),
    async clear() {
      await terminal.prompt();
      tmux("send-keys", "-R");
      tmux("clear-history");
      terminal.press("Enter");
      await terminal.prompt();
    },
    resize: (newColumns, newRows) => void tmux("resize-window", "-x", String(newColumns), "-y", String(newRows)),
    stop,
  };
  await terminal.prompt();
  return terminal;
}
