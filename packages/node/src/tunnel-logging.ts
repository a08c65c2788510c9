/** The options `log` and `debug` of a tunnel. @module */
import { stderr } from "node:process";
import type { Log } from "@postern/ssh";
import { packetLog, type TunnelOptions } from "@postern/tunnel";

/** Where packets are logged if the program has no log. */
export const logToStderr: Log = ({ message }) => void stderr.write(`${message}\n`);

/** Returns the option `tap` that logs packets, and passes them on to the program's own tap. */
export function withPacketLog(log: Log, tap: TunnelOptions["tap"]): NonNullable<TunnelOptions["tap"]> {
  return (server) => {
    const logging = packetLog(log, server);
    const own = tap?.(server);
    if (own === undefined) return logging;
    return {
      identification(line) {
        logging.identification?.(line);
        own.identification?.(line);
      },
      packet(packet) {
        logging.packet(packet);
        own.packet(packet);
      },
      ...(own.secretKeys && { secretKeys: (keys) => own.secretKeys?.(keys) }),
    };
  };
}
