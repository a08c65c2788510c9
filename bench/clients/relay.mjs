/** A relay without SSH: one Node process that copies bytes through fixed buffers. `node relay.mjs ORDERS`. @module */
import { connect, createServer, Socket } from "node:net";

const { listenPort, targetPort } = JSON.parse(process.argv[2]);
const half = { allowHalfOpen: true, noDelay: true };

createServer({ ...half, pauseOnConnect: true }, (accepted) => {
  // Node supports `onread` only for outgoing connections, so the incoming handle is moved to a new socket.
  const handle = accepted._handle;
  accepted._handle = null;
  const target = connect({
    ...half,
    host: "127.0.0.1",
    port: targetPort,
    onread: into(
      () => visitor,
      () => target,
    ),
  });
  const visitor = new Socket({
    ...half,
    handle,
    onread: into(
      () => target,
      () => visitor,
    ),
  });
  for (const [one, other] of [
    [visitor, target],
    [target, visitor],
  ]) {
    one.once("end", () => other.end());
    one.on("error", () => other.destroy());
    one.once("close", () => other.destroySoon());
  }
}).listen(listenPort, "127.0.0.1");

/** Writes the bytes read. A buffer that the kernel has not taken at once stays in use, so the next read has another. */
function into(other, self) {
  let buffer = Buffer.allocUnsafeSlow(65_536);
  return {
    buffer: () => buffer,
    callback: (size) => {
      const socket = other();
      const more = socket.write(buffer.subarray(0, size));
      if (socket.writableLength > 0) buffer = Buffer.allocUnsafeSlow(65_536);
      if (!more) socket.once("drain", () => self().resume());
      return more;
    },
  };
}
