import { describe, expect, it } from "vitest";
import { parseOptions } from "../../src/help/parse-options.ts";
import { upHelp } from "../../src/up/help.ts";

describe("parseOptions", () => {
  it("names an unknown option and a missing argument in one line, without the advice of Node.js", () => {
    expect(() => parseOptions(upHelp, ["--foo"])).toThrow(/^unknown option '--foo'$/);
    expect(() => parseOptions(upHelp, ["--config"])).toThrow(/^option '-c, --config <value>' argument missing$/);
    expect(() => parseOptions(upHelp, ["--config", "--foo"])).toThrow(/^option '--config' argument is ambiguous$/);
    expect(() => parseOptions(upHelp, ["x"])).toThrow(/^expected at most 0 arguments, got 1$/);
  });
});
