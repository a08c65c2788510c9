/** Calls from the runner to its helper processes, over the channel of `fork`. @module */
import { type ChildProcess, fork } from "node:child_process";

interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}
type Answer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

type Procedures = { readonly [name: string]: (...args: never[]) => unknown };

/** The procedures of a helper. Each returns a promise. */
export type Remote<P extends Procedures> = {
  readonly [K in keyof P]: (...args: Parameters<P[K]>) => Promise<Awaited<ReturnType<P[K]>>>;
};

export interface Helper<P extends Procedures> {
  readonly pid: number;
  readonly call: Remote<P>;
  stop(): void;
}

/** Answers calls until the runner ends. */
export function answer(procedures: Procedures): void {
  process.on("message", (message) => {
    const { id, name, args } = message as Call;
    void (async () => {
      let reply: Answer;
      try {
        reply = { id, result: await procedures[name]?.(...(args as never[])) };
      } catch (error) {
        reply = { id, error: error instanceof Error ? error.message : String(error) };
      }
      process.send?.(reply);
    })();
  });
  process.once("disconnect", () => process.exit());
}

/** Starts a helper. It ends with `stop`, or with the runner. */
export function startHelper<P extends Procedures>(file: string): Helper<P> {
  const child: ChildProcess = fork(file, { serialization: "advanced" });
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  child.on("message", (message) => {
    const reply = message as Answer;
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ("error" in reply) call?.reject(new Error(reply.error));
    else call?.resolve(reply.result);
  });
  child.once("exit", (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`a helper ended with ${code ?? signal}`));
    waiting.clear();
  });
  const call = new Proxy({} as Remote<P>, {
    get:
      (_, name: string) =>
      (...args: unknown[]) =>
        new Promise((resolve, reject) => {
          const id = calls++;
          waiting.set(id, { resolve, reject });
          child.send({ id, name, args } satisfies Call);
        }),
  });
  return {
    pid: child.pid ?? 0,
    call,
    stop() {
      if (child.connected) child.disconnect();
      child.kill("SIGKILL");
    },
  };
}
