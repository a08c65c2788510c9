/** The server of SOCKS5 (RFC 1928), SOCKS4 and SOCKS4a: a client names the address it wants to reach. @module */
import { type Bytes, fromUtf8, maxTimerMs, OpenFailureReason, SshError } from "@postern/wire";
import type { Address } from "../address.ts";
import type { BytePipe } from "../byte-pipe.ts";
import { type Dialog, holdDialog } from "./pipe-dialog.ts";

/** Options of {@link acceptSocks}. */
export interface SocksServerOptions<Target extends BytePipe> {
  /**
   * Decides about the address and connects to it. An IP address is in its shortest form (RFC 5952); a name is as the
   * client wrote it, without white space, control characters and `/`, and may be an address in another notation.
   *
   * An SshError `denied` is answered "not allowed"; other errors by their cause.
   */
  readonly connect: (target: Address) => Promise<Target>;
  /** milliseconds until the request is complete; default 10 s */
  readonly handshakeMs?: number | undefined;
}

const defaultHandshakeMs = 10_000;
/** RFC 1928 section 5 for a name; SOCKS4 sets no limit for a name and a user id. */
const longestText = 255;
const who = "the SOCKS client";

/** RFC 1928 section 6: the reply field. */
const Reply = {
  SUCCEEDED: 0,
  GENERAL_FAILURE: 1,
  NOT_ALLOWED: 2,
  NETWORK_UNREACHABLE: 3,
  HOST_UNREACHABLE: 4,
  CONNECTION_REFUSED: 5,
  COMMAND_NOT_SUPPORTED: 7,
  ADDRESS_TYPE_NOT_SUPPORTED: 8,
} as const;

/** A request that is refused before `connect` is called. Without a reply, the client has had another answer. */
class Refusal extends SshError {
  readonly reply: number | undefined;

  constructor(reply: number | undefined, expected: string, got: string) {
    super("protocol", `expected ${who} to ${expected}, got ${got}`);
    this.reply = reply;
  }
}

/**
 * Serves a client of SOCKS5, SOCKS4 or SOCKS4a on a pipe (takes it): reads the request, connects, and replies. Only
 * CONNECT without authentication is supported. Reads nothing while it connects. Resolves with the client's pipe behind
 * the request and the target, which the caller joins with `pump`.
 *
 * After a failure the client gets the reply for it, if it has said which version it speaks, and the pipe is closed.
 *
 * @throws SshError `protocol` if the request is malformed or not supported, `timeout` if it is not complete in time,
 * `connect` if the client ends the pipe before; what `connect` throws
 */
