/** Arbitrary values of every message table. */
import fc from "fast-check";
import * as wire from "../src/index.ts";

export const bytes = fc.uint8Array({ maxLength: 40 });
export const text = fc.string({ unit: "binary", maxLength: 20 });
export const uint32 = fc.nat({ max: 0xffff_ffff });
const name = fc.stringMatching(/^[!-+\--~]{1,64}$/);
export const names = fc.array(name, { maxLength: 5 });
const boolean = fc.boolean();

type Arbitraries = Readonly<Record<string, fc.Arbitrary<unknown>>>;
const prompt = fc.record({ prompt: text, echo: boolean });

/** The fields of each table, as in the RFCs. */
export const tables: ReadonlyMap<wire.Codec<unknown>, Arbitraries> = new Map<unknown, Arbitraries>([
  [wire.Disconnect, { reason: uint32, description: text, language: text }],
  [wire.Ignore, { data: bytes }],
  [wire.Unimplemented, { sequence: uint32 }],
  [wire.Debug, { alwaysDisplay: boolean, message: text, language: text }],
  [wire.ServiceRequest, { service: text }],
  [wire.ServiceAccept, { service: text }],
  [
    wire.ExtInfo,
    {
      extensions: fc
        .uniqueArray(fc.tuple(text, bytes), { selector: ([key]) => key, maxLength: 4 })
        .map((pairs) => new Map(pairs)),
    },
  ],
  [
    wire.KexInit,
    {
      cookie: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      kexAlgorithms: names,
      serverHostKeyAlgorithms: names,
      encryptionC2s: names,
      encryptionS2c: names,
      macC2s: names,
      macS2c: names,
      compressionC2s: names,
      compressionS2c: names,
      languagesC2s: names,
      languagesS2c: names,
      firstKexPacketFollows: boolean,
      reserved: uint32,
    },
  ],
  [wire.NewKeys, {}],
  [wire.KexEcdhInit, { clientPublic: bytes }],
  [wire.KexEcdhReply, { hostKey: bytes, serverPublic: bytes, signature: bytes }],
  [wire.Ping, { data: bytes }],
  [wire.Pong, { data: bytes }],
  [wire.UserauthRequest, { user: text, service: text, method: text, specificData: bytes }],
  [wire.UserauthFailure, { canContinue: names, partialSuccess: boolean }],
  [wire.UserauthSuccess, {}],
  [wire.UserauthBanner, { message: text, language: text }],
  [wire.PublickeyQuery, { hasSignature: boolean, algorithm: text, publicKey: bytes }],
  [wire.PublickeyProof, { hasSignature: boolean, algorithm: text, publicKey: bytes, signature: bytes }],
  [wire.HostboundQuery, { hasSignature: boolean, algorithm: text, publicKey: bytes, hostKey: bytes }],
  [wire.HostboundProof, { hasSignature: boolean, algorithm: text, publicKey: bytes, hostKey: bytes, signature: bytes }],
  [wire.UserauthPkOk, { algorithm: text, publicKey: bytes }],
  [wire.PasswordRequest, { isChange: boolean, password: text }],
  [wire.PasswordChange, { isChange: boolean, oldPassword: text, newPassword: text }],
  [wire.UserauthPasswdChangereq, { prompt: text, language: text }],
  [wire.KeyboardInteractiveRequest, { language: text, submethods: text }],
  [
    wire.UserauthInfoRequest,
    { name: text, instruction: text, language: text, prompts: fc.array(prompt, { maxLength: 4 }) },
  ],
  [wire.UserauthInfoResponse, { responses: fc.array(text, { maxLength: 4 }) }],
  [wire.GlobalRequest, { name: text, wantReply: boolean, specificData: bytes }],
  [wire.RequestSuccess, { specificData: bytes }],
  [wire.RequestFailure, {}],
  [
    wire.ChannelOpen,
    { channelType: text, senderChannel: uint32, initialWindow: uint32, maxPacket: uint32, specificData: bytes },
  ],
  [
    wire.ChannelOpenConfirmation,
    { recipientChannel: uint32, senderChannel: uint32, initialWindow: uint32, maxPacket: uint32, specificData: bytes },
  ],
  [wire.ChannelOpenFailure, { recipientChannel: uint32, reason: uint32, description: text, language: text }],
  [wire.ChannelWindowAdjust, { recipientChannel: uint32, bytesToAdd: uint32 }],
  [wire.ChannelData, { recipientChannel: uint32, data: bytes }],
  [wire.ChannelExtendedData, { recipientChannel: uint32, dataType: uint32, data: bytes }],
  [wire.ChannelEof, { recipientChannel: uint32 }],
  [wire.ChannelClose, { recipientChannel: uint32 }],
  [wire.ChannelRequest, { recipientChannel: uint32, requestType: text, wantReply: boolean, specificData: bytes }],
  [wire.ChannelSuccess, { recipientChannel: uint32 }],
  [wire.ChannelFailure, { recipientChannel: uint32 }],
  [wire.TcpipForward, { address: text, port: uint32 }],
  [wire.TcpipForwardReply, { port: uint32 }],
  [wire.ForwardedTcpip, { address: text, port: uint32, originAddress: text, originPort: uint32 }],
  [wire.DirectTcpip, { host: text, port: uint32, originAddress: text, originPort: uint32 }],
  [wire.StreamlocalForward, { path: text }],
  [wire.ForwardedStreamlocal, { path: text, reserved: bytes }],
  [wire.DirectStreamlocal, { path: text, reserved: bytes, reservedNumber: uint32 }],
] as [wire.Codec<unknown>, Arbitraries][]) as ReadonlyMap<wire.Codec<unknown>, Arbitraries>;

/** All codecs that the package exports. */
export const codecs: readonly wire.Codec<unknown>[] = Object.values<unknown>(wire).filter(
  (value): value is wire.Codec<unknown> =>
    typeof value === "object" && value !== null && "encode" in value && "decode" in value,
);
