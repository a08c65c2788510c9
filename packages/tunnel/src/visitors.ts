/**
 * The visitors of a forwarding: accepted or refused, joined with the target or passed on, and counted.
 * Longer than 300 lines, because every step depends on which visitors are there.
 * @module
 */
import type { MaybePromise } from "@postern/auth";
import {
  type Address,
  type BytePipe,
  type Channel,
  type Deferred,
  deferred,
  type IncomingOpen,
  pump,
} from "@postern/ssh";
import { maxTimerMs, OpenFailureReason, SshError, sanitizeText, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { ChannelQueue } from "./channel-queue.ts";
import type { Forwarding, ForwardingContext } from "./forwarding.ts";
import type { ForwardingStats } from "./forwarding-stats.ts";
import type { ChannelOpenRequest, CheckedForwarding } from "./options.ts";
import { ProbeGate } from "./probe.ts";
import type { OpenHandler } from "./remote-listener.ts";
import { addFigures, sumOf } from "./stats.ts";
import type { Dial, PendingDial, Target } from "./target.ts";
import type { Limiter } from "./visitor-limits.ts";

/** The pause between two dials of a target. */
const redialMs = 200;

/** A visitor that has not been accepted or refused yet. */
interface Visitor {
  readonly open: IncomingOpen;
  readonly origin: Address;
  /** the port that it connected to */
  readonly port: number;
  /** accepted early, if a probe is running and the first bytes have to be read */
  channel: Channel | undefined;
  /** the decision or the dial in progress */
  pending: PendingDial | undefined;
  /** when the first dial of the target failed */
  failedAt: number | undefined;
}

/** All visitors of one forwarding. */
export class Visitors {
  /** Without a target, channels wait here for the program. */
  readonly queue: ChannelQueue;
  readonly gate: ProbeGate = new ProbeGate();
  readonly #context: ForwardingContext;
  readonly #forwarding: Forwarding;
  readonly #options: CheckedForwarding;
  readonly #dial: Dial<Target>;
  readonly #limiter: Limiter | undefined;
  /** Open channels, with the pipe of the target while that is open. */
  readonly #connected = new Map<Channel, BytePipe | undefined>();
  /** Channels that have closed, while their target still takes bytes. */
  readonly #lingering = new Map<Channel, BytePipe>();
  readonly #arriving = new Set<Visitor>();
  /** Resolved once no visitor is left. */
  #idle: Deferred | undefined;
  readonly #past = { ...sumOf([]) };

  constructor(context: ForwardingContext, forwarding: Forwarding, options: CheckedForwarding) {
    const { dialTarget, dial, visitorFeatures } = context.platform;
    this.#context = context;
    this.#forwarding = forwarding;
    this.#options = options;
    this.queue = new ChannelQueue(options.backlog, context.rejected);
    // `forward()` has checked that the platform dials paths if the target is one.
    this.#dial = (dialTarget || dial) as Dial<Target>;
    this.#limiter = options.limits && visitorFeatures?.createLimiter(options.limits);
  }

  /** Handles one visitor: calls `onOpen`, dials the target before it confirms the open, and connects the two. */
  readonly incoming: OpenHandler = (open, { originAddress, originPort, port = 0 }) => {
    const origin = { host: sanitizeText(originAddress.slice(0, Limits.addressCharacters)), port: originPort };
    const visitor: Visitor = { open, origin, port, channel: undefined, pending: undefined, failedAt: undefined };
    // A probe is no visitor.
    if (!this.gate.isActive && this.#isOneTooMany(visitor)) return;
    this.#arriving.add(visitor);
    // The common case needs no promise.
    if (this.gate.isActive || this.#options.onOpen !== undefined) void this.#decideAndAccept(visitor);
    else this.#accept(visitor);
  };

  stats(): ForwardingStats {
    const sum = { ...this.#past, open: this.#connected.size };
    for (const { counters } of this.#connected.keys()) addFigures(sum, counters);
    return sum;
  }

  /** Resolves when no visitor is connected or about to be. */
  idle(): Promise<void> {
    this.#idle ??= deferred();
    const { promise } = this.#idle;
    this.#checkIdle();
    return promise;
  }

  /** The connection was lost: drops the visitors that have not been accepted. */
  abort(error: SshError | undefined): void {
    for (const { pending } of this.#arriving) pending?.abort(error);
    this.#arriving.clear();
    this.#checkIdle();
  }

  /** The forwarding has ended. Bytes for targets with a limited rate could take for ever, so they are dropped. */
  end(error: SshError | undefined): void {
    this.abort(error);
    if (this.#limiter !== undefined) for (const pipe of [...this.#lingering.values()]) pipe.abort(error);
  }

  async #decideAndAccept(visitor: Visitor): Promise<void> {
    try {
      if (await this.#isWanted(visitor)) return this.#accept(visitor);
    } catch {
      // The connection was lost, and its own error is reported.
    }
    this.#settled(visitor);
  }

  /** Refuses the visitor if the forwarding has a limit that it would exceed. */
  #isOneTooMany(visitor: Visitor): boolean {
    const { connections = Number.POSITIVE_INFINITY } = this.#limiter ?? {};
    const visitors = this.#connected.size + this.#lingering.size + this.#arriving.size;
    const others = visitors - (this.#arriving.has(visitor) ? 1 : 0);
    if (others < connections && this.#limiter?.isBehind !== true) return false;
    const what = others < connections ? "a rate within bytesPerSecond" : `at most ${connections} connections at a time`;
    const error = new SshError("limit", `expected ${what}, got another visitor`);
    this.#refuse(visitor, OpenFailureReason.RESOURCE_SHORTAGE, "too many connections are open", error);
    return true;
  }

  /** Returns false if it is a probe, was refused, or has left. */
  async #isWanted(visitor: Visitor): Promise<boolean> {
    const { open } = visitor;
    if (this.gate.isActive) {
      visitor.channel = this.#acceptChannel(open);
      if (await this.gate.takes(visitor.channel)) return false;
    }
    const hasLeft = (): boolean => !this.#arriving.has(visitor);
    if (hasLeft() || (visitor.channel !== undefined && this.#isOneTooMany(visitor))) return false;
    const { onOpen } = this.#options;
    if (onOpen === undefined) return true;
    let failure: unknown;
    try {
      if ((await this.#decide(visitor, onOpen(this.#request(visitor)))) === true) return !hasLeft();
    } catch (error) {
      failure = error;
    }
    if (failure !== undefined || !hasLeft())
      this.#refuse(visitor, OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "refused", failure);
    return false;
  }

  /** Resolves with the answer of `onOpen`, or `undefined` once the visitor has left. @throws SshError `timeout` */
  #decide(visitor: Visitor, answer: MaybePromise<boolean>): Promise<boolean | undefined> {
    const { onOpenTimeoutMs: ms } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    return new Promise<boolean | undefined>((resolve, reject) => {
      const late = (): void => reject(new SshError("timeout", `expected onOpen to answer within ${ms} ms`));
      timer = setTimeout(late, Math.min(ms, maxTimerMs));
      visitor.pending = { abort: () => resolve(undefined) };
      Promise.resolve(answer).then(resolve, reject);
    }).finally(() => clearTimeout(timer));
  }

  #accept(visitor: Visitor): void {
    const { target } = this.#options;
    // A visitor of a SOCKS proxy is accepted first, because it names the target.
    if (target === "socks") this.#connect(visitor, undefined);
    else if (target !== undefined) this.#dialTarget(visitor, target);
    else if (this.queue.hasEnded) {
      this.#refuse(visitor, OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "this port is no longer forwarded");
      this.#settled(visitor);
    } else if (this.queue.isFull) {
      const error = new SshError("limit", "expected the program to take channels faster, got a full backlog");
      this.#refuse(visitor, OpenFailureReason.RESOURCE_SHORTAGE, "too many connections are waiting", error);
      this.#settled(visitor);
    } else this.#connect(visitor, undefined);
  }

  #dialTarget(visitor: Visitor, target: Target): void {
    const { proxyProtocol, address } = this.#options;
    const { platform, targetTimeoutMs } = this.#context;
    visitor.pending = this.#dial(
      target,
      targetTimeoutMs,
      (pipe) => this.#connect(visitor, this.#limiter?.limit(pipe) ?? pipe),
      (error) => {
        if (this.#mayRetry(visitor, error)) this.#dialAgain(visitor, target, error);
        else this.#targetFailed(visitor, error);
      },
      proxyProtocol &&
        platform.visitorFeatures?.proxyHeader(proxyProtocol, visitor.origin, { host: address, port: visitor.port }),
    );
  }

  #mayRetry(visitor: Visitor, error: unknown): boolean {
    const { targetRetryMs = 0 } = this.#options;
    if (targetRetryMs === 0 || !this.#arriving.has(visitor)) return false;
    if (!(error instanceof SshError) || error.code !== "connect") return false;
    const now = performance.now();
    visitor.failedAt ??= now;
    return now + redialMs - visitor.failedAt <= targetRetryMs;
  }

  #dialAgain(visitor: Visitor, target: Target, error: unknown): void {
    const timer = setTimeout(() => this.#dialTarget(visitor, target), redialMs);
    visitor.pending = {
      abort: () => {
        clearTimeout(timer);
        this.#targetFailed(visitor, error);
      },
    };
  }

  #targetFailed(visitor: Visitor, error: unknown): void {
    // A visitor that has left needs no refusal.
    if (this.#arriving.has(visitor))
      this.#refuse(visitor, OpenFailureReason.CONNECT_FAILED, "the target could not be reached", error);
    this.#settled(visitor);
  }

  /** Connects the visitor to the target, or hands its channel to the program. */
  #connect(visitor: Visitor, pipe: BytePipe | undefined): void {
    // The visitor has left.
    if (!this.#arriving.has(visitor)) return pipe?.abort();
    let { channel } = visitor;
    try {
      // A channel that was accepted early may have closed already.
      if (channel !== undefined) void channel.closed.catch(() => {}).then(() => this.#closed(channel as Channel));
      channel ??= this.#acceptChannel(visitor.open);
      this.#connected.set(channel, pipe);
      this.#past.accepted++;
      this.#limiter?.opened(channel, pipe);
      if (this.#options.target === "socks") {
        this.#context.platform.specialTargets?.serveSocks(channel, this.#request(visitor), this.#options, {
          ...this.#context,
          failed: (error) => this.#context.visitorError(this.#forwarding, visitor.origin, error),
        });
      } else if (pipe === undefined) this.queue.push(Object.assign(channel, { origin: visitor.origin }));
      else pump(channel, pipe, this.#context.platform.free, this.#pipeClosed);
    } catch (cause) {
      // The connection was lost, and its own error is reported; or the pipe does not work.
      const error = toSshError(cause, "closed", "the connection ended");
      channel?.abort(error);
      pipe?.abort(error);
    }
    this.#settled(visitor);
  }

  #request({ open, origin, port }: Visitor): ChannelOpenRequest {
    return { channelId: open.id, origin, address: this.#options.address, port };
  }

  #refuse(visitor: Visitor, reason: number, description: string, error?: unknown): void {
    this.#past.refused++;
    if (visitor.channel === undefined) visitor.open.refuse(reason, description);
    else visitor.channel.abort();
    if (error !== undefined) this.#context.visitorError(this.#forwarding, visitor.origin, error);
  }

  #acceptChannel(open: IncomingOpen): Channel {
    return open.accept({ onClosed: this.#closed });
  }

  /** One function for all channels, to save memory. Channels of probes are in neither set. */
  readonly #closed = (channel: Channel): void => {
    if (this.#connected.has(channel)) {
      const pipe = this.#connected.get(channel);
      this.#connected.delete(channel);
      addFigures(this.#past, channel.counters);
      if (pipe === undefined) this.#limiter?.closed(channel);
      else this.#lingering.set(channel, pipe);
      this.#checkIdle();
    } else if (channel.counters.bytesIn === 0) {
      // A visitor that left without sending data needs neither a decision nor a target.
      for (const visitor of this.#arriving) {
        if (visitor.channel !== channel) continue;
        visitor.pending?.abort(new SshError("closed", "the visitor left"));
        this.#settled(visitor);
      }
    }
  };

  /** The target of a channel is closed. */
  readonly #pipeClosed = (channel: Channel): void => {
    if (this.#connected.has(channel)) this.#connected.set(channel, undefined);
    else if (this.#lingering.delete(channel)) {
      this.#limiter?.closed(channel);
      this.#checkIdle();
    }
  };

  /** The visitor was accepted, refused, or has left. */
  #settled(visitor: Visitor): void {
    this.#arriving.delete(visitor);
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#connected.size + this.#lingering.size + this.#arriving.size > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
