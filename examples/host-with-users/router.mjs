/** A reverse proxy that leads each name to the port of its user. @module */
import { createServer, request } from "node:http";
import { pipeline } from "node:stream";

/**
 * Creates an HTTP server that passes requests on by their Host field, WebSockets included.
 * @param {import("@postern/node").TunnelHost} host
 * @param {ReadonlyMap<string, number>} ports by name
 */
export function createRouter(host, ports) {
  const router = createServer((incoming, response) => {
    const { status, port } = find(incoming);
    if (port === undefined) return void response.writeHead(status).end();
    const outgoing = pass(incoming, port);
    outgoing.once("response", (answer) => {
      response.writeHead(answer.statusCode, endToEnd(answer.headers));
      pipeline(answer, response, () => {});
    });
    outgoing.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.once("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  router.on("upgrade", (incoming, visitor, head) => {
    visitor.on("error", () => {});
    const { status, port } = find(incoming);
    if (port === undefined) return visitor.end(`HTTP/1.1 ${status} \r\nconnection: close\r\n\r\n`);
    const outgoing = pass(incoming, port, { connection: "upgrade", upgrade: incoming.headers.upgrade });
    outgoing.once("upgrade", (answer, target, first) => {
      const fields = answer.rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
      visitor.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
      visitor.write(first);
      target.write(head);
      pipeline(visitor, target, visitor, () => {});
    });
    for (const failed of ["response", "error"]) {
      outgoing.on(failed, () => visitor.end("HTTP/1.1 502 \r\nconnection: close\r\n\r\n"));
    }
    visitor.once("close", () => outgoing.destroy());
    outgoing.end();
  });
  return router;

  /** Finds the port of a request. A port counts only while its user listens there: it might be another program. */
  function find({ headers }) {
    const name = headers.host?.replace(/:\d+$/, "").toLowerCase();
    const port = ports.get(name);
    if (port === undefined) return { status: 404 };
    const isOpen = host.clients.some(({ forwardings }) => forwardings.some((one) => one.port === port));
    return isOpen ? { status: 200, port } : { status: 502 };
  }
}

/** Sends the head of a request to a port of this machine. */
function pass({ method, url, headers }, port, more) {
  return request({
    host: "127.0.0.1",
    port,
    method,
    path: url,
    agent: false,
    headers: { ...endToEnd(headers), ...more },
  });
}

/** Returns the fields of a message without those that belong to one connection. */
function endToEnd(headers) {
  const fields = { ...headers };
  for (const name of ["connection", "keep-alive", "upgrade"]) delete fields[name];
  return fields;
}
