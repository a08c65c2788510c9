/** Log records of the packets of a connection, as `ssh -vvv` prints them. @module */
import { createLogWriter, type Log, type PacketTap } from "@postern/ssh";
import { createPacketDecoder, type DescribedValue, type PacketDescription } from "@postern/wire";
import type { Endpoint } from "./options.ts";

/** Characters of one record. Lists of algorithms are the longest texts. */
const maxCharacters = 4096;

/**
 * Returns the tap of one connection, which passes a record of each packet to `log`: its name, its size, and those of
 * its fields that are text or numbers. Users, passwords, answers to prompts, commands, environments and data are left
 * out.
 *
 * @example
 * const log: Log = ({ level, message, ...fields }) => console[level](message, fields);
 * const tunnel = new ReverseTunnel({ ...options, tap: (server) => packetLog(log, server) });
 */
export function packetLog(log: Log, { host, port }: Endpoint): PacketTap {
  const write = createLogWriter(log);
  const decoder = createPacketDecoder();
  return {
    identification: ({ direction, line }) =>
      write("debug", "identification", `${verbs[direction]} ${line}`, { host, port, direction }),
    packet({ direction, payload, size, sequence }) {
      const packet = decoder.describe(direction, payload);
      const { number, name, about } = packet;
      const message = `${verbs[direction]} ${name} (${number})${textOf(packet)}, ${size} bytes`;
      write("debug", "packet", message, { host, port, direction, number, name, about, size, sequence });
    },
  };
}

/** Fields that may hold a secret, such as the token of a hosted service; and all of an environment. */
const hidden = new Set(["user", "command"]);

const verbs = { sent: "send", received: "receive" };

function textOf({ about, fields, problem }: PacketDescription): string {
  const shown = fields.flatMap(({ name, value, meaning, isSecret }) => {
    const isHidden = isSecret || about === "env" || hidden.has(name);
    const text = isHidden ? undefined : textOfValue(value);
    return text === undefined ? [] : [`${name} ${meaning ?? text}`];
  });
  const parts = [about, ...shown, problem && `problem: ${problem}`].filter((part) => part !== undefined && part !== "");
  return parts.length === 0 ? "" : `: ${parts.join(", ").slice(0, maxCharacters)}`;
}

/** Returns undefined for data and prompts. */
function textOfValue(value: DescribedValue): string | undefined {
  if (typeof value !== "object") return String(value);
  const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
  return isList ? value.join(",") : undefined;
}
