/**
 * The visible reactions to each message in each state that the RFCs allow, written without a look at our machines.
 * A reaction is `disconnect`, `ignored`, or the messages sent.
 * @module
 */

/** The reactions that a clause allows. */
export interface Rule {
  readonly clause: string;
  readonly allowed: readonly (string | RegExp)[];
}

type Role = "client" | "server";

const rule = (clause: string, ...allowed: readonly (string | RegExp)[]): Rule => ({ clause, allowed });
const [disconnect, ignored, unimplemented] = ["disconnect", "ignored", "UNIMPLEMENTED"];
const dropOrEnd = (clause: string): Rule => rule(clause, disconnect, ignored, unimplemented);

const transport = ["IGNORE", "UNIMPLEMENTED", "DEBUG"];
const kexOnly = /^(NEWKEYS|KEX_ECDH|message (22|49)$)/;
const unknown = /^(message (0|19|79|101|127|128|255)|NEWCOMPRESS|PONG)$/;
const auth = /^(USERAUTH_|message 79$)/;
const connection = /^(GLOBAL_|REQUEST_|CHANNEL_|message (101|127)$)/;
const channelMessage = /^CHANNEL_(?!OPEN)/;

/** Returns the rule for a message. `state` is a name of the exploration. */
export function ruleFor(role: Role, state: string, input: string): Rule {
  if (state === "disconnected") return rule("RFC 4253 11.1", ignored);
  if (state.startsWith("version")) {
    return input === "identification" ? rule("RFC 4253 4.2", ignored) : rule("RFC 4253 4.2", disconnect);
  }
  // Its first four bytes are the length of a packet of more than a gigabyte.
  if (input === "identification") return rule("RFC 4253 6.1", disconnect);
  if (input === "DISCONNECT") return rule("RFC 4253 11.1", disconnect);
  if (/\bfirst\b/.test(state)) return firstKex(role, state, input);
  if (/^expect(Reply|EcdhInit|NewKeys)\b/.test(state)) return rekey(role, state, input);
  const withinRekey = state.startsWith("expectInit");
  const found = input.startsWith("KEXINIT") ? kexInit(role, state, input) : outsideKex(role, state, input);
  // Until its own KEXINIT, the peer may send anything. Our replies wait for the new keys (RFC 4253 7.1).
  return withinRekey ? rule(`${found.clause}; RFC 4253 7.1`, ...found.allowed, ignored) : found;
}

/** RFC 4253 section 7.1, and OpenSSH PROTOCOL section 1.10. */
function firstKex(role: Role, state: string, input: string): Rule {
  const isStrict = state.includes("strict");
  if (state.startsWith("expectInit") && input.startsWith("KEXINIT")) {
    if (state.includes("stray") && !input.includes("without the strict")) {
      return rule("OpenSSH PROTOCOL 1.10", disconnect);
    }
    return kexInit(role, state, input);
  }
  if (state.startsWith("expectReply") && input.startsWith("KEX_ECDH_REPLY")) return answer(role, input);
  if (state.startsWith("expectEcdhInit") && input.startsWith("KEX_ECDH_INIT")) return answer(role, input);
  if (state.startsWith("expectNewKeys") && input === "NEWKEYS") return rule("RFC 4253 7.3", ignored);
  if (isStrict) return rule("OpenSSH PROTOCOL 1.10", disconnect);
  if (transport.includes(input)) return rule("RFC 4253 11", ignored);
  return rule("RFC 4253 7.1", disconnect, unimplemented);
}

function kexInit(role: Role, state: string, input: string): Rule {
  if (input.includes("without a common")) return rule("RFC 4253 7.1", disconnect);
  const isOurs = state.startsWith("expectInit");
  const sent = [...(isOurs ? [] : ["KEXINIT"]), ...(role === "client" ? ["KEX_ECDH_INIT"] : [])].join(", ");
  // A server may limit the exchanges before login.
  const limited = role === "server" && !/\bopen\b|first/.test(state) ? [disconnect] : [];
  return rule("RFC 4253 7.1, 9", sent || ignored, ...limited);
}

