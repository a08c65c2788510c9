/** Upgrades to WebSocket (RFC 9110 section 7.8, RFC 6455 section 4): the program takes the connection over. @module */
import { SshError } from "@postern/wire";
import type { VisitorChannel } from "./acceptor.ts";

/** Takes a connection over. The first bytes of the channel are those after the request. Nothing was answered yet. */
export type TakeChannel = (channel: VisitorChannel) => void | Promise<void>;

const takers = /* @__PURE__ */ new WeakMap<Response, TakeChannel>();
const upgradable = /* @__PURE__ */ new WeakSet<Request>();

/**
 * Returns a response with which a handler of `serve` hands the connection of a request to the program, which answers
 * it and speaks whatever follows. Return the response itself: a copy is sent as an ordinary one. Middleware therefore
 * applies to upgrades, too. If `take` throws, the connection is reset and `handlererror` fires.
 *
 * @throws SshError `misuse` unless {@link isUpgrade} returns true for the request
 * @example
 * serve(listener, (request) => (isUpgrade(request) ? upgrade(request, speakWebSocket) : new Response("hello\n")));
 */
export function upgrade(request: Request, take: TakeChannel): Response {
  if (!isUpgrade(request)) throw new SshError("misuse", "expected a request that asks to speak WebSocket, got another");
  const response = new Response(null, { status: 204 });
  takers.set(response, take);
  return response;
}

/** Whether a request of `serve` asks to speak WebSocket (RFC 6455 section 4.1). */
export function isUpgrade(request: Request): boolean {
  return upgradable.has(request);
}

/** Marks a request that asks to speak WebSocket. */
export function allowUpgrade(request: Request): void {
  upgradable.add(request);
}

/** Returns the function that takes the connection over, if the response is one of {@link upgrade}. */
export function takerOf(response: Response): TakeChannel | undefined {
  return takers.get(response);
}
