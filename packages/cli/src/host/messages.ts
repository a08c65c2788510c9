/** The events of a TunnelHost in the words of sshd. @module */
import { isCertificate, keyType, parseCertificate } from "@postern/keys";
import type { HostForwardingEvent, HostVisitorEvent, TakeoverEvent } from "@postern/node";
import {
  type Authorize,
  type HostClientEvent,
  type HostDecision,
  type HostLoginAttempt,
  type LoginEvent,
  type RefusalEvent,
  sha256Fingerprint,
  type TunnelHost,
} from "@postern/node";
import { type Bytes, type SshError, sanitizeText } from "@postern/wire";
import type { HostConnection, HostConnections } from "./connections.ts";
import type { MessageLevel } from "./log-levels.ts";
import type { HostLogger } from "./logger.ts";

/** The parts that the messages are made of. */
export interface MessageContext {
  readonly logger: HostLogger;
  readonly connections: HostConnections;
  /** Refused attempts that a connection may have (MaxAuthTries). */
  readonly attempts: () => number;
}

/** Logs the events of a host. */
export function logEvents(host: TunnelHost, context: MessageContext): void {
  const { logger, connections } = context;
  host.addEventListener("clientopened", ({ client }: HostClientEvent) => {
    const { localAddress, localPort, ...from } = connections.of(client);
    const to = `on ${localAddress} port ${localPort}`;
    logger.write("VERBOSE", `Connection from ${connections.placeOf({ ...from, localAddress, localPort })} ${to}`);
  });
  host.addEventListener("login", (event: LoginEvent) => logger.write("INFO", accepted(event, connections)));
  host.addEventListener("clientclosed", ({ client, reason }: HostClientEvent) => {
    const isIn = client.login !== undefined;
    for (const [level, text] of ending(connections.of(client), isIn, reason, context)) logger.write(level, text);
  });
  host.addEventListener("refusal", (event: RefusalEvent) => {
    const [level, text] = refused(event, connections);
    logger.write(level, text);
  });
  host.addEventListener("forwardingopened", ({ forwarding }: HostForwardingEvent) => {
    const { path, hosts, port } = forwarding;
    for (const place of path === undefined ? hosts.map((one) => `${one} port ${port}`) : [`path ${sanitizeText(path)}`])
      logger.write("VERBOSE", `Local forwarding listening on ${place}.`);
  });
  host.addEventListener("visitor", ({ forwarding, origin }: HostVisitorEvent) => {
    const to = forwarding.path === undefined ? `port ${forwarding.port}` : sanitizeText(forwarding.path);
    const from = forwarding.path === undefined ? ` from ${origin.host} port ${origin.port}` : "";
    logger.write("DEBUG1", `Connection to ${to} forwarding to ${sanitizeText(forwarding.address)} requested${from}.`);
  });
  host.addEventListener("workerclosed", ({ reason }) => {
    logger.write("ERROR", `A worker process ended: ${reason}. Its clients are disconnected.`);
  });
  host.addEventListener("takeover", ({ client, previous, port, path }: TakeoverEvent) => {
    const place = path === undefined ? `port ${port}` : sanitizeText(path);
    logger.write(
      "INFO",
      `${client.user ?? ""} takes ${place} over from connection ${previous.id}, which does not answer`,
    );
  });
}

/** Logs each decision, and remembers what the end of the connection has to name. */
export function logDecisions(
  authorize: Authorize,
  context: MessageContext & { readonly isKnown?: (user: string) => boolean },
): Authorize {
  const { logger, connections, isKnown } = context;
  const decide = async (attempt: HostLoginAttempt): Promise<HostDecision> => {
    const connection = connections.of(attempt);
    if (isKnown !== undefined && connection.user === undefined && !isKnown(attempt.user)) {
      connection.isInvalid = true;
      logger.write("INFO", `Invalid user ${connections.nameOf(attempt.user)} from ${connections.placeOf(connection)}`);
    }
    const decision = await authorize(attempt);
    connection.user = attempt.user;
    if (attempt.method === "none") return decision;
    const key = attempt.method === "publickey" ? describeKey(attempt.publicKey) : undefined;
    const isAccepted = decision !== false;
    if (!isAccepted) connection.failures++;
    if (isAccepted && key !== undefined) connection.acceptedKey = key;
    const isPartial = typeof decision === "object" && "partial" in decision;
    const isQuery = attempt.method === "publickey" && !attempt.proved;
    // The event `login` says when the client is in.
    if (isAccepted && !isPartial && !isQuery) return decision;
    const what = isAccepted ? (isQuery ? "Postponed" : "Partial") : "Failed";
    const isLoud =
      connection.isInvalid || attempt.method === "password" || connection.failures >= context.attempts() / 2;
    const invalid = connection.isInvalid ? "invalid user " : "";
    const who = `${invalid}${connections.nameOf(attempt.user)} from ${connections.placeOf(connection)} ssh2`;
    logger.write(
      isLoud ? "INFO" : "VERBOSE",
      `${what} ${attempt.method} for ${who}${key === undefined ? "" : `: ${key}`}`,
    );
    return decision;
  };
  return Object.assign(decide, authorize.methods !== undefined && { methods: authorize.methods });
}

