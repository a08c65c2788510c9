/** The tap: it sees every packet of a connection in plain text, and if it wants to, the keys. @module */
import type { DirectionKeys } from "@postern/crypto";
import type { Bytes, Direction } from "@postern/wire";

/** An SSH packet (RFC 4253 section 6). */
export interface TappedPacket {
  readonly direction: Direction;
  /** the packet's sequence number in its direction */
  readonly sequence: number;
  /** the message in plain text, a copy; that of a login contains the password */
  readonly payload: Bytes;
  /** the size of the whole packet on the wire, with length, padding and MAC */
  readonly size: number;
}

/** An identification line (RFC 4253 section 4.2). */
export interface TappedIdentification {
  readonly direction: Direction;
  /** without CR LF */
  readonly line: string;
  /** bytes on the wire, with the line end and with the lines that a server sent before */
  readonly size: number;
}

/** The keys of one direction (RFC 4253 section 7.2), copies. They decrypt the connection, and forge its packets. */
export interface TappedKeys extends Pick<DirectionKeys, "key" | "iv"> {
  readonly direction: Direction;
  /** the names of the algorithms; an AEAD cipher has no MAC */
  readonly cipher: string;
  readonly mac: string | undefined;
  readonly macKey: Bytes | undefined;
  /** the sequence number of the first packet with these keys */
  readonly sequence: number;
}

/**
 * Sees one connection. Packets contain passwords, answers to prompts and all forwarded data in plain text, so treat
 * them as secrets. An error of the tap does not change the connection, and is reported as uncaught.
 */
export interface PacketTap {
  /** Called for each packet: once it is sealed for sending, or opened and about to be handled. */
  packet(packet: TappedPacket): void;
  /** Called for each identification line. */
  identification?(line: TappedIdentification): void;
  /**
   * Called with the keys of a direction when it begins to use them. A separate method, because these keys decrypt a
   * recording of the connection and forge its packets. Leave it out, except to study a connection whose both ends you
   * own.
   */
  secretKeys?(keys: TappedKeys): void;
}

/** A tap that takes identification lines, and ignores them if the program's does not. */
export type GuardedTap = PacketTap & Required<Pick<PacketTap, "identification">>;

/** Returns a tap whose errors are passed to `failed` instead of the caller. */
export function guardTap(tap: PacketTap, failed: (error: unknown) => void): GuardedTap {
  const guard =
    (name: keyof PacketTap) =>
    (value: unknown): void => {
      try {
        tap[name]?.(value as never);
      } catch (error) {
        failed(error);
      }
    };
  return {
    packet: guard("packet"),
    identification: guard("identification"),
    ...(tap.secretKeys && { secretKeys: guard("secretKeys") }),
  };
}
