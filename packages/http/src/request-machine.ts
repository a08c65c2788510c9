/** Requests of a connection (RFC 9112): bytes -> heads, content and ends. @module */
import { type Bytes, concat } from "@postern/wire";
import { HttpError } from "./http-error.ts";
import type { ServeLimits } from "./options.ts";
import {
  createHead,
  type Field,
  parseField,
  parseRequestLine,
  type RequestHead,
  type RequestLine,
} from "./request-head.ts";

/** An event of {@link RequestMachine}. A request yields a `head`, any number of `data`, and an `end`. */
export type RequestEvent =
  | { readonly type: "head"; readonly head: RequestHead }
  /** Decoded content: a view of a received chunk. */
  | { readonly type: "data"; readonly data: Bytes }
  | { readonly type: "end" }
  /** The request is invalid or incomplete. This is the last event. */
  | { readonly type: "error"; readonly error: HttpError };

/** Limits of a request. `maxHeaderBytes` also limits the trailer, and all chunk extensions of a request. */
export type HeadLimits = Pick<ServeLimits, "maxHeaderBytes" | "maxHeaders" | "maxBodyBytes">;

type State =
  | { readonly at: "request line" /** An empty line has been skipped. */; readonly blank: boolean }
  | { readonly at: "fields"; readonly line: RequestLine; readonly fields: Field[] }
  | { readonly at: "content"; readonly left: number }
  | { readonly at: "chunk size" }
  | { readonly at: "chunk data"; readonly left: number }
  | { readonly at: "chunk end" }
  | { readonly at: "trailer"; readonly count: number }
  | { readonly at: "failed" };

const lf = 0x0a;
const cr = 0x0d;
/** chunk-size and chunk-ext (RFC 9112 section 7.1). Whitespace is allowed only as BWS in the grammar. */
const tokenText = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quotedText = '"(?:[\\t !#-[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const chunkLine = /* @__PURE__ */ new RegExp(
  `^([0-9A-Fa-f]+)(?:[ \\t]*;[ \\t]*${tokenText}(?:[ \\t]*=[ \\t]*(?:${tokenText}|${quotedText}))?)*$`,
);
/** Chunk sizes are below 2^52; leading zeros count. */
const chunkSizeDigits = 13;
const chunkLineBytes = 1024;
/** Small chunks are joined into pieces of this size, or of this number of chunks. */
export const pieceBytes = 4096;
const pieceChunks = 256;
/**
 * Each piece costs the reader an object, even if it has one byte. A body may have this many pieces, and one more per
 * 256 bytes of `maxBodyBytes`.
 */
const freePieces = 1024;
const bytesPerPiece = 256;

/**
 * Parses the requests of one connection. Pipelined requests (RFC 9112 section 9.3.2) stay unparsed until `next` is
 * called, so memory is bounded by the received bytes.
 *
 * A line must end with CR LF; a lone CR or LF is refused (RFC 9112 section 2.2). So is everything that another server
 * could read differently.
 */
export class RequestMachine {
  readonly #limits: HeadLimits;
  readonly #input: Bytes[] = [];
  #ended = false;
  /** The incomplete line, as text: views would keep whole chunks alive, and a visitor may send single bytes. */
  #text = "";
  /** Bytes so far of the head, of the trailer, or of chunk lines beyond size and line end. */
  #spent = 0;
  /** Bytes of content announced or received so far. */
  #bodyBytes = 0;
  #pieces = 0;
  /** The event after joined data. */
  #queued: RequestEvent | undefined;
  #state: State = { at: "request line", blank: false };

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** No byte of a request has come since the last one ended. */
  get idle(): boolean {
    const { at } = this.#state;
    return at === "request line" && this.#text === "" && this.#input.length === 0 && this.#queued === undefined;
  }

