/** Courses of a connection, from the identification lines to half-close and rekeys. @module */
import * as m from "./messages.mjs";

const { expect, hex, message, perform, repeat, send, string, text, uint32 } = m;
const theirs = "{theirs}";
const end = expect("disconnect");
const goesOn = expect("ignored");
/** The RFCs do not say what follows a malformed message. It must not be taken for a valid one. */
const malformed = expect("disconnect", "ignored", "unimplemented");

function trace(comment, clause, state, flag, steps, more = {}) {
  const allowed = steps.at(-1).expect ?? [];
  const result = allowed.includes("disconnect") ? (allowed.length === 1 ? "invalid" : "acceptable") : "valid";
  const requires = flag === "StrictKex" ? { requires: ["strict-kex"] } : {};
  return { comment, clause, state, ...requires, ...more, steps, result, flags: [flag] };
}

export function scenarios(role) {
  return [
    ...identification(role),
    ...packets(),
    ...keyExchange(role),
    ...rekeys(role),
    ...login(role),
    ...channels(role),
    ...windows(),
    ...halfClose(),
    ...replies(role),
  ];
}

function identification(role) {
  const clause = "RFC 4253 4.2";
  const flag = "Identification";
  const line = (bytes, comment, last) => trace(comment, clause, "connected", flag, [{ raw: bytes }, last]);
  return [
    line(hex("SSH-1.5-trace\r\n"), "protocol version 1.5", end),
    line(hex("SSH-3.0-trace\r\n"), "protocol version 3.0", end),
    line(hex("HTTP/1.1 400 Bad Request\r\n\r\n".repeat(4)) + repeat(70_000), "no identification line", end),
    line(repeat(70_000), "a line that does not end", end),
    trace(
      "an identification line of more than 255 bytes",
      clause,
      "connected",
      flag,
      [perform("version"), expect("disconnect", "ignored")],
      { version: `SSH-2.0-${"x".repeat(300)}` },
    ),
    trace("an identification line that ends with LF alone", clause, "connected", flag, [
      perform("versionLine", { end: "\n" }),
      goesOn,
    ]),
    trace("an identification line with a comment", clause, "connected", flag, [perform("version"), goesOn], {
      version: "SSH-2.0-trace a comment with blanks",
    }),
    trace("an identification line of 255 bytes", clause, "connected", flag, [perform("version"), goesOn], {
      version: `SSH-2.0-${"x".repeat(245)}`,
    }),
    ...(role === "client"
      ? [
          trace(
            "protocol version 1.99, which stands for 2.0",
            "RFC 4253 5.1",
            "connected",
            flag,
            [perform("version"), goesOn],
            { version: "SSH-1.99-trace" },
          ),
          trace("lines before the identification line of a server", clause, "connected", flag, [
            { raw: hex("Welcome\r\nto this server\r\n") },
            perform("version"),
            goesOn,
          ]),
        ]
      : []),
  ];
}

