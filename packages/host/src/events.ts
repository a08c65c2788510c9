/** The events of a TunnelHost: notifications; no event has to be handled. @module */
import type { SshError } from "@postern/wire";
import type { HostClient } from "./host-client.ts";
import type { Address } from "./platform.ts";

/** A port of the host that a client listens on. */
export interface HostForwarding {
  /** as requested, word for word */
  readonly address: string;
  readonly port: number;
  /** the addresses that are listened on */
  readonly hosts: readonly string[];
  /** visitors so far, and now */
  readonly visitors: number;
  readonly open: number;
  /** bytes from visitors, and to them */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A client came (`clientopened`), or went (`clientclosed`). */
export class HostClientEvent extends Event {
  readonly connection: HostClient;
  /** why it went, when it did not just leave or was asked to */
  readonly reason: SshError | undefined;

  constructor(type: "clientopened" | "clientclosed", connection: HostClient, reason?: SshError) {
    super(type);
    this.connection = connection;
    this.reason = reason;
  }
}

/** A client logged in. */
export class LoginEvent extends Event {
  readonly connection: HostClient;
  readonly user: string;
  readonly method: string;

  constructor(connection: HostClient, user: string, method: string) {
    super("login");
    this.connection = connection;
    this.user = user;
    this.method = method;
  }
}

/** Something was refused: a connection, a login attempt, a port, a channel of the client, a visitor. */
export class RefusalEvent extends Event {
  readonly what: "connection" | "login" | "forwarding" | "channel" | "visitor";
  /** in words, such as `permission denied for "localhost" port 80` */
  readonly reason: string;
  /** undefined for a connection that was turned away at once */
  readonly connection: HostClient | undefined;
  readonly origin: Address | undefined;

  constructor(
    what: RefusalEvent["what"],
    reason: string,
    connection: HostClient | undefined,
    origin: Address | undefined,
  ) {
    super("refusal");
    this.what = what;
    this.reason = reason;
    this.connection = connection;
    this.origin = origin;
  }
}

/** A port is listened on (`forwardingopened`), or no longer (`forwardingclosed`). */
export class HostForwardingEvent extends Event {
  readonly connection: HostClient;
  readonly forwarding: HostForwarding;

  constructor(type: "forwardingopened" | "forwardingclosed", connection: HostClient, forwarding: HostForwarding) {
    super(type);
    this.connection = connection;
    this.forwarding = forwarding;
  }
}

/** Event types by name. */
export interface HostEvents {
  readonly clientopened: HostClientEvent;
  readonly clientclosed: HostClientEvent;
  readonly login: LoginEvent;
  readonly refusal: RefusalEvent;
  readonly forwardingopened: HostForwardingEvent;
  readonly forwardingclosed: HostForwardingEvent;
}
