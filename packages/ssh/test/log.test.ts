import { expect, test } from "vitest";
import { createLogWriter, type LogRecord } from "../src/log.ts";

test("passes a record with level, event, message and fields to the log function", () => {
  const records: LogRecord[] = [];
  const write = createLogWriter((record) => records.push(record));
  write("info", "login", "test logged in", {
    user: "test",
    port: 22,
    ok: true,
    methods: ["publickey"],
    key: undefined,
  });
  expect(records).toEqual([
    {
      level: "info",
      event: "login",
      message: "test logged in",
      user: "test",
      port: 22,
      ok: true,
      methods: ["publickey"],
    },
  ]);
  expect(records[0]).not.toHaveProperty("key");
});

test("escapes unprintable characters in messages and fields, so that a peer cannot forge lines", () => {
  const records: LogRecord[] = [];
  const write = createLogWriter((record) => records.push(record));
  write("warn", "refusal", "login of a\nb", { user: "\u001b[2J", hosts: ["x\r\ny"] });
  expect(records[0]?.message).toBe("login of a\\u{a}b");
  expect(records[0]?.user).toBe("\\u{1b}[2J");
  expect(records[0]?.hosts).toEqual(["x\\u{d}\\u{a}y"]);
});

test("keeps level, event and message if a field has one of these names", () => {
  const records: LogRecord[] = [];
  createLogWriter((record) => records.push(record))("info", "login", "hello", {
    level: "error",
    event: "x",
    message: "y",
  });
  expect(records).toEqual([{ level: "info", event: "login", message: "hello" }]);
});

test("ignores a log function that throws or rejects, or is not set", async () => {
  const rejected: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejected.push(reason);
  process.on("unhandledRejection", onRejection);
  try {
    createLogWriter(() => {
      throw new Error("disk full");
    })("error", "closed", "x");
    const rejects: () => unknown = () => Promise.reject(new Error("disk full"));
    createLogWriter(rejects)("error", "closed", "x");
    createLogWriter(undefined)("error", "closed", "x");
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejected).toEqual([]);
  } finally {
    process.off("unhandledRejection", onRejection);
  }
});
