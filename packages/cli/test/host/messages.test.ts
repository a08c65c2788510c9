import type { HostClient, TunnelHost } from "@postern/node";
import { SshError } from "@postern/wire";
import { expect, it } from "vitest";
import { createConnections } from "../../src/host/connections.ts";
import type { HostLogger } from "../../src/host/logger.ts";
import { logEvents } from "../../src/host/messages.ts";

it("logs the reason and the text of a DISCONNECT as sshd does (RFC 4253 11.1)", () => {
  const lines: string[] = [];
  const logger = { write: (_level: string, text: string) => void lines.push(text) };
  const host = new EventTarget();
  const connections = createConnections();
  connections.arriving = { address: "192.0.2.1", port: 5000, localAddress: "192.0.2.2", localPort: 22 };
  logEvents(host as TunnelHost, { logger: logger as HostLogger, connections, attempts: () => 6 });
  const reason = new SshError("disconnected", 'the peer disconnected: "host key not verifiable" (reason 9)', {
    reason: 9,
    description: "host key not verifiable",
  });
  const client = { login: undefined } as HostClient;
  host.dispatchEvent(Object.assign(new Event("clientclosed"), { client, reason }));
  expect(lines).toEqual([
    "Received disconnect from 192.0.2.1 port 5000:9: host key not verifiable [preauth]",
    "Disconnected from 192.0.2.1 port 5000 [preauth]",
  ]);
});
