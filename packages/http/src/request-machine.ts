/** Requests on a connection, RFC 9112: bytes -> heads, content, ends. @module */
import { type Bytes, concat } from "@postern/wire";
import { Fault } from "./fault.ts";
import {
  type Field,
  makeHead,
  parseField,
  parseRequestLine,
  type RequestHead,
  type RequestLine,
} from "./request-head.ts";

/** What {@link RequestMachine} gives, for each request a `head`, any number of `data`, and an `end`. */
export type RequestEvent =
  | { readonly type: "head"; readonly head: RequestHead }
  /** content without its coding (view) */
  | { readonly type: "data"; readonly data: Bytes }
  | { readonly type: "end" }
  /** The request is refused, or cut short by the visitor's end: nothing follows, ever. */
  | { readonly type: "fault"; readonly fault: Fault };

/** What a visitor may make us keep in memory. */
export interface HeadLimits {
  /** bytes of a request line and its fields together; also of the trailer, and of the chunk extensions of one request */
  readonly maxHeaderBytes: number;
  /** fields of one head, and of one trailer */
  readonly maxHeaders: number;
  /** bytes of content of one request */
  readonly maxBodyBytes: number;
}

type State =
  | { readonly at: "request line" /** an empty line came before it */; readonly blank: boolean }
  | { readonly at: "fields"; readonly line: RequestLine; readonly fields: Field[] }
  | { readonly at: "content"; readonly left: number }
  | { readonly at: "chunk size" }
  | { readonly at: "chunk data"; readonly left: number }
  | { readonly at: "chunk end" }
  | { readonly at: "trailer"; readonly count: number }
  | { readonly at: "fault" };

const lf = 0x0a;
const cr = 0x0d;
/** chunk-size and chunk-ext, RFC 9112 section 7.1; whitespace is allowed only where the grammar has BWS */
const tokenText = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quotedText = '"(?:[\\t !#-[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const chunkLine = /* @__PURE__ */ new RegExp(
  `^([0-9A-Fa-f]+)(?:[ \\t]*;[ \\t]*${tokenText}(?:[ \\t]*=[ \\t]*(?:${tokenText}|${quotedText}))?)*$`,
);
/** a chunk-size is at most 2^52, leading zeros included */
const chunkSizeDigits = 13;
const chunkLineBytes = 1024;
/** Content that came in small chunks is returned in pieces of this size, or of this many chunks. */
export const pieceBytes = 4096;
const pieceChunks = 256;
/**
 * A piece costs its reader an object, even if it holds one byte. A body may have this many, and one more for each 256 bytes of
 * `maxBodyBytes`.
 */
const freePieces = 1024;
const bytesPerPiece = 256;

/**
 * The requests of one connection, one after the other. Pipelined requests (RFC 9112 section 9.3.2) wait in the bytes: whoever does not ask
 * for `next` does not get them, and memory is bounded by what was received.
 *
 * A line ends with CR LF; a CR or LF alone is refused (RFC 9112 section 2.2), and so is everything that another server could read
 * differently.
 */
export class RequestMachine {
  readonly #limits: HeadLimits;
  readonly #input: Bytes[] = [];
  #ended = false;
  /** the line under way, as text: bytes would keep the chunks they came in alive, and a visitor may send one at a time */
  #text = "";
  /** bytes of the head, of the trailer, or of chunk lines beyond what they need, so far */
  #spent = 0;
  /** content of the request so far */
  #bodyBytes = 0;
  #pieces = 0;
  /** the event after data that was joined */
  #queued: RequestEvent | undefined;
  #state: State = { at: "request line", blank: false };

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Nothing of a request has come since the last one ended. */
  get idle(): boolean {
    const { at } = this.#state;
    return at === "request line" && this.#text === "" && this.#input.length === 0 && this.#queued === undefined;
  }

  /** Bytes came (takes). */
  receive(chunk: Bytes): void {
    if (chunk.length > 0 && this.#state.at !== "fault") this.#input.push(chunk);
  }

  /** The visitor sends no more. */
  receiveEnd(): void {
    this.#ended = true;
  }

  /** The next event; undefined: needs bytes. */
  next(): RequestEvent | undefined {
    const event = this.#queued ?? this.#parse();
    this.#queued = undefined;
    return event?.type === "data" ? this.#joined(event.data) : event;
  }

  /** Joins small chunks that were received together, so that the reader gets few objects. */
  #joined(first: Bytes): RequestEvent {
    const parts = [first];
    let size = first.length;
    while (size < pieceBytes && parts.length < pieceChunks) {
      const event = this.#parse();
      if (event?.type !== "data") {
        this.#queued = event;
        break;
      }
      parts.push(event.data);
      size += event.data.length;
    }
    if (++this.#pieces > freePieces + this.#limits.maxBodyBytes / bytesPerPiece) {
      return this.#fail(new Fault(413, "the content has too many small pieces"));
    }
    return { type: "data", data: parts.length === 1 ? first : concat(...parts) };
  }

  #parse(): RequestEvent | undefined {
    try {
      const event = this.#next();
      // RFC 9112 section 8: a request that is cut short is incomplete, whatever delimits it.
      if (event === undefined && this.#ended && !this.idle && this.#state.at !== "fault")
        throw new Fault(400, "the request is incomplete");
      return event;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return this.#fail(error);
    }
  }

