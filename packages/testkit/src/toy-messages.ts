/** One message of each class, with valid and invalid steps of the toy key exchange. @module */
import {
  type Bytes,
  ChannelClose,
  ChannelData,
  ChannelEof,
  ChannelExtendedData,
  ChannelFailure,
  ChannelOpen,
  ChannelOpenConfirmation,
  ChannelOpenFailure,
  ChannelRequest,
  ChannelSuccess,
  ChannelWindowAdjust,
  Debug,
  Disconnect,
  ExtInfo,
  GlobalRequest,
  Ignore,
  KexEcdhInit,
  KexEcdhReply,
  KexInit,
  NewKeys,
  PasswordRequest,
  Ping,
  Pong,
  PublickeyProof,
  RequestFailure,
  RequestSuccess,
  ServiceAccept,
  ServiceRequest,
  Unimplemented,
  UserauthBanner,
  UserauthFailure,
  UserauthInfoRequest,
  UserauthInfoResponse,
  UserauthRequest,
  UserauthSuccess,
  utf8,
} from "@postern/wire";
import { badToyPublic, toyHostKey, toyPublic, toySignature } from "./toy-algorithms.ts";

type Role = "client" | "server";

const none = new Uint8Array(0);
const channel = { recipientChannel: 0 };

function kexInit(role: Role, isStrict: boolean, kex = "toy-kex"): Bytes {
  const markers = role === "client" ? ["ext-info-c", "kex-strict-c-v00@openssh.com"] : ["kex-strict-s-v00@openssh.com"];
  const ciphers = ["toy-cipher"];
  return KexInit.encode({
    cookie: new Uint8Array(16),
    kexAlgorithms: [kex, ...(isStrict ? markers : [])],
    serverHostKeyAlgorithms: ["toy"],
    encryptionC2s: ciphers,
    encryptionS2c: ciphers,
    macC2s: [],
    macS2c: [],
    compressionC2s: ["none"],
    compressionS2c: ["none"],
    languagesC2s: [],
    languagesS2c: [],
    firstKexPacketFollows: false,
    reserved: 0,
  });
}

const reply = (serverPublic: Bytes, signature: Bytes): Bytes =>
  KexEcdhReply.encode({ hostKey: toyHostKey, serverPublic, signature });
const login = (method: string, specificData: Bytes): Bytes =>
  UserauthRequest.encode({ user: "test", service: "ssh-connection", method, specificData });
const passwordLogin = (password: string): Bytes =>
  login("password", PasswordRequest.encode({ isChange: false, password }));
const open = (channelType: string, maxPacket = 32_768): Bytes =>
  ChannelOpen.encode({ channelType, senderChannel: 7, initialWindow: 100, maxPacket, specificData: none });

const made = new Map<Role, Readonly<Record<string, Bytes>>>();

/** Returns payloads that a peer in that role can send, by name. Channel messages are for our first channel. */
export function toyMessages(role: Role): Readonly<Record<string, Bytes>> {
  const known = made.get(role) ?? makeMessages(role);
  made.set(role, known);
  return known;
}

