/**
 * Runs the built files in a context that has only the minimum common web API. Needs `dist`, which `npm test` builds.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, Script } from "node:vm";
import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import type * as Program from "./bare/program.ts";

/**
 * The globals that the packages may use: part of the minimum common web API (ECMA-429), without WebSocket, fetch,
 * console, process, Buffer or DOM.
 */
const allowed = [
  "AbortController",
  "AbortSignal",
  "Event",
  "EventTarget",
  "ReadableStream",
  "TextDecoder",
  "TextEncoder",
  "TransformStream",
  "WritableStream",
  "atob",
  "btoa",
  "clearInterval",
  "clearTimeout",
  "crypto",
  "performance",
  "queueMicrotask",
  "setInterval",
  "setTimeout",
] as const;

const dist = fileURLToPath(new URL("../dist/index.js", import.meta.url));
const bundled = (source: string, globalName: string) =>
  build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL("bare", import.meta.url)), loader: "ts" },
    bundle: true,
    format: "iife",
    globalName,
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    metafile: true,
    write: false,
  });

describe("the built files in a bare context", () => {
  let text: string;
  let inputs: readonly string[];
  let loaded: readonly string[];
  let context: object & { bare?: typeof Program };

  beforeAll(async () => {
    if (!existsSync(dist)) expect.fail("@postern/web is not built: run `node scripts/build.mjs`");
    const { outputFiles, metafile } = await bundled('export * from "./program.ts";', "bare");
    text = outputFiles[0]?.text ?? "";
    inputs = Object.keys(metafile.inputs);
    const touched = new Set<string>();
    const globals = {};
    for (const name of allowed) {
      const get = (): unknown => {
        touched.add(name);
        return globalThis[name];
      };
      Object.defineProperty(globals, name, { get, configurable: true });
    }
    // eval and Function throw.
    context = createContext(globals, { codeGeneration: { strings: false, wasm: false } });
    new Script(text, { filename: "bare.js" }).runInContext(context);
    loaded = [...touched];
  });

  it("import nothing but built files", async () => {
    expect(inputs.some((file) => file.endsWith("packages/web/dist/index.js"))).toBe(true);
    expect(inputs.filter((file) => /packages\/.*\/src\//.test(file))).toEqual([]);
    const names = ["wire", "crypto", "keys", "auth", "transport", "connection", "ssh", "tunnel", "host", "web"];
    const exports = names.map((name) => `export * as ${name} from "@postern/${name}";`).join("");
    const { metafile } = await bundled(exports, "all");
    const imports = Object.values(metafile.inputs).flatMap((file) => file.imports);
    // Only key files and the ciphers in WebAssembly load more, and only files of our own, which every bundler finds.
    const dynamic = imports.filter(({ kind }) => kind === "dynamic-import").map(({ path }) => path);
    expect(dynamic.toSorted()).toEqual([
      expect.stringMatching(/^packages\/keys\/dist\/files-\w+\.js$/),
      "packages/noble/dist/key-files.js",
      "packages/wasm/dist/index.js",
    ]);
    expect(imports.filter(({ external }) => external)).toEqual([]);
  });

  it("only create classes and text coders at import", () => {
    // Each curve of noble tests its randomness once. A runtime without randomness at import, such as Workers, may
    // throw.
    expect(loaded.toSorted()).toEqual(["Event", "EventTarget", "TextDecoder", "TextEncoder", "crypto"]);
    const { Event, EventTarget, TextDecoder, TextEncoder } = globalThis;
    const without = { Event, EventTarget, TextDecoder, TextEncoder };
    const get = (): never => {
      throw new Error("not now");
    };
    Object.defineProperty(without, "crypto", { get });
    new Script(text).runInContext(createContext(without));
  });

  it("run a tunnel with listen() and with forward()", async () => {
    const words = "the door is open ".repeat(10_000);
    expect(await context.bare?.runTunnel(words)).toEqual({ echoed: words, refused: "misuse" });
    expect(await context.bare?.runTunnel(words, true)).toEqual({ echoed: words, refused: "" });
  });

  it("fail in a context without globals", () => {
    const less = createContext({});
    expect(() => new Script(text).runInContext(less)).toThrow(/is not defined/);
  });
});