  #fail(fault: Fault): RequestEvent {
    this.#input.length = 0;
    this.#text = "";
    this.#queued = undefined;
    this.#state = { at: "fault" };
    return { type: "fault", fault };
  }

  #next(): RequestEvent | undefined {
    for (;;) {
      const state = this.#state;
      switch (state.at) {
        case "request line": {
          const line = this.#line(this.#limits.maxHeaderBytes, 414);
          if (line === undefined) return undefined;
          if (line === "") {
            // RFC 9112 section 2.2: at least one empty line before a request is ignored.
            if (state.blank) throw new Fault(400, "expected a request, got empty lines");
            this.#state = { at: "request line", blank: true };
          } else this.#state = { at: "fields", line: parseRequestLine(line), fields: [] };
          break;
        }
        case "fields": {
          const line = this.#line(this.#limits.maxHeaderBytes, 431);
          if (line === undefined) return undefined;
          if (line === "") return this.#headDone(makeHead(state.line, state.fields));
          if (state.fields.length >= this.#limits.maxHeaders) throw new Fault(431, "there are too many fields");
          state.fields.push(parseField(line));
          break;
        }
        case "content": {
          if (state.left === 0) return this.#messageDone();
          const data = this.#take(state.left);
          if (data === undefined) return undefined;
          this.#state = { at: "content", left: state.left - data.length };
          return { type: "data", data };
        }
        case "chunk size": {
          const left = this.#chunkSize();
          if (left === undefined) return undefined;
          this.#state = left === 0 ? { at: "trailer", count: 0 } : { at: "chunk data", left };
          if (left === 0) this.#spent = 0;
          break;
        }
        case "chunk data": {
          const data = this.#take(state.left);
          if (data === undefined) return undefined;
          const left = state.left - data.length;
          this.#state = left === 0 ? { at: "chunk end" } : { at: "chunk data", left };
          return { type: "data", data };
        }
        case "chunk end": {
          const line = this.#line(this.#spent + 2, 400);
          if (line === undefined) return undefined;
          if (line !== "") throw new Fault(400, "expected the end of a chunk");
          this.#spent -= 2;
          this.#state = { at: "chunk size" };
          break;
        }
        case "trailer": {
          const line = this.#line(this.#limits.maxHeaderBytes, 431);
          if (line === undefined) return undefined;
          if (line === "") return this.#messageDone();
          if (state.count >= this.#limits.maxHeaders) throw new Fault(431, "there are too many fields in the trailer");
          // RFC 9110 section 6.5.1: a trailer may be ignored, and must not be merged into the head.
          parseField(line);
          this.#state = { at: "trailer", count: state.count + 1 };
          break;
        }
        case "fault":
          return undefined;
        default:
          return state satisfies never;
      }
    }
  }

  #headDone(head: RequestHead): RequestEvent {
    this.#spent = 0;
    this.#bodyBytes = 0;
    this.#pieces = 0;
    if (head.framing.by === "length") this.#charge(head.framing.length);
    this.#state = head.framing.by === "chunked" ? { at: "chunk size" } : { at: "content", left: head.framing.length };
    return { type: "head", head };
  }

  #messageDone(): RequestEvent {
    this.#spent = 0;
    this.#state = { at: "request line", blank: false };
    return { type: "end" };
  }

  #chunkSize(): number | undefined {
    const line = this.#line(this.#spent + chunkLineBytes, 400);
    if (line === undefined) return undefined;
    const [, size] = chunkLine.exec(line) ?? [];
    if (size === undefined) throw new Fault(400, "expected a chunk size in hexadecimal");
    if (size.length > chunkSizeDigits) throw new Fault(400, "the chunk is too large");
    // What is no more than size and line end costs nothing: the number of chunks is no one's business.
    this.#spent -= size.length + 2;
    if (this.#spent > this.#limits.maxHeaderBytes) throw new Fault(400, "the chunk extensions are too long");
    const bytes = Number.parseInt(size, 16);
    this.#charge(bytes);
    return bytes;
  }

  /** RFC 9110 section 15.5.14. Announced content counts, so that none of it is read in vain. */
  #charge(bytes: number): void {
    this.#bodyBytes += bytes;
    const { maxBodyBytes } = this.#limits;
    if (this.#bodyBytes > maxBodyBytes) throw new Fault(413, `expected at most ${maxBodyBytes} bytes of content`);
  }

  /** At most `size` bytes of what is there (view). */
  #take(size: number): Bytes | undefined {
    const [first] = this.#input;
    if (first === undefined) return undefined;
    if (first.length <= size) {
      this.#input.shift();
      return first;
    }
    this.#input[0] = first.subarray(size);
    return first.subarray(0, size);
  }

  /** A line without its end; undefined: not complete. `limit` is for `#spent` with this line, its end included. */
  #line(limit: number, tooLong: 400 | 414 | 431): string | undefined {
    for (;;) {
      const [first] = this.#input;
      if (first === undefined) return undefined;
      const end = first.indexOf(lf);
      const part = this.#take(end < 0 ? first.length : end + 1);
      if (part === undefined) return undefined;
      this.#text += latin1(part);
      if (this.#spent + this.#text.length > limit) throw new Fault(tooLong, "the line or the head is too long");
      if (end >= 0) return this.#lineDone();
    }
  }

  #lineDone(): string {
    const text = this.#text;
    this.#spent += text.length;
    this.#text = "";
    // RFC 9112 section 2.2: a lone LF may end a line and a CR may stand alone, but need not be let through, and that is safer.
    if (text.charCodeAt(text.length - 2) !== cr || text.indexOf("\r") !== text.length - 2) {
      throw new Fault(400, "expected CR LF at the end of a line, and nowhere else");
    }
    return text.slice(0, -2);
  }
}

/** One character for each byte, as fields are read (RFC 9110 section 5.5); TextDecoder has windows-1252 under that name. */
function latin1(bytes: Bytes): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}
