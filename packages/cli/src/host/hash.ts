/** `postern host hash`: reads a password, and prints its hash. @module */
import { hashPassword } from "@postern/node";

const maxBytes = 4096;

/** Reads one line of standard input. Resolves with the exit status. */
export async function runHash(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    process.stderr.write(
      "postern host hash: expected no arguments, because other users can read them; use standard input\n",
    );
    return 1;
  }
  if (process.stdin.isTTY) process.stderr.write("Password (it is shown): ");
  const [line = ""] = (await readInput()).split(/\r?\n/);
  if (line === "") {
    process.stderr.write("postern host hash: expected a password on standard input, got none\n");
    return 1;
  }
  process.stdout.write(`${await hashPassword(line)}\n`);
  return 0;
}

async function readInput(): Promise<string> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const part of process.stdin as AsyncIterable<string>) {
    text += part;
    if (text.includes("\n") || text.length > maxBytes) break;
  }
  return text;
}
