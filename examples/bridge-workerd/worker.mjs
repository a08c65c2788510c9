/**
 * Relays each WebSocket to one fixed TCP address, so that a browser can reach an SSH server. The SSH session is end to
 * end: the relayed bytes are ciphertext, and the browser checks the host key itself.
 *
 * Bindings: `HOST` and `PORT`, the address of the server; `ORIGINS`, the accepted origins of pages, separated by
 * spaces, or `*`.
 * @module
 */
import { connect } from "cloudflare:sockets";

/** The number of bytes buffered for the server before the WebSocket is closed. A worker cannot pause a WebSocket. */
const maxHeldBytes = 32 * 1024 * 1024;
/** Close codes (RFC 6455 section 7.4.1). */
const normalClosure = 1000;
const unsupportedData = 1003;
const tryAgainLater = 1013;
const internalError = 1011;

export default {
  /** @param {Request} request @param {{ HOST: string, PORT: string, ORIGINS?: string }} env */
  async fetch(request, env) {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("This is a bridge for WebSockets.\n", { status: 426, headers: { upgrade: "websocket" } });
    }
    if (!isAllowed(request, env.ORIGINS ?? "")) return new Response(null, { status: 403 });
    // Connects to the server first, so that the handshake fails if it cannot be reached.
    const target = connect({ hostname: env.HOST, port: Number(env.PORT) }, { allowHalfOpen: true });
    target.closed.catch(() => {});
    try {
      await target.opened;
    } catch (error) {
      console.error(`${env.HOST}:${env.PORT}: ${String(error)}`);
      return new Response(null, { status: 502 });
    }
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.binaryType = "arraybuffer";
    relay(server, target);
    return new Response(null, { status: 101, webSocket: client });
  },
};

/** Copies bytes in both directions. */
function relay(webSocket, target) {
  const writer = target.writable.getWriter();
  const reader = target.readable.getReader();
  let held = 0;
  let over = false;
  const close = (code, reason) => {
    if (over) return;
    over = true;
    webSocket.close(code, reason);
    target.close().catch(() => {});
  };
  const failed = (error) => close(internalError, String(error).slice(0, 100));

  webSocket.addEventListener("message", ({ data }) => {
    if (over) return;
    if (!(data instanceof ArrayBuffer)) return close(unsupportedData, "expected binary messages");
    held += data.byteLength;
    if (held > maxHeldBytes) return close(tryAgainLater, "the host does not read");
    writer.write(new Uint8Array(data)).then(() => {
      held -= data.byteLength;
    }, failed);
  });
  webSocket.addEventListener("close", ({ code }) => {
    if (over) return;
    over = true;
    // After a clean close, the bytes written so far are still sent.
    const last = code === normalClosure ? writer.close() : writer.abort();
    last.catch(() => {}).then(() => target.close().catch(() => {}));
  });
  webSocket.addEventListener("error", failed);

  void (async () => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || over) break;
        webSocket.send(value);
      }
      // A WebSocket has no half-close, and an SSH server that ends its side reads no more.
      close(normalClosure, "");
    } catch (error) {
      failed(error);
    }
  })();
}

/** Browsers send the origin of the page. Other programs may send any origin, or none. */
function isAllowed(request, origins) {
  const origin = request.headers.get("origin");
  if (origin === null) return true;
  const allowed = origins.split(" ").filter((one) => one !== "");
  if (allowed.length > 0) return allowed.includes("*") || allowed.includes(origin);
  return URL.canParse(origin) && new URL(origin).host === new URL(request.url).host;
}
