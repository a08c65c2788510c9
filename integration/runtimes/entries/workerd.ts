/** `@postern/web` over `cloudflare:sockets`, in workerd. @module */

// @ts-expect-error: this module exists only in workerd
import { connect } from "cloudflare:sockets";
import { type WorkerdConnect, workerdSocket } from "@postern/web";
import { runProgram } from "../program.ts";
import { webPlatform } from "../scenario.ts";

/** Runs the program at each request, whose query holds the URL of the test process. */
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
