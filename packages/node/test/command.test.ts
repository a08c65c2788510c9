/** Commands as byte pipes. */
import { inspect } from "node:util";
import { rejection, turns } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { type BytePipe, type CommandPipeOptions, commandPipe } from "../src/index.ts";

interface Ended {
  readonly text: string;
  readonly calls: string;
  readonly error: Error | undefined;
}

/** Reads until the pipe has closed. */
function read(pipe: BytePipe, onData?: () => void): Promise<Ended> {
  let text = "";
  let calls = "";
  return new Promise((resolve) =>
    pipe.start({
      data(chunk) {
        expect(Object.getPrototypeOf(chunk)).toBe(Uint8Array.prototype);
        text += Buffer.from(chunk).toString();
        onData?.();
      },
      end: () => {
        calls += "end ";
      },
      drain: () => {
        calls += "drain ";
      },
      closed: (error) => resolve({ text, calls: `${calls}closed`, error }),
    }),
  );
}

const node = (program: string, options?: CommandPipeOptions) => commandPipe(process.execPath, ["-e", program], options);
const running = (): number => process.getActiveResourcesInfo().filter((kind) => /Process|Pipe/.test(kind)).length;

describe("a command", () => {
  it("gets what is written, and its output is what arrives", async () => {
    const pipe = await commandPipe("cat");
    const all = read(pipe);
    pipe.write(Buffer.from("one "));
    pipe.write(Buffer.from("two"));
    pipe.end();
    expect(await all).toEqual({ text: "one two", calls: "end closed", error: undefined });
    expect(() => pipe.start({ data() {}, end() {}, drain() {}, closed() {} })).toThrow("expected one start");
  });

  it("gets its arguments unchanged, without a shell", async () => {
    const pipe = await commandPipe("printf", ["%s|", "a b", "$HOME", "`id`", "'", '"']);
    pipe.end();
    expect((await read(pipe)).text).toBe("a b|$HOME|`id`|'|\"|");
  });

  it("may be a line of a shell", async () => {
    const pipe = await commandPipe("echo $GREETING | tr a-z A-Z", [], {
      shell: true,
      env: { ...process.env, GREETING: "hi" },
    });
    pipe.end();
    expect((await read(pipe)).text).toBe("HI\n");
  });

  it("delivers nothing before start and during a pause, and bytes in order", async () => {
    const size = 1_000_000;
    const pipe = await node(`process.stdout.write(Buffer.alloc(${size}, "0123456789"))`);
    pipe.end();
    await turns();
    let pauses = 0;
    const all = read(pipe, () => {
      pause();
    });
    const pause = (): void => {
      pauses++;
      pipe.pause();
      setTimeout(() => pipe.resume(), 1);
    };
    const { text, error } = await all;
    expect(text).toBe("0123456789".repeat(size / 10));
    expect(pauses).toBeGreaterThan(1);
    expect(error).toBeUndefined();
  });

  it("reports backpressure and which chunks have been sent", async () => {
    const pipe = await node("setTimeout(() => process.stdin.resume(), 100)");
    const sent: number[] = [];
    let drained = 0;
    const closed = new Promise((resolve) =>
      pipe.start({
        memory: { borrows: true, written: ({ length }) => void sent.push(length) },
        data() {},
        end() {},
        drain: () => {
          drained++;
          pipe.end();
        },
        closed: resolve,
      }),
    );
    let chunks = 1;
    while (pipe.write(new Uint8Array(64 * 1024))) chunks++;
    expect(await closed).toBeUndefined();
    expect(drained).toBe(1);
    expect(sent).toEqual(Array(chunks).fill(64 * 1024));
  });

  it.each([
    ["exit 3", "ended with status 3"],
    ["echo first >&2; echo no route >&2; exit 1", 'ended with status 1 and printed "no route"'],
    ["printf '\\033[31m\\n' >&2; kill -TERM $$", 'ended with signal SIGTERM and printed "\\u{1b}[31m"'],
    ["exit 0", "ended with status 0"],
  ])("closes the pipe with its status: %s", async (line, words) => {
    const pipe = await commandPipe(line, [], { shell: true });
    const { error, calls } = await read(pipe);
    expect(error).toMatchObject({ code: "closed", message: `the command ${words}` });
    // A failure is no clean end.
    expect(calls).toBe(line === "exit 0" ? "end closed" : "closed");
  });

  it("keeps only the end of what it prints to standard error, and passes on all", async () => {
    let printed = 0;
    const pipe = await node('process.stderr.write("x".repeat(1e6)); process.exitCode = 1', {
      onStderr: ({ length }) => {
        printed += length;
      },
    });
    pipe.end();
    const { error } = await read(pipe);
    expect(error?.message.length).toBeLessThan(300);
    expect(printed).toBe(1e6);
  });

  it("shows neither its line nor its arguments in errors", async () => {
    const line = await commandPipe("secret=hunter2; exit 1", [], { shell: true });
    const args = await commandPipe("false", ["hunter2"]);
    for (const pipe of [line, args]) expect((await read(pipe)).error?.message).not.toContain("hunter2");
    const absent = await rejection(commandPipe("postern-has-no-such-program", ["hunter2"]));
    expect(absent).toMatchObject({
      code: "connect",
      message: 'expected the command "postern-has-no-such-program" to start, got ENOENT',
    });
    const long = await rejection(commandPipe("cat", ["hunter2".repeat(1_000_000)]));
    expect(long).toMatchObject({ code: "connect", message: expect.stringContaining('the command "cat" to start') });
    const zero = await rejection(commandPipe("cat", ["hunter2\0"]));
    expect(zero).toMatchObject({ code: "misuse", message: expect.stringContaining("without a NUL") });
    const shell = await rejection(commandPipe("hunter2", [], { shell: true, cwd: "/postern-has-no-such-folder" }));
    expect(shell).toMatchObject({ code: "connect" });
    for (const error of [absent, long, zero, shell]) expect(inspect(error, { depth: 9 })).not.toContain("hunter2");
  });

  it("may close its output and still read: a half-close of the other side", async () => {
    const pipe = await commandPipe("exec >&-; cat >/dev/null", [], { shell: true });
    let calls = "";
    const closed = new Promise<Error | undefined>((resolve) =>
      pipe.start({
        data() {},
        drain() {},
        end: () => {
          calls += "end ";
          pipe.write(Buffer.from("more"));
          pipe.end();
        },
        closed: resolve,
      }),
    );
    expect(await closed).toBeUndefined();
    expect(calls).toBe("end ");
  });

  it("is ended by abort, by close and by the signal, even if it ignores SIGTERM", async () => {
    const before = running();
    const stop = new AbortController();
    const ways: [string, (pipe: BytePipe) => void, boolean][] = [
      ["abort", (pipe) => pipe.abort(new Error("why")), true],
      ["close", (pipe) => pipe.close(), false],
      ["signal", () => stop.abort(new Error("why")), true],
    ];
    for (const [, leave, fails] of ways) {
      const pipe = await node('process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6); console.log("up")', {
        signal: stop.signal,
      });
      const up = new Promise<void>((resolve) => {
        void read(pipe, resolve).then(({ error }) => errors.push(error?.message));
      });
      const errors: (string | undefined)[] = [];
      await up;
      leave(pipe);
      await expect.poll(() => errors, { timeout: 10_000 }).toEqual([fails ? "why" : undefined]);
      expect(pipe.write(new Uint8Array(1))).toBe(false);
      pipe.abort();
      pipe.close();
    }
    await expect.poll(running).toBeLessThanOrEqual(before);
  });

  it("is not started with a signal that has aborted, or with arguments that are wrong", async () => {
    expect(await rejection(commandPipe("cat", [], { signal: AbortSignal.abort("why") }))).toBe("why");
    const wrong: [unknown, unknown, unknown, RegExp][] = [
      ["", [], {}, /expected command to be a non-empty string/],
      ["cat", "x", {}, /expected args to list texts, got a string/],
      ["cat", [1], {}, /expected args to list texts, got a number/],
      ["cat", [], { shel: true }, /unknown option "shel" of commandPipe: did you mean "shell"/],
      ["cat", [], { shell: "sh" }, /expected shell to be a boolean/],
      ["cat", ["x"], { shell: true }, /expected no args with a shell/],
      ["cat", [], { cwd: "" }, /expected cwd to be a non-empty string/],
      ["cat", [], { cwd: "/\0" }, /without a NUL/],
      ["cat", [], { env: 7 }, /expected env to be an object/],
      ["cat", [], { env: { A: "\0" } }, /without a NUL/],
      ["cat", [], { onStderr: 1 }, /expected onStderr to be a function/],
    ];
    for (const [command, args, options, message] of wrong) {
      const error = await rejection(commandPipe(command as string, args as string[], options as CommandPipeOptions));
      expect(error).toMatchObject({ code: "misuse", message: expect.stringMatching(message) });
    }
  });
});
