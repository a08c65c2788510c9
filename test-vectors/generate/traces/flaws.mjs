/** Flaws of SSH implementations that a peer can trigger, as traces with the correct answer. @module */
import * as m from "./messages.mjs";

const { expect, message, perform, repeat, send, string, text, uint32 } = m;
const theirs = "{theirs}";
const end = expect("disconnect");
const goesOn = expect("ignored");
/** Flaws that strict key exchange closes, unless a trace says otherwise. */
const strictOnly = ["CVE-2023-48795", "CVE-2023-46445", "CVE-2023-46446", "CVE-2025-26466"];

function trace(flag, comment, state, steps, more = {}) {
  const allowed = steps.at(-1).expect ?? [];
  const result = allowed.includes("disconnect") ? (allowed.length === 1 ? "invalid" : "acceptable") : "valid";
  const strict = strictOnly.includes(flag) && more.strict !== false ? { requires: ["strict-kex"] } : {};
  return { comment, clause: "see the note", state, ...strict, ...more, steps, result, flags: [flag] };
}

export function flaws(role) {
  return role === "server" ? ofServers() : ofClients();
}

/** The same in both roles. */
const shared = {
  extInfoBeforeNewKeys: trace("CVE-2023-46445", "EXT_INFO before NEWKEYS", "exchange", [send(m.extInfo), end]),
  ignoreBeforeKexInit: trace("CVE-2023-48795", "IGNORE before KEXINIT", "version", [send(m.ignore), end]),
  ignoreBeforeNewKeys: trace("CVE-2023-48795", "IGNORE before NEWKEYS", "exchange", [send(m.ignore), end]),
  unknownNumber: trace("CVE-2023-48795", "a message number without a meaning before NEWKEYS", "kexinit", [
    send(m.unknown(192)),
    end,
  ]),
  sequenceGoesOn: trace("CVE-2023-48795", "a sequence number that counts on after NEWKEYS", "exchange", [
    perform("keys", { keepSequence: true }),
    end,
  ]),
  pings: trace("CVE-2025-26466", "pings before NEWKEYS", "kexinit", [send(m.ping, { repeat: 2_000 }), end]),
  repeatedKexInit: trace("CVE-2016-8858", "KEXINIT again and again before NEWKEYS", "kexinit", [
    ...Array.from({ length: 3 }, () => perform("sendKexInit", { again: true })),
    expect("disconnect", "unimplemented"),
  ]),
  padding: trace("CVE-2026-46597", "a packet whose padding leaves no room for a payload", "kexinit", [
    { raw: `${uint32(12)}0b${repeat(11, "00")}` },
    end,
  ]),
  largestWindow: trace("CVE-2026-39834", "a window of 2^32 - 1, and data", "forwardable", [
    perform("channel", { window: 0xff_ff_ff_ff, maxPacket: 0xff_ff_ff_ff }),
    perform("echo", { size: 30_000 }),
    goesOn,
  ]),
  windowOverflow: trace("CVE-2025-54804", "WINDOW_ADJUST that overflows the window", "channel", [
    send(m.windowAdjust(theirs, 0xff_ff_ff_ff)),
    send(m.windowAdjust(theirs, 0xff_ff_ff_ff)),
    expect("disconnect", "ignored"),
  ]),
  longDescription: trace("CVE-2019-17498", "DISCONNECT whose description is longer than the packet", "authenticated", [
    send({ name: "DISCONNECT", payload: message(1, uint32(11), uint32(0xff_ff_ff_ff)) }),
    end,
  ]),
};

