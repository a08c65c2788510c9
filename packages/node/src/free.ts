/** Gives back the memory of large buffers at once, without waiting for the garbage collector. @module */
import type { Bytes } from "@postern/wire";

/** below it the call costs more than the memory */
const smallest = 4096;
/** what the view of a payload may lack of its buffer: the head of the message, and the padding */
const mostAround = 1024;

let drop: ((buffer: ArrayBuffer) => void) | undefined;

/**
 * Frees the memory behind a view (takes it, and all that shares its buffer): every view of it is empty from now on. A buffer that is much
 * larger than the view may be a pool's, such as Node.js and others have for small ones, and stays.
 *
 * `node:crypto` makes a buffer for each packet. Left to the garbage collector they fill 64 MiB in a fifth of a second, and V8 then
 * looks at the whole heap: a quarter of the time of a stream.
 */
export function free({ buffer, byteLength }: Bytes): void {
  if (byteLength < smallest || buffer.byteLength - byteLength > mostAround || !(buffer instanceof ArrayBuffer)) return;
  drop ??= findDrop();
  drop(buffer);
}

function findDrop(): (buffer: ArrayBuffer) => void {
  // Node.js 22 and newer, Deno, Bun.
  if ("transfer" in ArrayBuffer.prototype) {
    return (buffer) => void (buffer as ArrayBuffer & { transfer(size: number): ArrayBuffer }).transfer(0);
  }
  // What is transferred to a port that is closed goes nowhere, and is gone (HTML, message port post message steps).
  const { port1 } = new MessageChannel();
  port1.close();
  return (buffer) => port1.postMessage(null, [buffer]);
}
