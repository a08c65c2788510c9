/** UNIX sockets: connecting and listening, and what goes wrong. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BytePipe } from "@postern/ssh";
import { echo, readToEnd } from "@postern/testkit";
import { type SshError, utf8 } from "@postern/wire";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { socketPipe } from "../src/socket.ts";
import { dialTarget, listenOnPath } from "../src/unix-socket.ts";

const dir = mkdtempSync(join(tmpdir(), "postern-"));
let made = 0;
const newPath = (): string => join(dir, String(++made));
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => rmSync(dir, { recursive: true }));

function dial(path: string, timeoutMs = 5_000): Promise<BytePipe> {
  return new Promise((resolve, reject) => dialTarget({ path }, timeoutMs, resolve, reject));
}

describe.skipIf(process.platform === "win32")("a UNIX socket", () => {
  it("carries bytes and half-close, and only its user may connect", async () => {
    const path = newPath();
    const listener = await listenOnPath(path, (socket) => echo(socketPipe(socket)));
    ends.push(() => listener.close());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const pipe = await dial(path);
    pipe.write(utf8("hello"));
    pipe.end();
    expect(await readToEnd(pipe)).toMatchObject({ text: "hello", ended: true, error: undefined });
  });

  it("changes the mode of new files only while it is bound", async () => {
    const mask = process.umask();
    const listener = await listenOnPath(newPath(), () => {});
    ends.push(() => listener.close());
    expect(process.umask()).toBe(mask);
  });

  it("leaves a file alone that is in the way", async () => {
    const path = newPath();
    writeFileSync(path, "mine", { mode: 0o644 });
    await expect(listenOnPath(path, () => {})).rejects.toMatchObject({
      code: "connect",
      message: expect.stringMatching(/EADDRINUSE: if no program listens there, remove the file$/),
    });
    expect([statSync(path).size, statSync(path).mode & 0o777]).toEqual([4, 0o644]);
  });

  it.each([
    ["too long", "/".repeat(108), "bytes, got 108"],
    ["in the abstract namespace, which has no permissions", "\0postern", "NUL"],
  ])("is refused to listen at a path that is %s", async (_, path, message) => {
    await expect(listenOnPath(path, () => {})).rejects.toMatchObject({
      code: "misuse",
      message: expect.stringContaining(message),
    });
  });
});

describe.skipIf(process.platform === "win32")("a dial of a path", () => {
  it("fails with the system's reason, or because the path is too long, after it has returned", async () => {
    await expect(dial(newPath())).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("ENOENT"),
    });
    // A sun_path has 108 bytes, and some versions of libuv cut a longer path.
    await expect(dial("/".repeat(108))).rejects.toMatchObject({ code: "misuse" });
  });

  it("ends with abort(), and not after it has connected", async () => {
    const path = newPath();
    const server: Server = createServer().listen(path);
    ends.push(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const errors: SshError[] = [];
    const pending = dialTarget(
      { path },
      5_000,
      () => expect.unreachable(),
      (error) => void errors.push(error as SshError),
    );
    pending.abort("no more");
    pending.abort("again");
    expect(errors).toMatchObject([{ code: "aborted", cause: "no more" }]);
    const pipe = await dial(path);
    ends.push(() => pipe.abort());
  });
});
