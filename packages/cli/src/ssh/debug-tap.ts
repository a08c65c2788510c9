/** What `-v` shows of the packets of a connection, in the words of ssh. @module */
import { type PacketTap, packetLog } from "@postern/node";
import { type Bytes, KexInit, Reader, UserauthFailure, UserauthRequest, UserauthSuccess } from "@postern/wire";
import type { SshLog } from "./log.ts";

const newKeys = 21;
/** Messages of a group exchange (RFC 4419 section 5); other key exchanges use the same numbers. */
const gex = { group: 31, init: 32, request: 34 } as const;

type Lists = ReturnType<typeof KexInit.decode>;

/**
 * Creates the tap of one connection. `debug1` shows key exchanges and login methods, `debug3` each packet by name,
 * without passwords and data.
 *
 * @param onMethod called with the method of each request to log in
 */
export function createDebugTap(
  log: SshLog,
  server: { readonly host: string; readonly port: number },
  onMethod: (method: string) => void,
): PacketTap {
  const packets = log.includes("debug3")
    ? packetLog(({ event, message }) => event === "packet" && log.write("debug3", message), server)
    : undefined;
  const lists: { sent?: Lists | undefined; received?: Lists | undefined } = {};
  let method: string | undefined;
  let isGroupExchange = false;
  let groupBits = 0;
  return {
    identification({ direction, line }) {
      if (direction === "sent") log.write("debug1", `Local version string ${line}`);
      else log.write("debug1", `Remote protocol version ${versionOf(line)}`);
    },
    packet(packet) {
      packets?.packet(packet);
      const { direction, payload } = packet;
      const number = payload[0];
      if (number === KexInit.number) begins(direction, payload);
      else if (number === newKeys) log.write("debug1", `SSH2_MSG_NEWKEYS ${direction}`);
      else if (number === UserauthRequest.number && direction === "sent") logsIn(payload);
      else if (number === UserauthFailure.number) refused(payload);
      else if (number === UserauthSuccess.number && method !== undefined)
        log.write("debug1", `Authentication succeeded (${method}).`);
      else if (isGroupExchange) exchangesGroup(payload);
    },
  };

  function begins(direction: "sent" | "received", payload: Bytes): void {
    log.write("debug1", `SSH2_MSG_KEXINIT ${direction}`);
    lists[direction] = KexInit.decode(payload);
    const { sent: client, received } = lists;
    if (client === undefined || received === undefined) return;
    lists.sent = undefined;
    lists.received = undefined;
    const kex = agreed(client.kexAlgorithms, received.kexAlgorithms);
    isGroupExchange = kex.startsWith("diffie-hellman-group-exchange-");
    log.write("debug1", `kex: algorithm: ${kex}`);
    log.write(
      "debug1",
      `kex: host key algorithm: ${agreed(client.serverHostKeyAlgorithms, received.serverHostKeyAlgorithms)}`,
    );
    describe("server->client", [client.encryptionS2c, received.encryptionS2c], [client.macS2c, received.macS2c]);
    describe("client->server", [client.encryptionC2s, received.encryptionC2s], [client.macC2s, received.macC2s]);
  }

  function describe(direction: string, ciphers: Pair, macs: Pair): void {
    const cipher = agreed(...ciphers);
    const mac = /gcm|poly1305/.test(cipher) ? "<implicit>" : agreed(...macs);
    log.write("debug1", `kex: ${direction} cipher: ${cipher} MAC: ${mac} compression: none`);
  }

  function exchangesGroup(payload: Bytes): void {
    const reader = new Reader(payload.subarray(1), "a group exchange");
    if (payload[0] === gex.request) {
      const [least, wanted, most] = [reader.uint32(), reader.uint32(), reader.uint32()];
      log.write("debug1", `SSH2_MSG_KEX_DH_GEX_REQUEST(${least}<${wanted}<${most}) sent`);
    } else if (payload[0] === gex.group) groupBits = bitsOf(reader.string());
    else if (payload[0] === gex.init) log.write("debug2", `bits set: ${onesOf(reader.string())}/${groupBits}`);
  }

  function logsIn(payload: Bytes): void {
    method = UserauthRequest.decode(payload).method.replace("-hostbound-v00@openssh.com", "");
    onMethod(method);
    log.write("debug1", `Next authentication method: ${method}`);
  }

  function refused(payload: Bytes): void {
    const { canContinue } = UserauthFailure.decode(payload);
    log.write("debug1", `Authentications that can continue: ${canContinue.join(",")}`);
  }
}

type Pair = readonly [client: readonly string[], server: readonly string[]];

/** The first of the client's names that the server has, too (RFC 4253 section 7.1). */
function agreed(client: readonly string[], server: readonly string[]): string {
  return client.find((name) => server.includes(name)) ?? "(no match)";
}

/** The size of a positive mpint in bits. */
function bitsOf(mpint: Bytes): number {
  const start = mpint.findIndex((byte) => byte !== 0);
  return start < 0 ? 0 : 8 * (mpint.length - start) - Math.clz32(mpint[start] ?? 0) + 24;
}

function onesOf(mpint: Bytes): number {
  return mpint.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
}

/** `2.0, remote software version OpenSSH_9.2`, as ssh prints it. */
function versionOf(line: string): string {
  const [, protocol = "", software = line] = /^SSH-([^-]*)-(.*)$/.exec(line) ?? [];
  return `${protocol}, remote software version ${software}`;
}
