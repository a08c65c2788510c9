#!/usr/bin/env node
/**
 * Relays each WebSocket to one fixed TCP address, so that a browser can reach an SSH server. The SSH session is end to
 * end: the relayed bytes are ciphertext, and the browser checks the host key itself.
 *
 * `node bridge.mjs --listen 8080 --to ssh.example.com:22 --origin https://page.example.com`
 * @module
 */
import { createServer } from "node:http";
import { connect } from "node:net";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const usage = `usage: bridge --listen [address:]port --to host:port [options]

  --listen ADDRESS:PORT   the address for WebSockets; default 127.0.0.1. Port 0 selects a free port
  --to HOST:PORT          the TCP address to which all WebSockets are relayed
  --origin ORIGIN         accepts pages of that origin; may be repeated; '*' accepts all. Default: the bridge's own host
  --max-connections N     the maximum number of connections; default 100
  --max-per-address N     the maximum from one address; default 20. Behind a proxy all have the proxy's address
  --idle SECONDS          closes idle connections; default 120, more than the keepalive interval of SSH
`;
const options = /** @type {const} */ ({
  listen: { type: "string" },
  to: { type: "string" },
  origin: { type: "string", multiple: true, default: [] },
  "max-connections": { type: "string", default: "100" },
  "max-per-address": { type: "string", default: "20" },
  idle: { type: "string", default: "120" },
  help: { type: "boolean", short: "h" },
});

/** SSH packets are smaller. */
const maxMessageBytes = 1024 * 1024;
/** The number of bytes buffered for a slow browser before reading from the server stops. */
const highWaterMark = 1024 * 1024;
const connectTimeoutMs = 10_000;
/** Close codes (RFC 6455 section 7.4.1). */
const normalClosure = 1000;
const goingAway = 1001;
const internalError = 1011;

const settings = readArguments();
/** @type {Map<string, number>} */
const perAddress = new Map();
let connections = 0;

const webSockets = new WebSocketServer({
  noServer: true,
  // Ciphertext does not compress.
  perMessageDeflate: false,
  maxPayload: maxMessageBytes,
});
const server = createServer((_request, response) => {
  response.writeHead(426, { connection: "close", upgrade: "websocket", "content-type": "text/plain" });
  response.end("This is a bridge for WebSockets.\n");
});
server.on("upgrade", (request, socket, head) => {
  const address = request.socket.remoteAddress ?? "";
  socket.on("error", () => socket.destroy());
  if (!isAllowed(request)) {
    say(`${address}: refused the origin ${JSON.stringify(request.headers.origin)}; --origin accepts it`);
    return refuse(socket, 403, "Forbidden");
  }
  const own = perAddress.get(address) ?? 0;
  if (connections >= settings.maxConnections || own >= settings.maxPerAddress) {
    say(`${address}: refused, because ${connections} connections are open, ${own} of them from this address`);
    return refuse(socket, 503, "Service Unavailable");
  }
  connections++;
  perAddress.set(address, own + 1);
  const release = once(() => {
    connections--;
    const left = (perAddress.get(address) ?? 1) - 1;
    if (left > 0) perAddress.set(address, left);
    else perAddress.delete(address);
  });
  socket.once("close", release);

  // Connects to the server first, so that the handshake fails if it cannot be reached.
  const target = connect({ ...settings.to, noDelay: true, allowHalfOpen: true });
  const failed = once((/** @type {string} */ why) => {
    target.destroy();
    say(`${address}: ${settings.to.host}:${settings.to.port}: ${why}`);
    refuse(socket, 502, "Bad Gateway");
  });
  const gone = () => target.destroy();
  socket.once("close", gone);
  target.setTimeout(connectTimeoutMs, () => failed("timeout"));
  const unreachable = (/** @type {Error} */ error) => failed(error.message);
  target.once("error", unreachable);
  target.once("connect", () => {
    target.off("error", unreachable);
    target.setTimeout(0);
    target.pause();
    socket.off("close", gone);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => relay(webSocket, target, address));
  });
});
server.listen(settings.listen, () => {
  const { address, port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const host = address.includes(":") ? `[${address}]` : address;
  process.stdout.write(`bridge: ws://${host}:${port} leads to ${settings.to.host}:${settings.to.port}\n`);
});
server.on("error", (error) => fail(error.message));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close();
    for (const webSocket of webSockets.clients) webSocket.close(goingAway, "the bridge stops");
    setTimeout(() => process.exit(0), 1000).unref();
  });
}