/** RFC 4253 section 8: an invalid value or signature ends the connection. */
function answer(role: Role, input: string): Rule {
  if (/invalid|wrong/.test(input)) return rule("RFC 4253 8; RFC 8731 3", disconnect);
  return role === "client"
    ? rule("RFC 4253 7.3, 8", /^NEWKEYS/)
    : rule("RFC 4253 7.3, 8; RFC 8308 2.4", /^KEX_ECDH_REPLY, NEWKEYS/);
}

/** Between the peer's KEXINIT and its NEWKEYS: RFC 4253 section 7.1 forbids it to send other messages. */
function rekey(role: Role, state: string, input: string): Rule {
  if (transport.includes(input)) return rule("RFC 4253 7.1", ignored);
  if (state.startsWith("expectReply") && input.startsWith("KEX_ECDH_REPLY")) return answer(role, input);
  if (state.startsWith("expectEcdhInit") && input.startsWith("KEX_ECDH_INIT")) return answer(role, input);
  if (state.startsWith("expectNewKeys") && input === "NEWKEYS") return rule("RFC 4253 7.3", ignored);
  return rule("RFC 4253 7.1", disconnect, unimplemented);
}

function outsideKex(role: Role, state: string, input: string): Rule {
  if (transport.includes(input)) return rule("RFC 4253 11", ignored);
  if (kexOnly.test(input)) return rule("RFC 4253 7.1", disconnect, unimplemented);
  if (input === "PING") return rule("OpenSSH PROTOCOL 1.9", "PONG", unimplemented);
  if (input === "EXT_INFO") return dropOrEnd("RFC 8308 2.4");
  const isOpen = /\bopen\b/.test(state);
  if (unknown.test(input)) {
    if (connection.test(input) && !isOpen) return rule("RFC 4252 6", disconnect, unimplemented);
    return auth.test(input) ? dropOrEnd("RFC 4253 11.4") : rule("RFC 4253 11.4", unimplemented, disconnect);
  }
  if (isOpen) return open(role, state, input);
  if (connection.test(input)) {
    return role === "server" ? rule("RFC 4252 6", disconnect) : dropOrEnd("RFC 4252 6");
  }
  return role === "server" ? serverLogin(state, input) : clientLogin(state, input);
}

function serverLogin(state: string, input: string): Rule {
  const expectsService = state.includes("expectService");
  if (input === "SERVICE_REQUEST") {
    return expectsService
      ? rule("RFC 4253 10; RFC 4252 5.4", "SERVICE_ACCEPT", "SERVICE_ACCEPT, USERAUTH_BANNER")
      : rule("RFC 4253 10", "SERVICE_ACCEPT", disconnect, ignored, unimplemented);
  }
  if (input.startsWith("SERVICE_REQUEST")) return rule("RFC 4253 10", disconnect);
  if (input.startsWith("USERAUTH_REQUEST")) {
    if (expectsService) return rule("RFC 4253 10", disconnect, unimplemented);
    if (/none|wrong/.test(input)) return rule("RFC 4252 5.1, 5.2", "USERAUTH_FAILURE");
    return /keyboard/.test(input)
      ? rule("RFC 4256 3.2", "USERAUTH_INFO_REQUEST")
      : rule("RFC 4252 5.1", "USERAUTH_SUCCESS");
  }
  if (input === "USERAUTH_INFO_RESPONSE") {
    return state.includes("expectResponses")
      ? rule("RFC 4256 3.4", "USERAUTH_SUCCESS")
      : rule("RFC 4256 3.4", "USERAUTH_FAILURE", disconnect, ignored, unimplemented);
  }
  return dropOrEnd("RFC 4252 6; RFC 4253 10, 11.4");
}

function clientLogin(state: string, input: string): Rule {
  if (input === "SERVICE_ACCEPT" && state.includes("awaitService")) return rule("RFC 4253 10", "USERAUTH_REQUEST");
  if (input === "USERAUTH_BANNER") return dropOrEnd("RFC 4252 5.4");
  if (state.includes("awaitAnswer")) {
    // The client goes on with its next method, or has none left.
    if (input === "USERAUTH_FAILURE") return rule("RFC 4252 5.1", "USERAUTH_REQUEST", disconnect);
    if (input === "USERAUTH_SUCCESS") return rule("RFC 4252 5.1", ignored);
    if (input === "USERAUTH_INFO_REQUEST") return rule("RFC 4256 3.2, 3.4", "USERAUTH_INFO_RESPONSE");
  }
  return dropOrEnd("RFC 4252 5, 6; RFC 4253 10");
}

