/**
 * A shim: a program that runs one implementation and speaks lines of JSON on standard input and output. The README
 * describes the lines.
 * @module
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class ShimProcess {
  #child;
  #lines = [];
  #wake;
  #ended = false;
  /** how often a server has been started again after it ended by itself */
  crashes = 0;

  constructor(command, start) {
    const [program = "", ...args] = command;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", () => this.#end());
    this.#child.on("exit", () => this.#end());
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const told = JSON.parse(line);
      if (told.event === "crashed") this.crashes++;
      else this.#lines.push(told);
      this.#wake?.();
    });
    this.command(start);
  }

  command(line) {
    this.#child.stdin.write(`${JSON.stringify(line)}\n`);
  }

  /** Returns the next line with that event. */
  async expect(event, timeoutMs) {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const line = this.#lines.shift();
      if (line?.event === event) return line;
      if (line?.event === "unable") throw new Error(String(line.reason));
      if (line !== undefined) continue;
      if (this.#ended) throw new Error(`expected the event ${event}, got the end of the shim`);
      if (Date.now() >= until) throw new Error(`expected the event ${event} within ${timeoutMs} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, until - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
    }
  }

  /** Ends the shim by the end of its input, and kills it if it stays. */
  async stop() {
    if (this.#ended) return;
    this.#child.stdin.end();
    await new Promise((resolve) => {
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
      this.#child.once("exit", () => {
        clearTimeout(timer);
        resolve(undefined);
      });
      if (this.#ended) resolve(undefined);
    });
  }

  #end() {
    this.#ended = true;
    this.#wake?.();
  }
}
