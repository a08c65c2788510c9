/** The framing of PROTOCOL.mux: each message follows its length. @module */
import { FrameReader } from "@postern/ssh";
import { type Bytes, Writer } from "@postern/wire";

/** The largest message, as in OpenSSH (channels.c). */
export const maxMuxMessage: number = 256 * 1024;

/** Puts the length before a message. */
export function encodeMuxFrame(message: Bytes): Bytes {
  return new Writer(4 + message.length).string(message).finish();
}

/** Collects messages from the chunks of a stream. */
export function createMuxReader(): FrameReader {
  return new FrameReader(maxMuxMessage, "a multiplexing message");
}
