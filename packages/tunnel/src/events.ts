/** The events of a ReverseTunnel: notifications; no event has to be handled. @module */
import type { SshError } from "@postern/wire";
import type { Forwarding, ForwardingState } from "./forwarding.ts";
import type { Target } from "./platform.ts";
import type { ProbeResult } from "./probe.ts";

/** Where a tunnel stands. `waiting`: the connection is down, an attempt to make it again is due. */
export type TunnelState = "connecting" | "authenticating" | "open" | "waiting" | "closed";

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

/** An attempt to connect again is due in `intervalMs`. `preventDefault()` gives the tunnel up instead. */
export class ReconnectAttemptEvent extends Event {
  /** 1 for the first since the connection was lost */
  readonly attempt: number;
  readonly maxRetries: number;
  readonly intervalMs: number;
  /** why the connection was lost, or the attempt before failed */
  readonly reason: SshError;

  constructor(attempt: number, maxRetries: number, intervalMs: number, reason: SshError) {
    super("reconnectattempt", { cancelable: true });
    this.attempt = attempt;
    this.maxRetries = maxRetries;
    this.intervalMs = intervalMs;
    this.reason = reason;
  }
}

/** A forwarding's state changed. */
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

/** A forwarding was probed, as the option `selfCheck` asks. */
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
 * The host sent a text: `banner` before login (RFC 4252 section 5.4), `debug` at any time (RFC 4253 section 11.3). Each line that it sends before
 * its identification (RFC 4253 section 4.2) is a `debug` event, too.
 */
export class NoticeEvent extends Event {
  /** from the network; unprintable characters are escaped as `\u{…}`, except line ends and tabs in a banner */
  readonly message: string;

  constructor(type: "banner" | "debug", message: string) {
    super(type);
    this.message = message;
  }
}

/** A visitor was turned away because the target could not be reached, or `onOpen` failed or did not answer in time. */
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
  readonly reconnectattempt: ReconnectAttemptEvent;
  readonly forwarding: ForwardingEvent;
  readonly selfcheck: SelfCheckEvent;
  readonly banner: NoticeEvent;
  readonly debug: NoticeEvent;
  readonly visitorerror: VisitorErrorEvent;
}

type Handler<Type extends keyof TunnelEvents> = ((event: TunnelEvents[Type]) => void) | null;
type AnyHandler = EventListenerOrEventListenerObject | null;

/** An EventTarget whose handlers know the event they get. */
export interface TunnelEventTarget extends EventTarget {
  addEventListener<Type extends keyof TunnelEvents>(
    type: Type,
    handler: Handler<Type>,
    options?: AddEventListenerOptions | boolean,
  ): void;
  addEventListener(type: string, handler: AnyHandler, options?: AddEventListenerOptions | boolean): void;
  removeEventListener<Type extends keyof TunnelEvents>(
    type: Type,
    handler: Handler<Type>,
    options?: EventListenerOptions | boolean,
  ): void;
  removeEventListener(type: string, handler: AnyHandler, options?: EventListenerOptions | boolean): void;
}

/** EventTarget itself: the types are all there is to add. */
export const TunnelEventTarget: new () => TunnelEventTarget = EventTarget;
