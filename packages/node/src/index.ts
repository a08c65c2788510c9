/** Postern on Node.js. @module */
import type { AuthMethod } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import { createPrivateKeyMethod, ReverseTunnel as PortableTunnel, type TunnelOptions } from "@postern/tunnel";
import { modernAlgorithms, nodeRandom, sha256 } from "./algorithms.ts";
import { dialWithCallbacks } from "./dial.ts";
import { free } from "./free.ts";
import { readNativeSigner } from "./keys.ts";
import { prepareAlgorithms } from "./prepare.ts";

/**
 * A reverse tunnel through an SSH host: dials out over TCP, logs in, asks the host for ports, and serves what arrives there.
 *
 * @example
 * const tunnel = new ReverseTunnel({
 *   host: "ssh.example.com",
 *   user: "test",
 *   auth: [password("secret")],
 *   hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
 * });
 * await tunnel.connect();
 * const web = await tunnel.forward({ port: 7777, target: { host: "127.0.0.1", port: 80 } });
 */
export class ReverseTunnel extends PortableTunnel {
  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions) {
    super(options, {
      dial: dialWithCallbacks,
      prepare: prepareAlgorithms,
      algorithms: modernAlgorithms,
      random: nodeRandom,
      sha256,
      free,
    });
  }
}

/**
 * Logs in with a private key: the text of an unencrypted OpenSSH key file, or any signer.
 *
 * @throws SshError `key` when the text is no private key that can be read
 * @example
 * const auth = [privateKey(await readFile("/home/me/.ssh/id_ed25519", "utf8"))];
 */
export const privateKey: (key: string | Signer) => AuthMethod =
  /* @__PURE__ */ createPrivateKeyMethod(readNativeSigner);

export {
  type AuthContext,
  type AuthDialog,
  type AuthMethod,
  keyboardInteractive,
  type PasswordOptions,
  password,
} from "@postern/auth";
export type { Algorithms, Signer } from "@postern/crypto";
export {
  type Authorize,
  authorizedKeys,
  type HostClient,
  HostClientEvent,
  type HostEvents,
  type HostForwarding,
  HostForwardingEvent,
  LoginEvent,
  RefusalEvent,
  type UserPolicy,
} from "@postern/host";
export {
  HandlerErrorEvent,
  type HttpHandler,
  HttpService,
  type ServeOptions,
  serve,
  type VisitorInfo,
  type VisitorSource,
} from "@postern/http";
export type { Channel } from "@postern/ssh";
export {
  type ChannelOpenRequest,
  type ForwardedChannel,
  type Forwarding,
  ForwardingEvent,
  type ForwardingState,
  type ForwardingStats,
  type ForwardOptions,
  fingerprint,
  type HostKeyCheck,
  type HostKeyOffer,
  type Listener,
  type ListenOptions,
  NoticeEvent,
  type ProbeAnswer,
  type ProbeResult,
  ReconnectAttemptEvent,
  type ReconnectChanges,
  type ReconnectInfo,
  SelfCheckEvent,
  StateEvent,
  type Target,
  type TimelineEntry,
  type TunnelOptions,
  type TunnelState,
  type TunnelStats,
  VisitorErrorEvent,
} from "@postern/tunnel";
export { SshError, type SshErrorCode } from "@postern/wire";
export * from "./algorithms.ts";
export { type Attachment, type AttachOptions, attach, type ServerLike } from "./attach.ts";
export { ChannelSocket } from "./channel-socket.ts";
export { hostAlgorithms, TunnelHost, type TunnelHostListenOptions } from "./host.ts";
export { generatePrivateKey, readPrivateKey, sha256Fingerprint } from "./keys.ts";
export { hashPassword, policy } from "./passwords.ts";
export { prepareAlgorithms } from "./prepare.ts";
