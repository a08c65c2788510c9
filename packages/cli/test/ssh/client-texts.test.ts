/** Texts and decisions of the client that need no server. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SshError } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { permitsOpen } from "../../src/ssh/forwardings.ts";
import { createSshLog } from "../../src/ssh/log.ts";
import { describeFailure, describeOpenFailure } from "../../src/ssh/messages.ts";
import { describeSystemError } from "../../src/ssh/system-errors.ts";
import { withoutEffect } from "../../src/ssh/unused-settings.ts";

const address = { host: "192.0.2.1", port: 22 };
const before = { host: "example.com", user: "ann", address, wasOpen: false };
const after = { ...before, wasOpen: true };

describe("the messages of the client", () => {
  it.each([
    [
      "auth",
      'expected …: tried publickey (refused); the server accepts "publickey,password"',
      before,
      ["ann@example.com: Permission denied (publickey,password)."],
    ],
    [
      "misuse",
      'expected the file "/missing" to exist',
      before,
      ["Can't open user config file /missing: No such file or directory"],
    ],
    ["closed", "the connection was closed", before, ["Connection closed by 192.0.2.1 port 22"]],
    ["closed", "the connection was closed", after, ["Connection to example.com closed by remote host."]],
    ["timeout", "expected the peer to answer keepalives", after, ["Timeout, server example.com not responding."]],
    [
      "mac",
      "wrong",
      after,
      [
        "Corrupted MAC on input.",
        "ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: message authentication code incorrect",
      ],
    ],
    [
      "protocol",
      "expected a packet_length of 5 to 262144, got 4294967295",
      after,
      [
        "Bad packet length 4294967295.",
        "ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: Connection corrupted",
      ],
    ],
  ] as const)("are those of ssh for %s: %s", (code, message, context, lines) => {
    expect(describeFailure(new SshError(code, message), context)).toEqual(lines);
  });

  it("name the reason code and the text of a DISCONNECT (RFC 4253 11.1)", () => {
    const error = new SshError("disconnected", 'the peer disconnected: "Too many authentication failures" (reason 2)', {
      reason: 2,
      description: "Too many authentication failures",
    });
    expect(describeFailure(error, before)).toEqual([
      "Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures",
      "Disconnected from 192.0.2.1 port 22",
    ]);
  });

  it("name the reason of a channel that the server refuses (RFC 4254 5.1)", () => {
    const error = new SshError("refused", 'expected the peer to accept the channel, got a refusal: "no" (reason 1)', {
      reason: 1,
      description: "no",
    });
    expect(describeOpenFailure(0, error)).toMatchObject({
      message: "channel 0: open failed: administratively prohibited: no",
    });
    const other = new SshError("closed", "the connection was closed");
    expect(describeOpenFailure(0, other)).toBe(other);
  });

  it("have the texts of the C library for errors of the system", () => {
    const texts = ["ECONNREFUSED", "EADDRINUSE", "ENOTFOUND", "EMFILE"].map((code) =>
      describeSystemError(Object.assign(new Error("x"), { code })),
    );
    expect(texts).toEqual([
      "Connection refused",
      "Address already in use",
      "Name or service not known",
      "Too many open files",
    ]);
  });
});

describe("a keyword without effect", () => {
  const setting = (keyword: string, line: number) => ({ file: "/etc/ssh/ssh_config", line, keyword });

  it("is named in the debug log, unless it is off or the command uses it", () => {
    const unused = [setting("verifyhostkeydns", 1), setting("forwardagent", 2), setting("requesttty", 3)];
    const config = { verifyHostKeyDNS: "ask", forwardAgent: false, requestTTY: "yes" } as const;
    expect(withoutEffect(unused, config)).toEqual(["/etc/ssh/ssh_config line 1: VerifyHostKeyDNS has no effect"]);
    expect(withoutEffect(unused, { verifyHostKeyDNS: "no", forwardAgent: true })).toEqual([
      "/etc/ssh/ssh_config line 2: ForwardAgent has no effect",
    ]);
  });
});

describe("PermitRemoteOpen", () => {
  it.each([
    [["any"], "example.com", 80, true],
    [["none"], "example.com", 80, false],
    [["localhost:80", "*.internal:*"], "localhost", 80, true],
    [["localhost:80", "*.internal:*"], "localhost", 81, false],
    [["localhost:80", "*.internal:*"], "DB.internal", 5432, true],
    [["[::1]:22"], "::1", 22, true],
    [["localhost:80"], "localhost.example.com", 80, false],
  ] as const)("%j decides about %s port %d", (patterns, host, port, isPermitted) => {
    expect(permitsOpen(patterns, host, port)).toBe(isPermitted);
  });
});

describe("the log", () => {
  it("appends lines of its level to a file, and escapes what a server might put into them", () => {
    const folder = mkdtempSync(join(tmpdir(), "postern-log-"));
    const file = join(folder, "log");
    try {
      for (const level of ["debug1", "quiet"] as const) {
        const log = createSshLog({ level, file });
        log.write("info", "plain \u001b[31m");
        log.write("debug1", "one");
        log.write("debug2", "two");
        log.write("fatal", "last");
        log.close();
      }
      expect(readFileSync(file, "utf8")).toBe("plain \\u{1b}[31m\r\ndebug1: one\r\nlast\r\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("rejects a file that cannot be opened, in the words of ssh", () => {
    expect(() => createSshLog({ level: "info", file: "/nonexistent/log" })).toThrow(
      "Couldn't open logfile /nonexistent/log: No such file or directory",
    );
  });
});
