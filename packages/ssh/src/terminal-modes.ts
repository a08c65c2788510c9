/** The modes of a terminal, RFC 4254 section 8. @module */
import { type ArrayBufferBytes, SshError, Writer } from "@postern/wire";
import { expectUint32 } from "./session-requests.ts";

/** The opcodes of RFC 4254 section 8, and IUTF8 of RFC 8160. The names are those of POSIX. */
const opcodes = {
  VINTR: 1,
  VQUIT: 2,
  VERASE: 3,
  VKILL: 4,
  VEOF: 5,
  VEOL: 6,
  VEOL2: 7,
  VSTART: 8,
  VSTOP: 9,
  VSUSP: 10,
  VDSUSP: 11,
  VREPRINT: 12,
  VWERASE: 13,
  VLNEXT: 14,
  VFLUSH: 15,
  VSWTCH: 16,
  VSTATUS: 17,
  VDISCARD: 18,
  IGNPAR: 30,
  PARMRK: 31,
  INPCK: 32,
  ISTRIP: 33,
  INLCR: 34,
  IGNCR: 35,
  ICRNL: 36,
  IUCLC: 37,
  IXON: 38,
  IXANY: 39,
  IXOFF: 40,
  IMAXBEL: 41,
  IUTF8: 42,
  ISIG: 50,
  ICANON: 51,
  XCASE: 52,
  ECHO: 53,
  ECHOE: 54,
  ECHOK: 55,
  ECHONL: 56,
  NOFLSH: 57,
  TOSTOP: 58,
  IEXTEN: 59,
  ECHOCTL: 60,
  ECHOKE: 61,
  PENDIN: 62,
  OPOST: 70,
  OLCUC: 71,
  ONLCR: 72,
  OCRNL: 73,
  ONOCR: 74,
  ONLRET: 75,
  CS7: 90,
  CS8: 91,
  PARENB: 92,
  PARODD: 93,
  TTY_OP_ISPEED: 128,
  TTY_OP_OSPEED: 129,
} as const;

/** The name of a terminal mode (RFC 4254 section 8, RFC 8160). */
export type TerminalMode = keyof typeof opcodes;

/**
 * Encodes terminal modes for `pty.modes`: 0 or 1 for a flag, a character code or 255 (none) for a character, bits per
 * second for a speed.
 *
 * @throws SshError `misuse` for an unknown name or a value that is not a uint32
 * @example
 * const pty = { columns: 120, rows: 40, modes: terminalModes({ ECHO: 0, VINTR: 3 }) };
 */
export function terminalModes(modes: Readonly<Partial<Record<TerminalMode, number>>>): ArrayBufferBytes {
  const writer = new Writer();
  for (const [name, value] of Object.entries(modes)) {
    if (!Object.hasOwn(opcodes, name))
      throw new SshError("misuse", `expected the name of a terminal mode such as ECHO, got ${name}`);
    expectUint32(`modes.${name}`, value);
    writer.byte(opcodes[name as TerminalMode]).uint32(value as number);
  }
  return writer.byte(0).finish();
}
