import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { descriptions } from "../../src/commands.ts";
import { renderManPage } from "../../src/help/man-page.ts";
import { sampleHelp } from "../sample-help.ts";

const title = { version: "1.2.3", date: "2026-01-02", summary: "makes tunnels" };
const pages = [
  { page: "of samples", text: renderManPage(sampleHelp, title) },
  { page: "of postern", text: renderManPage(descriptions(), title) },
];

describe("the man page", () => {
  it("has the sections that man-pages(7) names", () => {
    const headings = [...renderManPage(sampleHelp, title).matchAll(/^\.SH "?([^"\n]+)"?$/gm)].map(([, name]) => name);
    expect(headings).toEqual([
      ...["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "COMMANDS", "SEE ALSO"],
    ]);
  });

  it.each(pages)("$page has no warning of mandoc", (test) => {
    const { text } = test;
    const { stdout, error } = spawnSync("mandoc", ["-T", "lint", "-W", "style"], { input: text, encoding: "utf8" });
    if (error !== undefined) return console.log("not checked: mandoc is not installed");
    expect(stdout).toBe("");
  });

  it.each(pages)("$page has no warning of groff", ({ text }) => {
    const { stderr, stdout, error } = spawnSync("groff", ["-man", "-ww", "-Tutf8"], { input: text, encoding: "utf8" });
    if (error !== undefined) return console.log("not checked: groff is not installed");
    expect(stderr).toBe("");
    expect(stdout).toContain("User Commands");
  });

  it("shows every character as it is written", () => {
    const text = renderManPage(sampleHelp, title);
    const input = text;
    const { stdout, error } = spawnSync("groff", ["-man", "-Tutf8", "-P-c"], { input, encoding: "utf8" });
    if (error !== undefined) return console.log("not checked: groff is not installed");
    // A character that is printed over itself is bold, and one over an underscore is in italics.
    const plain = stdout.split(/.[\b]/s).join("").replaceAll(/\s+/g, " ");
    expect(plain).toContain("It's the \\ of commands, and ~/.ssh/config – applies.");
    expect(plain).toContain(".starts with a dot 'quoted'");
    expect(plain).toContain("postern -N -R 8080:localhost:80 me@example.com");
  });
});
