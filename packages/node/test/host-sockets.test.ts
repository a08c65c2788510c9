import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rejection } from "@postern/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dialSocket, listenOnSocket } from "../src/host-sockets.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "postern-sockets-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const noSignal = { signal: undefined, timeoutMs: 5_000 };

describe.skipIf(process.platform === "win32")("UNIX sockets of a host", () => {
  it("have the mode, carry bytes, and leave no file", async () => {
    const path = join(dir, "a.sock");
    const listening = await listenOnSocket(path, { mode: 0o660 }, (visitor) =>
      visitor.start({ data: (chunk) => void visitor.write(chunk), end: () => visitor.end(), drain() {}, closed() {} }),
    );
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const pipe = await dialSocket(path, noSignal);
    const answer = new Promise<string>((resolve) => {
      pipe.start({ data: (chunk) => resolve(Buffer.from(chunk).toString()), end() {}, drain() {}, closed() {} });
    });
    pipe.write(Buffer.from("hello"));
    expect(await answer).toBe("hello");
    pipe.abort();
    await listening.close();
    expect(existsSync(path)).toBe(false);
  });

  it("replace a socket that a process left behind when it was killed", async () => {
    const path = join(dir, "stale.sock");
    const script = "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
    spawnSync(process.execPath, ["-e", script, path]);
    expect(existsSync(path)).toBe(true);
    const listening = await listenOnSocket(path, { mode: 0o600 }, (visitor) => visitor.abort());
    (await dialSocket(path, noSignal)).abort();
    await listening.close();
  });

  it("never replace a socket that is in use, or another file", async () => {
    const path = join(dir, "used.sock");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const error = await rejection(listenOnSocket(path, { mode: 0o600 }, () => {}));
    expect(error).toMatchObject({ code: "connect", message: expect.stringContaining("EADDRINUSE") });
    (await dialSocket(path, noSignal)).abort();
    server.close();
    const file = join(dir, "file");
    writeFileSync(file, "keep me");
    expect((await rejection(listenOnSocket(file, { mode: 0o600 }, () => {}))).code).toBe("connect");
    expect(statSync(file).size).toBe(7);
  });

  it("never change the mode of a file that is there already, also through a link", async () => {
    const [file, link] = [join(dir, "secret"), join(dir, "link")];
    writeFileSync(file, "");
    chmodSync(file, 0o600);
    symlinkSync(file, link);
    for (const path of [file, link]) {
      expect((await rejection(listenOnSocket(path, { mode: 0o666 }, () => {}))).code).toBe("connect");
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });

  it("leave no socket whose mode cannot be set", async () => {
    const path = join(dir, "mode.sock");
    // chmod refuses the value.
    const error = await rejection(listenOnSocket(path, { mode: -1 }, () => {}));
    expect(error.code).toBe("connect");
    expect(existsSync(path)).toBe(false);
    await (await listenOnSocket(path, { mode: 0o660 }, () => {})).close();
  });

  it("are bound once if many requests find the same stale socket, also through a linked folder", async () => {
    const path = join(dir, "race.sock");
    symlinkSync(dir, join(dir, "folder"));
    const script = "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
    spawnSync(process.execPath, ["-e", script, path]);
    const paths = [path, path, join(dir, "folder", "race.sock")];
    const results = await Promise.allSettled(paths.map((one) => listenOnSocket(one, { mode: 0o600 }, () => {})));
    const listening = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(listening).toHaveLength(1);
    (await dialSocket(path, noSignal)).abort();
    await listening[0]?.close();
  });

  it("get no visitor from another request of the same path, and are free again once closed", async () => {
    const path = join(dir, "victim.sock");
    let visitors = 0;
    const count = (visitor: { abort(): void }): void => {
      visitors++;
      visitor.abort();
    };
    const victim = await listenOnSocket(path, { mode: 0o600 }, count);
    const error = await rejection(listenOnSocket(path, { mode: 0o600 }, () => {}));
    expect(error).toMatchObject({ code: "connect", message: expect.stringContaining("EADDRINUSE") });
    (await dialSocket(path, noSignal)).abort();
    await expect.poll(() => visitors).toBeGreaterThan(0);
    expect(visitors).toBe(1);
    await victim.close();
    await (await listenOnSocket(path, { mode: 0o600 }, () => {})).close();
  });

  it("report a missing socket, and stop when the signal fires", async () => {
    expect((await rejection(dialSocket(join(dir, "none"), noSignal))).code).toBe("connect");
    const aborted = dialSocket(join(dir, "none"), { signal: AbortSignal.abort(), timeoutMs: 5_000 });
    expect((await rejection(aborted)).code).toBe("aborted");
  });
});
