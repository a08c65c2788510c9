/**
 * The reactions to each message in each state that the RFCs allow. Every cell becomes a trace.
 * @module
 */
import * as m from "./messages.mjs";

const { send, expect } = m;

const rule = (clause, flag, ...allowed) => ({ allowed, clause, flag });

const mustEnd = (clause, flag) => rule(clause, flag, "disconnect");
const strictKex = mustEnd("OpenSSH PROTOCOL 1.10", "StrictKex");
const mayCome = rule("RFC 4253 11", "AlwaysAllowed", "ignored");
const outsideKex = rule("RFC 4253 7.1", "DuringKex", "disconnect", "unimplemented");
const notInKex = rule("RFC 4253 7.1", "NoKex", "disconnect", "unimplemented");
const unrecognized = rule("RFC 4253 11.4", "Unrecognized", "unimplemented");
const beforeAuth = mustEnd("RFC 4252 6", "BeforeAuth");
const unasked = rule("RFC 4254 4, 5.1", "Unasked", "disconnect", "unimplemented", "ignored");
const wrongDirection = rule("RFC 4252 5, 6; RFC 4253 10", "WrongDirection", "disconnect", "unimplemented", "ignored");
const ends = mustEnd("RFC 4253 11.1", "Disconnect");

const transport = [m.ignore, m.unimplemented, m.debug];
const kexOnly = [m.newKeys, m.ecdhInit, m.ecdhReply, m.groupRequest, m.unknown(22), m.unknown(49)];
const connection = [
  m.globalRequest("probe@example.com", false),
  m.requestSuccess,
  m.requestFailure,
  m.channelOpen,
  m.openConfirmation(),
  m.openFailure(),
  m.windowAdjust(),
  m.data(),
  m.extendedData(),
  m.eof(),
  m.close(),
  m.channelRequest(),
  m.channelSuccess(),
  m.channelFailure(),
];
const auth = [m.authNone, m.authFailure, m.authSuccess, m.banner, m.keyOk, m.infoResponse, m.unknown(79)];
const services = [m.serviceRequest("ssh-userauth"), m.serviceRequest("ssh-connection"), m.serviceAccept];
const unassigned = [
  m.unknown(9),
  m.unknown(19),
  m.unknown(101),
  m.unknown(127),
  m.unknown(128),
  m.unknown(191),
  m.unknown(255),
];
const all = [
  m.disconnect,
  ...transport,
  ...services,
  m.extInfo,
  m.newCompress,
  ...kexOnly,
  ...auth,
  ...connection,
  m.ping,
  ...unassigned,
];

const numberOf = ({ payload, name }) => (name === "CHANNEL_OPEN" ? 90 : Number.parseInt(payload.slice(0, 2), 16));

/** The first key exchange. */
function firstKex(one, strict, state, role) {
  if (one === m.disconnect) return ends;
  // The state waits for this message.
  if (state === "kexinit" && one === (role === "server" ? m.ecdhInit : m.ecdhReply)) return undefined;
  if (state === "exchange" && one === m.newKeys) return undefined;
  if (strict) return strictKex;
  return transport.includes(one) ? mayCome : outsideKex;
}

/** Between the first NEWKEYS and the end of the login. */
function beforeLogin(one, state, role) {
  const number = numberOf(one);
  if (one === m.disconnect) return ends;
  if (transport.includes(one)) return mayCome;
  if (one === m.extInfo) {
    return state === "keys"
      ? rule("RFC 8308 2.4", "ExtInfo", "ignored")
      : rule("RFC 8308 2.4", "ExtInfoLate", "ignored", "unimplemented", "disconnect");
  }
  if (kexOnly.includes(one)) return notInKex;
  if (one === m.ping) return rule("OpenSSH PROTOCOL 1.9", "Ping", "PONG", "unimplemented", "disconnect");
  if (number >= 80) {
    if (role === "server")
      return number < 128 ? beforeAuth : rule("RFC 4252 6; RFC 4253 11.4", "BeforeAuth", "disconnect", "unimplemented");
    // RFC 4252 section 6 binds the server. A client must not act on such a message, either.
    return rule("RFC 4252 6", "BeforeAuth", "disconnect", "unimplemented", "ignored");
  }
  if (role === "server") {
    if (one.payload === m.serviceRequest("ssh-userauth").payload)
      return state === "keys"
        ? undefined
        : rule("RFC 4253 10", "Repeated", "SERVICE_ACCEPT", "ignored", "unimplemented", "disconnect");
    if (one.name === "SERVICE_REQUEST") return mustEnd("RFC 4253 10", "UnavailableService");
    if (one === m.authNone) {
      return state === "keys"
        ? rule("RFC 4253 10", "BeforeService", "disconnect", "unimplemented")
        : rule("RFC 4252 5.2", "AuthNone", "USERAUTH_FAILURE");
    }
    if (one === m.infoResponse)
      return rule("RFC 4256 3.4", "Unasked", "USERAUTH_FAILURE", "disconnect", "unimplemented", "ignored");
    if (number <= 8 || number === 79)
      return rule("RFC 4253 11.4", "WrongDirection", "disconnect", "unimplemented", "ignored");
    if (number >= 51) return wrongDirection;
    return unrecognized;
  }
  if (one === m.serviceAccept)
    return state === "keys" ? undefined : rule("RFC 4253 10", "Repeated", "ignored", "unimplemented", "disconnect");
  if (one === m.banner)
    return rule("RFC 4252 5.4", "Banner", "ignored", ...(state === "keys" ? ["disconnect", "unimplemented"] : []));
  // In these states, an answer to the client's request is no surprise.
  if (state !== "keys" && (one === m.authFailure || one === m.authSuccess)) return undefined;
  if (one === m.authSuccess) return mustEndOrDrop;
  if (number >= 50 || number <= 8) return wrongDirection;
  return unrecognized;
}

