/** Errors in the words of ssh, so that scripts that read them work. @module */
import { OpenFailureReason, SshError, sanitizeText } from "@postern/wire";
import { DialError } from "./dial.ts";

/** An error whose message consists of the lines to print. */
export class ClientError extends Error {
  override readonly name = "ClientError";
}

/** Where a connection leads, for messages. */
export interface MessageContext {
  /** the name or address of HostName */
  readonly host: string;
  readonly user: string;
  /** the address of the socket */
  readonly address: { readonly host: string; readonly port: number };
  /** the login method that was tried last, if `-v` is set */
  readonly method?: string;
  /** whether the tunnel had been open, so that the connection was lost */
  readonly wasOpen: boolean;
}

const reasons: Readonly<Record<number, string>> = {
  [OpenFailureReason.ADMINISTRATIVELY_PROHIBITED]: "administratively prohibited",
  [OpenFailureReason.CONNECT_FAILED]: "connect failed",
  [OpenFailureReason.UNKNOWN_CHANNEL_TYPE]: "unknown channel type",
  [OpenFailureReason.RESOURCE_SHORTAGE]: "resource shortage",
};

/** Returns the error of a channel that the server refused; any other error as it is. */
export function describeOpenFailure(channel: number | undefined, error: unknown, last?: string): unknown {
  if (!(error instanceof SshError) || error.code !== "refused") return error;
  const reason = reasons[error.reason ?? 0] ?? "unknown reason";
  const name = channel === undefined ? "channel" : `channel ${channel}:`;
  const line = `${name} open failed: ${reason}${error.description ? `: ${sanitizeText(error.description)}` : ""}`;
  return new ClientError(last === undefined ? line : `${line}\n${last}`);
}

/** Returns the lines of ssh for the error that ended a connection. */
export function describeFailure(error: unknown, context: MessageContext): readonly string[] {
  if (!(error instanceof SshError)) return [error instanceof Error ? error.message : String(error)];
  const own = dialErrorOf(error);
  if (own !== undefined) return own.message.split("\n");
  return context.wasOpen ? describeLoss(error, context) : describeLogin(error, context);
}

/** An error of our dial may have been wrapped. */
function dialErrorOf(error: SshError): DialError | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) if (one instanceof DialError) return one;
  return undefined;
}

function describeLogin(error: SshError, { host, user, address }: MessageContext): readonly string[] {
  const { code, message, reason } = error;
  const at = `${address.host} port ${address.port}`;
  switch (code) {
    case "auth":
    case "credentials": {
      const accepted = /the server accepts "([^"]*)"/.exec(message)?.[1];
      if (accepted === undefined) return disconnected(error, at);
      return [
        ...keyProblems(error),
        `${user}@${host}: Permission denied (${accepted === "no method" ? "" : accepted}).`,
      ];
    }
    case "hostkey":
      // The check of the key has printed why.
      return ["Host key verification failed."];
    case "negotiation":
      return [`Unable to negotiate with ${at}: ${message}`];
    case "disconnected":
      return disconnected(error, at);
    case "busy":
    case "version":
      return [`kex_exchange_identification: ${message}`];
    case "closed":
      return [`Connection closed by ${at}`];
    case "mac":
    case "protocol":
      return corrupted(error, at);
    case "timeout":
      return [`Connection to ${at} timed out`];
    case "misuse": {
      const [, file] = /^expected the file "(.*)" to exist$/.exec(message) ?? [];
      return [file === undefined ? message : `Can't open user config file ${file}: No such file or directory`];
    }
    default:
      return [reason === undefined ? message : `${message} (reason ${reason})`];
  }
}

function describeLoss(error: SshError, { host, address }: MessageContext): readonly string[] {
  const at = `${address.host} port ${address.port}`;
  switch (error.code) {
    case "timeout":
      return [`Timeout, server ${host} not responding.`];
    case "disconnected":
      return disconnected(error, at);
    case "mac":
    case "protocol":
      return corrupted(error, at);
    case "closed":
      if (/ECONNRESET|EPIPE/.test(`${error.message} ${(error.cause as NodeJS.ErrnoException | undefined)?.code}`))
        return [`client_loop: send disconnect: Broken pipe`];
      return [`Connection to ${host} closed by remote host.`];
    default:
      return [error.message];
  }
}

/** A packet that does not hold what its keys or its length promise. */
function corrupted({ code, message }: SshError, at: string): readonly string[] {
  const fatal = (text: string): string => `ssh_dispatch_run_fatal: Connection to ${at}: ${text}`;
  if (code === "mac") return ["Corrupted MAC on input.", fatal("message authentication code incorrect")];
  const [, length] = /packet_length of .*, got (\d+)$/.exec(message) ?? [];
  if (length !== undefined) return [`Bad packet length ${length}.`, fatal("Connection corrupted")];
  const [, block, need] = /padded to a multiple of (\d+), got packet_length (\d+)/.exec(message) ?? [];
  if (need !== undefined)
    return [`padding error: need ${need} block ${block}`, fatal("message authentication code incorrect")];
  return [fatal(message)];
}

/** The peer sent DISCONNECT. */
function disconnected({ message, reason, description }: SshError, at: string): readonly string[] {
  if (description === undefined) return [message];
  return [`Received disconnect from ${at}:${reason ?? 0}: ${sanitizeText(description)}`, `Disconnected from ${at}`];
}

/** Keys that could not be used, which ssh names before it gives up. */
function keyProblems({ cause }: SshError): readonly string[] {
  return cause instanceof Error ? [cause.message] : [];
}
