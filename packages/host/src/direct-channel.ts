/** Connections through the host to a target, RFC 4254 section 7.2. @module */
import { type BytePipe, type IncomingOpen, pump } from "@postern/ssh";
import { DirectTcpip, OpenFailureReason, RfcLimits, toSshError } from "@postern/wire";
import type { Share } from "./channel-budget.ts";
import { countingPipe } from "./counting-pipe.ts";
import type { Grants } from "./permissions.ts";
import type { Address, HostPlatform } from "./platform.ts";

/** What a direct connection needs of its client. */
export interface DirectOwner {
  grants(): Grants | undefined;
  takeShare(): Share | undefined;
  dial(target: Address): Promise<BytePipe>;
  readonly free: HostPlatform["free"];
  adopt(pipe: BytePipe): () => void;
  refusedChannel(target: Address, reason: string): void;
}

/**
 * Answers a `direct-tcpip` open: asks the permissions, dials, and joins the two. Never rejects.
 *
 * @throws SshError `protocol` when the open is malformed
 */
export function openDirect(open: IncomingOpen, owner: DirectOwner): Promise<void> {
  const { host, port } = DirectTcpip.decode(open.specificData);
  return connectTo({ host, port }, open, owner);
}

async function connectTo(target: Address, open: IncomingOpen, owner: DirectOwner): Promise<void> {
  const refuse = (reason: number, description: string): void => {
    open.refuse(reason, description);
    owner.refusedChannel(target, description);
  };
  if (!mayOpen(target, owner)) {
    refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "permission denied");
    return;
  }
  const share = owner.takeShare();
  if (share === undefined) {
    refuse(OpenFailureReason.RESOURCE_SHORTAGE, "too many channels");
    return;
  }
  let pipe: BytePipe;
  try {
    pipe = await owner.dial(target);
  } catch {
    share.channelGone();
    share.pipeGone();
    // The words of the system would tell what is behind the host.
    refuse(OpenFailureReason.CONNECT_FAILED, "the target could not be reached");
    return;
  }
  const disown = owner.adopt(pipe);
  const closed = (): void => {
    disown();
    share.pipeGone();
  };
  try {
    const traffic = { bytesIn: 0, bytesOut: 0 };
    const channel = open.accept({ window: share.window, onReleased: share.channelGone });
    pump(channel, countingPipe(pipe, { traffic, closed }), owner.free);
  } catch (error) {
    share.channelGone();
    pipe.abort(toSshError(error, "closed", "the client is gone"));
    closed();
  }
}

function mayOpen({ host, port }: Address, owner: DirectOwner): boolean {
  try {
    return port >= 1 && port <= RfcLimits.maxPort && owner.grants()?.mayOpen(host, port) === true;
  } catch {
    // A permission that fails does not permit.
    return false;
  }
}
