/** Whether a timer or a pipe keeps the process alive, as `ref` and `unref` of Node.js decide. @module */

/** A timer or a socket of Node.js. In a browser a timer is a number and keeps nothing alive. */
interface Ref {
  ref?(): unknown;
  unref?(): unknown;
}

/** Calls `ref` or `unref` if the object has it. */
export function setRef(object: unknown, keepsAlive: boolean): void {
  if (typeof object !== "object" || object === null) return;
  if (keepsAlive) (object as Ref).ref?.();
  else (object as Ref).unref?.();
}
