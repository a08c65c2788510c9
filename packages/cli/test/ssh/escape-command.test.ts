/** The command line of `~C`. Its words are compared with those of ssh in integration/terminal.test.ts. */
import { describe, expect, it } from "vitest";
import type { MuxForward } from "../../src/mux/forward.ts";
import { ForwardTable } from "../../src/mux/forward-table.ts";
import { runEscapeCommand } from "../../src/ssh/escape-command.ts";

/** Runs lines one after another. `fails`: no forwarding can be opened. */
async function run(lines: readonly string[], given: { readonly mayRun?: boolean; readonly fails?: boolean } = {}) {
  const open = new Set<MuxForward>();
  const printed: string[] = [];
  const commands: string[] = [];
  const forwards = new ForwardTable((forward) => {
    if (given.fails === true) return Promise.reject(new Error("bind: in use\ncannot listen"));
    open.add(forward);
    return Promise.resolve({ close: () => Promise.resolve(void open.delete(forward)) });
  });
  const runLocal = given.mayRun === true ? (command: string) => void commands.push(command) : undefined;
  for (const line of lines) await runEscapeCommand(line, { forwards, runLocal, print: (one) => printed.push(one) });
  return { printed, commands, open: [...open] };
}

const host = undefined;
const [opened, closed] = ["Forwarding port.", "Canceled forwarding."];
const db = { host: "db", port: 5432 };

describe("~C", () => {
  it.each<readonly [string, MuxForward]>([
    ["-L 8080:db:5432", { type: "local", listen: { host, port: 8080 }, connect: db }],
    ["L8080:db:5432", { type: "local", listen: { host, port: 8080 }, connect: db }],
    ["  -L*:8080:db:5432", { type: "local", listen: { host: "*", port: 8080 }, connect: db }],
    ["-R /tmp/socket:db:5432", { type: "remote", listen: { path: "/tmp/socket" }, connect: db }],
    ["-R 1080", { type: "remote", listen: { host, port: 1080 }, connect: undefined }],
    ["-D [::1]:1080", { type: "dynamic", listen: { host: "::1", port: 1080 }, connect: undefined }],
  ])("opens a forwarding by %j", async (line, forward) => {
    expect(await run([line])).toEqual({ printed: [opened], commands: [], open: [forward] });
  });

  it.each([
    ["-L 8080:db:5432", "-KL 8080"],
    ["-L 8080:db:5432", "KL localhost:8080"],
    ["-L localhost:8080:db:5432", "-KL8080"],
    ["-R *:8080:db:5432", "-KR *:8080"],
    ["-R /tmp/socket:db:5432", "-KR /tmp/socket"],
    ["-D 1080", "-KD 1080"],
  ])("closes the forwarding of %j by %j, which names the port alone", async (line, close) => {
    expect(await run([line, close])).toMatchObject({ printed: [opened, closed], open: [] });
    expect((await run([line, close, close])).printed).toEqual([opened, closed, "Unknown port forwarding."]);
  });

  it.each([
    ["another type", "-KR 8080"],
    ["another port", "-KL 8081"],
    ["another address", "-KL *:8080"],
  ])("closes nothing by %s", async (_name, close) => {
    const { printed, open } = await run(["-L 8080:db:5432", close]);
    expect(printed).toEqual([opened, "Unknown port forwarding."]);
    expect(open).toHaveLength(1);
  });

  it.each([
    ["x", "Invalid command."],
    ["-K", "Invalid command."],
    ["!true", "Invalid command."],
    ["-L a b", "Bad local forwarding specification."],
    ["-R a b", "Bad remote forwarding specification."],
    ["-D a b", "Bad local forwarding specification."],
    ["-KL", "Bad forwarding close specification."],
  ])("refuses %j: %s", async (line, answer) => {
    expect(await run([line])).toEqual({ printed: [answer], commands: [], open: [] });
  });

  it("refuses a second forwarding that is the same, and reports why one could not be opened", async () => {
    expect((await run(["-L 8080:db:5432", "-L 8080:db:5432"])).printed).toEqual([opened, "Port forwarding failed."]);
    const { printed } = await run(["-D 1080"], { fails: true });
    expect(printed).toEqual(["bind: in use", "cannot listen", "Port forwarding failed."]);
  });

  it("runs a local command only with PermitLocalCommand, and lists it only then", async () => {
    expect(await run(["!ls -l"], { mayRun: true })).toMatchObject({ printed: [], commands: ["ls -l"] });
    const listed = async (mayRun: boolean): Promise<string> => (await run(["-h", "?"], { mayRun })).printed.join("\n");
    expect(await listed(true)).toContain("!args");
    expect(await listed(false)).not.toContain("!args");
    expect(await listed(false)).toContain("-KD[bind_address:]port");
  });

  it("ignores an empty line", async () => {
    expect(await run(["", "  ", "-"])).toEqual({ printed: [], commands: [], open: [] });
  });
});
