/** HTTP/1.1 for the visitors of a forwarding. @module */
export type { ServeOptions } from "./options.ts";
export {
  HandlerErrorEvent,
  type HttpHandler,
  HttpService,
  serve,
  type VisitorInfo,
  type VisitorSource,
} from "./serve.ts";
