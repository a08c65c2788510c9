/** Calls that the program of a toy session makes on its own. @module */
import type { ToySession } from "./toy-session.ts";

const limits = { window: 1000, maxPacket: 100 };
const none = new Uint8Array(0);

/** Calls of the program, by name. Channel calls are for our first channel. */
export const toyActions: Readonly<Record<string, (session: ToySession) => void>> = {
  "opens a channel": ({ machine }) => void machine.connection.openChannel("x", none, limits),
  "gives up its open": ({ machine }) => machine.connection.abandonOpen(0),
  "accepts the channel": ({ machine }) => machine.connection.confirmOpen(0),
  "refuses the channel": ({ machine }) => machine.connection.refuseOpen(0, 1, "no"),
  "sends a channel request": ({ machine }) => machine.connection.request(0, "x", none, true),
  "sends a global request": ({ machine }) => machine.connection.globalRequests.send("x", none, true),
  "writes more than the window": ({ machine }) => void machine.connection.write(0, new Uint8Array(200)),
  "sends EOF": ({ machine }) => machine.connection.eof(0),
  "sends CLOSE": ({ machine }) => machine.connection.close(0),
  "starts a rekey": ({ machine }) => machine.startRekey(),
};
