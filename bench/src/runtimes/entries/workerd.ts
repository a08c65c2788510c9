/** `cloudflare:sockets`, and a module of WebAssembly, because workerd compiles no bytes. @module */

// @ts-expect-error: this module exists only in workerd
import { connect } from "cloudflare:sockets";
import { createChacha20Poly1305 } from "@postern/wasm";
import module from "@postern/wasm/chacha20-poly1305-simd.wasm";
import { type WorkerdConnect, workerdSocket } from "@postern/web";
import { runProgram } from "../program.ts";

/** Runs the program at a request, whose query holds the URL of the benchmark. */
export default {
  async fetch(request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams;
    await runProgram(query.get("control") ?? "", {
      version: query.get("version") ?? "?",
      dial: ({ host, port }, { signal }) =>
        workerdSocket(connect as WorkerdConnect, { hostname: host, port }, { signal }),
      wasm: createChacha20Poly1305(module),
    });
    return new Response("done\n");
  },
};
