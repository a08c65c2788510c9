/** One connection to the host: dialled, verified, logged in, and ready to ask for ports. @module */
import { createFingerprint, keyType } from "@postern/keys";
import { connect, type SshConnection } from "@postern/ssh";
import { quote, SshError, toSshError } from "@postern/wire";
import type { CheckedOptions, Endpoint } from "./options.ts";
import type { Platform } from "./platform.ts";
import { RemoteListener } from "./remote-listener.ts";

/** A connection that is logged in or about to be, and its listening ports. */
export interface Link {
  readonly connection: SshConnection;
  readonly listener: RemoteListener;
  /** whether it came to be: settles when the tunnel is open with it, or the login has failed */
  readonly up: Promise<boolean>;
}

/** What a link tells while it is made, and after. */
export interface LinkEvents {
  /** the host key is trusted, the login begins: ports may be asked for, and it depends on the host when that is sent */
  authenticating(link: Link): void;
  banner(message: string): void;
  debug(message: string): void;
}

/** A link that could not be made. `unseen`: the host was reached, and dropped us before its key was seen. */
export class LinkFailure {
  readonly error: SshError;
  readonly unseen: boolean;

  constructor(error: SshError, unseen: boolean) {
    this.error = error;
    this.unseen = unseen;
  }
}

/** Dials, verifies the host key, and logs in. `up` is to become what the link's `up` does. @throws LinkFailure */
export async function openLink(
  platform: Platform,
  options: CheckedOptions,
  { host, port }: Endpoint,
  events: LinkEvents,
  { signal, up }: { readonly signal: AbortSignal; readonly up: Promise<boolean> },
): Promise<Link> {
  const { user, auth, hostKey, rekey, keepAlive, loginTimeoutMs } = options;
  const started = performance.now();
  let link: Link | undefined;
  let reached = false;
  let seen = false;
  try {
    const [dialled, prepared] = await Promise.allSettled([
      platform.dial({ host, port }, { signal, timeoutMs: loginTimeoutMs }),
      platform.prepare?.(options.algorithms) ?? options.algorithms,
    ]);
    if (dialled.status === "rejected") throw dialled.reason;
    const pipe = dialled.value;
    if (prepared.status === "rejected") {
      pipe.abort();
      throw prepared.reason;
    }
    reached = true;
    await connect(pipe, {
      user,
      auth,
      algorithms: prepared.value,
      rekey,
      keepAlive,
      signal,
      random: platform.random,
      loginTimeoutMs: Math.max(1, Math.round(loginTimeoutMs - (performance.now() - started))),
      hostKey: async ({ hostKey: key, algorithm }) => {
        seen = true;
        const text = createFingerprint(platform.sha256)(key);
        const offer = { host, port, key, algorithm, keyType: keyType(key), fingerprint: text };
        if ((await hostKey(offer)) !== true) {
          throw new SshError("hostkey", `the host key ${offer.fingerprint} (${offer.keyType}) was refused`);
        }
        return true;
      },
      onLogin: (logging) => {
        link = { connection: logging, listener: new RemoteListener(logging), up };
        if (!signal.aborted) events.authenticating(link);
      },
      onNotice: (message) => events.debug(message),
      onBanner: (message) => events.banner(message),
      onDebug: (message) => {
        link?.listener.debug(message);
        events.debug(message);
      },
      // There since the login began, and nobody opens a channel before its end.
      onChannelOpen: (open) => link?.listener.incoming(open),
    });
    return link as Link;
  } catch (cause) {
    const error = mismatch(toSshError(cause, "connect", "the login failed"), host);
    // Silence is a server that is frozen or far away, and a bad handshake somebody else's: neither is the sign of a penalty.
    throw new LinkFailure(error, reached && !seen && ["closed", "disconnected", "version"].includes(error.code));
  }
}

/** A failed negotiation is repeated: its message is to say that waiting may not help. */
function mismatch(error: SshError, host: string): SshError {
  if (error.code !== "negotiation") return error;
  return new SshError("negotiation", `the algorithms do not match those of ${quote(host)}: ${error.message}`, {
    cause: error,
  });
}
