/**
 * Relays each WebSocket to one fixed TCP address, so that a browser can reach an SSH host. The SSH session is end to end: what passes
 * here is ciphertext, and the browser checks the host's key itself.
 *
 * Bindings: `HOST` and `PORT`, where all WebSockets lead; `ORIGINS`, the origins of pages that are let in, with spaces between them, or `*`.
 * @module
 */
import { connect } from "cloudflare:sockets";

/** What the host may leave unread of a browser before the WebSocket is closed: a worker cannot tell it to wait. */
const maxHeldBytes = 32 * 1024 * 1024;
/** close codes, RFC 6455 section 7.4.1 */
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
    // The host first: a visitor learns by the handshake that it cannot be reached.
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

/** Moves bytes both ways. */
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
    // What was written is still sent when the page ended in good order.
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
      // A WebSocket has no half-close, and an SSH host that ends has nothing more to hear.
      close(normalClosure, "");
    } catch (error) {
      failed(error);
    }
  })();
}

/** A browser tells which page opens the WebSocket. Programs that are no browser tell what they like, and mostly nothing. */
function isAllowed(request, origins) {
  const origin = request.headers.get("origin");
  if (origin === null) return true;
  const allowed = origins.split(" ").filter((one) => one !== "");
  if (allowed.length > 0) return allowed.includes("*") || allowed.includes(origin);
  return URL.canParse(origin) && new URL(origin).host === new URL(request.url).host;
}
