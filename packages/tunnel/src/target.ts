/** Targets of forwardings, and dialling them. @module */
import type { Address, BytePipe } from "@postern/ssh";
import type { Bytes } from "@postern/wire";

/** A TCP address to which a forwarding connects its visitors. */
export type TcpTarget = Address & {
  /** TLS with the target: `true`, or options of the platform; only where the platform has TLS, as on Node.js */
  readonly tls?: true | object | undefined;
};

/** The address to which a forwarding connects its visitors: TCP, or the path of a UNIX socket. */
export type Target = TcpTarget | { readonly path: string };

/** A dial in progress. */
export interface PendingDial {
  /** Ends the dial, which then fails with SshError `aborted`. Has no effect once the dial has succeeded or failed. */
  abort(reason: unknown): void;
}

/**
 * Connects to an address. Calls `connected` or `failed` once, after it has returned. Failures are an SshError
 * `connect`, `timeout` or `aborted`. Callbacks instead of a promise and a signal, because that costs less for each of
 * many visitors. `preface` is sent to a target as soon as it is connected, before TLS.
 */
export type Dial<To = Address> = (
  target: To,
  timeoutMs: number,
  connected: (pipe: BytePipe) => void,
  failed: (error: unknown) => void,
  preface?: Bytes,
) => PendingDial;
