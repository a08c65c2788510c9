/** All vectors, in workerd. @module */
import { runVectors, webProviders } from "../vectors-program.ts";

/** Runs the program at each request, whose query holds the URL of the test process. */
export default {
  async fetch(request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams;
    await runVectors(query.get("control") ?? "", query.get("version") ?? "?", webProviders);
    return new Response("done\n");
  },
};
