/** A pair of byte pipes in memory. A gate decides when each written piece is delivered. @module */

/**
 * @typedef {object} Piece bytes in flight, or the end of one direction
 * @property {End} to the end that receives it
 * @property {Uint8Array | undefined} bytes `undefined`: the end of that direction
 * @property {unknown} [record] the packet in it
 */

/**
 * Two ends and the pieces between them. Without `cut`, each write is one piece, and is delivered at once.
 *
 * - `cut(side, bytes)` returns the pieces of a write: `{ bytes, record }`.
 * - `changed()` is called when a piece may be deliverable that was not before.
 */
export class Link {
  /** @type {[End, End]} */
  ends;
  /** @type {Piece[]} */
  #pieces = [];
  #cut;
  #changed;

  constructor({ cut, changed } = {}) {
    this.#cut = cut ?? ((_side, bytes) => [{ bytes, record: undefined }]);
    this.#changed = changed ?? (() => queueMicrotask(() => this.#deliverAll()));
    this.ends = [new End(this, "client"), new End(this, "server")];
  }

  /** The pieces in flight, without ends. */
  get inFlight() {
    return this.#pieces.filter(({ bytes }) => bytes !== undefined);
  }

  /** The piece that `deliver` would deliver: the oldest one whose receiver reads. */
  get next() {
    const isFirst = (piece) => this.#pieces.find(({ to }) => to === piece.to) === piece;
    return this.inFlight.find((piece) => piece.to.reads && isFirst(piece));
  }

  /** Delivers a piece, or other bytes in its place. */
  deliver(piece, bytes = piece.bytes) {
    this.#remove(piece);
    piece.to.receive(bytes);
    this.#deliverEnds();
  }

  /** @internal */
  write(from, bytes) {
    for (const piece of this.#cut(from.side, bytes)) this.#pieces.push({ ...piece, to: this.#other(from) });
    this.#changed();
  }

  /** @internal */
  end(from) {
    this.#pieces.push({ to: this.#other(from), bytes: undefined });
    queueMicrotask(() => this.#deliverEnds());
  }

  /** @internal */
  wake() {
    this.#deliverEnds();
    this.#changed();
  }

  #deliverAll() {
    for (let piece = this.next; piece !== undefined; piece = this.next) this.deliver(piece);
  }

  /** Ends are no packets, so they are not delivered in steps. */
  #deliverEnds() {
    for (const end of this.ends) {
      const first = this.#pieces.find(({ to }) => to === end);
      if (first === undefined || first.bytes !== undefined || !end.isStarted) continue;
      this.#remove(first);
      end.receiveEnd();
    }
  }

  #remove(piece) {
    this.#pieces.splice(this.#pieces.indexOf(piece), 1);
  }

  #other(end) {
    return this.ends[end === this.ends[0] ? 1 : 0];
  }
}

/** One end: a BytePipe of Postern. */
class End {
  /** A write copies, so the writer may reuse its memory. */
  memory = { copies: true };
  #link;
  #sink;
  #isPaused = false;
  #hasEnded = false;
  #peerHasEnded = false;
  #isDropping = false;
  #isClosed = false;

  constructor(link, side) {
    this.#link = link;
    this.side = side;
  }

  get isStarted() {
    return this.#sink !== undefined;
  }

  /** Whether a piece could be delivered. After `closed`, pieces are dropped. */
  get reads() {
    return this.isStarted && !this.#isPaused;
  }

  start(sink) {
    this.#sink = sink;
    queueMicrotask(() => this.#link.wake());
  }

  write(chunk) {
    if (!this.#hasEnded) this.#link.write(this, chunk.slice());
    return true;
  }

  end() {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#link.end(this);
    this.#closeIfDone();
  }

  pause() {
    this.#isPaused = true;
  }

  resume() {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    queueMicrotask(() => this.#link.wake());
  }

  close() {
    this.#isDropping = true;
    this.end();
    this.resume();
    this.#closeIfDone();
  }

  /** Unlike a socket, bytes in flight still arrive: the explorer shows what was sent. */
  abort(reason = new Error("the pipe was aborted")) {
    this.end();
    this.resume();
    this.#close(reason);
  }

  receive(bytes) {
    if (!this.#isDropping && !this.#isClosed) this.#sink.data(bytes.slice());
  }

  receiveEnd() {
    this.#peerHasEnded = true;
    if (!this.#isDropping && !this.#isClosed) this.#sink.end();
    this.#closeIfDone();
  }

  #closeIfDone() {
    if (this.#hasEnded && (this.#peerHasEnded || this.#isDropping)) this.#close(undefined);
  }

  #close(error) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    queueMicrotask(() => this.#sink?.closed(error));
  }
}
