/** A forwarding of a client in a worker, as the primary sees it. @module */
import type { HostForwarding } from "../client-view.ts";
import type { ForwardingCounts, PassedForwarding } from "./messages.ts";

/** Has the counters of the worker's last report. */
export class RemoteForwarding implements HostForwarding {
  readonly address: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly hosts: readonly string[];
  url: string | undefined;
  visitors = 0;
  open = 0;
  bytesIn = 0;
  bytesOut = 0;

  constructor({ address, port, path, hosts, url }: PassedForwarding) {
    this.address = address;
    this.port = port;
    this.path = path;
    this.hosts = hosts;
    this.url = url;
  }

  count({ visitors, open, bytesIn, bytesOut }: ForwardingCounts): void {
    this.visitors = visitors;
    this.open = open;
    this.bytesIn = bytesIn;
    this.bytesOut = bytesOut;
  }
}
