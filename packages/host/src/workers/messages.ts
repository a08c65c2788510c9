/** The functions that the primary and its workers call of each other. @module */
import type { AuthAttempt, AuthDecision, InteractiveRequest } from "@postern/auth";
import type { PeerInfo } from "@postern/ssh";
import type { Bytes } from "@postern/wire";
import type { GatewayPorts } from "../addresses.ts";
import type { Exceeded } from "../host-budget.ts";
import type { LimitName } from "../limits.ts";
import type { HostLogin } from "../login-identity.ts";
import type { CheckedHostOptions } from "../options.ts";
import type { Address } from "../platform.ts";
import type { TakeoverPlace } from "../takeover.ts";
import type { PassedError } from "./link.ts";

/** The names of algorithms, best first. */
export interface AlgorithmLists {
  readonly kex: readonly string[];
  readonly hostKeys: readonly string[];
  readonly ciphers: readonly string[];
  readonly macs: readonly string[];
}

/** The options of a host that a worker needs. Private keys stay in the primary. */
export type PassedOptions = Omit<
  CheckedHostOptions,
  "authorize" | "revokedKeys" | "hostKeys" | "algorithms" | "userKeys" | "url" | "log" | "tap"
> & {
  readonly hostKeys: readonly { readonly publicKey: Bytes; readonly algorithms: readonly string[] }[];
  readonly algorithms: AlgorithmLists;
  readonly userKeys: readonly string[] | undefined;
  readonly hasUrl: boolean;
};

/** An attempt to log in, without its functions. */
export type PassedAttempt = AuthAttempt & { readonly passed: readonly string[] };

/** A decision, and the method that has accepted the client. Patterns of permissions stay in the primary. */
export interface PassedDecision {
  readonly decision: AuthDecision;
  readonly accepted:
    | {
        readonly method: string;
        readonly gatewayPorts: GatewayPorts | undefined;
        readonly lowestPort: number | undefined;
      }
    | undefined;
}

/** A question about the permissions of a client. The place is an address and a port, or a path. */
export type Permission = "mayListen" | "mayOpen" | "mayListenPath" | "mayOpenPath";

/** A forwarding, with a number that is unique in its worker. */
export interface PassedForwarding {
  readonly number: number;
  readonly address: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly hosts: readonly string[];
  readonly url: string | undefined;
  readonly counts: ForwardingCounts;
}

export interface ForwardingCounts {
  readonly visitors: number;
  readonly open: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The counters of a client. */
export interface ClientCounts {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly channels: number;
  readonly rekeys: number;
  readonly forwardings: readonly (readonly [number: number, counts: ForwardingCounts])[];
}

/** Memory and channels of a user. */
export type UserUsage = readonly [user: string, memory: number, channels: number];

/** The functions of the primary. `id` is that of a client. */
export interface PrimaryFunctions {
  sign(publicKey: Bytes, data: Bytes, algorithm: string): Promise<Bytes>;
  authenticate(id: number, attempt: PassedAttempt): Promise<PassedDecision>;
  /** The client has dropped the attempt that is being decided. */
  abandoned(id: number): void;
  loggedIn(id: number, account: string, login: HostLogin, peer: PeerInfo): void;
  may(id: number, permission: Permission, place: readonly [string, number] | readonly [string]): boolean;
  takePort(id: number): Exceeded | undefined;
  returnPort(id: number): void;
  /** Reserves the path of a UNIX socket on this machine. */
  reservePath(key: string): boolean;
  releasePath(key: string): void;
  holds(id: number, place: TakeoverPlace): void;
  releases(id: number, place: TakeoverPlace): void;
  takeOver(id: number, place: TakeoverPlace): Promise<boolean>;
  urlOf(id: number, forwarding: PassedForwarding): Promise<string | undefined>;
  forwardingOpened(id: number, forwarding: PassedForwarding): void;
  forwardingClosed(id: number, forwarding: PassedForwarding): void;
  visitor(id: number, forwarding: PassedForwarding, origin: Address): void;
  refusal(
    id: number,
    what: "forwarding" | "channel" | "visitor",
    reason: string,
    origin: Address | undefined,
    limit: LimitName | undefined,
  ): void;
  counts(clients: readonly (readonly [id: number, counts: ClientCounts])[]): void;
  /** The memory and channels of users in this worker. */
  usage(users: readonly UserUsage[]): void;
  closed(id: number, error: PassedError | undefined, counts: ClientCounts): void;
}

/** The functions of a worker. `id` is that of a client. */
export interface WorkerFunctions {
  configure(options: PassedOptions): void;
  /** Serves the client of a socket, which is the handle of the message. */
  serve(id: number, origin: Address | undefined, handle: unknown): void;
  /**
   * Whether `serve` came with the socket of the client. Node.js drops the message if the worker cannot open another
   * descriptor.
   */
  hasReceived(id: number): boolean;
  ask(id: number, request: InteractiveRequest): Promise<readonly string[]>;
  rekey(id: number): void;
  close(id: number): Promise<void>;
  drop(id: number, reason: PassedError): Promise<void>;
  answers(id: number, timeoutMs: number): Promise<boolean>;
  drain(id: number, drainMs: number): Promise<void>;
  /** The memory of all clients outside this worker, and the part of users who have clients here. */
  usageOfOthers(memory: number, users: readonly UserUsage[]): void;
  /** Prepares the algorithms of the options. @throws Error if their modules cannot be loaded */
  ping(): Promise<void>;
}
