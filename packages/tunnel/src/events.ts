/** The events of a ReverseTunnel: notifications; no event has to be handled. @module */
import type { SshError } from "@postern/wire";
import type { Forwarding } from "./forwarding.ts";
import type { Target } from "./platform.ts";

/** Where a tunnel stands. */
export type TunnelState = "connecting" | "authenticating" | "open" | "closed";

/** The tunnel's state changed. */
export class StateEvent extends Event {
  readonly state: TunnelState;
  /** why, when it is the consequence of an error */
  readonly reason: SshError | undefined;

  constructor(state: TunnelState, reason?: SshError) {
    super("state");
    this.state = state;
    this.reason = reason;
  }
}

/** The host sent a text: `banner` before logon (RFC 4252 section 5.4), `debug` at any time (RFC 4253 section 11.3). */
export class MessageEvent extends Event {
  /** from the network: it may hold control characters, see RFC 4252 section 5.4 on displaying it */
  readonly message: string;

  constructor(type: "banner" | "debug", message: string) {
    super(type);
    this.message = message;
  }
}

/** A visitor was turned away because the target could not be reached, or `onOpen` failed. */
export class VisitorErrorEvent extends Event {
  readonly forwarding: Forwarding;
  readonly origin: Target;
  readonly error: unknown;

  constructor(forwarding: Forwarding, origin: Target, error: unknown) {
    super("visitorerror");
    this.forwarding = forwarding;
    this.origin = origin;
    this.error = error;
  }
}

/** Event types by name. */
export interface TunnelEvents {
  readonly state: StateEvent;
  readonly banner: MessageEvent;
  readonly debug: MessageEvent;
  readonly visitorerror: VisitorErrorEvent;
}
