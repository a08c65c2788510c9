/** An EventTarget that knows its events. Uses no type of lib DOM. @module */

/** A listener: a function, or an object with `handleEvent`. */
export type TypedEventListener<E> = ((event: E) => void) | { handleEvent(event: E): void } | null;

/** Options of `addEventListener`, as on the web platform. */
export interface TypedListenerOptions {
  readonly capture?: boolean;
  readonly once?: boolean;
  readonly passive?: boolean;
  readonly signal?: AbortSignal;
}

/** An EventTarget whose event names and types are the keys and values of `Events`. Other names do not compile. */
export interface TypedEventTarget<Events> {
  addEventListener<Type extends keyof Events & string>(
    type: Type,
    listener: TypedEventListener<Events[Type]>,
    options?: TypedListenerOptions | boolean,
  ): void;
  removeEventListener<Type extends keyof Events & string>(
    type: Type,
    listener: TypedEventListener<Events[Type]>,
    options?: { readonly capture?: boolean } | boolean,
  ): void;
  dispatchEvent(event: Event): boolean;
}

/** `EventTarget` itself; only its type differs. */
export const TypedEventTarget: new <Events>() => TypedEventTarget<Events> = EventTarget as never;
