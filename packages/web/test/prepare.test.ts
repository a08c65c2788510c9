/** Which implementation of ChaCha20-Poly1305 a tunnel in a browser uses. */
import * as noble from "@postern/noble";
import * as wasm from "@postern/wasm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { prepareAlgorithms } from "../src/prepare.ts";

const names = ({ ciphers }: { ciphers: readonly { name: string }[] }) => ciphers.map(({ name }) => name);

describe("prepareAlgorithms", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it("replaces noble's ChaCha20-Poly1305 by that in WebAssembly, and nothing else", async () => {
    const { modernAlgorithms } = noble;
    const prepared = await prepareAlgorithms(modernAlgorithms);
    expect(names(prepared)).toEqual(names(modernAlgorithms));
    expect(prepared.ciphers[0]).toBe(wasm.chacha20Poly1305);
    expect({ ...prepared, ciphers: modernAlgorithms.ciphers }).toEqual(modernAlgorithms);
    expect(prepared.ciphers.slice(1)).toEqual(modernAlgorithms.ciphers.slice(1));
  });

  it("keeps the cipher that a program has chosen", async () => {
    const own = { ...noble.modernAlgorithms, ciphers: [wasm.scalarChacha20Poly1305] };
    expect(await prepareAlgorithms(own)).toBe(own);
  });

  it("keeps noble's where compiling WebAssembly is forbidden, as by a content security policy", async () => {
    const { CompileError, validate } = WebAssembly;
    const forbidden = vi.fn(function Module() {
      throw new CompileError("Wasm code generation disallowed by embedder");
    });
    vi.stubGlobal("WebAssembly", { validate, Module: forbidden });
    vi.resetModules();
    const fresh = await import("../src/prepare.ts");
    const { modernAlgorithms } = await import("@postern/noble");
    expect(await fresh.prepareAlgorithms(modernAlgorithms)).toBe(modernAlgorithms);
    expect(forbidden).toHaveBeenCalled();
  });
});
