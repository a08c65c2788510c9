/** Restricted means restricted: the built files in a context without any platform. Wants `dist`, which `npm test` has built. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, Script } from "node:vm";
import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import type * as Program from "./bare/program.ts";

/** What the code may use, of the minimum common web API (ECMA-429). No WebSocket, fetch, console, process, Buffer or DOM. */
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

describe.skipIf(!existsSync(dist))("the built files in a bare context", () => {
  let text: string;
  let inputs: readonly string[];
  let loaded: readonly string[];
  let context: object & { bare?: typeof Program };

  beforeAll(async () => {
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
    // No text becomes code: eval and Function throw.
    context = createContext(globals, { codeGeneration: { strings: false, wasm: false } });
    new Script(text, { filename: "bare.js" }).runInContext(context);
    loaded = [...touched];
  });

  it("are the built files, and import nothing else", async () => {
    expect(inputs.some((file) => file.endsWith("packages/web/dist/index.js"))).toBe(true);
    expect(inputs.filter((file) => /packages\/.*\/src\//.test(file))).toEqual([]);
    const names = ["wire", "crypto", "keys", "auth", "transport", "connection", "ssh", "tunnel", "host", "web"];
    const exports = names.map((name) => `export * as ${name} from "@postern/${name}";`).join("");
    const { metafile } = await bundled(exports, "all");
    const imports = Object.values(metafile.inputs).flatMap((file) => file.imports);
    expect(imports.filter(({ external, kind }) => external || kind === "dynamic-import")).toEqual([]);
  });

  it("do nothing at import but make classes and text coders", () => {
    // The curves try their randomness out once, each; a runtime that gives none at import, as Workers do, may throw.
    expect(loaded.toSorted()).toEqual(["Event", "EventTarget", "TextDecoder", "TextEncoder", "crypto"]);
    const { Event, EventTarget, TextDecoder, TextEncoder } = globalThis;
    const without = { Event, EventTarget, TextDecoder, TextEncoder };
    const get = (): never => {
      throw new Error("not now");
    };
    Object.defineProperty(without, "crypto", { get });
    new Script(text).runInContext(createContext(without));
  });

  it("carry a tunnel, event based and to a target", async () => {
    const words = "the door is open ".repeat(10_000);
    expect(await context.bare?.runTunnel(words)).toEqual({ echoed: words, refused: "misuse" });
    expect(await context.bare?.runTunnel(words, true)).toEqual({ echoed: words, refused: "" });
  });

  it("would not run with less: what is missing is noticed", () => {
    const less = createContext({});
    expect(() => new Script(text).runInContext(less)).toThrow(/is not defined/);
  });
});
