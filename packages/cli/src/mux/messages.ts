/**
 * The messages of OpenSSH's PROTOCOL.mux, version 4, in its order, without those of a session that has been opened by
 * file descriptors. They are those of OpenSSH's mux.c where the two differ: flags are a uint32, and so is the port of a
 * stdio forwarding.
 * @module
 */
import {
  type Bytes,
  type Codec,
  concat,
  type Field,
  Reader,
  record,
  SshError,
  string,
  text,
  uint32,
  type ValuesOf,
  Writer,
} from "@postern/wire";

/** The version of the protocol that both sides must speak. */
export const muxVersion = 4;

/** Environment variables of a session, as in mux.c. */
const maxItems = 4096;

const requestFields = { requestId: uint32 } as const;
const forwardFields = {
  requestId: uint32,
  forwardingType: uint32,
  listenHost: text,
  listenPort: uint32,
  connectHost: text,
  connectPort: uint32,
} as const;

/** A {@link Codec} whose encoding starts with the message type. */
export interface MuxMessage<V> extends Codec<V> {
  readonly type: number;
}

/** The fields of a message that has a request id and nothing else. Others add their own. */
export interface MuxRequest {
  readonly requestId: number;
}

/** A request that failed, with the reason. */
export interface MuxRefusal extends MuxRequest {
  readonly reason: string;
}

/** Section 1 */
export interface MuxHelloFields {
  readonly version: number;
  /** names and values in turn; none is defined */
  readonly extensions: readonly Bytes[];
}

/** Section 2 */
export interface MuxSessionFields extends MuxRequest {
  readonly reserved: Bytes;
  readonly wantTty: number;
  readonly wantX11Forwarding: number;
  readonly wantAgent: number;
  readonly subsystem: number;
  readonly escapeChar: number;
  readonly terminalType: string;
  readonly command: string;
  /** `NAME=value` */
  readonly environment: readonly string[];
}

/** Section 3 */
export interface MuxStdioFields extends MuxRequest {
  readonly reserved: Bytes;
  readonly connectHost: string;
  readonly connectPort: number;
}

/** Sections 6 and 7 */
export interface MuxForwardFields {
  readonly forwardingType: number;
  readonly listenHost: string;
  readonly listenPort: number;
  readonly connectHost: string;
  readonly connectPort: number;
}

/**
 * The extension of our masters, with an empty value: a client may use proxy mode freely. A master of OpenSSH ends when
 * a client leaves for which the server has refused a channel (9.2 to 10.6: `chan_send_close2: no remote_id`).
 */
export const robustProxy = "robust-proxy@postern";

/** The extension of masters that answer {@link MuxInfoRequest}. Its value is the version, `0`. */
export const muxInfo = "info";

/** Section 1 */
export const MuxHello: MuxMessage<MuxHelloFields> = /* @__PURE__ */ muxMessage(0x0000_0001, "MUX_MSG_HELLO", {
  version: uint32,
  extensions: /* @__PURE__ */ untilEnd(string, maxItems),
});
/** Section 2. Three file descriptors follow, each with one byte. */
export const MuxNewSession: MuxMessage<MuxSessionFields> = /* @__PURE__ */ muxMessage(
  0x1000_0002,
  "MUX_C_NEW_SESSION",
  {
    requestId: uint32,
    reserved: string,
    wantTty: uint32,
    wantX11Forwarding: uint32,
    wantAgent: uint32,
    subsystem: uint32,
    escapeChar: uint32,
    terminalType: text,
    command: text,
    environment: /* @__PURE__ */ untilEnd(text, maxItems),
  },
);
/** Section 3. Two file descriptors follow, each with one byte. */
export const MuxNewStdioFwd: MuxMessage<MuxStdioFields> = /* @__PURE__ */ muxMessage(
  0x1000_0008,
  "MUX_C_NEW_STDIO_FWD",
  { requestId: uint32, reserved: string, connectHost: text, connectPort: uint32 },
);
/** Section 4 */
export const MuxAliveCheck: MuxMessage<MuxRequest> = /* @__PURE__ */ muxMessage(
  0x1000_0004,
  "MUX_C_ALIVE_CHECK",
  requestFields,
);
/** Section 4 */
export const MuxAlive: MuxMessage<MuxRequest & { readonly pid: number }> = /* @__PURE__ */ muxMessage(
  0x8000_0005,
  "MUX_S_ALIVE",
  { requestId: uint32, pid: uint32 },
);
/** Section 5 */
export const MuxTerminate: MuxMessage<MuxRequest> = /* @__PURE__ */ muxMessage(
  0x1000_0005,
  "MUX_C_TERMINATE",
  requestFields,
);
/** Section 6 */
export const MuxOpenFwd: MuxMessage<MuxRequest & MuxForwardFields> = /* @__PURE__ */ muxMessage(
  0x1000_0006,
  "MUX_C_OPEN_FWD",
  forwardFields,
);
/** Section 6 */
export const MuxRemotePort: MuxMessage<MuxRequest & { readonly port: number }> = /* @__PURE__ */ muxMessage(
  0x8000_0007,
  "MUX_S_REMOTE_PORT",
  { requestId: uint32, port: uint32 },
);
/** Section 7 */
export const MuxCloseFwd: MuxMessage<MuxRequest & MuxForwardFields> = /* @__PURE__ */ muxMessage(
  0x1000_0007,
  "MUX_C_CLOSE_FWD",
  forwardFields,
);
/** Section 8 */
export const MuxStopListening: MuxMessage<MuxRequest> = /* @__PURE__ */ muxMessage(
  0x1000_0009,
  "MUX_C_STOP_LISTENING",
  requestFields,
);
/** Section 9. Section 11 lacks its number, and that of the reply. */
export const MuxProxy: MuxMessage<MuxRequest> = /* @__PURE__ */ muxMessage(0x1000_000f, "MUX_C_PROXY", requestFields);
/** Section 9 */
export const MuxProxyReply: MuxMessage<MuxRequest> = /* @__PURE__ */ muxMessage(
  0x8000_000f,
  "MUX_S_PROXY",
  requestFields,
);
/**
 * A kind of information: `connection` or `channels`, as ssh 10.6 sends it. Its masters have
 * the extension {@link muxInfo}.
 */
