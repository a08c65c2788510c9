/** `@postern/node`, in Node, Deno and Bun. @module */
import { compatibleAlgorithms, prepareAlgorithms, privateKey, ReverseTunnel } from "@postern/node";
import { runProgram } from "../program.ts";
import { nodeVersion } from "./version.ts";

// The tunnel does this for its own algorithms; the vectors use all of them, directly.
await prepareAlgorithms(compatibleAlgorithms);
await runProgram(
  process.argv[2] ?? "",
  nodeVersion(),
  { tunnel: (options) => new ReverseTunnel(options), privateKey, dialsTargets: true },
  compatibleAlgorithms,
);