function packets() {
  const flag = "PacketFormat";
  const clause = "RFC 4253 6";
  const plain = (bytes, comment) => trace(comment, clause, "kexinit", flag, [{ raw: bytes }, end]);
  const corrupt = (at, where) =>
    trace(`a bit flipped in the ${where}`, "RFC 4253 6.4", "authenticated", "IntegrityCheck", [
      send(m.ignore, { corrupt: at }),
      // A changed length may be longer than the packet.
      send({ name: "IGNORE", payload: message(2, string(repeat(30_000))) }, { repeat: 5 }),
      end,
    ]);
  return [
    plain(`${uint32(0)}04${repeat(30, "00")}`, "a packet length of 0"),
    plain(`${uint32(1)}00${repeat(30, "00")}`, "a packet length of 1"),
    plain(`${uint32(0xff_ff_ff_ff)}04${repeat(30, "00")}`, "a packet length of 2^32 - 1"),
    plain(`${uint32(0x80_00_00_00)}04${repeat(30, "00")}`, "a packet length of 2^31"),
    plain(`${uint32(300_000)}04${repeat(30, "00")}`, "a packet length of 300,000"),
    plain(`${uint32(12)}0c${repeat(11, "00")}`, "padding as long as the packet"),
    plain(`${uint32(12)}ff${repeat(11, "00")}`, "padding longer than the packet"),
    plain(`${uint32(13)}04${repeat(40, "00")}`, "a packet whose size is not a multiple of the block size"),
    ...[0, 1, 2, 3].map((at) => corrupt(at, `packet length (byte ${at})`)),
    corrupt(4, "padding length"),
    corrupt(5, "message number"),
    corrupt(8, "payload"),
    corrupt(20, "padding"),
    ...[-32, -17, -1].map((at) => corrupt(at, `MAC (byte ${at})`)),
    trace("padding of 4 bytes and more", clause, "authenticated", flag, [
      ...[1, 2, 3, 8, 15, 16, 17].map((size) => send({ name: "IGNORE", payload: message(2, string(repeat(size))) })),
      goesOn,
    ]),
    trace("a payload of 32,768 bytes", "RFC 4253 6.1", "authenticated", flag, [
      send({ name: "IGNORE", payload: message(2, string(repeat(32_763))) }),
      goesOn,
    ]),
    trace("an empty payload", clause, "authenticated", flag, [
      send({ name: "an empty payload", payload: "" }),
      expect("disconnect", "unimplemented"),
    ]),
  ];
}

function keyExchange(role) {
  const flag = "KeyExchange";
  const init = (comment, lists) =>
    trace(comment, "RFC 4253 7.1", "version", "Negotiation", [perform("sendKexInit", { lists }), end]);
  const point = (value, comment, clause = "RFC 8731 3") =>
    trace(comment, clause, "kexinit", "PublicValue", [perform("exchange", { point: value, reply: false }), end]);
  const order8 = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
  const all = [
    trace("one key exchange", "RFC 4253 7, 8", "keys", flag, [goesOn]),
    trace("one key exchange without strict key exchange", "RFC 4253 7, 8", "keys", flag, [goesOn], { strict: false }),
    init("no common key exchange method", { kex: "diffie-hellman-group1-sha1" }),
    init("no key exchange method", { kex: "" }),
    init("no common host key algorithm", { hostKey: "no-such-key@example.com" }),
    init("no common cipher in one direction", { cipherOut: "no-such-cipher@example.com" }),
    init("no common cipher in the other direction", { cipherIn: "no-such-cipher@example.com" }),
    init("no common MAC", { macOut: "no-such-mac@example.com" }),
    init("no common compression", { compressionOut: "no-such-method@example.com" }),
    trace(
      "unknown names before the common ones",
      "RFC 4253 7.1",
      "version",
      "Negotiation",
      [
        perform("kexinit", {
          lists: {
            kex: "x@example.com,curve25519-sha256,curve25519-sha256@libssh.org",
            cipherOut: "x@example.com,aes128-ctr",
            macIn: "x@example.com,hmac-sha2-256",
          },
        }),
        goesOn,
      ],
      { strict: false },
    ),
    trace("KEXINIT without its last byte", "RFC 4253 7.1", "version", "Malformed", [
      perform("sendKexInit", { cut: 1 }),
      end,
    ]),
    trace("KEXINIT cut inside a name-list", "RFC 4253 7.1", "version", "Malformed", [
      perform("sendKexInit", { cut: 40 }),
      end,
    ]),
    trace("a second KEXINIT", "RFC 4253 7.1", "kexinit", flag, [
      perform("sendKexInit", { again: true }),
      expect("disconnect", "unimplemented"),
    ]),
    point(repeat(32, "00"), "a public value of zero"),
    point(`01${repeat(31, "00")}`, "a public value of one (order 4)"),
    point(order8, "a public value of order 8"),
    point(`ecff${repeat(29, "ff")}7f`, "a public value of p - 1 (order 2)"),
    point(`edff${repeat(29, "ff")}7f`, "a public value of p, which is zero"),
    point(repeat(31, "09"), "a public value of 31 bytes", "RFC 8731 3"),
    point(repeat(33, "09"), "a public value of 33 bytes", "RFC 8731 3"),
    point("", "an empty public value", "RFC 8731 3"),
    trace("NEWKEYS before the exchange is over", "RFC 4253 7.3", "kexinit", flag, [send(m.newKeys), end]),
    trace(
      "a sequence number that is not reset, with strict key exchange",
      "OpenSSH PROTOCOL 1.10",
      "exchange",
      "StrictKex",
      [perform("keys", { keepSequence: true }), end],
    ),
    trace(
      "a guess that is wrong",
      "RFC 4253 7.1",
      "version",
      "Guess",
      [
        perform("kexinit", {
          guess: true,
          lists: { kex: "x@example.com,curve25519-sha256,curve25519-sha256@libssh.org" },
        }),
        send(role === "server" ? m.ecdhInit : m.ecdhReply),
        goesOn,
      ],
      { strict: false },
    ),
  ];
  if (role === "server") {
    const client = (comment, payload) =>
      trace(comment, "RFC 5656 4", "kexinit", "Malformed", [send({ name: "KEX_ECDH_INIT", payload }), end]);
    return [
      ...all,
      client("KEX_ECDH_INIT without a public value", message(30)),
      client("KEX_ECDH_INIT with a length beyond its end", message(30, uint32(64), repeat(32, "09"))),
      client("KEX_ECDH_INIT with bytes after the public value", message(30, string(repeat(32, "09")), "00")),
    ];
  }
  const reply = (comment, options) =>
    trace(comment, "RFC 4253 8", "kexinit", "HostKey", [perform("exchange", options), end]);
  return [
    ...all,
    reply("a signature of the exchange hash with one bit changed", { signature: "corrupt" }),
    reply("a valid signature by a host key that the client does not trust", { hostKey: "other" }),
    reply("the trusted host key with a signature by another key", { signer: "other" }),
    reply("a signature of another exchange hash", { signature: "other hash" }),
    reply("an empty signature", { signature: "empty" }),
    trace("a host key whose type was not negotiated", "RFC 4253 7.1, 8", "kexinit", "HostKey", [
      send({
        name: "KEX_ECDH_REPLY",
        payload: message(
          31,
          string(text("ssh-rsa") + string("010001") + string(`00${repeat(256, "c5")}`)),
          string(repeat(32, "09")),
          string(text("ssh-rsa") + string(repeat(256, "01"))),
        ),
      }),
      end,
    ]),
    trace("KEX_ECDH_REPLY without a signature", "RFC 5656 4", "kexinit", "Malformed", [
      send({ name: "KEX_ECDH_REPLY", payload: m.ecdhReply.payload.slice(0, 60) }),
      end,
    ]),
  ];
}

