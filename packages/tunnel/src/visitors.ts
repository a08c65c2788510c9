/** Those who come to a forwarding: let in or turned away, joined to the target or handed to the program, and counted. @module */
import type { MaybePromise } from "@postern/auth";
import { type BytePipe, type Channel, type Deferred, deferred, type IncomingOpen, pump } from "@postern/ssh";
import { Limits, OpenFailureReason, SshError, sanitizeText, toSshError } from "@postern/wire";
import { ChannelQueue } from "./channel-queue.ts";
import type { Forwarding, ForwardingContext, ForwardingStats } from "./forwarding.ts";
import type { CheckedForwarding } from "./options.ts";
import { type Dialling, type DialTelling, type Target, telling } from "./platform.ts";
import { ProbeGate } from "./probe.ts";
import type { OpenHandler } from "./remote-listener.ts";
import { addFigures, sumOf } from "./stats.ts";
import { maxTimerMs } from "./waiting.ts";

/** One on the way in. */
interface Visitor {
  readonly open: IncomingOpen;
  readonly origin: Target;
  /** the port they came to */
  readonly port: number;
  /** there already when somebody has to look whether it is a probe */
  channel: Channel | undefined;
  /** the decision or the dial under way */
  pending: Dialling | undefined;
}

/** All visitors of one forwarding. */
export class Visitors {
  /** those who have no target wait here for the program */
  readonly queue: ChannelQueue;
  readonly gate: ProbeGate = new ProbeGate();
  readonly #host: ForwardingContext;
  readonly #forwarding: Forwarding;
  readonly #options: CheckedForwarding;
  readonly #dial: DialTelling;
  readonly #inside = new Set<Channel>();
  /** those who are let in or turned away soon */
  readonly #arriving = new Set<Visitor>();
  /** told when there are no visitors any more */
  #onIdle: Deferred | undefined;
  readonly #past = { ...sumOf([]) };

  constructor(host: ForwardingContext, forwarding: Forwarding, options: CheckedForwarding) {
    const { dialTelling, dialTarget, dial } = host.platform;
    this.#host = host;
    this.#forwarding = forwarding;
    this.#options = options;
    this.queue = new ChannelQueue(options.backlog);
    this.#dial = dialTelling ?? telling(dialTarget || dial);
  }