function makeMessages(role: Role): Readonly<Record<string, Bytes>> {
  return {
    DISCONNECT: Disconnect.encode({ reason: 11, description: "bye", language: "" }),
    IGNORE: Ignore.encode({ data: utf8("x") }),
    UNIMPLEMENTED: Unimplemented.encode({ sequence: 3 }),
    DEBUG: Debug.encode({ alwaysDisplay: true, message: "x", language: "" }),
    SERVICE_REQUEST: ServiceRequest.encode({ service: "ssh-userauth" }),
    "SERVICE_REQUEST of another service": ServiceRequest.encode({ service: "ssh-connection" }),
    SERVICE_ACCEPT: ServiceAccept.encode({ service: "ssh-userauth" }),
    EXT_INFO: ExtInfo.encode({ extensions: new Map([["server-sig-algs", utf8("toy")]]) }),
    NEWCOMPRESS: Uint8Array.of(8),
    "message 19": Uint8Array.of(19),
    KEXINIT: kexInit(role, true),
    "KEXINIT without the strict marker": kexInit(role, false),
    "KEXINIT without a common algorithm": kexInit(role, true, "other"),
    NEWKEYS: NewKeys.encode({}),
    "message 22": Uint8Array.of(22),
    KEX_ECDH_INIT: KexEcdhInit.encode({ clientPublic: toyPublic }),
    "KEX_ECDH_INIT, invalid": KexEcdhInit.encode({ clientPublic: badToyPublic }),
    KEX_ECDH_REPLY: reply(toyPublic, toySignature),
    "KEX_ECDH_REPLY, invalid": reply(badToyPublic, toySignature),
    "KEX_ECDH_REPLY, wrong signature": reply(toyPublic, utf8("forged")),
    "message 49": Uint8Array.of(49),
    "USERAUTH_REQUEST none": login("none", none),
    "USERAUTH_REQUEST wrong password": passwordLogin("wrong"),
    "USERAUTH_REQUEST right password": passwordLogin("right"),
    "USERAUTH_REQUEST publickey": login(
      "publickey",
      PublickeyProof.encode({ hasSignature: true, algorithm: "toy", publicKey: toyHostKey, signature: toySignature }),
    ),
    "USERAUTH_REQUEST keyboard-interactive": login("keyboard-interactive", new Uint8Array(8)),
    USERAUTH_FAILURE: UserauthFailure.encode({
      canContinue: ["password", "keyboard-interactive"],
      partialSuccess: false,
    }),
    USERAUTH_SUCCESS: UserauthSuccess.encode({}),
    USERAUTH_BANNER: UserauthBanner.encode({ message: "hello", language: "" }),
    USERAUTH_INFO_REQUEST: UserauthInfoRequest.encode({
      name: "",
      instruction: "",
      language: "",
      prompts: [{ prompt: "Password: ", echo: false }],
    }),
    USERAUTH_INFO_RESPONSE: UserauthInfoResponse.encode({ responses: ["right"] }),
    "message 79": Uint8Array.of(79),
    GLOBAL_REQUEST: GlobalRequest.encode({ name: "x", wantReply: true, specificData: none }),
    REQUEST_SUCCESS: RequestSuccess.encode({ specificData: none }),
    REQUEST_FAILURE: RequestFailure.encode({}),
    CHANNEL_OPEN: open("session"),
    "CHANNEL_OPEN, refused": open("refuse"),
    "CHANNEL_OPEN, undecided": open("later"),
    "CHANNEL_OPEN of packets of 0 bytes": open("session", 0),
    CHANNEL_OPEN_CONFIRMATION: ChannelOpenConfirmation.encode({
      ...channel,
      senderChannel: 7,
      initialWindow: 100,
      maxPacket: 32_768,
      specificData: none,
    }),
    CHANNEL_OPEN_FAILURE: ChannelOpenFailure.encode({ ...channel, reason: 1, description: "no", language: "" }),
    CHANNEL_WINDOW_ADJUST: ChannelWindowAdjust.encode({ ...channel, bytesToAdd: 100 }),
    "CHANNEL_WINDOW_ADJUST beyond 2^32 - 1": ChannelWindowAdjust.encode({ ...channel, bytesToAdd: 0xffff_ffff }),
    CHANNEL_DATA: ChannelData.encode({ ...channel, data: utf8("x") }),
    "CHANNEL_DATA beyond the maximum packet size": ChannelData.encode({ ...channel, data: new Uint8Array(32_769) }),
    CHANNEL_EXTENDED_DATA: ChannelExtendedData.encode({ ...channel, dataType: 1, data: utf8("x") }),
    CHANNEL_EOF: ChannelEof.encode(channel),
    CHANNEL_CLOSE: ChannelClose.encode(channel),
    CHANNEL_REQUEST: ChannelRequest.encode({ ...channel, requestType: "x", wantReply: true, specificData: none }),
    CHANNEL_SUCCESS: ChannelSuccess.encode(channel),
    CHANNEL_FAILURE: ChannelFailure.encode(channel),
    "message 101": Uint8Array.of(101),
    "message 127": Uint8Array.of(127),
    "message 128": Uint8Array.of(128),
    PING: Ping.encode({ data: utf8("x") }),
    PONG: Pong.encode({ data: utf8("x") }),
    "message 0": Uint8Array.of(0),
    "message 255": Uint8Array.of(255),
  };
}

/** Messages of a peer in that role, up to the end of the login. */
export function toyLogin(role: Role): readonly string[] {
  return role === "client"
    ? ["KEXINIT", "KEX_ECDH_INIT", "NEWKEYS", "SERVICE_REQUEST", "USERAUTH_REQUEST right password"]
    : ["KEXINIT", "KEX_ECDH_REPLY", "NEWKEYS", "EXT_INFO", "SERVICE_ACCEPT", "USERAUTH_BANNER", "USERAUTH_SUCCESS"];
}
