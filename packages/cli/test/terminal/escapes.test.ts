import { chunkings, randomBelow, seededRandom } from "@postern/testkit";
import { type Bytes, concat, fromUtf8, utf8 } from "@postern/wire";
import { expect, test } from "vitest";
import { createEscapes, type EscapeActions, parseEscapeChar } from "../../src/terminal/escapes.ts";

interface Run {
  readonly sent: string;
  readonly actions: readonly string[];
  readonly printed: string;
}

function type(chunks: readonly Bytes[], { char = "~", commandLine = false, logs = true } = {}): Run {
  const calls: string[] = [];
  let printed = "";
  const actions: EscapeActions = {
    print(text) {
      printed += text;
    },
    disconnect: () => void calls.push("disconnect"),
    suspend: () => void calls.push("suspend"),
    connections: () => "The following connections are open:\r\n",
    sendBreak: () => void calls.push("break"),
    rekey: () => void calls.push("rekey"),
    ...(logs && {
      changeLogLevel: (step: number) => {
        calls.push(`log ${step}`);
        return "VERBOSE";
      },
    }),
    ...(commandLine && { openCommandLine: () => void calls.push("command line") }),
  };
  const escapes = createEscapes({ char, actions });
  const sent = concat(...chunks.map((chunk) => escapes.feed(chunk)));
  return { sent: fromUtf8(sent), actions: calls, printed };
}

const typed = (text: string, options = {}): Run => type([utf8(text)], options);

test.each([
  ["at the start", "~.", ""],
  ["after CR", "ls\r~.", "ls\r"],
  ["after LF", "ls\n~.", "ls\n"],
])("disconnects for ~. %s, and drops what follows", (_where, text, sent) => {
  expect(typed(`${text}rm -rf\r`)).toEqual({ sent, actions: ["disconnect"], printed: "~.\r\n" });
});

test.each([
  ["within a line", "echo ~.\r", "echo ~.\r"],
  ["typed twice", "~~.\r", "~.\r"],
  ["before another character", "~x\r", "~x\r"],
  ["before a newline", "~\r", "~\r"],
])("sends an escape character %s", (_where, text, sent) => {
  expect(typed(text)).toEqual({ sent, actions: [], printed: "" });
});

test("holds an escape character until the next one comes", () => {
  expect(typed("~").sent).toBe("");
  expect(type([utf8("a\r~"), utf8("b")]).sent).toBe("a\r~b");
});

test("runs one escape after the other without another newline, as ssh does", () => {
  expect(typed("~B~R~v~V~\x1a")).toEqual({
    sent: "",
    actions: ["break", "rekey", "log 1", "log -1", "suspend"],
    printed: "~B\r\n~v [LogLevel VERBOSE]\r\n~V [LogLevel VERBOSE]\r\n~^Z [suspend postern]\r\n",
  });
});

test("prints the open connections for ~#", () => {
  expect(typed("~#").printed).toBe("~#\r\nThe following connections are open:\r\n");
});

test("refuses ~&, and ~C without EnableEscapeCommandline, and says so", () => {
  expect(typed("~&~C")).toEqual({
    sent: "",
    actions: [],
    printed: expect.stringMatching(/^~& \[not supported: .*\]\r\ncommandline disabled\r\n$/),
  });
  expect(typed("~C", { commandLine: true })).toEqual({ sent: "", actions: ["command line"], printed: "" });
});

test("lists the escapes for ~?, in the words of ssh", () => {
  expect(typed("~?", { commandLine: true }).printed.split("\r\n")).toEqual([
    "~?",
    "Supported escape sequences:",
    " ~.   - terminate connection (and any multiplexed sessions)",
    " ~B   - send a BREAK to the remote system",
    " ~C   - open a command line",
    " ~R   - request rekey",
    " ~V/v - decrease/increase verbosity (LogLevel)",
    " ~^Z  - suspend postern",
    " ~#   - list forwarded connections",
    " ~?   - this message",
    " ~~   - send the escape character by typing it twice",
    "(Note that escapes are only recognized immediately after newline.)",
    "",
  ]);
  expect(typed("~?", { logs: false }).printed).not.toMatch(/command line|LogLevel/);
});

test("uses the escape character of -e, and none for none", () => {
  expect(typed("~.\r%.", { char: "%" })).toEqual({ sent: "~.\r", actions: ["disconnect"], printed: "%.\r\n" });
  expect(typed("\x02.", { char: "^B" })).toEqual({ sent: "", actions: ["disconnect"], printed: "^B.\r\n" });
  expect(typed("~.", { char: "none" }).sent).toBe("~.");
  expect(parseEscapeChar("^")).toBe(0x5e);
  expect(() => parseEscapeChar("ab")).toThrow("Bad escape character 'ab'.");
  expect(() => parseEscapeChar("")).toThrow("Bad escape character ''.");
});

test("does not depend on how the input is cut into chunks", () => {
  const random = seededRandom("escapes");
  const keys = ["~", "~", "~", "\r", "\n", ".", "a", "#", "?", "B", "R", "V", "v", "C", "&", "\x1a", "\u{1f600}"];
  for (let round = 0; round < 300; round += 1) {
    const text = Array.from({ length: randomBelow(random, 40) }, () => keys[randomBelow(random, keys.length)]).join("");
    const whole = typed(text);
    for (const { chunks } of chunkings(utf8(text), random)) expect(type(chunks)).toEqual(whole);
  }
});

test("sends input without newlines and escape characters as it is", () => {
  const text = "a~b~~c~.d";
  expect(typed(text).sent).toBe(text);
});
