/**
 * Connections of a client through this server to a target: `direct-tcpip` (RFC 4254 section 7.2) and
 * `direct-streamlocal@openssh.com` (OpenSSH PROTOCOL section 2.4).
 * @module
 */
import { type BytePipe, type IncomingOpen, pump } from "@postern/ssh";
import { DirectStreamlocal, DirectTcpip, OpenFailureReason, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { Share } from "./channel-budget.ts";
import { countingPipe } from "./counting-pipe.ts";
import type { Exceeded } from "./host-budget.ts";
import type { LimitName } from "./limits.ts";
import type { ClientGrants } from "./permissions.ts";
import type { Address, HostPlatform } from "./platform.ts";
import { expectClose } from "./slow-peer.ts";

/** A target: an address, or the path of a UNIX socket. */
export type DirectTarget = Address | { readonly path: string };

/** Two addresses, whose characters have up to four bytes, and two numbers. */
const maxSpecificData = 2 * (4 + 4 * Limits.addressCharacters) + 2 * 4;

/** The services of the client that a direct channel uses. */
export interface DirectChannelContext {
  grants(): ClientGrants | undefined;
  takeShare(): Share | Exceeded;
  dial(target: DirectTarget): Promise<BytePipe>;
  readonly free: HostPlatform["free"];
  /** Registers a pipe that must end with the client. Returns a function that unregisters it. */
  adopt(pipe: BytePipe): () => void;
  channelRefused(target: DirectTarget, reason: string, limit?: LimitName): void;
}

/**
 * Answers a `direct-tcpip` open: checks the permissions, connects to the target, and joins channel and connection.
 * Never rejects.
 *
 * @throws SshError `protocol` if the open is malformed
 */
export function openDirectChannel(open: IncomingOpen, context: DirectChannelContext): Promise<void> {
  const { host, port } = DirectTcpip.decode(open.specificData);
  return connectTo({ host, port }, open, context);
}

/** Answers a `direct-streamlocal@openssh.com` open in the same way. */
export function openDirectSocket(open: IncomingOpen, context: DirectChannelContext): Promise<void> {
  const { path } = DirectStreamlocal.decode(open.specificData);
  return connectTo({ path }, open, context);
}

async function connectTo(target: DirectTarget, open: IncomingOpen, context: DirectChannelContext): Promise<void> {
  const refuse = (reason: number, description: string, limit?: LimitName): void => {
    open.refuse(reason, description);
    context.channelRefused(target, description, limit);
  };
  // Opens that wait keep their addresses, and the permission may be in another process.
  if (open.specificData.length > maxSpecificData || placeOf(target).length > Limits.addressCharacters) {
    const description = `addresses above ${Limits.addressCharacters} characters are not permitted`;
    refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, description);
    return;
  }
  // Taken before the first wait, because it bounds the opens that wait.
  const share = context.takeShare();
  if ("reason" in share) {
    refuse(OpenFailureReason.RESOURCE_SHORTAGE, share.reason, share.limit);
    return;
  }
  const giveBack = (): void => {
    share.channelClosed();
    share.pipeClosed();
  };
  if (!(await mayOpen(target, context))) {
    giveBack();
    refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "permission denied");
    return;
  }
  let pipe: BytePipe;
  try {
    pipe = await context.dial(target);
  } catch {
    giveBack();
    // The system's error would reveal the network behind this server.
    refuse(OpenFailureReason.CONNECT_FAILED, "the target could not be reached");
    return;
  }
  const disown = context.adopt(pipe);
  const slow = expectClose(pipe);
  const closed = (): void => {
    slow.closed();
    disown();
    share.pipeClosed();
  };
  const onReleased = (): void => {
    share.channelClosed();
    slow.released();
  };
  try {
    const traffic = { bytesIn: 0, bytesOut: 0 };
    const channel = open.accept({ window: share.window, onReleased });
    pump(channel, countingPipe(pipe, { traffic, closed }), context.free);
  } catch (error) {
    share.channelClosed();
    pipe.abort(toSshError(error, "closed", "the client disconnected"));
    closed();
  }
}

function placeOf(target: DirectTarget): string {
  return "path" in target ? target.path : target.host;
}

async function mayOpen(target: DirectTarget, context: DirectChannelContext): Promise<boolean> {
  try {
    if ("path" in target) return (await context.grants()?.mayOpenPath(target.path)) === true;
    const { host, port } = target;
    return port >= 1 && port <= Limits.maxPort && (await context.grants()?.mayOpen(host, port)) === true;
  } catch {
    // A permission function that throws does not permit.
    return false;
  }
}
