/** HTTP/1.1 for the visitors of a forwarding. @module */
export { Acceptor, type VisitorChannel, type VisitorSource } from "./acceptor.ts";
export {
  allowAddresses,
  basicAuth,
  bearerAuth,
  forwardedHeaders,
  type Middleware,
  rewriteHost,
  type VerifyPassword,
  type VerifyToken,
} from "./middleware.ts";
export type { ServeOptions } from "./options.ts";
export {
  HandlerErrorEvent,
  type HttpHandler,
  HttpService,
  type HttpServiceEvents,
  serve,
  type VisitorInfo,
} from "./serve.ts";
export { isUpgrade, type TakeChannel, upgrade } from "./upgrade.ts";
