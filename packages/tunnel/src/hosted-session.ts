/**
 * The options `session` and `service`: a session on each connection, its text, and the URLs that it names. Apart from
 * the tunnel, so that only platforms which bring it contain it.
 * @module
 */
import { checkOptions, programOptions, type SessionProgram, type SshConnection, sessionRequests } from "@postern/ssh";
import { type Bytes, ExitStatus, expectPort, expectType, SshError, sanitizeText } from "@postern/wire";
import * as Limits from "@postern/wire/limits";

/** How a hosted service differs from sshd; see {@link hostedService}. */
export interface ServiceProfile {
  /** the default of `address` in `forward()` and `listen()` */
  readonly address?: string;
  /** the default of `port` in `forward()` and `listen()` */
  readonly port?: number;
  /**
   * The service may answer a request for port 0 without a port. Then `forwarding.port` is `undefined`, and each visitor
   * of a port that no other forwarding has belongs to it. Default `false`: such an answer is an error of the protocol.
   */
  readonly omitsPort?: boolean;
  /**
   * The service answers a request for a port with that port, even if it listens on another one. Then a port that it
   * chose is not requested again after a reconnection, but 0. Default `false`.
   */
  readonly repeatsPort?: boolean;
  /**
   * Returns the public URL of a forwarding if this line of the session's text contains it. `port` is `undefined` before
   * the service has answered a request for port 0.
   */
  readonly findUrl?: (
    line: string,
    forwarding: { readonly address: string; readonly port: number | undefined },
  ) => string | undefined;
}

/** Receives the text of a session. */
export interface HostedSessionEvents {
  /** one or more whole lines of its text, made printable */
  message(text: string): void;
  /** the session could not be opened, or ended with a status */
  debug(text: string): void;
}

/** The part of a forwarding that its URL depends on. */
interface HostedForwarding {
  readonly address: string;
  readonly port: number | undefined;
  readonly state: string;
}

/** The options `session` and `service`, checked. One for each tunnel. */
export interface HostedSession {
  /** the defaults of `forward()` and `listen()` */
  readonly request: Pick<ServiceProfile, "address" | "port">;
  readonly omitsPort: boolean;
  readonly repeatsPort: boolean;
  /** Opens the session, once for each connection, when login has succeeded. Never throws. */
  open(connection: SshConnection, events: HostedSessionEvents, login: Promise<void>): void;
  /** Returns the URL that the session on the current connection has printed. */
  urlOf(forwarding: HostedForwarding): string | undefined;
  /** Reads the URLs in a text. Calls `changed` with each open forwarding whose URL has changed. */
  read<One extends HostedForwarding>(
    text: string,
    forwardings: readonly One[],
    changed: (forwarding: One) => void,
  ): void;
}

/** The value of the option `service`, made by {@link hostedService}. The tunnel calls it with the option `session`. */
export type HostedService = (session: SessionProgram | undefined) => object;

/**
 * Returns the option `service` for a service that differs from sshd in these ways. The presets, such as `pinggy()`,
 * call it.
 *
 * @throws SshError `misuse` with the name of the option, the expected value and the actual one
 * @example
 * const service = hostedService({ port: 80, findUrl: (line) => /^URL: (\S+)/.exec(line)?.[1] });
 */
export function hostedService(profile: ServiceProfile = {}): HostedService {
  checkOptions("hostedService", profile, ["address", "port", "omitsPort", "repeatsPort", "findUrl"]);
  const { findUrl, omitsPort = false, repeatsPort = false, ...request } = profile;
  if (request.address !== undefined) expectType("address", request.address, "string");
  if (request.port !== undefined) expectPort("port", request.port, 0);
  if (findUrl !== undefined) expectType("findUrl", findUrl, "function");
  expectType("omitsPort", omitsPort, "boolean");
  expectType("repeatsPort", repeatsPort, "boolean");
  return (session): HostedSession => {
    if (session !== undefined) checkOptions("session", session, programOptions);
    const requests = session && sessionRequests(session);
    let current: SshConnection | undefined;
    let urls = new WeakMap<HostedForwarding, string>();
    return {
      request,
      omitsPort,
      repeatsPort,
      urlOf: (forwarding) => (forwarding.state === "open" ? urls.get(forwarding) : undefined),
      open(connection, events, login) {
        if (requests === undefined || current === connection) return;
        current = connection;
        urls = new WeakMap();
        const open = (): Promise<void> => openHosted(connection, requests, events);
        // At once if possible, to send it in one packet of TCP with the request for the port.
        if (connection.loggedIn) void open();
        else login.then(open, () => {});
      },
      read(text, forwardings, changed) {
        for (const forwarding of forwardings) {
          const found = text.split("\n").map((line) => reported(() => findUrl?.(line, forwarding)));
          const url = found.findLast((one) => one !== undefined && one.length <= longestUrl);
          if (url === undefined || url === urls.get(forwarding)) continue;
          urls.set(forwarding, url);
          if (forwarding.state === "open") changed(forwarding);
        }
      },
    };
  };
}

/** Calls code of the program. Its errors are reported as those of event listeners are, and do not end the session. */
function reported<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    return undefined;
  }
}

/** characters of a URL that is reported */
const longestUrl = 2048;

async function openHosted(
  connection: SshConnection,
  requests: ReturnType<typeof sessionRequests>,
  events: HostedSessionEvents,
): Promise<void> {
  const message = (text: string): void => events.message(text);
  const [stdout, stderr] = [new TextLines(message), new TextLines(message)];
  try {
    const channel = await connection.openChannel("session", new Uint8Array(0), {
      window: 2 * Limits.maxPacket,
      extended: {
        data(chunk, _type, consumed) {
          consumed(chunk.length);
          stderr.push(chunk);
        },
        end: () => stderr.push(undefined),
      },
      onRequest(request) {
        if (request.type !== "exit-status") return request.refuse();
        events.debug(`the session ended with status ${ExitStatus.decode(request.specificData).status}`);
        request.accept();
      },
    });
    // Some services never answer, so no reply is requested.
    for (const { type, specificData } of requests) channel.notify(type, specificData);
    channel.start({
      data: (chunk) => stdout.push(chunk),
      end: () => stdout.push(undefined),
      drain() {},
      closed() {
        for (const one of [stdout, stderr]) one.push(undefined);
      },
    });
  } catch (error) {
    // A lost connection is reported by the tunnel.
    if (error instanceof SshError && error.code === "refused") events.debug(`no session: ${error.message}`);
  }
}

/** Joins the chunks of a text to lines. A line that is longer than the limit is passed on in parts. */
class TextLines {
  readonly #decoder = new TextDecoder();
  readonly #message: (text: string) => void;
  #rest = "";

  constructor(message: (text: string) => void) {
    this.#message = message;
  }

  /** Passes on the whole lines. `undefined`: the end, which completes the last line. */
  push(chunk: Bytes | undefined): void {
    const text = this.#rest + this.#decoder.decode(chunk, { stream: chunk !== undefined });
    const lineEnd = text.lastIndexOf("\n") + 1;
    const isLong = chunk === undefined || text.length - lineEnd > longestLine;
    const end = isLong ? text.length : lineEnd;
    this.#rest = text.slice(end);
    const lines = text.slice(0, end).replaceAll(colour, "").trimEnd();
    if (lines !== "") this.#message(sanitizeText(lines, true));
  }
}

/** characters of a line that is not complete */
const longestLine = 4096;

/** SGR of ECMA-48: `ESC [ … m`, which sish uses around its labels */
const colour = /* @__PURE__ */ new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");
