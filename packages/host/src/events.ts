/** Events of a TunnelHost. They are notifications: no listener is required. @module */
import type { SshError } from "@postern/wire";
import type { HostClient, HostForwarding } from "./client-view.ts";
import type { Address } from "./platform.ts";

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

  constructor(client: HostClient, user: string, method: string) {
    super("login");
    this.client = client;
    this.user = user;
    this.method = method;
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

  constructor(what: RefusalEvent["what"], reason: string, client: HostClient | undefined, origin: Address | undefined) {
    super("refusal");
    this.what = what;
    this.reason = reason;
    this.client = client;
    this.origin = origin;
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

/** Event types by name. */
export interface HostEvents {
  readonly clientopened: HostClientEvent;
  readonly clientclosed: HostClientEvent;
  readonly login: LoginEvent;
  readonly refusal: RefusalEvent;
  readonly forwardingopened: HostForwardingEvent;
  readonly forwardingclosed: HostForwardingEvent;
}