export const MuxInfoRequest: MuxMessage<MuxRequest & { readonly kind: string }> = /* @__PURE__ */ muxMessage(
  0x2000_0001,
  "MUX_C_EXT_INFO",
  { requestId: uint32, kind: text },
);
/** The answer to {@link MuxInfoRequest}: 1 and the information, or 0 and the reason. */
export const MuxInfo: MuxMessage<MuxRequest & { readonly success: number; readonly text: string }> =
  /* @__PURE__ */ muxMessage(0x9000_0001, "MUX_S_EXT_INFO", { requestId: uint32, success: uint32, text });
/** Section 10 */
export const MuxOk: MuxMessage<MuxRequest> = /* @__PURE__ */ muxMessage(0x8000_0001, "MUX_S_OK", requestFields);
/** Section 10 */
export const MuxPermissionDenied: MuxMessage<MuxRefusal> = /* @__PURE__ */ muxMessage(
  0x8000_0002,
  "MUX_S_PERMISSION_DENIED",
  { requestId: uint32, reason: text },
);
/** Section 10 */
export const MuxFailure: MuxMessage<MuxRefusal> = /* @__PURE__ */ muxMessage(0x8000_0003, "MUX_S_FAILURE", {
  requestId: uint32,
  reason: text,
});

/** Reads the type, and the request id behind it, which is 0 for HELLO. @throws SshError `protocol` */
export function readMuxHeader(payload: Bytes): { readonly type: number; readonly requestId: number } {
  const reader = new Reader(payload, "a multiplexing message");
  const type = reader.uint32();
  return { type, requestId: type === MuxHello.type ? 0 : reader.uint32() };
}

// @__NO_SIDE_EFFECTS__
function muxMessage<F extends Parameters<typeof record>[1]>(
  type: number,
  name: string,
  fields: F,
): MuxMessage<ValuesOf<ReturnType<typeof record<F>>>> {
  const body = record(name, fields);
  return {
    type,
    name,
    encode: (values) => concat(new Writer(4).uint32(type).finish(), body.encode(values)),
    decode(payload) {
      const got = new Reader(payload, name).uint32();
      if (got !== type) {
        throw new SshError("protocol", `expected ${name} (0x${type.toString(16)}), got 0x${got.toString(16)}`);
      }
      return body.decode(payload.subarray(4));
    },
  };
}

/** Items up to the end of the message. */
// @__NO_SIDE_EFFECTS__
function untilEnd<T>(item: Field<T>, max: number): Field<readonly T[]> {
  return {
    read(reader) {
      const items: T[] = [];
      while (reader.remaining > 0) {
        if (items.length === max) throw new SshError("limit", `expected at most ${max} items in a message, got more`);
        items.push(item.read(reader));
      }
      return items;
    },
    write(writer, items) {
      for (const one of items) item.write(writer, one);
    },
  };
}
