/** An SSH server that forwards ports: the listening end of a reverse tunnel. @module */
export type { GatewayPorts } from "./addresses.ts";
export type { Authorize, HostDecision, HostLoginAttempt, PartialDecision } from "./authorize.ts";
export { type AuthorizedKeys, authorizedKeys, type KeyUse, type RefusedLine } from "./authorized-keys.ts";
export type { HostClient, HostForwarding } from "./client-view.ts";
export {
  HostClientEvent,
  type HostEvents,
  HostForwardingEvent,
  HostVisitorEvent,
  HostWorkerEvent,
  LoginEvent,
  RefusalEvent,
  TakeoverEvent,
} from "./events.ts";
export { type HealthRequest, type HealthSource, healthHandler } from "./health.ts";
export { AddressList, type SourceBits } from "./ip.ts";
export type { GivenHostLimits, HostLimits, LimitName, PenaltyLimits } from "./limits.ts";
export type { HostLogin, LoginCertificate } from "./login-identity.ts";
export type { ReloadOptions, TunnelHostOptions } from "./options.ts";
export { createHashPassword, type HashCost, type HashPassword, type PasswordFunctions } from "./password-hash.ts";
export { type Permissions, type Permit, restrict } from "./permissions.ts";
export type { Address, HostPlatform, Listening } from "./platform.ts";
export { createPolicy, type UserPolicy } from "./policy.ts";
export type { Revocation } from "./revocations.ts";
export type { TakeoverPlace, TakeoverPolicy } from "./takeover.ts";
export { type CloseOptions, type ServeClientOptions, TunnelHost } from "./tunnel-host.ts";
export { HostWorker, HostWorkers, type PathReservations } from "./workers/host-worker.ts";
export type { SendMessage } from "./workers/link.ts";
export { WorkerHost, type WorkerPlatform } from "./workers/worker-host.ts";
export { workerSupport } from "./workers/worker-support.ts";
