/** The end of a reverse tunnel that listens. @module */
export { type Binding, bindAddresses, type GatewayPorts } from "./addresses.ts";
export { type AuthorizedKeys, authorizedKeys, type KeyUse, type RefusedLine } from "./authorized-keys.ts";
export {
  HostClientEvent,
  type HostEvents,
  type HostForwarding,
  HostForwardingEvent,
  LoginEvent,
  RefusalEvent,
} from "./events.ts";
export type { HostClient } from "./host-client.ts";
export type {
  GivenHostLimits,
  HostLimits,
  PenaltyLimits,
  TunnelHostOptions,
} from "./options.ts";
export { createHashPassword, type HashCost, type HashPassword, type PasswordFunctions } from "./password-hash.ts";
export type { Permissions, Permit } from "./permissions.ts";
export type { Address, HostPlatform, Listening } from "./platform.ts";
export {
  type Authorize,
  createPolicy,
  type HostDecision,
  type HostLoginAttempt,
  type PartialDecision,
  type UserPolicy,
} from "./policy.ts";
export { type CloseOptions, type ServeOptions, TunnelHost } from "./tunnel-host.ts";
