/** Messages 1 to 49, and 192 and 193 of OpenSSH, in the order of RFC 4253. @module */
import { boolean, type Field, fixed, type Message, message, optionalText, string, text, uint32 } from "../codec.ts";

/** RFC 4253 section 11.1 */
export const Disconnect = message(1, "DISCONNECT", { reason: uint32, description: text, language: optionalText });
/** RFC 4253 section 11.2 */
export const Ignore = message(2, "IGNORE", { data: string });
/** RFC 4253 section 11.4 */
export const Unimplemented = message(3, "UNIMPLEMENTED", { sequence: uint32 });
/** RFC 4253 section 11.3 */
export const Debug = message(4, "DEBUG", { alwaysDisplay: boolean, message: text, language: optionalText });
/** RFC 4253 section 10 */
export const ServiceRequest = message(5, "SERVICE_REQUEST", { service: text });
/** RFC 4253 section 10 */
export const ServiceAccept = message(6, "SERVICE_ACCEPT", { service: text });

const extensionPairs: Field<ReadonlyMap<string, Uint8Array>> = {
  read(reader) {
    const pairs = new Map<string, Uint8Array>();
    for (let left = reader.uint32(); left > 0; left--) pairs.set(reader.text(), reader.string());
    return pairs;
  },
  write(writer, pairs) {
    writer.uint32(pairs.size);
    for (const [name, value] of pairs) writer.text(name).string(value);
  },
};
/** RFC 8308 section 2.3 */
export const ExtInfo: Message<{ readonly extensions: ReadonlyMap<string, Uint8Array> }> = message(7, "EXT_INFO", {
  extensions: extensionPairs,
});

/**
 * A name-list of KEXINIT. Ignores empty names, as OpenSSH does, because libssh before 0.11 ends lists with a comma.
 */
const algorithmNames: Field<readonly string[]> = {
  read: (reader) =>
    reader
      .text()
      .split(",")
      .filter((name) => name !== ""),
  write: (writer, names) => writer.nameList(names),
};
/** RFC 4253 section 7.1 */
export const KexInit = message(20, "KEXINIT", {
  cookie: fixed(16),
  kexAlgorithms: algorithmNames,
  serverHostKeyAlgorithms: algorithmNames,
  encryptionC2s: algorithmNames,
  encryptionS2c: algorithmNames,
  macC2s: algorithmNames,
  macS2c: algorithmNames,
  compressionC2s: algorithmNames,
  compressionS2c: algorithmNames,
  languagesC2s: algorithmNames,
  languagesS2c: algorithmNames,
  firstKexPacketFollows: boolean,
  reserved: uint32,
});
/** RFC 4253 section 7.3 */
export const NewKeys = message(21, "NEWKEYS", {});
/** RFC 5656 section 4. RFC 8731 section 3.1 uses the same numbers and fields. */
export const KexEcdhInit = message(30, "KEX_ECDH_INIT", { clientPublic: string });
/** RFC 5656 section 4 */
export const KexEcdhReply = message(31, "KEX_ECDH_REPLY", { hostKey: string, serverPublic: string, signature: string });
/** OpenSSH PROTOCOL section 1.9 */
export const Ping = message(192, "PING", { data: string });
/** OpenSSH PROTOCOL section 1.9 */
export const Pong = message(193, "PONG", { data: string });