  /** One visitor: asks `onOpen`, dials the target before the open is confirmed, and joins the two. */
  readonly incoming: OpenHandler = (open, { originAddress, originPort, port }) => {
    const origin = { host: sanitizeText(originAddress.slice(0, Limits.addressCharacters)), port: originPort };
    const visitor: Visitor = { open, origin, port, channel: undefined, pending: undefined };
    this.#arriving.add(visitor);
    // Most wait for nobody but the target.
    if (this.gate.busy || this.#options.onOpen !== undefined) void this.#ask(visitor);
    else this.#letIn(visitor);
  };

  stats(): ForwardingStats {
    const sum = { ...this.#past, open: this.#inside.size };
    for (const { counters } of this.#inside) addFigures(sum, counters);
    return sum;
  }

  /** Resolves when there are no visitors, nor any that are about to be let in. */
  idle(): Promise<void> {
    this.#onIdle ??= deferred();
    const { promise } = this.#onIdle;
    this.#tellIdle();
    return promise;
  }

  /** The connection is gone: nobody waits for a target any more. */
  abort(error: SshError | undefined): void {
    for (const { pending } of this.#arriving) pending?.abort(error);
    this.#arriving.clear();
    this.#tellIdle();
  }

  async #ask(visitor: Visitor): Promise<void> {
    try {
      if (await this.#isWanted(visitor)) return this.#letIn(visitor);
    } catch {
      // The connection ended meanwhile; its own error tells the program.
    }
    this.#settled(visitor);
  }

  /** False: it is a probe, it was refused, or the connection is gone. */
  async #isWanted(visitor: Visitor): Promise<boolean> {
    const { open, origin, port } = visitor;
    if (this.gate.busy) {
      visitor.channel = this.#accept(open);
      if (await this.gate.takes(visitor.channel)) return false;
    }
    const gone = (): boolean => !this.#arriving.has(visitor);
    if (gone()) return false;
    const { onOpen, address } = this.#options;
    if (onOpen === undefined) return true;
    let failure: unknown;
    try {
      if ((await this.#decide(visitor, onOpen({ channelId: open.id, origin, address, port }))) === true) return !gone();
    } catch (error) {
      failure = error;
    }
    if (failure !== undefined || !gone())
      this.#refuse(visitor, OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "refused", failure);
    return false;
  }

  /** Returns the program's answer. Rejects after `onOpenTimeoutMs`; resolves with `undefined` once the visitor or the connection is gone. */
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

  #letIn(visitor: Visitor): void {
    const { target } = this.#options;
    if (target !== undefined) {
      visitor.pending = this.#dial(
        target,
        this.#host.targetTimeoutMs,
        (pipe) => this.#join(visitor, pipe),
        (error) => this.#targetFailed(visitor, error),
      );
    } else if (this.queue.ended) {
      // The loops that would take the channel have ended.
      this.#refuse(visitor, OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "this port is no longer forwarded");
      this.#settled(visitor);
    } else if (this.queue.full) {
      const error = new SshError("limit", "expected the program to take channels, got too many that wait");
      this.#refuse(visitor, OpenFailureReason.RESOURCE_SHORTAGE, "too many connections wait", error);
      this.#settled(visitor);
    } else this.#join(visitor, undefined);
  }

  #targetFailed(visitor: Visitor, error: unknown): void {
    // Once the visitor has left, or the connection is lost, nobody is turned away.
    if (this.#arriving.has(visitor))
      this.#refuse(visitor, OpenFailureReason.CONNECT_FAILED, "the target could not be reached", error);
    this.#settled(visitor);
  }

  #join(visitor: Visitor, pipe: BytePipe | undefined): void {
    // The visitor has left.
    if (!this.#arriving.has(visitor)) return pipe?.abort();
    let { channel } = visitor;
    try {
      // It may have left before this call.
      if (channel !== undefined) void channel.closed.catch(() => {}).then(() => this.#gone(channel as Channel));
      channel ??= this.#accept(visitor.open);
      this.#inside.add(channel);
      this.#past.accepted++;
      if (pipe === undefined) this.queue.push(Object.assign(channel, { origin: visitor.origin }));
      else pump(channel, pipe, this.#host.platform.free);
    } catch (cause) {
      // The connection ended meanwhile and its own error is reported, or the pipe is of no use.
      const error = toSshError(cause, "closed", "the connection ended");
      channel?.abort(error);
      pipe?.abort(error);
    }
    this.#settled(visitor);
  }

  #refuse(visitor: Visitor, reason: number, description: string, error?: unknown): void {
    this.#past.refused++;
    if (visitor.channel === undefined) visitor.open.refuse(reason, description);
    else visitor.channel.abort();
    if (error !== undefined) this.#host.visitorError(this.#forwarding, visitor.origin, error);
  }

  #accept(open: IncomingOpen): Channel {
    return open.accept({ onClosed: this.#gone });
  }

  /** One for all channels; those of probes never came in. */
  readonly #gone = (channel: Channel): void => {
    if (this.#inside.delete(channel)) {
      addFigures(this.#past, channel.counters);
      this.#tellIdle();
    } else if (channel.counters.bytesIn === 0) {
      // A visitor who left without a word needs neither a decision nor a target.
      for (const visitor of this.#arriving) {
        if (visitor.channel !== channel) continue;
        visitor.pending?.abort(new SshError("closed", "the visitor left"));
        this.#settled(visitor);
      }
    }
  };

  /** The visitor is in, or will not come in. */
  #settled(visitor: Visitor): void {
    this.#arriving.delete(visitor);
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#inside.size + this.#arriving.size > 0) return;
    this.#onIdle?.resolve();
    this.#onIdle = undefined;
  }
}