function rekeys(role) {
  const flag = "Rekey";
  const clause = "RFC 4253 9";
  const ok = (comment, state, steps, more = {}) => trace(comment, clause, state, flag, [...steps, goesOn], more);
  return [
    ok("one rekey after the login", "authenticated", [perform("rekey")]),
    ok("one rekey without strict key exchange", "authenticated", [perform("rekey")], { strict: false }),
    ok(
      "five rekeys in a row",
      "authenticated",
      Array.from({ length: 5 }, () => perform("rekey")),
    ),
    ok("a rekey with an open channel, and data after it", "channel", [
      perform("echo"),
      perform("rekey"),
      perform("echo", { size: 5_000 }),
    ]),
    ok("data right before and after a rekey", "channel", [
      send(m.data(theirs, hex("before"))),
      perform("rekey"),
      perform("echoRest", { size: 6 }),
      perform("echo"),
    ]),
    trace("a rekey before the login", clause, "service", flag, [perform("rekey"), expect("ignored", "disconnect")]),
    trace("a second KEXINIT during a rekey", "RFC 4253 7.1", "authenticated", flag, [
      perform("sendKexInit"),
      perform("readKexInit"),
      perform("sendKexInit", { again: true }),
      expect("disconnect", "unimplemented"),
    ]),
    trace("no common algorithm in a rekey", "RFC 4253 7.1", "authenticated", "Negotiation", [
      perform("sendKexInit", { lists: { kex: "no-such-method@example.com" } }),
      perform("skip", { message: "KEXINIT" }),
      end,
    ]),
    trace(
      "a sequence number that is not reset in a rekey, with strict key exchange",
      "OpenSSH PROTOCOL 1.10",
      "authenticated",
      "StrictKex",
      [
        perform("sendKexInit"),
        perform("readKexInit"),
        perform("exchange"),
        perform("keys", { keepSequence: true }),
        end,
      ],
    ),
    trace("a rekey with a public value of zero", "RFC 8731 3", "authenticated", "PublicValue", [
      perform("sendKexInit"),
      perform("readKexInit"),
      perform("exchange", { point: repeat(32, "00"), reply: false }),
      end,
    ]),
    ...(role === "client"
      ? [
          trace("a host key in a rekey that the client does not trust", "RFC 4253 8, 9", "authenticated", "HostKey", [
            perform("sendKexInit"),
            perform("readKexInit"),
            perform("exchange", { hostKey: "other" }),
            end,
          ]),
          trace("a wrong signature in a rekey", "RFC 4253 8", "authenticated", "HostKey", [
            perform("sendKexInit"),
            perform("readKexInit"),
            perform("exchange", { signature: "corrupt" }),
            end,
          ]),
        ]
      : []),
  ];
}

