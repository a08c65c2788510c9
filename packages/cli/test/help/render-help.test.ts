import { describe, expect, it } from "vitest";
import { commands, descriptions } from "../../src/commands.ts";
import { renderHelp, renderOverview } from "../../src/help/render-help.ts";
import { sampleHelp } from "../sample-help.ts";

const layout = { width: 60, bold: false };
const [connect = missing(), keygen = missing()] = sampleHelp;

describe("renderHelp", () => {
  it("lists usage, description and options, and the examples last", () => {
    expect(renderHelp(keygen, layout)).toBe(`Usage: postern keygen [options]
       postern keygen -y -f <file>

Makes keys as ssh-keygen does.

Options:
  -t, --type <type>  the type
  -f, --file <file>  the file
  --folder <path>    a folder

Examples:
  # A key:
  postern keygen -t ed25519
`);
  });

  it.each([40, 57, 80, 100])("breaks text, but no command line, at %i columns", (width) => {
    const lines = renderHelp({ ...connect, examples: [] }, { width, bold: false }).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(renderHelp(connect, { width, bold: false })).toContain(`\n  ${connect.examples[0]?.command}\n`);
  });

  it("has bold headings on a terminal, and no escape sequences otherwise", () => {
    expect(renderHelp(keygen, { width: 80, bold: true })).toContain("\u001b[1mOptions:\u001b[22m\n");
    expect(renderHelp(keygen, layout)).not.toContain("\u001b");
  });
});

describe("renderOverview", () => {
  it("lists the commands, and the options of the command that connects", () => {
    const text = renderOverview(sampleHelp, layout);
    expect(text).toContain(
      "Usage: postern [options] [<user>@]<host> [<command>]\n       postern <command> [options]\n",
    );
    expect(text).toContain("\n  keygen   makes keys\n");
    expect(text).toMatch(/\n {2}--no-reconnect {2}ends with the connection\n/);
    expect(text.indexOf("Examples:")).toBeGreaterThan(text.indexOf("Exit status:"));
  });
});

describe("every command", () => {
  it.each(descriptions().map((help) => ({ name: `postern ${help.name}`, help })))(
    "$name has an example and fits 80 columns",
    ({ help }) => {
      expect(help.examples.length).toBeGreaterThan(0);
      const lines = renderHelp({ ...help, examples: [] }, { width: 80, bold: false }).split("\n");
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
      for (const { command } of help.examples)
        expect(command).toContain(help.name === "" ? "postern" : `postern ${help.name}`);
    },
  );

  it("has a name of its own", () => {
    const names = descriptions().map(({ name }) => name);
    expect(new Set(names).size).toBe(commands.length);
  });

  it.each(commands.map(({ help, load }) => ({ name: help.name, load })))("has a module: $name", async ({ load }) => {
    expect(await load()).toBeTypeOf("function");
  });
});

function missing(): never {
  throw new Error("expected a description");
}
