/** Events of a TunnelHost. They are notifications: no listener is required. @module */
import type { AlgorithmNames } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { HostClient, HostForwarding } from "./client-view.ts";
import type { LimitName } from "./limits.ts";
import type { HostLogin, LoginCertificate } from "./login-identity.ts";
import type { Address } from "./platform.ts";
import type { TakeoverPlace } from "./takeover.ts";

/** A client connected (`clientopened`) or disconnected (`clientclosed`). */
export class HostClientEvent extends Event {
  readonly client: HostClient;
  /** Why the connection ended. `undefined` if the client simply left or was asked to. */
  readonly reason: SshError | undefined;

  constructor(type: "clientopened" | "clientclosed", client: HostClient, reason?: SshError) {
    super(type);
    this.client = client;
    this.reason = reason;
  }
}

/** A client logged in. */
export class LoginEvent extends Event {
  readonly client: HostClient;
  readonly user: string;
  readonly method: string;
  /** The fingerprint of the key, as `SHA256:…`. `undefined` if the client logged in without a key. */
  readonly fingerprint: string | undefined;
  /** `undefined` if the client logged in without a certificate. */
  readonly certificate: LoginCertificate | undefined;
  /** The negotiated algorithms. */
  readonly algorithms: AlgorithmNames;

  constructor(client: HostClient, { user, method, fingerprint, certificate, algorithms }: HostLogin) {
    super("login");
    this.client = client;
    this.user = user;
    this.method = method;
    this.fingerprint = fingerprint;
    this.certificate = certificate;
    this.algorithms = algorithms;
  }
}

/** The server refused a connection, a login attempt, a request for a port, a channel of a client, or a visitor. */
export class RefusalEvent extends Event {
  readonly what: "connection" | "login" | "forwarding" | "channel" | "visitor";
  /** The reason as text, such as `permission denied: "localhost" port 80`. */
  readonly reason: string;
  /** `undefined` if the connection was refused before it became a client. */
  readonly client: HostClient | undefined;
  readonly origin: Address | undefined;
  /** The limit that was reached, as named in the option `limits`. `undefined` for other reasons. */
  readonly limit: LimitName | undefined;

  constructor(
    what: RefusalEvent["what"],
    reason: string,
    client: HostClient | undefined,
    origin: Address | undefined,
    limit?: LimitName,
  ) {
    super("refusal");
    this.what = what;
    this.reason = reason;
    this.client = client;
    this.origin = origin;
    this.limit = limit;
  }
}

/** The server began (`forwardingopened`) or stopped (`forwardingclosed`) to listen on a port. */
export class HostForwardingEvent extends Event {
  readonly client: HostClient;
  readonly forwarding: HostForwarding;

  constructor(type: "forwardingopened" | "forwardingclosed", client: HostClient, forwarding: HostForwarding) {
    super(type);
    this.client = client;
    this.forwarding = forwarding;
  }
}

/** A visitor connected to a port of a client, and a channel for it is about to be opened. */
export class HostVisitorEvent extends Event {
  readonly client: HostClient;
  readonly forwarding: HostForwarding;
  /** The visitor's address. */
  readonly origin: Address;

  constructor(client: HostClient, forwarding: HostForwarding, origin: Address) {
    super("visitor");
    this.client = client;
    this.forwarding = forwarding;
    this.origin = origin;
  }
}

/**
 * A client gets a port or UNIX socket that a silent client of the same user held. The silent one is being disconnected.
 */
export class TakeoverEvent extends Event {
  readonly client: HostClient;
  /** The silent client. */
  readonly previous: HostClient;
  /** 0 for a UNIX socket. */
  readonly port: number;
  /** The path of a UNIX socket. */
  readonly path: string | undefined;

  constructor(client: HostClient, previous: HostClient, { port, path }: TakeoverPlace) {
    super("takeover");
    this.client = client;
    this.previous = previous;
    this.port = port;
    this.path = path;
  }
}

/** A worker process ended before the host did. Its clients are disconnected, and another process replaces it. */
export class HostWorkerEvent extends Event {
  /** `undefined` if the process could not be started. */
  readonly pid: number | undefined;
  /** The signal, the exit status or the error, such as `SIGKILL`. */
  readonly reason: string;

  constructor(pid: number | undefined, reason: string) {
    super("workerclosed");
    this.pid = pid;
    this.reason = reason;
  }
}

/** Any event of a TunnelHost. */
export type HostEvent = HostEvents[keyof HostEvents];

/** Event types by name. */
export interface HostEvents {
  readonly clientopened: HostClientEvent;
  readonly clientclosed: HostClientEvent;
  readonly login: LoginEvent;
  readonly refusal: RefusalEvent;
  readonly forwardingopened: HostForwardingEvent;
  readonly forwardingclosed: HostForwardingEvent;
  readonly visitor: HostVisitorEvent;
  readonly takeover: TakeoverEvent;
  readonly workerclosed: HostWorkerEvent;
}
