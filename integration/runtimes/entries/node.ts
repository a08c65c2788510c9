/** `@postern/node`, in Node, Deno and Bun. @module */
import { compatible, privateKey, ReverseTunnel } from "@postern/node";
import { runProgram } from "../program.ts";
import { nodeVersion } from "./version.ts";

await runProgram(
  process.argv[2] ?? "",
  nodeVersion(),
  { tunnel: (options) => new ReverseTunnel(options), privateKey, dialsTargets: true },
  compatible,
);
