/** A socket of `node:net` as web streams, in Node.js and Bun. @module */
import { once } from "node:events";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { type ByteStreams, pipeFromStreams } from "@postern/web";
import { runProgram } from "../program.ts";

const { bun, node }: Readonly<Record<string, string | undefined>> = process.versions;
await runProgram(process.argv[2] ?? "", {
  version: bun ?? node ?? "?",
  dial: async ({ host, port }, { signal }) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    await once(socket, "connect", { signal });
    return pipeFromStreams(Duplex.toWeb(socket) as ByteStreams);
  },
});
