/** Callbacks at the end of a turn of the event loop, after all ready sockets have been handled. @module */
import { setImmediate } from "node:timers";

/** Called by {@link atEndOfTurn}. */
export interface TurnListener {
  turnIsOver(): void;
}

const listeners: TurnListener[] = [];

/** Calls the listener once, at the end of this turn. */
export function atEndOfTurn(listener: TurnListener): void {
  if (listeners.push(listener) === 1) setImmediate(endTurn);
}

function endTurn(): void {
  for (const listener of listeners.splice(0)) {
    try {
      listener.turnIsOver();
    } catch (error) {
      // The other listeners are called even if one throws.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
