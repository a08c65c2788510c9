/** A page of the benchmark, over a WebSocket. @module */
import { webSocketPipe } from "@postern/web";
import { runProgram } from "../program.ts";

const bridge = new URL("/bridge", location.href);
bridge.protocol = "ws:";
await runProgram(location.href, {
  version: new URLSearchParams(location.search).get("version") ?? "?",
  dial: (_server, { signal }) => webSocketPipe(bridge, { signal }),
});
