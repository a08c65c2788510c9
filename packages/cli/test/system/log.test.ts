import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogSink } from "../../src/system/log.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const record = { level: "info", event: "state", message: "the tunnel is open", tunnel: "shop" } as const;

describe("createLogSink", () => {
  it("appends records to a file for its owner, and opens it again after it was moved", () => {
    const file = join(folder, "log");
    const sink = createLogSink({ format: "json", file });
    sink.log(record);
    sink.log({ ...record, level: "debug" });
    renameSync(file, `${file}.1`);
    sink.reopen();
    sink.log({ ...record, message: "from\na server\u001b[2J" });
    sink.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const [moved, current] = [`${file}.1`, file].map((path) => readFileSync(path, "utf8"));
    expect(JSON.parse(moved ?? "")).toMatchObject({ level: "info", event: "state", tunnel: "shop" });
    expect(JSON.parse(current ?? "").message).toBe("from\\u{a}a server\\u{1b}[2J");
  });

  it("writes text with the time, the level and the tunnel", () => {
    const file = join(folder, "log");
    const sink = createLogSink({ format: "text", file, level: "warn" });
    sink.log(record);
    sink.setLevel("info");
    sink.log(record);
    sink.close();
    expect(readFileSync(file, "utf8")).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z info {2}shop: the tunnel is open\n$/);
  });

  it.skipIf(!existsSync("/dev/full"))("goes on with a full disk, and reports the loss when there is room", () => {
    const file = join(folder, "log");
    symlinkSync("/dev/full", file);
    const sink = createLogSink({ format: "json", file });
    sink.log(record);
    sink.log(record);
    unlinkSync(file);
    sink.reopen();
    sink.log(record);
    sink.close();
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).message)).toEqual([
      "2 records were lost, because the file could not be written",
      "the tunnel is open",
    ]);
  });
});
