/** The addresses that a forwarding listens on: OpenSSH's rules for GatewayPorts, sshd_config(5). @module */
import { describeType, SshError } from "@postern/wire";

/**
 * The addresses that a forwarding listens on: `no` is loopback, `yes` all addresses, `clientspecified` the client's
 * choice.
 */
export type GatewayPorts = "no" | "yes" | "clientspecified";

/** @throws SshError `misuse` for anything else */
export function expectGatewayPorts(given: unknown): void {
  if (given === "no" || given === "yes" || given === "clientspecified") return;
  const got = typeof given === "string" ? `"${given}"` : describeType(given);
  throw new SshError("misuse", `expected gatewayPorts to be no, yes or clientspecified, got ${got}`);
}

/** The result of {@link bindAddresses}. */
export interface Binding {
  /** IP addresses, or the host name that the client requested if `clientspecified`. */
  readonly hosts: readonly string[];
  /** A message for the client if the addresses differ from its request. */
  readonly notice: string | undefined;
}

const loopback = ["127.0.0.1", "::1"];
const all = ["0.0.0.0", "::"];

/**
 * Returns the addresses to listen on for a `tcpip-forward` request (RFC 4254 section 7.1), as sshd chooses them.
 *
 * @example
 * bindAddresses("localhost", "no").hosts; // ["127.0.0.1", "::1"]
 */
export function bindAddresses(requested: string, gatewayPorts: GatewayPorts): Binding {
  const everywhere = requested === "" || requested === "*";
  switch (gatewayPorts) {
    case "no": {
      const hosts = loopback.includes(requested) ? [requested] : loopback;
      const isAsRequested = hosts.length === 1 || requested.toLowerCase() === "localhost";
      const notice = isAsRequested ? undefined : "the server listens on loopback only (gatewayPorts: no)";
      return { hosts, notice };
    }
    case "yes": {
      const isAsRequested = everywhere || all.includes(requested);
      const notice = isAsRequested ? undefined : "the server listens on all addresses (gatewayPorts: yes)";
      return { hosts: all, notice };
    }
    case "clientspecified":
      return { hosts: everywhere ? all : specified(requested), notice: undefined };
  }
}

function specified(requested: string): readonly string[] {
  if (requested === "localhost") return loopback;
  // sshd compares the name case-sensitively. Any other spelling is resolved, which yields the IPv4 address.
  return [requested.toLowerCase() === "localhost" ? "127.0.0.1" : requested];
}
