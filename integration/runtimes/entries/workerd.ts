/** `@postern/web` over `cloudflare:sockets`, in workerd. @module */

// @ts-expect-error: only workerd has this module
import { connect } from "cloudflare:sockets";
import { type WorkerdConnect, workerdSocket } from "@postern/web";
import { runProgram } from "../program.ts";
import { webPlatform } from "../scenario.ts";

/** A request, with the URL of the test process in its query, runs the program. */
export default {
  async fetch(request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams;
    const dial = webPlatform(({ host, port }, { signal }) =>
      workerdSocket(connect as WorkerdConnect, { hostname: host, port }, { signal }),
    );
    await runProgram(query.get("control") ?? "", query.get("version") ?? "?", dial);
    return new Response("done\n");
  },
};