function login(role) {
  const flag = "Login";
  if (role === "client") {
    return [
      trace("SERVICE_ACCEPT of another service", "RFC 4253 10", "keys", flag, [
        send({ name: "SERVICE_ACCEPT", payload: message(6, text("ssh-connection")) }),
        end,
      ]),
      trace("USERAUTH_FAILURE that allows no method", "RFC 4252 5.1", "request", flag, [
        send({ name: "USERAUTH_FAILURE", payload: message(51, text(""), "00") }),
        end,
      ]),
      trace("USERAUTH_FAILURE that allows unknown methods alone", "RFC 4252 5.1", "request", flag, [
        send({ name: "USERAUTH_FAILURE", payload: message(51, text("no-such-method@example.com"), "00") }),
        end,
      ]),
      trace("a malformed USERAUTH_FAILURE", "RFC 4252 5.1", "request", "Malformed", [
        send({ name: "USERAUTH_FAILURE", payload: message(51, uint32(1000)) }),
        malformed,
      ]),
      trace("banners before the answer", "RFC 4252 5.4", "request", "Banner", [send(m.banner), send(m.banner), goesOn]),
      trace("EXT_INFO right before USERAUTH_SUCCESS", "RFC 8308 2.4", "request", "ExtInfo", [send(m.extInfo), goesOn]),
    ];
  }
  const refused = expect("USERAUTH_FAILURE");
  const refusedOrMalformed = expect("disconnect", "USERAUTH_FAILURE", "ignored", "unimplemented");
  const request = (comment, payload, last) =>
    trace(comment, "RFC 4252 5", "service", flag, [send({ name: "USERAUTH_REQUEST", payload }), last]);
  const user = "{user}";
  const connection = text("ssh-connection");
  return [
    trace("a login with the right key", "RFC 4252 7", "service", flag, [perform("login"), expect("USERAUTH_SUCCESS")]),
    trace("a query of the right key", "RFC 4252 7", "service", flag, [
      perform("login", { query: true }),
      expect("USERAUTH_PK_OK"),
    ]),
    trace("a query of an unknown key", "RFC 4252 7", "service", flag, [
      perform("login", { query: true, key: "other" }),
      refused,
    ]),
    trace("a signature by an unknown key", "RFC 4252 7", "service", flag, [
      perform("login", { key: "other" }),
      refused,
    ]),
    trace("a signature with one bit changed", "RFC 4252 7", "service", flag, [
      perform("login", { signature: "corrupt" }),
      expect("USERAUTH_FAILURE", "disconnect"),
    ]),
    trace("a signature for another session", "RFC 4252 7", "service", flag, [
      perform("login", { signature: "other session" }),
      expect("USERAUTH_FAILURE", "disconnect"),
    ]),
    trace("the right key after a wrong one", "RFC 4252 5.1", "service", flag, [
      perform("login", { key: "other" }),
      refused,
      perform("login"),
      expect("USERAUTH_SUCCESS"),
    ]),
    request("an unknown method", message(50, user, connection, text("no-such-method@example.com")), refused),
    request(
      "an unknown service",
      message(50, user, text("no-such-service@example.com"), text("none")),
      expect("USERAUTH_FAILURE", "disconnect"),
    ),
    request(
      "a password that is wrong or not permitted",
      message(50, user, connection, text("password"), "00", text("wrong")),
      refused,
    ),
    request(
      "an unknown algorithm of a key",
      message(
        50,
        user,
        connection,
        text("publickey"),
        "00",
        text("no-such-key@example.com"),
        string(text("no-such-key@example.com")),
      ),
      refused,
    ),
    request(
      "an algorithm that does not fit the key",
      message(
        50,
        user,
        connection,
        text("publickey"),
        "00",
        text("ssh-rsa"),
        string(text("ssh-ed25519") + string(repeat(32, "07"))),
      ),
      expect("USERAUTH_FAILURE", "disconnect"),
    ),
    request("an empty user name", message(50, text(""), connection, text("none")), refused),
    request("a request that ends after the user name", message(50, user), refusedOrMalformed),
    request("a request whose length exceeds the packet", message(50, uint32(0x7f_ff_ff_ff)), refusedOrMalformed),
    trace("a channel before the login", "RFC 4252 6", "service", "BeforeAuth", [send(m.channelOpen), end]),
    trace("a channel after a refused login", "RFC 4252 6", "service", "BeforeAuth", [
      perform("login", { key: "other" }),
      refused,
      send(m.channelOpen),
      end,
    ]),
    trace("a channel after a query of the right key", "RFC 4252 6, 7", "service", "BeforeAuth", [
      perform("login", { query: true }),
      expect("USERAUTH_PK_OK"),
      send(m.channelOpen),
      end,
    ]),
    trace("a thousand refused requests", "RFC 4252 4", "service", "Limits", [
      send(m.authNone, { repeat: 1_000 }),
      perform("skip", { message: "USERAUTH_FAILURE" }),
      expect("disconnect", "ignored"),
    ]),
  ];
}