/**
 * Copies bytes in both directions, with backpressure.
 * @param {import("ws").WebSocket} webSocket
 * @param {import("node:net").Socket} target
 * @param {string} address
 */
function relay(webSocket, target, address) {
  let bytes = 0;
  const start = Date.now();
  const idle = setTimeout(() => webSocket.close(goingAway, "nothing came for too long"), settings.idleMs);
  webSocket.on("message", (data) => {
    const chunk = /** @type {Buffer} */ (data);
    bytes += chunk.length;
    idle.refresh();
    if (target.writable && !target.write(chunk)) webSocket.pause();
  });
  target.on("drain", () => webSocket.resume());
  target.on("data", (chunk) => {
    bytes += chunk.length;
    idle.refresh();
    webSocket.send(chunk, () => {
      if (webSocket.bufferedAmount < highWaterMark) target.resume();
    });
    if (webSocket.bufferedAmount >= highWaterMark) target.pause();
  });
  // A WebSocket has no half-close, and an SSH server that ends its side reads no more.
  target.on("end", () => webSocket.close(normalClosure));
  target.on("error", (error) => webSocket.close(internalError, error.message.slice(0, 100)));
  target.on("close", () => webSocket.close(normalClosure));
  webSocket.on("error", () => {});
  webSocket.on("close", (code) => {
    clearTimeout(idle);
    if (code === normalClosure) target.destroySoon();
    else target.resetAndDestroy();
    say(`${address}: ${bytes} bytes in ${Math.round((Date.now() - start) / 1000)} s, closed with ${code}`);
  });
  target.resume();
  say(`${address}: open`);
}

/**
 * Browsers send the origin of the page. Without this check, any page could use the bridge through its visitors. Other
 * programs may send any origin, or none.
 * @param {import("node:http").IncomingMessage} request
 */
function isAllowed({ headers: { origin, host } }) {
  if (origin === undefined || settings.origins.includes("*")) return true;
  if (settings.origins.length > 0) return settings.origins.includes(origin);
  return URL.canParse(origin) && new URL(origin).host === host;
}

/**
 * @param {import("node:stream").Duplex} socket
 * @param {number} status
 * @param {string} phrase
 */
function refuse(socket, status, phrase) {
  socket.end(`HTTP/1.1 ${status} ${phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function readArguments() {
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    if (values.listen === undefined || values.to === undefined) throw new Error("expected --listen and --to");
    const to = parseAddress(values.to, undefined);
    if (to.port === 0) throw new Error("expected a port in --to");
    return {
      listen: parseAddress(values.listen, "127.0.0.1"),
      to,
      origins: values.origin,
      maxConnections: positive("max-connections", values["max-connections"]),
      maxPerAddress: positive("max-per-address", values["max-per-address"]),
      idleMs: positive("idle", values.idle) * 1000,
    };
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  }
}

/**
 * Parses `host:port` or `[::1]:port`. With a default host, the port suffices.
 * @param {string} text
 * @param {string | undefined} defaultHost
 */
function parseAddress(text, defaultHost) {
  const [, six, name, digits] = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const host = six ?? name ?? defaultHost;
  const port = Number(digits);
  if (host === undefined || !(port <= 65_535)) throw new Error(`expected an address and a port, got '${text}'`);
  return { host, port };
}

/**
 * @param {string} name
 * @param {string} text
 */
function positive(name, text) {
  const value = Number(text);
  if (!(value > 0 && value <= 1_000_000)) throw new Error(`--${name}: expected a number above 0, got '${text}'`);
  return value;
}

/**
 * @template {unknown[]} Args
 * @param {(...args: Args) => void} call
 * @returns {(...args: Args) => void}
 */
function once(call) {
  let done = false;
  return (...args) => {
    if (!done) call(...args);
    done = true;
  };
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`bridge: ${text}\n`);
}

/**
 * @param {string} why
 * @returns {never}
 */
function fail(why) {
  say(why);
  process.exit(1);
}
