/** The processes that read the files of users. They need root, because they take the rights of their users. */
import type { ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Account } from "../../src/host/sshd-config/accounts.ts";
import { createUserFiles } from "../../src/host/sshd-config/user-files.ts";

/** The processes that have been started, and how many others had not ended at each start. */
const started: { readonly process: ChildProcess; readonly others: number }[] = [];
vi.mock("node:child_process", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:child_process")>();
  const counted = (...args: Parameters<typeof spawn>): ChildProcess => {
    const others = started.filter(({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null);
    const process = original.spawn(...args);
    started.push({ process, others: others.length });
    return process;
  };
  return { ...original, spawn: counted };
});
beforeEach(() => void started.splice(0));

const folder = mkdtempSync(join(tmpdir(), "postern-user-files-"));
afterAll(() => rmSync(folder, { recursive: true }));
chmodSync(folder, 0o755);
const file = join(folder, "file");
writeFileSync(file, "text", { mode: 0o644 });

const account = (uid: number): Account => ({ name: `user${uid}`, uid, gid: uid, home: folder });
const fileOf = (uid: number) => ({ path: file, account: account(uid), isStrict: false });

describe.skipIf(process.getuid?.() !== 0)("the processes that read the files of users", () => {
  it("start once the one before them has ended, if their number is reached", async () => {
    const read = createUserFiles(1);
    for (const uid of [60_001, 60_002, 60_001, 60_003]) expect(await read(fileOf(uid))).toBe("text");
    expect(started.map(({ others }) => others)).toEqual([0, 0, 0, 0]);
    const texts = [60_001, 60_002, 60_004, 60_002].map((uid) => read(fileOf(uid)));
    expect(await Promise.all(texts)).toEqual(["text", "text", "text", "text"]);
    expect(new Set(started.map(({ others }) => others))).toEqual(new Set([0]));
  });

  it("let a limited number of logins wait for a process that its user has stopped", async () => {
    const read = createUserFiles(2);
    await read(fileOf(60_001));
    const reader = started[0]?.process;
    reader?.kill("SIGSTOP");
    const reads = Array.from({ length: 40 }, () =>
      read(fileOf(60_001)).catch(({ message }: Error) => {
        refused.push(message);
        return undefined;
      }),
    );
    const refused: string[] = [];
    await expect.poll(() => refused).toHaveLength(23);
    expect(new Set(refused)).toEqual(new Set(["User user60001: too many logins wait for files"]));
    // Another user does not wait.
    expect(await read(fileOf(60_002))).toBe("text");
    reader?.kill("SIGCONT");
    expect((await Promise.all(reads)).filter((text) => text === "text")).toHaveLength(17);
  });

  it("are not waited for by a login that has ended", async () => {
    const read = createUserFiles(2);
    await read(fileOf(60_001));
    const reader = started[0]?.process;
    reader?.kill("SIGSTOP");
    const first = read(fileOf(60_001));
    const login = new AbortController();
    const second = read(fileOf(60_001), login.signal);
    login.abort();
    await expect(second).rejects.toMatchObject({ code: "aborted" });
    await expect(read(fileOf(60_001), login.signal)).rejects.toMatchObject({ code: "aborted" });
    reader?.kill("SIGCONT");
    expect(await first).toBe("text");
  });
});
