/** Protocol version exchange, RFC 4253 section 4.2. @module */
import { type Bytes, fromUtf8, Limits, quote, RfcLimits, SshError, sanitizeText } from "@postern/wire";

/** Which end of the connection a machine is. */
export type Role = "client" | "server";

/**
 * What this library identifies itself as, without CR LF.
 * @throws SshError `misuse` when `software` is not printable US-ASCII without spaces and minus signs
 */
export function identification(software: string): string {
  if (!/^[!-,.-~]{1,200}$/.test(software)) {
    throw new SshError(
      "misuse",
      `expected a software version of printable US-ASCII without "-", got ${quote(software)}`,
    );
  }
  return `SSH-2.0-${software}`;
}

/** Reads the peer's identification line and, from a server, the lines before it. */
export class VersionReader {
  /** The lines a server sent first, made printable. A server that turns us away puts its reason here. */
  readonly lines: string[] = [];
  readonly #role: Role;
  #line: number[] = [];
  #bytes = 0;

  /** @param role ours */
  constructor(role: Role) {
    this.#role = role;
  }

  /**
   * Reads on. Gives the peer's identification without CR LF, its very bytes, and what follows it (view); undefined when more is needed.
   * @throws SshError `version` when this is no SSH 2 peer
   */
  read(chunk: Bytes): { readonly version: string; readonly bytes: Bytes; readonly rest: Bytes } | undefined {
    for (const [at, byte] of chunk.entries()) {
      this.#bytes++;
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
      // RFC 4253 4.2: only a server may send other lines first.
      if (this.#role === "server" || this.lines.length > Limits.linesBeforeIdentification) throw this.missing();
    }
    return undefined;
  }

  /** The error that says what came in place of an identification line. */
  missing(): SshError {
    const heard = [...this.lines, fromUtf8(Uint8Array.from(this.#line))].filter((line) => line !== "");
    // sshd says so in place of its identification when it turns an address away (MaxStartups, PerSourcePenalties).
    const busy = heard.find((line) => /^(?:Not allowed at this time|Exceeded MaxStartups)/.test(line));
    const got = heard.length === 0 ? "nothing" : quote(busy ?? heard.join(" / "));
    return new SshError(
      busy === undefined ? "version" : "busy",
      `expected an SSH identification line ("SSH-2.0-…"), got ${got}`,
    );
  }

  #check(byte: number): void {
    // RFC 4253 4.2: the null character MUST NOT be sent; only a server may send other lines first.
    const foreign = byte === 0 || (this.#role === "server" && !"SSH-".startsWith(this.#start()));
    const identification = this.#start() === "SSH-";
    const tooLong = identification
      ? this.#line.length > RfcLimits.identificationLine - 1
      : this.#bytes > Limits.bytesBeforeIdentification;
    if (foreign || tooLong) throw this.missing();
  }

  #start(): string {
    return String.fromCharCode(...this.#line.slice(0, 4));
  }

  #version(line: string): string {
    // RFC 4253 4.2: printable US-ASCII. Programs log this line, so nothing else may reach them.
    if (!/^[ -~]*$/.test(line)) {
      throw new SshError("version", `expected an identification line of printable US-ASCII, got ${quote(line)}`);
    }
    // RFC 4253 5.1: 1.99 is a server that also speaks version 1.
    if (/^SSH-(?:2\.0|1\.99)-/.test(line)) return line;
    throw new SshError("version", `expected protocol version 2.0, got ${quote(line)}`);
  }
}
