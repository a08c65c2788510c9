/** All vectors, in a page of the test process. @module */
import { runVectors, webProviders } from "../vectors-program.ts";

const version = new URLSearchParams(location.search).get("version") ?? "?";
await runVectors(location.href, version, webProviders);