function channels(role) {
  const flag = "Channel";
  const refused = expect("CHANNEL_OPEN_FAILURE");
  const endOrSilence = expect("disconnect", "ignored");
  const all = [
    trace("a channel that carries data both ways", "RFC 4254 5.1, 5.2", "channel", flag, [
      perform("echo", { size: 10_000 }),
      goesOn,
    ]),
    trace("a channel, closed by the peer", "RFC 4254 5.3", "channel", flag, [
      perform("echo"),
      perform("close"),
      goesOn,
    ]),
    trace("three channels at once", "RFC 4254 5.1", "channel", flag, [
      perform("channel"),
      perform("channel"),
      send(m.data("{theirs0}", hex("data"))),
      expect("CHANNEL_DATA"),
      send(m.data("{theirs2}", hex("data"))),
      expect("CHANNEL_DATA"),
    ]),
    trace("a new channel after one is closed", "RFC 4254 5.1, 5.3", "channel", flag, [
      perform("close"),
      perform("channel"),
      perform("echo"),
      goesOn,
    ]),
    trace("a channel of an unknown type", "RFC 4254 5.1", role === "server" ? "authenticated" : "forwarding", flag, [
      send(m.openOf("no-such-channel@example.com")),
      refused,
    ]),
    trace("an unknown request that wants a reply", "RFC 4254 5.4", "channel", flag, [
      send(m.channelRequest(theirs)),
      expect("CHANNEL_FAILURE"),
    ]),
    trace("an unknown request that wants no reply", "RFC 4254 5.4", "channel", flag, [
      send(m.channelRequest(theirs, "no-such-request@example.com", false)),
      goesOn,
    ]),
    trace("data after CHANNEL_CLOSE", "RFC 4254 5.3", "channel", flag, [
      perform("close"),
      send(m.data(theirs)),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("CHANNEL_CLOSE twice", "RFC 4254 5.3", "channel", flag, [
      perform("close"),
      send(m.close(theirs)),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("a confirmation of a channel that is open", "RFC 4254 5.1", "channel", flag, [
      send(m.openConfirmation(theirs)),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("a failure of a channel that is open", "RFC 4254 5.1", "channel", flag, [
      send(m.openFailure(theirs)),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("CHANNEL_SUCCESS that was not requested", "RFC 4254 5.4", "channel", "Unasked", [
      send(m.channelSuccess(theirs)),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("extended data on a forwarded connection", "RFC 4254 5.2", "channel", flag, [
      send(m.extendedData(theirs)),
      malformed,
    ]),
    trace(
      "CHANNEL_OPEN that ends early",
      "RFC 4254 5.1",
      role === "server" ? "authenticated" : "forwarding",
      "Malformed",
      [
        send({ name: "CHANNEL_OPEN", payload: message(90, text("session"), uint32(1)) }),
        expect("disconnect", "CHANNEL_OPEN_FAILURE", "ignored", "unimplemented"),
      ],
    ),
    trace("CHANNEL_DATA with a length beyond its end", "RFC 4254 5.2", "channel", "Malformed", [
      send({ name: "CHANNEL_DATA", payload: message(94, theirs, uint32(1000), hex("short")) }),
      malformed,
    ]),
  ];
  if (role === "client") {
    return [
      ...all,
      trace("a forwarded connection of a port that was not requested", "RFC 4254 7.2", "forwarding", flag, [
        send(m.openOf("forwarded-tcpip", text("localhost") + uint32(9) + text("127.0.0.1") + uint32(4712))),
        refused,
      ]),
      trace("a session that the server opens", "RFC 4254 6.1", "forwarding", flag, [
        send(m.openOf("session")),
        refused,
      ]),
      trace("an X11 channel that was not requested", "RFC 4254 6.3.2", "forwarding", flag, [
        send(m.openOf("x11", text("127.0.0.1") + uint32(6000))),
        refused,
      ]),
      trace("an agent channel that was not requested", "OpenSSH PROTOCOL", "forwarding", flag, [
        send(m.openOf("auth-agent@openssh.com")),
        refused,
      ]),
      trace("a direct-tcpip channel that the server opens", "RFC 4254 7.2", "forwarding", flag, [
        send(m.openOf("direct-tcpip", text("127.0.0.1") + uint32(22) + text("127.0.0.1") + uint32(4712))),
        refused,
      ]),
    ];
  }
  return [
    ...all,
    trace("a forwarded-tcpip channel that the client opens", "RFC 4254 7.2", "authenticated", flag, [
      send(m.openOf("forwarded-tcpip", text("127.0.0.1") + uint32(22) + text("127.0.0.1") + uint32(4712))),
      refused,
    ]),
    trace("CHANNEL_SUCCESS for a channel that does not exist", "RFC 4254 5.4", "authenticated", "Unasked", [
      send(m.channelSuccess()),
      endOrSilence,
    ]),
  ];
}

function windows() {
  const flag = "Window";
  const clause = "RFC 4254 5.2";
  const adjust = (bytes) => send(m.windowAdjust(theirs, bytes));
  return [
    trace("data in a thousand messages of one byte", clause, "channel", flag, [
      send(m.data(theirs, "65"), { repeat: 1_000 }),
      perform("echoRest", { size: 1_000 }),
      goesOn,
    ]),
    trace("a message with no data", clause, "channel", flag, [send(m.data(theirs, "")), perform("echo"), goesOn]),
    trace("an adjustment by zero", clause, "channel", flag, [adjust(0), perform("echo"), goesOn]),
    trace("a window that grows beyond 2^32 - 1", clause, "channel", flag, [
      adjust(0xff_ff_ff_ff),
      adjust(0xff_ff_ff_ff),
      expect("disconnect", "ignored"),
    ]),
    trace("data beyond the window", clause, "channel", flag, [
      perform("overrun", { bytes: 70_000_000 }),
      expect("disconnect", "ignored"),
    ]),
    trace("a small window that the implementation respects", clause, "forwardable", flag, [
      perform("channel", { window: 10 }),
      send(m.data(theirs, repeat(100))),
      perform("echoRest", { size: 10, exactly: true }),
      adjust(90),
      perform("echoRest", { size: 90 }),
      goesOn,
    ]),
    trace("a window of zero that the implementation respects", clause, "forwardable", flag, [
      perform("channel", { window: 0 }),
      send(m.data(theirs, hex("data"))),
      perform("nothing"),
      adjust(4),
      perform("echoRest", { size: 4 }),
      goesOn,
    ]),
    trace("a maximum packet size that the implementation respects", clause, "forwardable", flag, [
      perform("channel", { maxPacket: 100 }),
      send(m.data(theirs, repeat(1_000))),
      perform("echoRest", { size: 1_000, maxPacket: 100 }),
      goesOn,
    ]),
  ];
}

function halfClose() {
  const flag = "HalfClose";
  const clause = "RFC 4254 5.3";
  return [
    trace("CHANNEL_EOF, after which the other direction still carries data", clause, "channel", flag, [
      send(m.data(theirs, repeat(5_000))),
      send(m.eof(theirs)),
      perform("echoRest", { size: 5_000 }),
      expect("CHANNEL_EOF", "CHANNEL_CLOSE"),
    ]),
    trace("CHANNEL_EOF twice", clause, "channel", flag, [
      send(m.eof(theirs)),
      send(m.eof(theirs)),
      perform("drain"),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("data after CHANNEL_EOF", clause, "channel", flag, [
      send(m.eof(theirs)),
      send(m.data(theirs)),
      perform("drain"),
      expect("disconnect", "ignored", "unimplemented"),
    ]),
    trace("CHANNEL_CLOSE is answered with CHANNEL_CLOSE", clause, "channel", flag, [perform("close"), goesOn]),
    trace("CHANNEL_CLOSE without CHANNEL_EOF", clause, "channel", flag, [
      send(m.data(theirs, repeat(10))),
      perform("close"),
      goesOn,
    ]),
  ];
}

function replies(role) {
  const flag = "GlobalReply";
  const clause = "RFC 4254 4";
  const failure = expect("REQUEST_FAILURE");
  const unknown = send(m.globalRequest("no-such-request@example.com", true));
  const state = role === "server" ? "authenticated" : "forwarding";
  return [
    trace("an unknown global request that wants a reply", clause, state, flag, [unknown, failure]),
    trace("an unknown global request that wants no reply", clause, state, flag, [
      send(m.globalRequest("no-such-request@example.com", false)),
      goesOn,
    ]),
    trace("three global requests, three replies in order", clause, state, flag, [
      unknown,
      unknown,
      unknown,
      failure,
      failure,
      failure,
    ]),
    trace("a hundred global requests at once", clause, state, flag, [
      send(m.globalRequest("no-such-request@example.com", true), { repeat: 100 }),
      ...Array.from({ length: 100 }, () => failure),
    ]),
    trace("a global request that ends early", clause, state, "Malformed", [
      send({ name: "GLOBAL_REQUEST", payload: message(80, uint32(100)) }),
      expect("disconnect", "REQUEST_FAILURE", "ignored", "unimplemented"),
    ]),
    ...(role === "server"
      ? [
          trace("tcpip-forward to a port that the server chooses", "RFC 4254 7.1", state, flag, [
            send(m.globalRequest("tcpip-forward", true, text("localhost") + uint32(0))),
            expect("REQUEST_SUCCESS"),
          ]),
          trace("cancel-tcpip-forward of a port that is not forwarded", "RFC 4254 7.1", state, flag, [
            send(m.globalRequest("cancel-tcpip-forward", true, text("localhost") + uint32(9))),
            failure,
          ]),
          trace("tcpip-forward without its port", "RFC 4254 7.1", state, "Malformed", [
            send(m.globalRequest("tcpip-forward", true, text("localhost"))),
            expect("disconnect", "REQUEST_FAILURE", "ignored", "unimplemented"),
          ]),
        ]
      : [
          trace("tcpip-forward by a server", "RFC 4254 7.1", state, flag, [
            send(m.globalRequest("tcpip-forward", true, text("localhost") + uint32(0))),
            failure,
          ]),
        ]),
  ];
}
