/** A reverse proxy that leads each name to the port of its user. @module */
import { createServer, request, ServerResponse } from "node:http";
import { pipeline } from "node:stream";

/**
 * Creates an HTTP server that passes requests on by their Host field, WebSockets included.
 * @param {import("@postern/node").TunnelHost} host
 * @param {ReadonlyMap<string, number>} ports by name
 */
export function createRouter(host, ports) {
  const router = createServer((incoming, response) => {
    const outgoing = pass(incoming, response);
    if (outgoing !== undefined) incoming.pipe(outgoing);
  });
  router.on("upgrade", (incoming, visitor, head) => {
    visitor.on("error", () => {});
    // Answers a request that is not upgraded.
    const response = new ServerResponse(incoming);
    response.shouldKeepAlive = false;
    response.assignSocket(visitor);
    response.once("finish", () => visitor.end());
    const outgoing = pass(incoming, response, { connection: "upgrade", upgrade: incoming.headers.upgrade });
    outgoing?.once("upgrade", (answer, target, first) => {
      response.detachSocket(visitor);
      const fields = answer.rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
      visitor.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
      visitor.write(first);
      target.write(head);
      pipeline(visitor, target, visitor, () => {});
    });
    outgoing?.end();
  });
  return router;

  /** Sends the head of a request to the user's port, and passes the answer on. Returns `undefined` if it refuses. */
  function pass(incoming, response, more) {
    const { status, port } = find(incoming);
    if (port === undefined) return void response.writeHead(status).end();
    const refuse = () => (response.headersSent ? response.destroy() : response.writeHead(502).end());
    const { method, url, headers } = incoming;
    const fields = { ...endToEnd(headers), ...more };
    const outgoing = request({ host: "127.0.0.1", port, method, path: url, agent: false, headers: fields });
    outgoing.once("response", (answer) => {
      try {
        response.writeHead(answer.statusCode, endToEnd(answer.headers));
        pipeline(answer, response, () => {});
      } catch {
        // Node does not send the answer of a faulty program, such as the status 99. The host must survive it.
        outgoing.destroy();
        refuse();
      }
    });
    outgoing.on("error", refuse);
    response.once("close", () => outgoing.destroy());
    return outgoing;
  }

  /** Finds the port of a request. A port counts only while its user listens there: it might be another program. */
  function find({ headers }) {
    const name = headers.host?.replace(/:\d+$/, "").toLowerCase();
    const port = ports.get(name);
    if (port === undefined) return { status: 404 };
    const isOpen = host.clients.some(({ forwardings }) => forwardings.some((one) => one.port === port));
    return isOpen ? { status: 200, port } : { status: 502 };
  }
}

/** Returns the fields of a message without those that belong to one connection (RFC 9110 section 7.6.1). */
function endToEnd(headers) {
  const fields = { ...headers };
  for (const name of ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"]) delete fields[name];
  return fields;
}
