/** Targets other than a host and a port. Only platforms that set `specialTargets` contain this. @module */
import {
  type Address,
  acceptSocks,
  type BytePipe,
  type Channel,
  checkOptions,
  type Free,
  hostPort,
  pump,
} from "@postern/ssh";
import { expectText, expectType, quote, SshError } from "@postern/wire";
import type { ChannelOpenRequest, ForwardOptions } from "./options.ts";
import type { Dial, Target } from "./target.ts";
import { withDeadline } from "./waiting.ts";

/** The services of the tunnel that a visitor of SOCKS uses. */
export interface VisitorSocksContext {
  readonly platform: {
    readonly dial: Dial;
    readonly dialTarget?: Dial | false | undefined;
    readonly free?: Free | undefined;
  };
  readonly targetTimeoutMs: number;
  /** The visitor was refused. Not called if it left, or if the connection was lost. */
  failed(error: unknown): void;
}

/** Options of `SpecialTargets.serveSocks`. */
export interface VisitorSocksOptions {
  readonly allow?: ForwardOptions["allow"] | undefined;
  /** milliseconds for `allow` */
  readonly onOpenTimeoutMs: number;
}

/** Part of a platform: targets other than a host and a port. */
export interface SpecialTargets {
  /** @throws SshError `misuse` unless the target is supported, and has the options that it needs */
  check(target: Target | "socks", options: Pick<ForwardOptions, "allow">): void;
  /** Serves SOCKS to a visitor. */
  serveSocks(
    channel: Channel,
    visitor: ChannelOpenRequest,
    options: VisitorSocksOptions,
    context: VisitorSocksContext,
  ): void;
}

/**
 * Returns the member `specialTargets` of a platform: `target: "socks"`, and `target: { path }` if its `dialTarget`
 * connects to UNIX sockets.
 */
export function createSpecialTargets({ dialsPaths }: { readonly dialsPaths: boolean }): SpecialTargets {
  return {
    check(target, { allow }) {
      if (target === "socks") return expectType("allow", allow, "function");
      if (!dialsPaths) throw new SshError("misuse", "expected a target with a host and a port, got a path");
      checkPathTarget(target as { readonly path: string });
    },
    serveSocks,
  };
}

/** @throws SshError `misuse` */
export function checkPathTarget(target: { readonly path: string }): void {
  checkOptions("target", target, ["path"]);
  expectText("target.path", target.path);
}

const serveSocks: SpecialTargets["serveSocks"] = (channel, visitor, { allow, onOpenTimeoutMs }, context) => {
  const { targetTimeoutMs, platform } = context;
  const left = new AbortController();
  const gone = (): void => left.abort(new SshError("closed", "the visitor left"));
  channel.closed.then(gone, gone);
  const connect = async (target: Address): Promise<BytePipe> => {
    const name = quote(hostPort(target));
    const decide = (): unknown => allow?.(target, visitor);
    const answer = await withDeadline(`allow to decide about ${name}`, onOpenTimeoutMs, left.signal, decide);
    left.signal.throwIfAborted();
    if (answer !== true) throw new SshError("denied", `expected allow to return true for ${name}, got a refusal`);
    return await new Promise((resolve, reject) => {
      const dial = platform.dialTarget || platform.dial;
      const pending = dial(target, targetTimeoutMs, resolve, reject);
      left.signal.addEventListener("abort", () => pending.abort(left.signal.reason), { once: true });
    });
  };
  acceptSocks(channel, { connect }).then(
    ({ client, target }) => pump(client, target, platform.free),
    (error: unknown) => {
      // A late visitor's channel has been aborted.
      const isLate = error instanceof SshError && error.code === "timeout";
      if (isLate || !left.signal.aborted) context.failed(error);
    },
  );
};