function accepted({ client, user, method, certificate }: LoginEvent, connections: HostConnections): string {
  const connection = connections.of(client);
  const key = method === "publickey" && connection.acceptedKey !== undefined ? `: ${connection.acceptedKey}` : "";
  const { keyId, serial } = certificate ?? {};
  const id = certificate === undefined ? "" : ` ID ${keyId} (serial ${serial}) CA ${certificate.authority}`;
  return `Accepted ${method} for ${user} from ${connections.placeOf(connection)} ssh2${key}${id}`;
}

/** How sshd reports the end of a connection. */
function ending(
  connection: HostConnection,
  isIn: boolean,
  reason: SshError | undefined,
  { connections }: MessageContext,
): readonly (readonly [MessageLevel, string])[] {
  const place = connections.placeOf(connection);
  const name = connection.user === undefined ? "" : `${connections.nameOf(connection.user)} `;
  const kind = connection.isInvalid ? "invalid user " : isIn ? "user " : "authenticating user ";
  const who = `${name === "" ? "" : kind}${name}${place}`;
  const before = isIn ? "" : " [preauth]";
  if (reason === undefined) {
    return [
      ["INFO", `Received disconnect from ${place}:11: disconnected by user${before}`],
      ["INFO", `Disconnected from ${who}${before}`],
    ];
  }
  const { code, message, reason: number, description } = reason;
  switch (code) {
    case "timeout":
      return isIn
        ? [["INFO", `Timeout, client not responding from ${who}`]]
        : [["INFO", `Timeout before authentication for ${place}`]];
    case "kex":
      return [["INFO", `Unable to negotiate with ${place}: ${message}${before}`]];
    case "auth":
      return [
        ["ERROR", `maximum authentication attempts exceeded for ${name}from ${place} ssh2${before}`],
        ["INFO", `Disconnecting ${who}: Too many authentication failures${before}`],
      ];
    case "disconnected":
      return [
        ["INFO", `Received disconnect from ${place}:${number ?? 0}: ${sanitizeText(description ?? message)}${before}`],
        ["INFO", `Disconnected from ${who}${before}`],
      ];
    case "closed":
      return [["INFO", `Connection closed by ${who}${before}`]];
    default:
      return [["INFO", `Disconnecting ${who}: ${message}${before}`]];
  }
}

function refused(
  { what, reason, client, origin, limit }: RefusalEvent,
  connections: HostConnections,
): readonly [MessageLevel, string] {
  const place = origin === undefined ? "UNKNOWN" : `[${origin.host}]:${origin.port}`;
  switch (what) {
    case "connection":
      if (limit === "startups") return ["INFO", `drop connection from ${place} past MaxStartups`];
      if (limit === "startupsPerSource") return ["INFO", `drop connection from ${place} past PerSourceMaxStartups`];
      if (limit === "penalties") return ["INFO", `drop connection from ${place} penalty: ${reason}`];
      return ["INFO", `drop connection from ${place}: ${reason}`];
    case "login": {
      // The decision itself is logged as `Failed`.
      const from = client === undefined ? place : connections.placeOf(connections.of(client));
      return [reason.endsWith(": refused") ? "DEBUG1" : "VERBOSE", `refused a login from ${from}: ${reason}`];
    }
    case "forwarding":
      return ["INFO", `Received request to remote forward ${reason}, but the request was denied.`];
    case "channel":
      return ["INFO", `refused local port forward: ${reason}`];
    case "visitor":
      return ["INFO", `refused a visitor: ${reason}`];
  }
}

const keyNames: Readonly<Record<string, string>> = {
  "ssh-ed25519": "ED25519",
  "ssh-rsa": "RSA",
  "ecdsa-sha2-nistp256": "ECDSA",
  "ecdsa-sha2-nistp384": "ECDSA",
  "ecdsa-sha2-nistp521": "ECDSA",
  "sk-ssh-ed25519@openssh.com": "ED25519-SK",
  "sk-ecdsa-sha2-nistp256@openssh.com": "ECDSA-SK",
};

/** `ED25519 SHA256:…`, and `ED25519-CERT SHA256:…` for a certificate. */
function describeKey(blob: Bytes): string {
  try {
    const certified = isCertificate(blob) ? parseCertificate(blob).publicKey : undefined;
    const plain = certified ?? blob;
    const type = keyNames[keyType(plain)] ?? sanitizeText(keyType(plain)).slice(0, 64);
    return `${type}${certified === undefined ? "" : "-CERT"} ${sha256Fingerprint(plain)}`;
  } catch {
    return "an unreadable key";
  }
}
