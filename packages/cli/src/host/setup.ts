/** The contents of a configuration of either form: the options of the host, its ports, and its log. @module */
import type { TunnelHostOptions } from "@postern/node";
import type { LogSettings } from "./logger.ts";

/** An address and a port to listen on. */
export interface ListenPlace {
  readonly host: string;
  readonly port: number;
}

/** A host that can be started. */
export interface HostSetup {
  readonly listen: readonly ListenPlace[];
  /** the processes that serve clients; a change needs a restart */
  readonly workers: number | "auto" | undefined;
  readonly options: TunnelHostOptions;
  readonly log: LogSettings & {
    readonly format: "text" | "json";
    readonly file: string | undefined;
    /** without a file: standard error, or the log of the system */
    readonly to: "stderr" | "system";
  };
  readonly pidFile: string | undefined;
  readonly health: ListenPlace | undefined;
  /** how long open channels may take to end after SIGTERM */
  readonly drainMs: number;
  /** Users that exist, if the configuration lists them. */
  readonly isKnown: ((user: string) => boolean) | undefined;
  /** messages about the configuration */
  readonly notes: readonly { readonly level: "ERROR" | "INFO" | "DEBUG1"; readonly text: string }[];
}
