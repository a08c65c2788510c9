/** The command line of `~C`: opens and closes forwardings of a running session, with the words of ssh. @module */
import { parseForwardSpec } from "@postern/node";
import type { MuxForward } from "../mux/forward.ts";
import type { ForwardTable } from "../mux/forward-table.ts";
import { forwardOf } from "./forwardings.ts";

/** The forwardings and functions that the command line uses. */
export interface EscapeCommandContext {
  readonly forwards: ForwardTable;
  /** PermitLocalCommand: `!command` runs a command of this machine. */
  readonly runLocal: ((command: string) => void) | undefined;
  /** Receives a line for the terminal. */
  readonly print: (line: string) => void;
}

const kinds: Readonly<Record<string, MuxForward["type"]>> = { L: "local", R: "remote", D: "dynamic" };

const help = [
  "Commands:",
  "      -L[bind_address:]port:host:hostport    Request local forward",
  "      -R[bind_address:]port:host:hostport    Request remote forward",
  "      -D[bind_address:]port                  Request dynamic forward",
  "      -KL[bind_address:]port                 Cancel local forward",
  "      -KR[bind_address:]port                 Cancel remote forward",
  "      -KD[bind_address:]port                 Cancel dynamic forward",
];

/** Runs one line, as `process_cmdline` of OpenSSH (clientloop.c). Never rejects. */
export async function runEscapeCommand(text: string, context: EscapeCommandContext): Promise<void> {
  const { runLocal, print } = context;
  const line = text.trimStart().replace(/^-/, "");
  if (line === "") return;
  if (/^[h?]/i.test(line)) {
    const local = "      !args                                  Execute local command";
    for (const one of runLocal === undefined ? help : [...help, local]) print(one);
    return;
  }
  if (line.startsWith("!") && runLocal !== undefined) return runLocal(line.slice(1));
  const [, cancels, letter = "", spec = ""] = /^(K?)(.?)\s*(.*)$/s.exec(line) ?? [];
  const type = kinds[letter];
  if (type === undefined) return print("Invalid command.");
  await (cancels === "K" ? cancel(type, spec, context) : open(type, spec, context));
}

async function open(type: MuxForward["type"], spec: string, { forwards, print }: EscapeCommandContext): Promise<void> {
  const parsed = parseForwardSpec(spec, type);
  if (parsed === undefined) return print(`Bad ${type === "remote" ? type : "local"} forwarding specification.`);
  const forward = forwardOf(type, parsed);
  try {
    if (forwards.has(forward)) return print("Port forwarding failed.");
    await forwards.open(forward);
    print("Forwarding port.");
  } catch (error) {
    for (const line of (error as Error).message.split("\n")) print(line);
    print("Port forwarding failed.");
  }
}

/** A forwarding is found by its port alone. */
async function cancel(
  type: MuxForward["type"],
  spec: string,
  { forwards, print }: EscapeCommandContext,
): Promise<void> {
  const parsed = parseForwardSpec(spec, "dynamic");
  if (parsed === undefined) return print("Bad forwarding close specification.");
  const { listen } = forwardOf(type, parsed);
  const isFound = await forwards.closeAt(type, listen).catch(() => false);
  print(isFound ? "Canceled forwarding." : "Unknown port forwarding.");
}