export async function acceptSocks<Target extends BytePipe>(
  pipe: BytePipe,
  options: SocksServerOptions<Target>,
): Promise<{ readonly client: BytePipe; readonly target: Target }> {
  const { connect, handshakeMs = defaultHandshakeMs } = options;
  const limit = new AbortController();
  const late = new SshError("timeout", `expected ${who} to send its request within ${handshakeMs} ms`);
  const timer = setTimeout(() => limit.abort(late), Math.min(handshakeMs, maxTimerMs));
  let target: Target | undefined;
  let failure: unknown;
  try {
    const client = await holdDialog(who, pipe, limit, async (dialog) => {
      let reply: ((code: number) => Bytes) | undefined;
      try {
        const [version] = await dialog.read(1);
        if (version !== 4 && version !== 5) {
          throw new Refusal(undefined, "speak SOCKS version 4 or 5", `version ${version}`);
        }
        reply = version === 5 ? socks5Reply : socks4Reply;
        const address = version === 5 ? await readSocks5(dialog) : await readSocks4(dialog);
        clearTimeout(timer);
        target = await connect(address);
        dialog.write(reply(Reply.SUCCEEDED));
      } catch (error) {
        failure = error;
        const code = replyTo(error);
        if (reply !== undefined && code !== undefined) dialog.write(reply(code));
      }
    });
    if (target !== undefined) return { client, target };
    // Unlike an abort, this sends the reply.
    client.close();
    throw failure;
  } catch (error) {
    target?.abort(error instanceof Error ? error : undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** RFC 1928 sections 3 to 5. */
async function readSocks5(dialog: Dialog): Promise<Address> {
  const [count = 0] = await dialog.read(1);
  const methods = await dialog.read(count);
  // Section 3: 0 is "no authentication required", 255 is "no acceptable methods".
  if (!methods.includes(0)) {
    dialog.write(Uint8Array.of(5, 0xff));
    throw new Refusal(undefined, "offer method 0, no authentication", `methods ${methods.join(", ") || "none"}`);
  }
  dialog.write(Uint8Array.of(5, 0));
  const [version, command, , type = 0] = await dialog.read(4);
  if (version !== 5) throw new Refusal(Reply.GENERAL_FAILURE, "speak SOCKS version 5", `version ${version}`);
  expectConnect(command);
  return await readAddress(dialog, type);
}

async function readAddress(dialog: Dialog, type: number): Promise<Address> {
  switch (type) {
    case 1:
      return withPort(ipv4(await dialog.read(4)), await dialog.read(2));
    case 3: {
      const [length = 0] = await dialog.read(1);
      return withPort(nameOf(await dialog.read(length)), await dialog.read(2));
    }
    case 4:
      return withPort(ipv6(await dialog.read(16)), await dialog.read(2));
    default:
      throw new Refusal(Reply.ADDRESS_TYPE_NOT_SUPPORTED, "send an address of type 1, 3 or 4", `type ${type}`);
  }
}

/**
 * The request of SOCKS4: command, port, address, user id. In SOCKS4a, an address 0.0.0.x with x above 0 means that a
 * name follows. The user id is ignored.
 */
async function readSocks4(dialog: Dialog): Promise<Address> {
  const [command] = await dialog.read(1);
  expectConnect(command);
  const port = await dialog.read(2);
  const address = await dialog.read(4);
  await readText(dialog, "a user id");
  const [a, b, c, d] = address;
  const hasName = a === 0 && b === 0 && c === 0 && d !== 0;
  return withPort(hasName ? nameOf(await readText(dialog, "a name")) : ipv4(address), port);
}

/** Reads a text that ends with NUL. */
async function readText(dialog: Dialog, what: string): Promise<Bytes> {
  const text = await dialog.readUntil((held) => {
    const end = held.indexOf(0);
    if (end > longestText || (end < 0 && held.length > longestText))
      throw new Refusal(Reply.GENERAL_FAILURE, `send ${what} of at most ${longestText} bytes`, "a longer one");
    return end < 0 ? undefined : end + 1;
  });
  return text.subarray(0, -1);
}

function expectConnect(command: number | undefined): void {
  if (command === 1) return;
  throw new Refusal(Reply.COMMAND_NOT_SUPPORTED, "request CONNECT (1)", `command ${command}`);
}

function withPort(host: string, [high = 0, low = 0]: Bytes): Address {
  const port = high * 256 + low;
  if (port === 0) throw new Refusal(Reply.GENERAL_FAILURE, "name a port from 1 to 65535", "0");
  return { host, port };
}

function ipv4(bytes: Bytes): string {
  return bytes.join(".");
}

/**
 * The URL parser returns the text of RFC 5952. An IPv4-mapped address is returned as IPv4, so that a rule about IPv4
 * addresses holds for it, too.
 */
function ipv6(bytes: Bytes): string {
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (isMapped) return ipv4(bytes.subarray(12));
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** sshd would take a name that begins with `/` for the path of a socket. */
function nameOf(bytes: Bytes): string {
  const name = fromUtf8(bytes);
  if (/^[^\p{C}\s/\ufffd]+$/u.test(name)) return name;
  throw new Refusal(Reply.GENERAL_FAILURE, "send a host name", "text that is not one");
}

/** The reply to a failed `connect`, or to a malformed request. */
function replyTo(error: unknown): number | undefined {
  if (error instanceof Refusal) return error.reply;
  if (!(error instanceof SshError)) return Reply.GENERAL_FAILURE;
  const { code, reason, message, cause } = error;
  switch (code) {
    case "denied":
      return Reply.NOT_ALLOWED;
    case "timeout":
      return Reply.HOST_UNREACHABLE;
    case "refused":
      if (reason === OpenFailureReason.ADMINISTRATIVELY_PROHIBITED) return Reply.NOT_ALLOWED;
      if (reason !== OpenFailureReason.CONNECT_FAILED) return Reply.GENERAL_FAILURE;
      return /connection refused/i.test(message) ? Reply.CONNECTION_REFUSED : Reply.HOST_UNREACHABLE;
    case "connect":
      return replyToSystem(cause);
    default:
      return Reply.GENERAL_FAILURE;
  }
}

/** By the system's code of the error, or of the errors of several attempts. */
function replyToSystem(cause: unknown): number {
  const all: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const codes = all.map((one) => String((one as { readonly code?: unknown } | undefined)?.code));
  if (codes.includes("ECONNREFUSED")) return Reply.CONNECTION_REFUSED;
  if (codes.includes("ENETUNREACH")) return Reply.NETWORK_UNREACHABLE;
  const unreachable = ["EHOSTUNREACH", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN"];
  return codes.some((code) => unreachable.includes(code)) ? Reply.HOST_UNREACHABLE : Reply.GENERAL_FAILURE;
}

/** RFC 1928 section 6, with the address 0.0.0.0 and port 0: the bound address has no use for a client. */
function socks5Reply(code: number): Bytes {
  return Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
}

/** 90: granted; 91: rejected or failed. */
function socks4Reply(code: number): Bytes {
  return Uint8Array.of(0, code === Reply.SUCCEEDED ? 90 : 91, 0, 0, 0, 0, 0, 0);
}
