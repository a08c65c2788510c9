/** `@postern/web` over a socket of `node:net` as web streams, in Node and Bun. @module */
import { once } from "node:events";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { type ByteStreams, pipeFromStreams } from "@postern/web";
import { runProgram } from "../program.ts";
import { webPlatform } from "../scenario.ts";
import { nodeVersion } from "./version.ts";

await runProgram(
  process.argv[2] ?? "",
  nodeVersion(),
  webPlatform(async ({ host, port }, { signal }) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    await once(socket, "connect", { signal });
    return pipeFromStreams(Duplex.toWeb(socket) as ByteStreams);
  }),
);
