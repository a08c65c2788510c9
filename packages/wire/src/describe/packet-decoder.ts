/** Describes packets for people: an explorer, a debug log. @module */
import { type Bytes, sanitizeText } from "../bytes.ts";
import type { Codec, Direction, Message } from "../codec.ts";
import { DisconnectReason } from "../error.ts";
import * as auth from "../messages/auth.ts";
import * as connection from "../messages/connection.ts";
import * as requests from "../messages/requests.ts";
import * as transport from "../messages/transport.ts";
import { type ChannelNumbers, ChannelTracker, type ChannelWindows } from "./channel-tracker.ts";
import { type SpecificationSection, sectionOf } from "./sources.ts";

/** The value of a field. Bytes are views. Text is made printable by `sanitizeText`. */
export type DescribedValue = string | number | boolean | Bytes | readonly string[] | readonly auth.Prompt[];

/** One field of a message. */
export interface DescribedField {
  /** the name in the message table */
  readonly name: string;
  readonly value: DescribedValue;
  /** the name of a reason code */
  readonly meaning?: string | undefined;
  /** whether this is a password, or may contain one: an answer to a prompt, or data of an unknown login method */
  readonly isSecret: boolean;
}

/** A message for people. */
export interface PacketDescription {
  readonly number: number;
  /** the name in the RFC without `SSH_MSG_`, or `message 77` if it is unknown */
  readonly name: string;
  /** the section that specifies the message; `undefined` if it is unknown */
  readonly section: SpecificationSection | undefined;
  /** the request, channel type or login method that the message contains or answers */
  readonly about: string | undefined;
  /** the section that specifies the request, channel type or login method */
  readonly aboutSection: SpecificationSection | undefined;
  /** in wire order */
  readonly fields: readonly DescribedField[];
  /** the numbers of the channel; `undefined` if the message is not about a channel */
  readonly channel: ChannelNumbers | undefined;
  /** the windows of the channel after this message */
  readonly windows: ChannelWindows | undefined;
  /** why the message, or the part that depends on its type, could not be decoded */
  readonly problem: string | undefined;
}

/** Describes the messages of one connection. */
export interface PacketDecoder {
  /**
   * Describes the next message, in the order in which they were sent and received. Remembers channels, requests and
   * the login method, because the meaning of a message depends on them. Never throws.
   */
  describe(direction: Direction, payload: Bytes): PacketDescription;
}

/**
 * Creates a decoder for one connection. Only programs that call it contain it.
 *
 * @example
 * const decoder = createPacketDecoder();
 * const tap = {
 *   packet({ direction, payload }) {
 *     const { name, section } = decoder.describe(direction, payload);
 *     console.log(direction, name, section?.document, section?.section);
 *   },
 * };
 */
export function createPacketDecoder(): PacketDecoder {
  return new Decoder();
}

/** The part of a message that depends on its type. */
interface Details {
  readonly about?: string | undefined;
  readonly table?: Codec<unknown> | undefined;
}

class Decoder implements PacketDecoder {
  readonly #tables = new Map(allMessages().map((table) => [table.number, table]));
  readonly #channels = new ChannelTracker();
  /** the requests that wait for a reply, by their sender */
  readonly #requests: Readonly<Record<Direction, Details[]>> = { sent: [], received: [] };
  /** the method of the last login request */
  #method = "";

  describe(direction: Direction, payload: Bytes): PacketDescription {
    const [number = 0] = payload;
    const table = this.#tableOf(number);
    if (table === undefined) {
      const fields = [{ name: "data", value: payload.subarray(1), isSecret: false }];
      return { ...unknown, number, name: `message ${number}`, fields };
    }
    const known = { ...unknown, number, name: table.name, section: sectionOf(table.name) };
    let values: Values;
    try {
      values = table.decode(payload) as Values;
    } catch (error) {
      return { ...known, problem: messageOf(error) };
    }
    const { about, table: partTable } = this.#detailsOf(direction, number, values);
    const channel = this.#channels.see(direction, number, values);
    const { specificData, ...own } = values;
    const part = partOf(number, specificData, partTable);
    return {
      ...known,
      about: about && sanitizeText(about),
      aboutSection: partTable && sectionOf(partTable.name),
      fields: [...fieldsOf(number, own), ...part.fields],
      ...channel,
      problem: part.problem,
    };
  }

  /** The numbers 60 and 61 belong to the login method. */
  #tableOf(number: number): Message<unknown> | undefined {
    if (number !== auth.UserauthPkOk.number) return this.#tables.get(number);
    if (this.#method === "password") return auth.UserauthPasswdChangereq;
    return this.#method === "keyboard-interactive" ? auth.UserauthInfoRequest : auth.UserauthPkOk;
  }

  #detailsOf(direction: Direction, number: number, values: Values): Details {
    const data = values.specificData as Bytes;
    switch (number) {
      case auth.UserauthRequest.number:
        this.#method = String(values.method);
        return { about: this.#method, table: loginTable(this.#method, data) };
      case connection.GlobalRequest.number: {
        const name = String(values.name);
        const reply = name === "tcpip-forward" ? requests.TcpipForwardReply : undefined;
        if (values.wantReply === true) this.#requests[direction].push({ about: name, table: reply });
        return { about: name, table: requestTables.get(name) };
      }
      case connection.RequestSuccess.number:
      case connection.RequestFailure.number:
        return this.#requests[direction === "sent" ? "received" : "sent"].shift() ?? {};
      case connection.ChannelOpen.number: {
        const about = String(values.channelType);
        return { about, table: openTables.get(about) };
      }
      case connection.ChannelRequest.number:
        return { about: String(values.requestType) };
      default:
        return {};
    }
  }
}

