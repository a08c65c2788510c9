/** The target `socks` of a forwarding: each visitor names its target. Only platforms that set `socks` contain it. @module */
import { type Address, acceptSocks, type BytePipe, type Channel, type Free, hostPort, pump } from "@postern/ssh";
import { quote, SshError } from "@postern/wire";
import type { ChannelOpenRequest, ForwardOptions } from "./options.ts";
import type { Dial } from "./platform.ts";
import { withDeadline } from "./waiting.ts";

/** Options of {@link serveVisitorSocks}. */
export interface VisitorSocksOptions {
  readonly allow?: ForwardOptions["allow"];
  /** milliseconds for `allow` */
  readonly onOpenTimeoutMs: number;
  readonly dial: Dial;
  readonly targetTimeoutMs: number;
  readonly free?: Free | undefined;
}

/** Serves SOCKS to a visitor. Rejects with the reason if the visitor is refused. */
export type VisitorSocks = (
  channel: Channel,
  visitor: ChannelOpenRequest,
  options: VisitorSocksOptions,
) => Promise<void>;

/** The member `socks` of a platform that dials targets. */
export const serveVisitorSocks: VisitorSocks = async (channel, visitor, options) => {
  const { allow, onOpenTimeoutMs, dial, targetTimeoutMs, free } = options;
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
      const pending = dial(target, targetTimeoutMs, resolve, reject);
      left.signal.addEventListener("abort", () => pending.abort(left.signal.reason), { once: true });
    });
  };
  const { client, target } = await acceptSocks(channel, { connect });
  pump(client, target, free);
};
