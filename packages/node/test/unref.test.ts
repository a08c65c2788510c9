/** Whether a tunnel keeps a Node.js process alive. Needs `dist`, which `npm test` builds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generatePrivateKey, readPrivateKey, TunnelHost } from "../src/index.ts";

let host: TunnelHost;
beforeEach(async () => {
  const hostKeys = [await readPrivateKey(generatePrivateKey())];
  host = await TunnelHost.listen({
    port: 0,
    address: "127.0.0.1",
    hostKeys,
    authorize: () => ({ permitListen: ["localhost:*"] }),
  });
});
afterEach(() => host.close());

describe("a program that only has an open tunnel", () => {
  it("ends after unref()", async () => {
    const program = run("unref");
    await program.prints("listening");
    expect(await program.exitCode).toBe(0);
    expect(program.lines).not.toContain("closed");
  });

  it("stays alive after ref(), until the tunnel ends", async () => {
    const program = run("ref");
    await program.prints("listening");
    // If `ref` had no effect, the first process would have exited by the time a second one has.
    const second = run("unref");
    expect(await second.exitCode).toBe(0);
    expect([...host.clients]).toHaveLength(1);
    await host.close();
    expect(await program.exitCode).toBe(0);
    expect(program.lines).toContain("closed");
  });

  it("ends after unref() while the tunnel waits to reconnect", async () => {
    const program = run("waiting");
    await program.prints("listening");
    await host.close();
    expect(await program.exitCode).toBe(0);
    expect(program.lines.at(-1)).toBe("waiting");
  });
});

/** Starts the program. */
function run(mode: string) {
  const path = fileURLToPath(new URL("unref/tunnel.mjs", import.meta.url));
  const child = spawn(process.execPath, [path, String(host.port), mode], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  const reader = createInterface(child.stdout).on("line", (line) => lines.push(line));
  const exitCode = once(child, "close").then(([code]: unknown[]) => code);
  /** Resolves once the program has printed the line, and rejects if it ends without it. */
  const prints = (line: string) =>
    new Promise<void>((resolve, reject) => {
      const check = () => lines.includes(line) && resolve();
      reader.on("line", check);
      void exitCode.then(() => reject(new Error(`expected the program to print ${line}, got ${lines.join(", ")}`)));
      check();
    });
  return { lines, prints, exitCode };
}
