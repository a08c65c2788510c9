/** Calls between the primary and a worker, as messages that structured clone can carry. @module */
import { type Deferred, deferred } from "@postern/ssh";
import { SshError, type SshErrorCode } from "@postern/wire";

/** Sends a message to the other process, with a socket or another handle. */
export type SendMessage = (message: unknown, handle?: unknown) => void;

/** An error as the other process gets it. */
export interface PassedError {
  readonly code: SshErrorCode | undefined;
  readonly message: string;
  readonly reason: number | undefined;
  readonly description: string | undefined;
  /** The message of its cause. */
  readonly cause: string | undefined;
}

type Functions = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

/** A message. Values of peers are only in `args`, `value` and `error`. */
type Message =
  | { readonly type: "call"; readonly number: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly type: "note"; readonly name: string; readonly args: readonly unknown[] }
  | { readonly type: "result"; readonly number: number; readonly value: unknown }
  | { readonly type: "error"; readonly number: number; readonly error: PassedError };

/** Calls the functions of the other process, and answers its calls. Messages arrive in the order of the calls. */
export class Link<Theirs extends object, Ours extends object> {
  readonly #send: SendMessage;
  readonly #functions: Functions;
  readonly #pending = new Map<number, Deferred<unknown>>();
  #next = 1;
  #closed: SshError | undefined;

  constructor(send: SendMessage, functions: Ours) {
    this.#send = send;
    this.#functions = functions as unknown as Functions;
  }

  /**
   * Calls a function.
   *
   * @throws SshError `closed` if the other process has ended; the error that the function threw
   * @throws DOMException if an argument cannot be cloned
   */
  async call<Name extends keyof Theirs & string>(
    name: Name,
    ...args: Theirs[Name] extends (...args: infer Args) => unknown ? Args : never
  ): Promise<Theirs[Name] extends (...args: never[]) => infer Result ? Awaited<Result> : never> {
    if (this.#closed !== undefined) throw this.#closed;
    const number = this.#next++;
    const answer = deferred<unknown>();
    this.#pending.set(number, answer);
    try {
      this.#send({ type: "call", number, name, args } satisfies Message);
    } catch (error) {
      this.#pending.delete(number);
      throw error;
    }
    return (await answer.promise) as never;
  }

  /** Calls a function without waiting for its result. `handle` becomes its last argument. */
  notify<Name extends keyof Theirs & string>(
    name: Name,
    args: Theirs[Name] extends (...args: infer Args) => unknown ? Partial<Args> : never,
    handle?: unknown,
  ): void {
    if (this.#closed === undefined) this.#send({ type: "note", name, args } satisfies Message, handle);
  }

  /** Handles a message. Ignores it if the other process has ended: some arrive after its end was reported. */
  receive(given: unknown, handle?: unknown): void {
    if (this.#closed !== undefined) return;
    const message = given as Message;
    switch (message.type) {
      case "note":
        this.#functions[message.name]?.(...message.args, ...(handle === undefined ? [] : [handle]));
        return;
      case "call":
        void this.#answer(message.number, message.name, message.args);
        return;
      case "result":
        this.#take(message.number)?.resolve(message.value);
        return;
      case "error":
        this.#take(message.number)?.reject(receivedError(message.error));
        return;
      default:
        message satisfies never;
    }
  }

  /** The other process has ended: rejects pending calls. */
  close(error: SshError): void {
    this.#closed = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  /** Never rejects for a function that throws, or returns a value that cannot be cloned. */
  async #answer(number: number, name: string, args: readonly unknown[]): Promise<void> {
    try {
      const called = this.#functions[name];
      if (called === undefined) throw new SshError("misuse", `expected a function of this process, got ${name}`);
      this.#reply({ type: "result", number, value: await called(...args) });
    } catch (error) {
      this.#reply({ type: "error", number, error: passedError(error) });
    }
  }

  #reply(message: Message): void {
    if (this.#closed === undefined) this.#send(message);
  }

  #take(number: number): Deferred<unknown> | undefined {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    return pending;
  }
}

export function passedError(error: unknown): PassedError {
  if (error instanceof SshError) {
    const { code, message, reason, description, cause } = error;
    return { code, message, reason, description, cause: cause === undefined ? undefined : messageOf(cause) };
  }
  return { code: undefined, message: messageOf(error), reason: undefined, description: undefined, cause: undefined };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function receivedError({ code, message, reason, description, cause }: PassedError): SshError {
  return new SshError(code ?? "closed", message, {
    ...(reason !== undefined && { reason }),
    ...(description !== undefined && { description }),
    ...(cause !== undefined && { cause: new Error(cause) }),
  });
}