function ofServers() {
  const request = (method, ...rest) =>
    send({ name: "USERAUTH_REQUEST", payload: message(50, "{user}", text("ssh-connection"), text(method), ...rest) });
  const key = (algorithm, blob, signature) =>
    request(
      "publickey",
      signature === undefined ? "00" : "01",
      text(algorithm),
      string(blob),
      ...(signature === undefined ? [] : [string(signature)]),
    );
  const refusedOrEnd = expect("USERAUTH_FAILURE", "disconnect");
  const session = send(m.openOf("session"));
  const exec = send(m.channelRequest(uint32(0), "exec", true, text("true")));
  const rsa = (bytes) => text("ssh-rsa") + string("010001") + string(`00${repeat(bytes, "c5")}`);
  return [
    trace("CVE-2018-10933", "USERAUTH_SUCCESS by a client, then a channel", "service", [
      send(m.authSuccess),
      session,
      end,
    ]),
    trace("CVE-2018-10933", "USERAUTH_SUCCESS by a client before the service, then a channel", "keys", [
      send(m.authSuccess),
      session,
      end,
    ]),
    trace("CVE-2018-10933", "USERAUTH_SUCCESS by a client after a refused login, then a channel", "service", [
      perform("login", { key: "other" }),
      expect("USERAUTH_FAILURE"),
      send(m.authSuccess),
      session,
      end,
    ]),
    trace("CVE-2018-1000805", "USERAUTH_SUCCESS and SERVICE_ACCEPT by a client, then a channel", "service", [
      send(m.serviceAccept),
      send(m.authSuccess),
      session,
      end,
    ]),
    trace("CVE-2018-7750", "a global request before the login", "service", [
      send(m.globalRequest("tcpip-forward", true, text("localhost") + uint32(0))),
      end,
    ]),
    trace("CVE-2018-7750", "a channel before the login", "keys", [session, end]),
    trace("CVE-2025-32433", "CHANNEL_OPEN and a command before the login", "keys", [session, exec, end]),
    trace(
      "CVE-2025-32433",
      "CHANNEL_OPEN and a command during the key exchange",
      "kexinit",
      [session, exec, expect("disconnect", "unimplemented")],
      { strict: false },
    ),
    trace("CVE-2025-32433", "CHANNEL_REQUEST before the login, without a channel", "service", [exec, end]),
    trace("CVE-2023-46446", "USERAUTH_REQUEST before NEWKEYS", "exchange", [send(m.authNone), end]),
    trace(
      "CVE-2023-46446",
      "USERAUTH_REQUEST before NEWKEYS, without strict key exchange",
      "exchange",
      [send(m.authNone), expect("disconnect", "unimplemented")],
      { strict: false },
    ),
    shared.extInfoBeforeNewKeys,
    shared.ignoreBeforeKexInit,
    shared.ignoreBeforeNewKeys,
    shared.unknownNumber,
    shared.sequenceGoesOn,
    trace("CVE-2024-45337", "the right key queried, the request signed by an unknown key", "service", [
      perform("login", { query: true }),
      expect("USERAUTH_PK_OK"),
      perform("login", { key: "other" }),
      expect("USERAUTH_FAILURE"),
    ]),
    trace("CVE-2024-45337", "an unknown key queried after the right one, then a channel", "service", [
      perform("login", { query: true }),
      expect("USERAUTH_PK_OK"),
      perform("login", { query: true, key: "other" }),
      expect("USERAUTH_FAILURE"),
      session,
      end,
    ]),
    trace("CVE-2025-22869", "requests during a key exchange that the client does not finish", "authenticated", [
      perform("sendKexInit"),
      perform("readKexInit"),
      send(m.globalRequest("no-such-request@example.com", true), { repeat: 20_000 }),
      expect("disconnect"),
    ]),
    shared.pings,
    trace(
      "CVE-2025-26466",
      "pings before NEWKEYS, without strict key exchange",
      "kexinit",
      [send(m.ping, { repeat: 2_000 }), expect("disconnect", "unimplemented")],
      { strict: false },
    ),
    shared.repeatedKexInit,
    trace("CVE-2023-25136", "an identification line of an old client", "connected", [perform("version"), goesOn], {
      version: "SSH-2.0-PuTTY_Release_0.64",
    }),
    trace("CVE-2023-1667", "a guess in a rekey", "authenticated", [
      perform("sendKexInit", {
        guess: true,
        lists: { kex: "x@example.com,curve25519-sha256,curve25519-sha256@libssh.org" },
      }),
      perform("readKexInit"),
      send(m.ecdhInit),
      goesOn,
    ]),
    trace("CVE-2020-9283", "an Ed25519 key of 31 bytes in a query", "service", [
      key("ssh-ed25519", text("ssh-ed25519") + string(repeat(31, "07")), undefined),
      refusedOrEnd,
    ]),
    trace("CVE-2020-9283", "an Ed25519 key of 31 bytes with a signature", "service", [
      key(
        "ssh-ed25519",
        text("ssh-ed25519") + string(repeat(31, "07")),
        text("ssh-ed25519") + string(repeat(64, "01")),
      ),
      refusedOrEnd,
    ]),
    trace("CVE-2020-9283", "an empty Ed25519 key", "service", [
      key("ssh-ed25519", text("ssh-ed25519") + string(""), undefined),
      refusedOrEnd,
    ]),
    trace("CVE-2020-9283", "a security key of 31 bytes", "service", [
      key(
        "sk-ssh-ed25519@openssh.com",
        text("sk-ssh-ed25519@openssh.com") + string(repeat(31, "07")) + text("ssh:"),
        undefined,
      ),
      refusedOrEnd,
    ]),
    trace("CVE-2021-43565", "a payload of no bytes", "keys", [
      send({ name: "an empty payload", payload: "" }),
      expect("disconnect", "unimplemented"),
    ]),
    shared.padding,
    trace("CVE-2025-58181", "a GSSAPI request with 2^32 - 1 mechanisms", "service", [
      request("gssapi-with-mic", uint32(0xff_ff_ff_ff)),
      refusedOrEnd,
    ]),
    trace("CVE-2026-39829", "an RSA key of 131,072 bits", "service", [
      key("rsa-sha2-256", rsa(16_384), text("rsa-sha2-256") + string(repeat(16_384, "01"))),
      refusedOrEnd,
    ]),
    trace("CVE-2026-39829", "an RSA key with an exponent of 2,048 bits", "service", [
      key(
        "rsa-sha2-256",
        text("ssh-rsa") + string(repeat(256, "41")) + string(`00${repeat(256, "c5")}`),
        text("rsa-sha2-256") + string(repeat(256, "01")),
      ),
      refusedOrEnd,
    ]),
    trace("CVE-2026-39830", "a thousand replies that were not requested", "authenticated", [
      send(m.requestFailure, { repeat: 1_000 }),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("CVE-2026-39830", "a thousand channel replies that were not requested", "channel", [
      send(m.channelSuccess(theirs), { repeat: 1_000 }),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("CVE-2026-39827", "two thousand channels that the server refuses", "authenticated", [
      perform("refusedChannels", { count: 2_000 }),
      goesOn,
    ]),
    shared.largestWindow,
    shared.windowOverflow,
    trace("CVE-2018-15473", "a malformed key of a user that exists", "service", [
      request("publickey", "01", text("ssh-ed25519"), uint32(0x7f_ff_ff_ff)),
      refusedOrEnd,
    ]),
    trace("CVE-2018-15473", "a malformed key of a user that does not exist", "service", [
      send({
        name: "USERAUTH_REQUEST",
        payload: message(
          50,
          text("no-such-user"),
          text("ssh-connection"),
          text("publickey"),
          "01",
          text("ssh-ed25519"),
          uint32(0x7f_ff_ff_ff),
        ),
      }),
      refusedOrEnd,
    ]),
    shared.longDescription,
  ];
}

function ofClients() {
  const open = (type) => send(m.openOf(type));
  return [
    shared.extInfoBeforeNewKeys,
    trace(
      "CVE-2023-46445",
      "EXT_INFO before NEWKEYS, without strict key exchange",
      "exchange",
      [send(m.extInfo), expect("disconnect", "unimplemented")],
      { strict: false },
    ),
    shared.ignoreBeforeKexInit,
    shared.ignoreBeforeNewKeys,
    shared.unknownNumber,
    shared.sequenceGoesOn,
    trace("CVE-2018-10933", "USERAUTH_SUCCESS before the client has requested a service", "exchange", [
      send(m.authSuccess),
      expect("disconnect", "unimplemented"),
    ]),
    trace("CVE-2018-10933", "a channel before the login", "keys", [
      open("session"),
      expect("disconnect", "unimplemented"),
    ]),
    trace("CVE-2016-0777", "a request to resume a session (roaming)", "forwarding", [
      send(m.globalRequest("roaming@appgate.com", true)),
      expect("REQUEST_FAILURE"),
    ]),
    shared.repeatedKexInit,
    trace("CVE-2023-1667", "a guess in a rekey", "authenticated", [
      perform("sendKexInit", {
        guess: true,
        lists: { kex: "x@example.com,curve25519-sha256,curve25519-sha256@libssh.org" },
      }),
      perform("readKexInit"),
      send(m.ecdhReply),
      goesOn,
    ]),
    trace("CVE-2019-3855", "a packet length of 2^32 - 1", "exchange", [
      { raw: `${uint32(0xff_ff_ff_ff)}04${repeat(60, "00")}` },
      end,
    ]),
    trace("CVE-2019-3856", "a keyboard-interactive request with 2^32 - 1 prompts", "request", [
      send({
        name: "USERAUTH_INFO_REQUEST",
        payload: message(60, text(""), text(""), text(""), uint32(0xff_ff_ff_ff)),
      }),
      expect("disconnect", "unimplemented"),
    ]),
    trace("CVE-2019-3857", "exit-signal whose name is longer than the packet", "channel", [
      send(m.channelRequest(theirs, "exit-signal", false, uint32(0xff_ff_ff_ff))),
      expect("disconnect", "ignored"),
    ]),
    trace("CVE-2019-3859", "an adjustment of a window that ends early", "channel", [
      send({ name: "CHANNEL_WINDOW_ADJUST", payload: message(93, theirs, "00") }),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("CVE-2019-3861", "padding longer than the packet", "exchange", [
      { raw: `${uint32(12)}ff${repeat(60, "00")}` },
      end,
    ]),
    trace("CVE-2019-3862", "exit-status without a status", "channel", [
      send(m.channelRequest(theirs, "exit-status", false)),
      expect("disconnect", "ignored"),
    ]),
    shared.longDescription,
    trace("CVE-2019-13115", "a host key whose length exceeds the reply", "kexinit", [
      send({ name: "KEX_ECDH_REPLY", payload: message(31, uint32(0xff_ff_ff_ff), repeat(40)) }),
      end,
    ]),
    trace("CVE-2020-9283", "an Ed25519 host key of 31 bytes", "kexinit", [
      send({
        name: "KEX_ECDH_REPLY",
        payload: message(
          31,
          string(text("ssh-ed25519") + string(repeat(31, "07"))),
          string(repeat(32, "09")),
          string(text("ssh-ed25519") + string(repeat(64, "01"))),
        ),
      }),
      end,
    ]),
    trace("CVE-2026-39829", "an RSA host key of 131,072 bits", "kexinit", [
      send({
        name: "KEX_ECDH_REPLY",
        payload: message(
          31,
          string(text("ssh-rsa") + string("010001") + string(`00${repeat(16_384, "c5")}`)),
          string(repeat(32, "09")),
          string(text("rsa-sha2-256") + string(repeat(16_384, "01"))),
        ),
      }),
      end,
    ]),
    trace("CVE-2026-39830", "a thousand replies that were not requested", "forwarding", [
      send(m.requestFailure, { repeat: 1_000 }),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("CVE-2026-39827", "two thousand channels that the client refuses", "forwarding", [
      perform("refusedChannels", { count: 2_000 }),
      goesOn,
    ]),
    shared.largestWindow,
    shared.padding,
    shared.windowOverflow,
    shared.pings,
  ];
}