const unknown = {
  section: undefined,
  about: undefined,
  aboutSection: undefined,
  fields: [],
  channel: undefined,
  windows: undefined,
  problem: undefined,
};

type Values = Readonly<Record<string, unknown>>;
type Tables = ReadonlyMap<string, Codec<unknown>>;

/** By the name of the global request. */
const requestTables: Tables = /* @__PURE__ */ new Map<string, Codec<unknown>>([
  ["tcpip-forward", requests.TcpipForward],
  ["cancel-tcpip-forward", requests.TcpipForward],
  ["streamlocal-forward@openssh.com", requests.StreamlocalForward],
  ["cancel-streamlocal-forward@openssh.com", requests.StreamlocalForward],
]);

/** By the channel type. */
const openTables: Tables = /* @__PURE__ */ new Map<string, Codec<unknown>>([
  ["forwarded-tcpip", requests.ForwardedTcpip],
  ["direct-tcpip", requests.DirectTcpip],
  ["forwarded-streamlocal@openssh.com", requests.ForwardedStreamlocal],
  ["direct-streamlocal@openssh.com", requests.DirectStreamlocal],
]);

function allMessages(): Message<unknown>[] {
  return [
    transport.Disconnect,
    transport.Ignore,
    transport.Unimplemented,
    transport.Debug,
    transport.ServiceRequest,
    transport.ServiceAccept,
    transport.ExtInfo,
    transport.KexInit,
    transport.NewKeys,
    transport.KexEcdhInit,
    transport.KexEcdhReply,
    transport.Ping,
    transport.Pong,
    auth.UserauthRequest,
    auth.UserauthFailure,
    auth.UserauthSuccess,
    auth.UserauthBanner,
    auth.UserauthInfoResponse,
    connection.GlobalRequest,
    connection.RequestSuccess,
    connection.RequestFailure,
    connection.ChannelOpen,
    connection.ChannelOpenConfirmation,
    connection.ChannelOpenFailure,
    connection.ChannelWindowAdjust,
    connection.ChannelData,
    connection.ChannelExtendedData,
    connection.ChannelEof,
    connection.ChannelClose,
    connection.ChannelRequest,
    connection.ChannelSuccess,
    connection.ChannelFailure,
  ];
}

/** The first byte of the method-specific part decides between two tables. */
function loginTable(method: string, [flag = 0]: Bytes): Codec<unknown> | undefined {
  switch (method) {
    case "publickey":
      return flag === 0 ? auth.PublickeyQuery : auth.PublickeyProof;
    case auth.HOSTBOUND_METHOD:
      return flag === 0 ? auth.HostboundQuery : auth.HostboundProof;
    case "password":
      return flag === 0 ? auth.PasswordRequest : auth.PasswordChange;
    case "keyboard-interactive":
      return auth.KeyboardInteractiveRequest;
    default:
      return undefined;
  }
}

/** Decodes the part that depends on the type. If that fails, or there is no table for it, returns its bytes. */
function partOf(
  number: number,
  data: unknown,
  table: Codec<unknown> | undefined,
): Pick<PacketDescription, "fields" | "problem"> {
  if (!(data instanceof Uint8Array) || data.length === 0) return { fields: [], problem: undefined };
  // An unknown login method may contain a password, and so may a part that cannot be decoded.
  const isSecret = number === auth.UserauthRequest.number;
  const raw = [{ name: "specificData", value: data, isSecret }];
  if (table === undefined) return { fields: raw, problem: undefined };
  try {
    return { fields: fieldsOf(0, table.decode(data) as Values), problem: undefined };
  } catch (error) {
    return { fields: raw, problem: messageOf(error) };
  }
}

const secretFields = ["password", "oldPassword", "newPassword", "responses"];

function fieldsOf(number: number, values: Values): DescribedField[] {
  return Object.entries(values).flatMap(([name, value]): DescribedField[] => {
    // The extensions of EXT_INFO are its fields.
    if (value instanceof Map) return fieldsOf(number, Object.fromEntries(value));
    const meaning = name === "reason" ? reasonOf(number, value) : undefined;
    return [{ name: sanitizeText(name), value: printable(value), meaning, isSecret: secretFields.includes(name) }];
  });
}

function printable(value: unknown): DescribedValue {
  if (typeof value === "string") return sanitizeText(value);
  if (!Array.isArray(value)) return value as DescribedValue;
  return value.map((one: string | auth.Prompt) =>
    typeof one === "string" ? sanitizeText(one) : { ...one, prompt: sanitizeText(one.prompt) },
  ) as DescribedValue;
}

function reasonOf(number: number, code: unknown): string | undefined {
  const names = number === transport.Disconnect.number ? DisconnectReason : connection.OpenFailureReason;
  return Object.entries(names).find(([, value]) => value === code)?.[0];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
