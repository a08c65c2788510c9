/** Measures the time and CPU time of an import in a new process: `node import.mjs MODULE...` @module */
const began = performance.now();
const { user, system } = process.cpuUsage();
for (const module of process.argv.slice(2)) await import(module);
const used = process.cpuUsage({ user, system });
console.log(JSON.stringify({ ms: performance.now() - began, cpuMs: (used.user + used.system) / 1000 }));
