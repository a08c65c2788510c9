// A worker of a TunnelHost that fails as the text of the file POSTERN_WORKER_FAULT says, if any.
import { closeSync, openSync, readFileSync } from "node:fs";
import { runHostWorker } from "@postern/node";

const fault = readFileSync(process.env.POSTERN_WORKER_FAULT, "utf8");

if (fault === "broken") {
  // As a worker whose modules cannot be loaded.
  process.on("message", ({ type, number }) => {
    if (type === "call") process.send({ type: "error", number, error: { message: "cannot load a module" } });
  });
} else if (fault === "slow") {
  // Never reads a message.
  setInterval(() => {}, 1_000);
  process.channel.ref();
} else {
  if (fault === "short") {
    // The test takes all other descriptors away. These are free again once the first socket was refused.
    const spare = Array.from({ length: 8 }, () => openSync("/dev/null", "r"));
    const send = process._send;
    process._send = (message, ...args) => {
      if (message?.cmd === "NODE_HANDLE_NACK") for (const one of spare.splice(0)) closeSync(one);
      return send.call(process, message, ...args);
    };
  }
  runHostWorker();
}
