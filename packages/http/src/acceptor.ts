/** Accepts the visitors of a forwarding, for `serve` and for `attach` of `@postern/node`. @module */
import { type Address, type BytePipe, onAbort } from "@postern/ssh";
import { describeType, SshError } from "@postern/wire";

/** The channel of a visitor. */
export type VisitorChannel = BytePipe & { readonly origin: Address };

/** A source of visitors: a listener of a tunnel, or any other async iterable of byte pipes with an origin. */
export type VisitorSource = AsyncIterable<VisitorChannel>;

/** The acceptor of each forwarding that is in use. */
const acceptors = /* @__PURE__ */ new WeakMap<object, Acceptor>();

/** Accepts the visitors of one forwarding. There is one acceptor at a time: two would divide the visitors. */
export class Acceptor {
  readonly caller: string;
  readonly source: VisitorSource;
  readonly signal: AbortSignal | undefined;
  readonly #channels: AsyncIterator<VisitorChannel>;
  readonly #stopListening: () => void;
  /** Resolves the pending wait for a visitor. */
  #wake: (result: undefined) => void = () => {};

  /**
   * @param caller the name of the function that accepts visitors, for error messages
   * @throws SshError `misuse` if the source cannot be iterated, has a target, or is in use
   */
  constructor(caller: string, source: VisitorSource, signal: AbortSignal | undefined) {
    checkSource(source);
    this.caller = caller;
    this.source = source;
    this.signal = signal;
    this.#channels = source[Symbol.asyncIterator]();
    acceptors.set(source, this);
    this.#stopListening = onAbort(signal, () => {
      this.#release();
      // In the turn of the abort, so that the next visitor goes to the next acceptor.
      this.#channels.return?.().catch(() => {});
      this.#wake(undefined);
    });
  }

  /**
   * Calls `accept` with each visitor. Resolves when the forwarding has ended or the signal has fired; rejects as the
   * forwarding does.
   */
  async run(accept: (channel: VisitorChannel) => void): Promise<void> {
    try {
      while (!this.signal?.aborted) {
        const next = this.#channels.next();
        const result = await new Promise<IteratorResult<VisitorChannel> | undefined>((resolve, reject) => {
          this.#wake = resolve;
          next.then(resolve, reject);
        });
        if (result === undefined || this.signal?.aborted) {
          // Not awaited: the `return` of a generator waits for its pending `next`.
          next.then(
            ({ value }) => value?.close(),
            () => {},
          );
          return;
        }
        if (result.done) return;
        accept(result.value);
      }
    } finally {
      this.#release();
      this.#stopListening();
    }
  }

  #release(): void {
    if (acceptors.get(this.source) === this) acceptors.delete(this.source);
  }
}

function checkSource(source: VisitorSource): void {
  const expected = "expected a forwarding that listen() returned";
  const { target } = ((source as unknown) ?? {}) as { readonly target?: Partial<Address> };
  if (target !== undefined) {
    const where = target.host === undefined ? "" : ` (${target.host} port ${target.port})`;
    throw new SshError("misuse", `${expected}, got one with a target${where}, which receives all visitors`);
  }
  if (typeof source?.[Symbol.asyncIterator] !== "function") {
    throw new SshError("misuse", `${expected}, got ${describeType(source)}`);
  }
  const other = acceptors.get(source);
  if (other !== undefined) {
    throw new SshError("misuse", `${expected}, got one that ${other.caller}() already uses`);
  }
}
