/** SSH user authentication (RFC 4252, RFC 4256) as state machines without I/O. @module */
export { type AuthClientEvent, AuthClientMachine, type AuthClientOptions } from "./client-machine.ts";
export type { AuthContext, AuthDialog, AuthEntry, AuthMethod, AuthStep, MaybePromise } from "./dialog.ts";
export { type InteractiveRequest, keyboardInteractive } from "./methods/keyboard-interactive.ts";
export { none } from "./methods/none.ts";
export { type PasswordOptions, password } from "./methods/password.ts";
export { type PublickeyOptions, publickey } from "./methods/publickey.ts";
export type { AuthAttempt, AuthDecision } from "./server-decision.ts";
export {
  type AuthServerEvent,
  AuthServerMachine,
  type AuthServerOptions,
} from "./server-machine.ts";
