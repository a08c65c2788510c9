/** The texts of `--help`, and of a wrong command line. @module */
import { hostHelp } from "./help.ts";

/** Returns the forms of the command line, or all of the help. */
export function formatHelp(part: "usage" | "all"): string {
  const usage = hostHelp.synopsis
    .map((form, index) => `${index === 0 ? "usage:" : "      "} postern host ${form}\n`)
    .join("");
  if (part === "usage") return usage;
  const options = hostHelp.options.map(({ short, long, argument, text }) => {
    const names = [short && `-${short}`, long && `--${long}`].filter((name) => name !== undefined).join(", ");
    return `  ${`${names}${argument === undefined ? "" : ` ${argument}`}`.padEnd(20)} ${text}\n`;
  });
  const examples = hostHelp.examples.map(({ text, command }) => `  ${text}:\n    ${command}\n`);
  return `${usage}\n${hostHelp.description.join("\n\n")}\n\nOptions:\n${options.join("")}\nExamples:\n${examples.join("")}`;
}
