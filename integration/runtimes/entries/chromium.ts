/** `@postern/web` over a WebSocket, in a page of the test process. @module */
import { webSocketPipe } from "@postern/web";
import { runProgram } from "../program.ts";
import { webPlatform } from "../scenario.ts";

const bridge = new URL("/bridge", location.href);
bridge.protocol = "ws:";
// What a page is told of its browser's version is cut short.
const version = new URLSearchParams(location.search).get("version") ?? "?";

await runProgram(
  location.href,
  version,
  webPlatform((_host, { signal }) => webSocketPipe(bridge, { signal })),
);
