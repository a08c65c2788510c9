/** One connection to the server: dialled, verified, logged in, and able to request ports. @module */
import { createFingerprint, keyType } from "@postern/keys";
import {
  type BytePipe,
  type CallOptions,
  connect,
  type Deferred,
  deferred,
  onAbort,
  type SshConnection,
} from "@postern/ssh";
import { quote, SshError, toSshError } from "@postern/wire";
import type { CheckedOptions, Endpoint } from "./options.ts";
import type { Platform } from "./platform.ts";
import { LinkFailure } from "./reconnect.ts";
import { type OpenHandler, RemoteListener } from "./remote-listener.ts";
import { unlessAborted } from "./waiting.ts";

/** Callbacks while a link is made, and after. */
export interface LinkEvents {
  /** The host key is trusted and login begins. Ports may be requested on the link from now on. */
  authenticating(link: Link): void;
  banner(message: string): void;
  debug(message: string): void;
}

/** A connection that has logged in or is about to, and its listening ports. */
export class Link {
  readonly connection: SshConnection;
  readonly #listener: RemoteListener;
  readonly #sendEarly: boolean;
  /** Settles with the login. */
  readonly #login: Deferred = deferred();

  /**
   * @param sendEarly whether requests may be sent along with the login, if the server takes them (RFC 4252 section 5.1)
   */
  constructor(connection: SshConnection, listener: RemoteListener, sendEarly: boolean) {
    this.connection = connection;
    this.#listener = listener;
    this.#sendEarly = sendEarly;
  }

  /**
   * Asks the server to listen on a port, during or after login. Resolves with the port once the server listens and the
   * tunnel is open.
   *
   * @throws SshError as {@link RemoteListener.listen} does; LinkFailure if login fails, so that the next link can
   * repeat the request
   */
  async listen(address: string, port: number, onOpen: OpenHandler, signal: AbortSignal): Promise<number> {
    if (!this.#sendEarly) await unlessAborted(this.#login.promise, signal);
    try {
      return await this.#listener.listen(address, port, onOpen, { signal });
    } finally {
      // If login has failed, rejects with its error instead of the request's. After success, the server may reply
      // before the tunnel is open.
      if (!signal.aborted) await this.#login.promise;
    }
  }

  /** Asks the server to stop listening, see {@link RemoteListener.cancel}. */
  async cancel(address: string, port: number, onCancelled: () => void, call: CallOptions): Promise<void> {
    await this.#listener.cancel(address, port, onCancelled, call);
  }

  /** Login has succeeded, and the tunnel is open. */
  opened(): void {
    this.#login.resolve();
  }

  /** Login has failed. Requests on this link reject with the failure. */
  failed(failure: LinkFailure): void {
    this.#login.reject(failure);
  }

  /**
   * Dials the server, verifies its host key, and logs in. The caller then calls `opened` or `failed`.
   *
   * @throws LinkFailure
   */
  static async open(
    platform: Platform,
    options: CheckedOptions,
    { host, port }: Endpoint,
    events: LinkEvents,
    { signal, sendEarly }: { readonly signal: AbortSignal; readonly sendEarly: boolean },
  ): Promise<Link> {
    const { user, auth, hostKey, rekey, keepAlive, loginTimeoutMs } = options;
    const started = performance.now();
    let link: Link | undefined;
    let listener: RemoteListener | undefined;
    let at: LinkFailure["at"] = "dial";
    try {
      const [dialled, prepared] = await Promise.allSettled([
        dial(platform, { host, port }, loginTimeoutMs, signal),
        platform.prepare?.(options.algorithms) ?? options.algorithms,
      ]);
      if (dialled.status === "rejected") throw dialled.reason;
      const pipe = dialled.value;
      if (prepared.status === "rejected") {
        pipe.abort();
        throw prepared.reason;
      }
      at = "reached";
      await connect(pipe, {
        user,
        auth,
        algorithms: prepared.value,
        rekey,
        keepAlive,
        signal,
        random: platform.random,
        loginTimeoutMs: Math.max(1, Math.round(loginTimeoutMs - (performance.now() - started))),
        hostKey: async ({ hostKey: key, algorithm, certificate }) => {
          at = "host key";
          const text = createFingerprint(platform.sha256)(certificate?.publicKey ?? key);
          const offer = { host, port, key, algorithm, certificate, keyType: keyType(key), fingerprint: text };
          if ((await hostKey(offer)) !== true) {
            throw new SshError("hostkey", `the host key ${offer.fingerprint} (${offer.keyType}) was refused`);
          }
          return true;
        },
        onLogin: (connection) => {
          at = "login";
          listener = new RemoteListener(connection);
          link = new Link(connection, listener, sendEarly);
          if (!signal.aborted) events.authenticating(link);
        },
        onNotice: (message) => events.debug(message),
        onBanner: (message) => events.banner(message),
        onDebug: (message) => {
          listener?.debug(message);
          events.debug(message);
        },
        // A server opens no channel before login, and by then there is a link.
        onChannelOpen: (open) => listener?.incoming(open),
      });
      return link as unknown as Link;
    } catch (cause) {
      const failure = new LinkFailure(explain(toSshError(cause, "connect", "the login failed"), host), at);
      link?.failed(failure);
      throw failure;
    }
  }
}

function dial(platform: Platform, endpoint: Endpoint, timeoutMs: number, signal: AbortSignal): Promise<BytePipe> {
  let stopListening: (() => void) | undefined;
  return new Promise<BytePipe>((connected, failed) => {
    const pending = platform.dial(endpoint, timeoutMs, connected, failed);
    stopListening = onAbort(signal, () => pending.abort(signal.reason));
  }).finally(() => stopListening?.());
}

/** A failed negotiation is retried, so its message says that retrying may not help. */
function explain(error: SshError, host: string): SshError {
  if (error.code !== "negotiation") return error;
  return new SshError("negotiation", `the algorithms do not match those of ${quote(host)}: ${error.message}`, {
    cause: error,
  });
}
