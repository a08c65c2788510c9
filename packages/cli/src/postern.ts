#!/usr/bin/env node
/** The program `postern`. @module */
import { enableCompileCache } from "./start/compile-cache.ts";

// Before the code is loaded that it is for.
enableCompileCache();
const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
