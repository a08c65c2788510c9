/** `@postern/web` over a WebSocket, in a page of the test process. @module */
import { webSocketPipe } from "@postern/web";
import { runProgram } from "../program.ts";
import { webPlatform } from "../scenario.ts";

const bridge = new URL("/bridge", location.href);
bridge.protocol = "ws:";
// Browsers shorten the version in the user agent.
const version = new URLSearchParams(location.search).get("version") ?? "?";

await runProgram(
  location.href,
  version,
  webPlatform((_host, { signal }) => webSocketPipe(bridge, { signal }), false),
);
