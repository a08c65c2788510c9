#!/usr/bin/env node
/** The program `postern`. @module */
import module from "node:module";

// Since Node.js 22.1: code that was compiled once starts faster.
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();
const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
