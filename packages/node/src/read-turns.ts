/** Equal turns for busy sockets. @module */
import { atEndOfTurn } from "./end-of-turn.ts";

/** A socket that can wait for its next turn. */
export interface TurnReader {
  /** Called at the end of a turn in which {@link mayReadOn} returned `false`. */
  nextTurn(): void;
}

/** The sockets with a read that filled its buffer in this turn of the event loop. */
const busy = new Set<TurnReader>();
/** whether the last turn had several of them */
let isContended = false;

const turn = {
  turnIsOver(): void {
    const readers = [...busy];
    const haveWaited = isContended;
    busy.clear();
    isContended = readers.length > 1;
    if (haveWaited) for (const reader of readers) reader.nextTurn();
  },
};

/**
 * Called after each read that filled its buffer. Returns `false` if the socket has to pause until `nextTurn`, because
 * others are busy, too.
 *
 * libuv reads a socket up to 32 times in one turn, as long as it has data. The kernel enlarges the receive buffer of a
 * socket that is read often. Without turns, such a socket gets 2 MB a turn and others 64 KiB: one of eight equal
 * streams gets 20 times as much as most others.
 */
export function mayReadOn(reader: TurnReader): boolean {
  if (busy.size === 0) atEndOfTurn(turn);
  busy.add(reader);
  return !isContended;
}