function open(role: Role, state: string, input: string): Rule {
  if (input.startsWith("USERAUTH_REQUEST") && role === "server") return rule("RFC 4252 5.1", ignored);
  if (auth.test(input) || input.startsWith("SERVICE_")) return dropOrEnd("RFC 4252 5, 6; RFC 4253 10");
  if (input === "GLOBAL_REQUEST") return rule("RFC 4254 4", "REQUEST_FAILURE", "REQUEST_SUCCESS");
  if (input.startsWith("REQUEST_")) {
    return state.includes("global reply pending") ? rule("RFC 4254 4", ignored) : dropOrEnd("RFC 4254 4");
  }
  if (input === "CHANNEL_OPEN") return rule("RFC 4254 5.1", "CHANNEL_OPEN_CONFIRMATION", "CHANNEL_OPEN_FAILURE");
  if (input === "CHANNEL_OPEN, refused") return rule("RFC 4254 5.1", "CHANNEL_OPEN_FAILURE");
  if (input === "CHANNEL_OPEN, undecided") return rule("RFC 4254 5.1", ignored);
  if (input.startsWith("CHANNEL_OPEN of packets")) return rule("RFC 4254 5.1", "CHANNEL_OPEN_FAILURE", disconnect);
  return channel(state, input);
}

/** A message for our first channel. */
function channel(state: string, input: string): Rule {
  const [, phase = "none", theirs = "data"] = /channel (\w+) ?(\w*)/.exec(state) ?? [];
  if (/^CHANNEL_OPEN_(CONF|FAIL)/.test(input)) {
    if (phase !== "opening" && phase !== "abandoned") return dropOrEnd("RFC 4254 5.1");
    // A program that has given up closes the channel.
    return rule("RFC 4254 5.1, 5.3", ignored, ...(phase === "abandoned" ? ["CHANNEL_CLOSE"] : []));
  }
  if (!channelMessage.test(input)) throw new Error(`expected a rule for ${input}`);
  if (["none", "opening", "abandoned", "deciding"].includes(phase)) return dropOrEnd("RFC 4254 5");
  if (input.includes("beyond 2^32")) return rule("RFC 4254 5.2", disconnect);
  if (input.includes("beyond the maximum")) return rule("RFC 4254 5.2", disconnect);
  if (/^CHANNEL_(EXTENDED_)?DATA/.test(input)) {
    if (theirs === "eof") return dropOrEnd("RFC 4254 5.3");
    return rule("RFC 4254 5.2", ignored, "CHANNEL_WINDOW_ADJUST");
  }
  // The window may free data that waits.
  if (input === "CHANNEL_WINDOW_ADJUST") return rule("RFC 4254 5.2", ignored, /^CHANNEL_DATA/);
  if (input === "CHANNEL_EOF") {
    if (theirs === "eof") return dropOrEnd("RFC 4254 5.3");
    return rule("RFC 4254 5.3", ignored, ...(phase === "open" ? ["CHANNEL_CLOSE"] : []));
  }
  if (input === "CHANNEL_CLOSE") return rule("RFC 4254 5.3", phase === "open" ? "CHANNEL_CLOSE" : ignored);
  if (input === "CHANNEL_REQUEST") {
    return rule("RFC 4254 5.3, 5.4", phase === "open" ? "CHANNEL_FAILURE" : ignored);
  }
  return state.includes("channel") && /(?<!global )reply pending/.test(state)
    ? rule("RFC 4254 5.4", ignored)
    : dropOrEnd("RFC 4254 5.4");
}

/** Whether the outcome of an exploration is among the reactions that a rule allows. */
export function allows({ allowed }: Rule, outcome: string): boolean {
  const isOver = outcome.startsWith("ends") || /(^|, )disconnect$/.test(outcome);
  const sent = [...outcome.matchAll(/→ ([^,]+)/g)].map(([, name]) => name).join(", ");
  const reaction = isOver ? disconnect : sent || ignored;
  return allowed.some((one) => (typeof one === "string" ? one === reaction : one.test(reaction ?? "")));
}
