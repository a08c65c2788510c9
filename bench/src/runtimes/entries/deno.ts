/** `Deno.connect`. @module */
import { type ByteStreams, pipeFromStreams } from "@postern/web";
import { runProgram } from "../program.ts";

declare const Deno: {
  readonly args: readonly string[];
  readonly version: { readonly deno: string };
  connect(address: { readonly hostname: string; readonly port: number }): Promise<ByteStreams>;
};

await runProgram(Deno.args[0] ?? "", {
  version: Deno.version.deno,
  dial: async ({ host, port }) => pipeFromStreams(await Deno.connect({ hostname: host, port })),
});
