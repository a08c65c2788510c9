/** Which addresses a requested one stands for: the rules of OpenSSH's GatewayPorts, sshd_config(5). @module */

/** Who decides what a forwarding listens on: always loopback, always all addresses, or the client. */
export type GatewayPorts = "no" | "yes" | "clientspecified";

/** What to listen on. */
export interface Binding {
  /** literal addresses; a name only where the client may choose, and asked for one */
  readonly hosts: readonly string[];
  /** what the client must be told: it gets something else than it asked for */
  readonly notice: string | undefined;
}

const loopback = ["127.0.0.1", "::1"];
const all = ["0.0.0.0", "::"];

/**
 * The addresses to listen on for a `tcpip-forward` request (RFC 4254 section 7.1), as sshd chooses them.
 *
 * @example
 * bindAddresses("localhost", "no").hosts; // ["127.0.0.1", "::1"]
 */
export function bindAddresses(requested: string, gatewayPorts: GatewayPorts): Binding {
  const everywhere = requested === "" || requested === "*";
  switch (gatewayPorts) {
    case "no": {
      const hosts = loopback.includes(requested) ? [requested] : loopback;
      const asIs = hosts.length === 1 || requested.toLowerCase() === "localhost";
      const notice = asIs ? undefined : "the host listens on loopback only (gatewayPorts: no)";
      return { hosts, notice };
    }
    case "yes": {
      const asked = everywhere || all.includes(requested);
      return { hosts: all, notice: asked ? undefined : "the host listens on all addresses (gatewayPorts: yes)" };
    }
    case "clientspecified":
      return { hosts: everywhere ? all : specified(requested), notice: undefined };
  }
}

function specified(requested: string): readonly string[] {
  if (requested === "localhost") return loopback;
  // sshd compares the name with case, and looks any other spelling up: that gives IPv4.
  return [requested.toLowerCase() === "localhost" ? "127.0.0.1" : requested];
}
