/** The end of a turn of the event loop, when all sockets that were ready have been seen to. @module */
import { setImmediate } from "node:timers";

/** Who is to be told. */
export interface TurnListener {
  turnIsOver(): void;
}

const listeners: TurnListener[] = [];

/** Tells it once, at the end of this turn. */
export function atEndOfTurn(listener: TurnListener): void {
  if (listeners.push(listener) === 1) setImmediate(endTurn);
}

function endTurn(): void {
  for (const listener of listeners.splice(0)) {
    try {
      listener.turnIsOver();
    } catch (error) {
      // One that fails takes no other with it.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
