/** The HTTP server of the test process: orders, visitors on request, and the report. @module */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createWebSocketStream, WebSocketServer } from "ws";
import { patternChunks, patternHash } from "../harness/pattern.ts";
import { isListening } from "../harness/ports.ts";
import { visit } from "../harness/visitor.ts";
import type { Orders, Report } from "./orders.ts";

export interface ControlServer {
  readonly url: string;
  /** Resolves with the report of the program. */
  readonly report: Promise<Report>;
  stop(): void;
}

/** Serves orders; `/` is a page with the script `page`, and `/bridge` relays a WebSocket to the SSH host. */
export async function startControl(orders: Orders, page?: string): Promise<ControlServer> {
  let reported: (report: Report) => void = () => {};
  const report = new Promise<Report>((resolve) => {
    reported = resolve;
  });
  const answers: Answers = {
    "/orders": () => orders,
    "/visit": (body) => {
      const { port, count } = body as { readonly port: number; readonly count?: number };
      return visitors(port, orders, count);
    },
    "/listening": (body) => isListening((body as { readonly port: number }).port),
    "/report": (body) => reported(body as Report),
  };
  const server = await startProgramServer(answers, { page, sshPort: () => orders.port });
  return { ...server, report };
}

/** The functions that answer a program in a runtime, by path. They get the JSON that it has sent. */
export type Answers = Readonly<Record<string, (body: unknown) => unknown>>;

/** Answers POST requests; `/` is a page with the script `page`, and `/bridge` relays a WebSocket to `sshPort()`. */
export async function startProgramServer(
  answers: Answers,
  { page, sshPort }: { readonly page: string | undefined; readonly sshPort: () => number },
): Promise<Omit<ControlServer, "report">> {
  const server = createServer((request, response) => {
    void (async () => {
      if (request.method === "GET") {
        const script = request.url === "/program.js" && page !== undefined;
        response.setHeader("content-type", script ? "text/javascript" : "text/html");
        response.end(script ? readFileSync(page) : '<!doctype html><script type="module" src="/program.js"></script>');
        return;
      }
      const body: unknown = JSON.parse(await text(request));
      const answer = await answers[request.url ?? ""]?.(body);
      response.end(JSON.stringify(answer ?? null));
    })().catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  const bridge = new WebSocketServer({ server, path: "/bridge", perMessageDeflate: false });
  bridge.on("connection", (webSocket) => {
    const stream = createWebSocketStream(webSocket);
    const socket = connect({ host: "127.0.0.1", port: sshPort(), noDelay: true });
    pipeline(stream, socket, stream).catch(() => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop() {
      for (const client of bridge.clients) client.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Runs visitors, all at once. Each sends bytes, half-closes, and expects the bytes and then their hash. */
async function visitors(port: number, { visitors, bytes }: Orders, count = visitors): Promise<number> {
  await Promise.all(Array.from({ length: count }, (_, index) => visitor(port, bytes, index + 1)));
  return count;
}

async function visitor(port: number, bytes: number, seed: number): Promise<void> {
  const one = await visit(port);
  const sending = one.sendAll(patternChunks(bytes, seed)).then(() => one.end());
  const hash = createHash("sha256");
  let size = 0;
  const trailer: Buffer[] = [];
  for await (const chunk of one.socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const left = Math.max(0, bytes - size);
    hash.update(chunk.subarray(0, left));
    if (chunk.length > left) trailer.push(chunk.subarray(left));
    size += chunk.length;
  }
  await sending;
  const expected = patternHash(bytes, seed);
  const got = hash.digest("hex");
  if (got !== expected) throw new Error(`visitor ${seed}: expected ${bytes} bytes back, got ${size} that differ`);
  const said = Buffer.concat(trailer).toString("hex");
  if (said !== expected) throw new Error(`visitor ${seed}: expected the hash ${expected} at the end, got ${said}`);
}
