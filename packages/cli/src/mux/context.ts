/** The program that a master belongs to, as the master sees it. @module */
import type { SshConnection } from "@postern/ssh";
import type { ForwardTable } from "./forward-table.ts";

/** The program that a master belongs to. */
export interface MasterContext {
  /** the process that `-O check` names */
  readonly pid: number;
  /** the name of the server in questions to the user: the host that the command line named */
  readonly host: string;
  /** The forwardings of the program. One that cannot be opened rejects; the message goes to the log of the master. */
  readonly forwards: ForwardTable;
  /**
   * Returns a kind of information, `connection` or `channels`, in lines that end with CR LF. `undefined` for another
   * kind, or while the connection is lost. Default: there is none.
   */
  describe?: ((kind: string) => string | undefined) | undefined;
  /** The connection to the server, for clients in proxy mode. `undefined` while it is lost. */
  connection(): SshConnection | undefined;
  /**
   * `-O stop`: the master listens no more, and has removed its socket. With ControlPersist or without a session of its
   * own, the program ends as soon as no connection goes through it, see {@link Master.isIdle}.
   */
  stopped(): void;
  /** `-O exit`: the program ends at once. Called when the client has its answer. */
  exit(): void;
  /** Asks the user, with ControlMaster `ask` and `autoask`. Otherwise everything is allowed. */
  confirm?: ((question: string) => Promise<boolean>) | undefined;
  /** Receives lines for the log, as ssh prints them with `-v` (`debug`) or always (`error`). */
  log(level: "error" | "info" | "debug", line: string): void;
}

/** A control socket that listens. */
export interface Master {
  readonly path: string;
  /** Whether no client of the socket is connected. ControlPersist counts from then, if no channel is open either. */
  readonly isIdle: boolean;
  /** Removes the socket, and ends the connections of all clients. */
  close(): Promise<void>;
}
