/** Protocol version exchange, RFC 4253 section 4.2. @module */
import { type Bytes, fromUtf8, quote, SshError, sanitizeText } from "@postern/wire";
import * as Limits from "@postern/wire/limits";

/** Our side of the connection. */
export type Role = "client" | "server";

/**
 * Returns an identification line for `software`, without CR LF.
 * @throws SshError `misuse` if `software` is not printable US-ASCII without spaces and minus signs
 */
export function identification(software: string): string {
  if (!/^[!-,.-~]{1,200}$/.test(software)) {
    throw new SshError(
      "misuse",
      `expected a software version of printable US-ASCII without spaces and "-", got ${quote(software)}`,
    );
  }
  return `SSH-2.0-${software}`;
}

/** Reads the peer's identification line and the lines that a server may send before it. */
export class VersionReader {
  /** The lines before the identification, made printable. A server that refuses a connection sends its reason here. */
  readonly lines: string[] = [];
  /** bytes read so far, without the rest of the last chunk */
  bytes = 0;
  readonly #role: Role;
  #line: number[] = [];

  /** @param role our side of the connection */
  constructor(role: Role) {
    this.#role = role;
  }

  /**
   * Reads the next chunk. Returns the identification as text and as bytes, without CR LF, and the rest of the chunk
   * (view). Returns `undefined` if it needs more bytes.
   * @throws SshError `version` if the peer does not speak SSH 2, `busy` if the server is overloaded
   */
  read(chunk: Bytes): { readonly version: string; readonly bytes: Bytes; readonly rest: Bytes } | undefined {
    for (const [at, byte] of chunk.entries()) {
      this.bytes++;
      if (byte !== 0x0a) {
        this.#line.push(byte);
        this.#check(byte);
        continue;
      }
      const line = fromUtf8(Uint8Array.from(this.#line)).replace(/\r$/, "");
      if (line.startsWith("SSH-")) {
        const end = this.#line.at(-1) === 0x0d ? -1 : this.#line.length;
        return {
          version: this.#version(line),
          bytes: Uint8Array.from(this.#line.slice(0, end)),
          rest: chunk.subarray(at + 1),
        };
      }
      this.lines.push(sanitizeText(line));
      this.#line = [];
      // RFC 4253 section 4.2: only a server may send other lines first.
      if (this.#role === "server" || this.lines.length > Limits.linesBeforeIdentification) throw this.missing();
    }
    return undefined;
  }

  /** Returns the error for a missing identification line. Its message contains the bytes that came instead. */
  missing(): SshError {
    const received = [...this.lines, fromUtf8(Uint8Array.from(this.#line))].filter((line) => line !== "");
    // sshd sends these lines when it refuses an address (MaxStartups, PerSourcePenalties).
    const busy = received.find((line) => /^(?:Not allowed at this time|Exceeded MaxStartups)/.test(line));
    const got = received.length === 0 ? "nothing" : quote(busy ?? received.join(" / "));
    return new SshError(
      busy === undefined ? "version" : "busy",
      `expected an SSH identification line ("SSH-2.0-…"), got ${got}`,
    );
  }

  #check(byte: number): void {
    // RFC 4253 section 4.2: the null character MUST NOT be sent; only a server may send other lines first.
    const notSsh = byte === 0 || (this.#role === "server" && !"SSH-".startsWith(this.#start()));
    const identification = this.#start() === "SSH-";
    const tooLong = identification
      ? this.#line.length > Limits.identificationLine - 1
      : this.bytes > Limits.bytesBeforeIdentification;
    if (notSsh || tooLong) throw this.missing();
  }

  #start(): string {
    return String.fromCharCode(...this.#line.slice(0, 4));
  }

  #version(line: string): string {
    // RFC 4253 section 4.2: printable US-ASCII. Programs log this line, so no other characters may reach them.
    if (!/^[ -~]*$/.test(line)) {
      throw new SshError("version", `expected an identification line of printable US-ASCII, got ${quote(line)}`);
    }
    // RFC 4253 section 5.1: a server that also speaks version 1 announces 1.99.
    if (/^SSH-(?:2\.0|1\.99)-/.test(line)) return line;
    throw new SshError("version", `expected protocol version 2.0, got ${quote(line)}`);
  }
}
