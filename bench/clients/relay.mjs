/** A relay without SSH: one Node process that copies bytes through fixed buffers. `node relay.mjs ORDERS`. @module */
import { connect, createServer, Socket } from "node:net";
import { fileURLToPath } from "node:url";

const half = { allowHalfOpen: true, noDelay: true };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { listenPort, targetPort } = JSON.parse(process.argv[2]);
  startRelay(listenPort, targetPort);
}

/** Relays a port to a target. `work` is called with the number of bytes read in each direction. */
export function startRelay(listenPort, targetPort, { up, down } = {}) {
  createServer({ ...half, pauseOnConnect: true }, (accepted) => relay(accepted, targetPort, up, down)).listen(
    listenPort,
    "127.0.0.1",
  );
}

function relay(accepted, targetPort, up, down) {
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
      up,
    ),
  });
  const visitor = new Socket({
    ...half,
    handle,
    onread: into(
      () => target,
      () => visitor,
      down,
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
}

/** Writes the bytes read. A buffer that the kernel has not taken at once stays in use, so the next read has another. */
function into(other, self, work) {
  let buffer = Buffer.allocUnsafeSlow(65_536);
  return {
    buffer: () => buffer,
    callback: (size) => {
      work?.(size);
      const socket = other();
      const more = socket.write(buffer.subarray(0, size));
      if (socket.writableLength > 0) buffer = Buffer.allocUnsafeSlow(65_536);
      if (!more) socket.once("drain", () => self().resume());
      return more;
    },
  };
}