const mustEndOrDrop = rule("RFC 4252 5.1", "AuthBypass", "disconnect", "unimplemented", "ignored");

/** After the login. */
function open(one, role) {
  const number = numberOf(one);
  if (one === m.disconnect) return ends;
  if (transport.includes(one)) return mayCome;
  if (one === m.extInfo) return rule("RFC 8308 2.4", "ExtInfoLate", "ignored", "unimplemented", "disconnect");
  if (one === m.newCompress) return rule("RFC 8308 3.2", "NotNegotiated", "unimplemented", "disconnect");
  if (kexOnly.includes(one)) return notInKex;
  if (one === m.ping) return rule("OpenSSH PROTOCOL 1.9", "Ping", "PONG", "unimplemented");
  if (one === m.authNone && role === "server")
    return rule("RFC 4252 5.3", "AuthAfterSuccess", "ignored", "unimplemented", "disconnect");
  if (auth.includes(one) || services.includes(one)) return wrongDirection;
  if (services.some(({ payload }) => payload === one.payload)) return wrongDirection;
  if (one.name === "GLOBAL_REQUEST") return rule("RFC 4254 4", "NoReply", "ignored");
  if (one === m.channelOpen) return undefined;
  if (connection.includes(one)) return rule("RFC 4254 5", "UnknownChannel", "disconnect", "unimplemented", "ignored");
  if (number === 101 || number === 127 || number >= 128 || number < 50) return unrecognized;
  return unasked;
}

/** During a rekey that the peer has begun. */
function rekey(one, state, role) {
  if (one === m.disconnect) return ends;
  if (transport.includes(one)) return mayCome;
  if (state === "rekeying" && one === (role === "server" ? m.ecdhInit : m.ecdhReply)) return undefined;
  if (state === "rekeyed" && one === m.newKeys) return undefined;
  if (kexOnly.includes(one)) return outsideKex;
  // RFC 4253 section 7.1 forbids sending these, and does not say what the receiver does.
  return rule(
    "RFC 4253 7.1",
    "DuringRekey",
    "disconnect",
    "unimplemented",
    "ignored",
    "PONG",
    "USERAUTH_FAILURE",
    "CHANNEL_OPEN_CONFIRMATION",
    "CHANNEL_OPEN_FAILURE",
  );
}

/** Steps between the state of the runner and the message. */
const leadIn = {
  rekeying: { state: "authenticated", steps: [m.perform("sendKexInit"), m.perform("readKexInit")] },
  rekeyed: {
    state: "authenticated",
    steps: [m.perform("sendKexInit"), m.perform("readKexInit"), m.perform("exchange")],
  },
};

function resultOf(allowed) {
  if (!allowed.includes("disconnect")) return "valid";
  return allowed.length === 1 ? "invalid" : "acceptable";
}

/** Returns the traces of one role, without numbers. */
export function stateTable(role) {
  const traces = [];
  const add = (state, strict, ruleFor) => {
    for (const one of all) {
      const found = ruleFor(one);
      if (found === undefined) continue;
      const { allowed, clause, flag } = found;
      const lead = leadIn[state] ?? { state, steps: [] };
      traces.push({
        comment: `${one.name}${detail(one)} in the state ${state}${strict ? "" : ", without strict key exchange"}`,
        clause,
        state: lead.state,
        ...(strict ? {} : { strict }),
        ...(flag === "StrictKex" ? { requires: ["strict-kex"] } : {}),
        steps: [...lead.steps, send(one), expect(...allowed)],
        result: resultOf(allowed),
        flags: [flag],
      });
    }
  };
  for (const state of ["version", "kexinit", "exchange"]) {
    for (const strict of [true, false]) add(state, strict, (one) => firstKex(one, strict, state, role));
  }
  for (const state of role === "server" ? ["keys", "service"] : ["keys", "request"]) {
    add(state, true, (one) => beforeLogin(one, state, role));
  }
  for (const state of ["authenticated", "channel"]) add(state, true, (one) => open(one, role));
  for (const state of ["rekeying", "rekeyed"]) add(state, true, (one) => rekey(one, state, role));
  return traces;
}

function detail(one) {
  if (one.name !== "SERVICE_REQUEST") return "";
  return one.payload === m.serviceRequest("ssh-userauth").payload ? " of ssh-userauth" : " of ssh-connection";
}
