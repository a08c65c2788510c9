/** The messages between the benchmark and the program in a runtime, over HTTP. @module */

export type Provider = "wasm" | "noble";

/** One order. The program answers each, and gets the next one in return. */
export type Order =
  /** Log in, request a port, and serve its visitors until `close`. */
  | ({ readonly task: "open"; readonly provider: Provider; readonly kex: string } & Login)
  | { readonly task: "close" }
  /** Seal or open packets of 32 KiB. */
  | {
      readonly task: "packets";
      readonly provider: Provider;
      readonly operation: "seal" | "open";
      readonly count: number;
    }
  | { readonly task: "end" };

export interface Login {
  readonly port: number;
  readonly user: string;
  /** The text of an OpenSSH key file. */
  readonly privateKey: string;
  readonly fingerprint: string;
}

export interface Answer {
  readonly version: string;
  /** The port of `open`. */
  readonly port?: number;
  readonly error?: string;
}
