/** All vectors with `@postern/node` and with the providers of all runtimes, in Node, Deno and Bun. @module */
import { compatibleAlgorithms, prepareAlgorithms, readPrivateKey } from "@postern/node";
import { nodeProvider, runVectors, webProviders } from "../vectors-program.ts";
import { nodeVersion } from "./version.ts";

const algorithms = await prepareAlgorithms(compatibleAlgorithms);
const node = nodeProvider(algorithms, { readPrivateKey, hasTripleDes: true });
await runVectors(process.argv[2] ?? "", nodeVersion(), [node, ...webProviders]);
