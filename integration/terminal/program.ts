/** A program for the tests of the terminal: asks the questions of its arguments, and prints the answers. @module */
import { setTimeout as sleep } from "node:timers/promises";
import { createPrompts, createStatusLine, openTerminal } from "../../packages/cli/src/terminal/index.ts";

const login = { user: "ann", host: "Example.com", port: 22 };
const prompts = createPrompts();
const show = (value: unknown): void => console.log(`<${value}>`);

const actions: Readonly<Record<string, (argument: string) => Promise<unknown>>> = {
  password: () => prompts.password(login),
  passphrase: (path) => prompts.passphrase(path),
  confirm: (text) => prompts.confirm(text),
  permission: (text) => prompts.askPermission(text),
  async interactive(prompt) {
    const answers = await prompts.keyboardInteractive(
      {
        name: "A name",
        instruction: "Two\nlines",
        prompts: [
          { prompt, echo: true },
          { prompt: "PIN: ", echo: false },
        ],
      },
      login,
    );
    return answers.join(",");
  },
  /** Ends with an error while a question waits. */
  async crash() {
    void prompts.password(login);
    await sleep(100);
    throw new Error("crash");
  },
  /** The connection ends while a question waits. */
  async cancel() {
    setTimeout(() => prompts.cancel(), 100);
    const name = await prompts.password(login).catch((error: Error) => error.name);
    prompts.newConnection();
    return name;
  },
  /** Asks four more questions, and returns how many files more are open than after the first. */
  async files() {
    const { readdirSync } = await import("node:fs");
    const count = (): number => readdirSync("/proc/self/fd").length;
    await prompts.line("1: ");
    const before = count();
    for (let index = 2; index < 6; index += 1) await prompts.line(`${index}: `);
    return count() - before;
  },
  async raw() {
    const terminal = openTerminal();
    if (terminal === undefined) return "no terminal";
    terminal.raw(true);
    terminal.onResize(({ columns, rows }) => process.stdout.write(`${columns}x${rows}\r\n`));
    process.stdout.write("raw\nmode\r\n");
    for await (const chunk of terminal.input as AsyncIterable<Uint8Array>) {
      const key = String(chunk);
      if (key === "q") break;
      if (key === "z") await terminal.suspend();
      else if (key === "x") throw new Error("crash");
      else process.stdout.write(`${JSON.stringify(key)}\r\n`);
    }
    terminal.close();
    return "closed";
  },
  async status() {
    const line = createStatusLine(process.stderr);
    const figures = { visitors: 1, accepted: 20, bytesIn: 999, bytesOut: 1234, roundTripMs: 12.4 };
    line.show({
      ...figures,
      state: "open",
      server: "example.com",
      forwardings: ["8080", "\x1b]0;title\x07"],
      openedAt: Date.now() - 90_500,
    });
    if (line.isOn) await prompts.line("");
    line.clear();
    console.log("a line of the log");
    line.close();
    return line.isOn;
  },
};

for (const argument of process.argv.slice(2)) {
  const [name = "", ...rest] = argument.split("=");
  show(await actions[name]?.(rest.join("=")));
}
process.stdin.destroy();