  /** Passes received bytes, and takes them over. */
  receive(chunk: Bytes): void {
    if (chunk.length > 0 && this.#state.at !== "failed") this.#input.push(chunk);
  }

  /** Call when the visitor sends no more. */
  receiveEnd(): void {
    this.#ended = true;
  }

  /** Returns the next event, or `undefined` if more bytes are needed. */
  next(): RequestEvent | undefined {
    const event = this.#queued ?? this.#parse();
    this.#queued = undefined;
    return event?.type === "data" ? this.#joined(event.data) : event;
  }

  /** Returns the bytes after the last event, and forgets them. */
  takeRest(): readonly Bytes[] {
    return this.#input.splice(0);
  }

  /** Joins small chunks that were received together, so that the reader handles few objects. */
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
      return this.#fail(new HttpError(413, "the content has too many small pieces"));
    }
    return { type: "data", data: parts.length === 1 ? first : concat(...parts) };
  }

  #parse(): RequestEvent | undefined {
    try {
      const event = this.#next();
      // RFC 9112 section 8.
      if (event === undefined && this.#ended && !this.idle && this.#state.at !== "failed")
        throw new HttpError(400, "the request is incomplete");
      return event;
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return this.#fail(error);
    }
  }

  #fail(error: HttpError): RequestEvent {
    this.#input.length = 0;
    this.#text = "";
    this.#queued = undefined;
    this.#state = { at: "failed" };
    return { type: "error", error };
  }

  #next(): RequestEvent | undefined {
    for (;;) {
      const state = this.#state;
      switch (state.at) {
        case "request line": {
          const line = this.#line(this.#limits.maxHeaderBytes, 414);
          if (line === undefined) return undefined;
          if (line === "") {
            // One empty line before a request is ignored (RFC 9112 section 2.2).
            if (state.blank) throw new HttpError(400, "expected a request, got empty lines");
            this.#state = { at: "request line", blank: true };
          } else this.#state = { at: "fields", line: parseRequestLine(line), fields: [] };
          break;
        }
        case "fields": {
          const line = this.#line(this.#limits.maxHeaderBytes, 431);
          if (line === undefined) return undefined;
          if (line === "") return this.#headDone(createHead(state.line, state.fields));
          if (state.fields.length >= this.#limits.maxHeaders)
            throw new HttpError(431, "the request has too many fields");
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
          if (line !== "") throw new HttpError(400, "expected the end of a chunk");
          this.#spent -= 2;
          this.#state = { at: "chunk size" };
          break;
        }
        case "trailer": {
          const line = this.#line(this.#limits.maxHeaderBytes, 431);
          if (line === undefined) return undefined;
          if (line === "") return this.#messageDone();
          if (state.count >= this.#limits.maxHeaders) throw new HttpError(431, "the trailer has too many fields");
          // Dropped: a trailer may be ignored and must not be merged into the head (RFC 9110 section 6.5.1).
          parseField(line);
          this.#state = { at: "trailer", count: state.count + 1 };
          break;
        }
        case "failed":
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
    if (size === undefined) throw new HttpError(400, "expected a chunk size in hexadecimal");
    if (size.length > chunkSizeDigits) throw new HttpError(400, "the chunk is too large");
    // Size and line end are free, so that the number of chunks is not limited here.
    this.#spent -= size.length + 2;
    if (this.#spent > this.#limits.maxHeaderBytes) throw new HttpError(400, "the chunk extensions are too long");
    const bytes = Number.parseInt(size, 16);
    this.#charge(bytes);
    return bytes;
  }

  /** RFC 9110 section 15.5.14. Counts announced content, so that content that will be refused is not read. */
  #charge(bytes: number): void {
    this.#bodyBytes += bytes;
    const { maxBodyBytes } = this.#limits;
    if (this.#bodyBytes > maxBodyBytes) throw new HttpError(413, `expected at most ${maxBodyBytes} bytes of content`);
  }

  /** Consumes up to `size` received bytes. Returns a view. */
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

  /** Consumes a line. Returns it without its end, or `undefined` if it is incomplete. `limit` bounds `#spent`. */
  #line(limit: number, tooLong: 400 | 414 | 431): string | undefined {
    for (;;) {
      const [first] = this.#input;
      if (first === undefined) return undefined;
      const end = first.indexOf(lf);
      const part = this.#take(end < 0 ? first.length : end + 1);
      if (part === undefined) return undefined;
      this.#text += latin1(part);
      if (this.#spent + this.#text.length > limit) throw new HttpError(tooLong, "the line or the head is too long");
      if (end >= 0) return this.#lineDone();
    }
  }

  #lineDone(): string {
    const text = this.#text;
    this.#spent += text.length;
    this.#text = "";
    // RFC 9112 section 2.2 allows to accept a lone LF or CR. Refusing them is safer.
    if (text.charCodeAt(text.length - 2) !== cr || text.indexOf("\r") !== text.length - 2) {
      throw new HttpError(400, "expected CR LF at the end of each line, and no other CR or LF");
    }
    return text.slice(0, -2);
  }
}

/** Decodes each byte to one character (RFC 9110 section 5.5). TextDecoder maps the name latin1 to windows-1252. */
function latin1(bytes: Bytes): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}
