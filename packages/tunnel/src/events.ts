/** The events of a ReverseTunnel. None has to be handled. @module */
import type { Address } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { Forwarding, ForwardingState } from "./forwarding.ts";
import type { LocalForwarding } from "./local-options.ts";
import type { ProbeResult } from "./probe.ts";

/**
 * The state of a tunnel. `new`: before `connect()`. `waiting`: the connection is down, and the next attempt is
 * scheduled.
 */
export type TunnelState = "new" | "connecting" | "authenticating" | "open" | "waiting" | "closed";

/** The tunnel's state changed. */
export class StateEvent extends Event {
  readonly state: TunnelState;
  /** the error that caused the change, if there was one */
  readonly reason: SshError | undefined;

  constructor(state: TunnelState, reason?: SshError) {
    super("state");
    this.state = state;
    this.reason = reason;
  }
}

/** The tunnel will reconnect in `intervalMs`. `preventDefault()` ends it instead, with `reason`. */
export class ReconnectAttemptEvent extends Event {
  /** 1 for the first attempt since the connection was lost */
  readonly attempt: number;
  readonly maxRetries: number;
  readonly intervalMs: number;
  /** why the connection was lost, or the previous attempt failed */
  readonly reason: SshError;

  constructor(attempt: number, maxRetries: number, intervalMs: number, reason: SshError) {
    super("reconnectattempt", { cancelable: true });
    this.attempt = attempt;
    this.maxRetries = maxRetries;
    this.intervalMs = intervalMs;
    this.reason = reason;
  }
}

/** A forwarding's state or URL changed. */
export class ForwardingEvent extends Event {
  readonly forwarding: Forwarding;
  readonly state: ForwardingState;
  readonly reason: SshError | undefined;

  constructor(forwarding: Forwarding, state: ForwardingState, reason: SshError | undefined) {
    super("forwarding");
    this.forwarding = forwarding;
    this.state = state;
    this.reason = reason;
  }
}

/** A forwarding was probed because of the option `selfCheck`. */
export class SelfCheckEvent extends Event {
  readonly forwarding: Forwarding;
  readonly result: ProbeResult;

  constructor(forwarding: Forwarding, result: ProbeResult) {
    super("selfcheck");
    this.forwarding = forwarding;
    this.result = result;
  }
}

/**
 * The server sent a text: `banner` before login (RFC 4252 section 5.4), `debug` at any time (RFC 4253 section 11.3).
 * Each line that it sends before its identification (RFC 4253 section 4.2) also fires `debug`. `message`: whole lines
 * of the text of the tunnel's `session`.
 */
export class NoticeEvent extends Event {
  /** from the network; unprintable characters are escaped as `\u{…}`, except line ends and tabs in a banner or message */
  readonly message: string;

  constructor(type: "banner" | "debug" | "message", message: string) {
    super(type);
    this.message = message;
  }
}

/**
 * A visitor was refused: the target could not be reached, `onOpen` failed or timed out, the backlog was full, or a
 * visitor of `target: "socks"` was refused after its request.
 */
export class VisitorErrorEvent extends Event {
  readonly forwarding: Forwarding;
  readonly origin: Address;
  readonly error: unknown;

  constructor(forwarding: Forwarding, origin: Address, error: unknown) {
    super("visitorerror");
    this.forwarding = forwarding;
    this.origin = origin;
    this.error = error;
  }
}

/** A connection to a local port was refused: the server or the target could not be reached, or there were too many. */
export class LocalErrorEvent extends Event {
  readonly forwarding: LocalForwarding;
  /** the client's address; `undefined` for a UNIX socket */
  readonly origin: Address | undefined;
  readonly error: unknown;

  constructor(forwarding: LocalForwarding, origin: Address | undefined, error: unknown) {
    super("localerror");
    this.forwarding = forwarding;
    this.origin = origin;
    this.error = error;
  }
}

/** Event types by name. */
export interface TunnelEvents {
  readonly state: StateEvent;
  readonly reconnectattempt: ReconnectAttemptEvent;
  readonly forwarding: ForwardingEvent;
  readonly selfcheck: SelfCheckEvent;
  readonly banner: NoticeEvent;
  readonly debug: NoticeEvent;
  readonly message: NoticeEvent;
  readonly visitorerror: VisitorErrorEvent;
  readonly localerror: LocalErrorEvent;
}
