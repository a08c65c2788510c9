/**
 * `-f`: goes to the background after the login. Node.js cannot fork, so a second process connects from the start, in a
 * session of its own. This process asks its questions on the terminal, and ends when the other one is ready.
 * @module
 */
import { fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Prompts } from "../terminal/index.ts";

/** Set in the environment of the second process only. */
const marker = "POSTERN_BACKGROUND";

/** The questions that the second process may ask. */
const questions = [
  "passphrase",
  "password",
  "keyboardInteractive",
  "confirmHostKey",
  "confirm",
  "askPermission",
  "line",
] as const;
type Question = (typeof questions)[number];

/** From the second process. */
type ChildMessage =
  | { readonly type: "ask"; readonly id: number; readonly question: Question; readonly args: readonly unknown[] }
  | { readonly type: "newConnection" }
  | { readonly type: "ready" };

/** To the second process. */
type ParentMessage = { readonly id: number; readonly answer?: unknown; readonly problem?: string };

/** The second process, as seen from itself. */
export interface Background {
  /** asks on the terminal of the first process */
  readonly prompts: Prompts;
  /**
   * Lets the first process end. `keepsOutput`: the output of a command still goes where it did; otherwise nobody waits
   * for standard output and error to end.
   */
  ready(keepsOutput: boolean): void;
}

/** Starts the same command line in the background. Resolves with the exit status once it is ready, or has ended. */
export function startInBackground(args: readonly string[], prompts: Prompts): Promise<number> {
  const [, script = ""] = process.argv;
  const child = fork(script, args, {
    detached: true,
    env: { ...process.env, [marker]: "1" },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced",
  });
  return new Promise((resolve) => {
    const pass = (signal: NodeJS.Signals): void => {
      child.kill(signal);
    };
    const done = (status: number): void => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, pass);
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
      resolve(status);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, pass);
    child.on("message", (message: ChildMessage) => {
      if (message.type === "ready") return done(0);
      if (message.type === "newConnection") return prompts.newConnection();
      const { id, question, args: values } = message;
      const send = (answer: ParentMessage): void => {
        if (child.connected) child.send(answer);
      };
      const asked = questions.includes(question)
        ? (prompts[question] as (...values: readonly unknown[]) => Promise<unknown>)(...values)
        : Promise.reject(new Error("expected a known question"));
      asked.then(
        (answer) => send({ id, answer }),
        (error: Error) => send({ id, problem: error.message }),
      );
    });
    child.on("error", () => done(255));
    child.on("exit", (code) => done(code ?? 255));
  });
}

/** Returns the connection to the first process, or `undefined` in any other process. */
export function backgroundOf(): Background | undefined {
  const isChild = process.env[marker] === "1" && process.send !== undefined;
  delete process.env[marker];
  if (!isChild) return undefined;
  const pending = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  const onMessage = ({ id, answer, problem }: ParentMessage): void => {
    const one = pending.get(id);
    pending.delete(id);
    if (problem === undefined) one?.resolve(answer);
    else one?.reject(new Error(problem));
  };
  const onDisconnect = (): void => {
    for (const { reject } of pending.values()) reject(new Error("expected a terminal, got none any more"));
    pending.clear();
  };
  process.on("message", onMessage).once("disconnect", onDisconnect);
  // Only a question keeps the process alive.
  process.channel?.unref();
  const send = (message: ChildMessage): void => {
    if (process.connected) process.send?.(message);
  };
  const ask = (question: Question, args: readonly unknown[]): Promise<never> =>
    new Promise((resolve, reject) => {
      if (!process.connected) return reject(new Error("expected a terminal, got none any more"));
      const id = ++last;
      pending.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      send({ type: "ask", id, question, args });
    });
  const prompts: Prompts = {
    passphrase: (...args) => ask("passphrase", args),
    password: (...args) => ask("password", args),
    keyboardInteractive: (...args) => ask("keyboardInteractive", args),
    confirmHostKey: (...args) => ask("confirmHostKey", args),
    confirm: (...args) => ask("confirm", args),
    askPermission: (...args) => ask("askPermission", args),
    line: (...args) => ask("line", args),
    newConnection: () => send({ type: "newConnection" }),
    cancel: onDisconnect,
  };
  return {
    prompts,
    ready(keepsOutput) {
      if (!process.connected) return;
      process.send?.({ type: "ready" } satisfies ChildMessage, () => {
        if (process.connected) process.disconnect();
      });
      if (!keepsOutput) for (const fd of [1, 2]) replaceByNull(fd);
    },
  };
}

/** The lowest number that is free is used next, so the file takes the place of the one that was closed. */
function replaceByNull(fd: number): void {
  try {
    closeSync(fd);
    openSync("/dev/null", "r+");
  } catch {
    // Windows has no such file, and no -f.
  }
}
