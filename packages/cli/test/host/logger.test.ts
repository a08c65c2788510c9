import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { HostUsageError, parseHostCommandLine } from "../../src/host/command-line.ts";
import { createHostLogger } from "../../src/host/logger.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-host-log-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the log of a host", () => {
  it("has lines of its level and above, as sshd writes them to a file", async () => {
    const path = join(folder, "log");
    const logger = createHostLogger({ to: "file", path }, { level: "INFO", facility: "AUTH" });
    logger.write("INFO", "one\ntwo");
    logger.write("VERBOSE", "too quiet");
    logger.configure({ level: "DEBUG1", facility: "AUTH" });
    logger.write("DEBUG1", "three");
    logger.write("DEBUG2", "too quiet");
    await logger.close();
    expect(readFileSync(path, "utf8")).toBe("one\r\ntwo\r\ndebug1: three\r\n");
  });

  it.skipIf(!existsSync("/dev/full"))("loses a line if the disk is full, and nothing else", () => {
    const logger = createHostLogger({ to: "file", path: "/dev/full" }, { level: "INFO", facility: "AUTH" });
    expect(() => logger.write("ERROR", "lost")).not.toThrow();
  });

  it("says that its file cannot be opened, as sshd does", () => {
    const path = join(folder, "missing/log");
    const create = (): unknown => createHostLogger({ to: "file", path }, { level: "INFO", facility: "AUTH" });
    expect(create).toThrow(`Couldn't open logfile ${path}: No such file or directory`);
  });

  it("reaches the log of the system by logger(1), with facility and severity (RFC 5424 section 6.2.1)", async () => {
    const out = join(folder, "syslog");
    writeFileSync(join(folder, "logger"), `#!/bin/sh\necho "$@" > ${out}\ncat >> ${out}\n`, { mode: 0o700 });
    const { PATH } = process.env;
    process.env.PATH = `${folder}:${PATH}`;
    try {
      const logger = createHostLogger({ to: "system", env: {} }, { level: "INFO", facility: "LOCAL7" });
      logger.write("ERROR", "wrong");
      logger.write("INFO", "right");
      await logger.close();
    } finally {
      process.env.PATH = PATH;
    }
    const head = `--tag postern-host --id=${process.pid} --prio-prefix`;
    expect(readFileSync(out, "utf8")).toBe(`${head}\n<187>error: wrong\n<190>right\n`);
  });
});

describe("the command line of a host", () => {
  it("has the options of sshd, together and with glued arguments", () => {
    expect(
      parseHostCommandLine(["-ddDe", "-f/etc/x", "-oPort=1", "-o", "Match All", "-p", "22", "-4", "-E/log", "-h", "k"]),
    ).toMatchObject({
      ...{ debug: 2, noDaemon: true, logToStderr: true, sshdConfig: "/etc/x", logFile: "/log" },
      ...{ settings: ["Port=1", "Match All", "AddressFamily inet"], ports: [22], hostKeys: ["k"] },
    });
    const { connection, test } = parseHostCommandLine(["-T", "-C", "user=ann,addr=192.0.2.1", "-C", "invalid-user"]);
    expect([test, connection]).toEqual(["print", { user: "ann", addr: "192.0.2.1", "invalid-user": "yes" }]);
  });

  it.each([
    [["-Z"], "unknown option -- Z"],
    [["- f"], "unknown option --  "],
    [["-f"], "option requires an argument -- f"],
    [["x"], "Extra argument x."],
    [["-p", "70000"], "Bad port number."],
    [["-C", "name=x"], "Invalid test mode specification name=x"],
    [["--foo"], "unknown option -- foo"],
  ])("refuses %j in the words of sshd", (args, message) => {
    expect(() => parseHostCommandLine(args)).toThrow(new HostUsageError(message));
  });
});
