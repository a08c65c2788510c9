/** The payloads that the traces send: hex, in which `{name}` stands for a value that depends on the connection. @module */

export const hex = (text) => Buffer.from(text, "latin1").toString("hex");
export const uint32 = (value) => (value >>> 0).toString(16).padStart(8, "0");
const size = (bytes) => {
  const runs = [...bytes.matchAll(/\{[0-9a-f]{2}\*(\d+)\}/g)];
  return runs.reduce((sum, [run, count]) => sum - run.length / 2 + Number(count), bytes.length / 2);
};
export const string = (bytes) => uint32(size(bytes)) + bytes;
export const text = (value) => string(hex(value));
export const message = (number, ...fields) => number.toString(16).padStart(2, "0") + fields.join("");
export const repeat = (count, byte = "61") => (count > 100 ? `{${byte}*${count}}` : byte.repeat(count));

const ed25519Blob = text("ssh-ed25519") + string(repeat(32, "07"));

const named = (name, payload) => ({ name, payload });

export const disconnect = named("DISCONNECT", message(1, uint32(11), text("bye"), text("")));
export const ignore = named("IGNORE", message(2, text("nothing")));
export const unimplemented = named("UNIMPLEMENTED", message(3, uint32(0)));
export const debug = named("DEBUG", message(4, "00", text("a note"), text("")));
export const serviceRequest = (service) => named("SERVICE_REQUEST", message(5, text(service)));
export const serviceAccept = named("SERVICE_ACCEPT", message(6, text("ssh-userauth")));
export const extInfo = named("EXT_INFO", message(7, uint32(1), text("server-sig-algs"), text("ssh-ed25519")));
export const newCompress = named("NEWCOMPRESS", message(8));
export const newKeys = named("NEWKEYS", message(21));
export const ecdhInit = named("KEX_ECDH_INIT", message(30, string(`${repeat(31, "05")}09`)));
export const ecdhReply = named(
  "KEX_ECDH_REPLY",
  message(31, string(ed25519Blob), string(repeat(32, "09")), string(text("ssh-ed25519") + string(repeat(64, "01")))),
);
export const groupRequest = named("KEX_DH_GEX_REQUEST", message(34, uint32(2048), uint32(3072), uint32(8192)));
export const authNone = named("USERAUTH_REQUEST", message(50, "{user}", text("ssh-connection"), text("none")));
export const authFailure = named("USERAUTH_FAILURE", message(51, text("publickey"), "00"));
export const authSuccess = named("USERAUTH_SUCCESS", message(52));
export const banner = named("USERAUTH_BANNER", message(53, text("welcome"), text("")));
export const keyOk = named("USERAUTH_PK_OK", message(60, text("ssh-ed25519"), string(ed25519Blob)));
export const infoResponse = named("USERAUTH_INFO_RESPONSE", message(61, uint32(0)));
export const globalRequest = (name, wantReply, more = "") =>
  named("GLOBAL_REQUEST", message(80, text(name), wantReply ? "01" : "00", more));
export const requestSuccess = named("REQUEST_SUCCESS", message(81));
export const requestFailure = named("REQUEST_FAILURE", message(82));
export const channelOpen = named("CHANNEL_OPEN", "{open}");
export const openOf = (type, more = "", window = 0x200000, maxPacket = 0x8000) =>
  named("CHANNEL_OPEN", message(90, text(type), uint32(50), uint32(window), uint32(maxPacket), more));
/** The recipient that no channel has. */
const nobody = uint32(99);
export const openConfirmation = (to = nobody) =>
  named("CHANNEL_OPEN_CONFIRMATION", message(91, to, uint32(7), uint32(0x200000), uint32(0x8000)));
export const openFailure = (to = nobody) =>
  named("CHANNEL_OPEN_FAILURE", message(92, to, uint32(2), text("no"), text("")));
export const windowAdjust = (to = nobody, bytes = 100) =>
  named("CHANNEL_WINDOW_ADJUST", message(93, to, uint32(bytes)));
export const data = (to = nobody, bytes = hex("data")) => named("CHANNEL_DATA", message(94, to, string(bytes)));
export const extendedData = (to = nobody, bytes = hex("data")) =>
  named("CHANNEL_EXTENDED_DATA", message(95, to, uint32(1), string(bytes)));
export const eof = (to = nobody) => named("CHANNEL_EOF", message(96, to));
export const close = (to = nobody) => named("CHANNEL_CLOSE", message(97, to));
export const channelRequest = (to = nobody, type = "no-such-request@example.com", wantReply = true, more = "") =>
  named("CHANNEL_REQUEST", message(98, to, text(type), wantReply ? "01" : "00", more));
export const channelSuccess = (to = nobody) => named("CHANNEL_SUCCESS", message(99, to));
export const channelFailure = (to = nobody) => named("CHANNEL_FAILURE", message(100, to));
export const ping = named("PING", message(192, text("are you there")));
export const unknown = (number) => named(`message ${number}`, message(number));

export const send = ({ name, payload }, more = {}) => ({ send: name, payload, ...more });
export const expect = (...expect) => ({ expect });
export const perform = (step, options) => (options === undefined ? { do: step } : { do: step, options });
