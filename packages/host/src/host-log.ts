/** Log records of a TunnelHost: one for each event. @module */
import { createLogWriter, hostPort, type Log, type LogFields, setRef, type WriteLog } from "@postern/ssh";
import { quote } from "@postern/wire";
import type { HostClient, HostForwarding } from "./client-view.ts";
import {
  HostClientEvent,
  type HostEvent,
  HostForwardingEvent,
  HostVisitorEvent,
  HostWorkerEvent,
  LoginEvent,
  RefusalEvent,
  TakeoverEvent,
} from "./events.ts";
import type { Address } from "./platform.ts";

/** Writes the records of a host. */
export interface HostLog {
  event(event: HostEvent): void;
  readonly write: WriteLog;
}

/** Records of refusals per second and kind. More are only counted, so that a flood of refusals is none of records. */
const refusalsPerSecond = 10;

/**
 * Returns a log that writes a record for each event, except of refusals beyond ten per second and kind. Costs nothing
 * if `log` is undefined.
 */
export function createHostLog(log: Log | undefined): HostLog {
  const write = createLogWriter(log);
  if (log === undefined) return { write, event: () => {} };
  const mayWrite = refusalGate(write);
  return {
    write,
    event: (event) => {
      if (!(event instanceof RefusalEvent) || mayWrite(event.what)) writeEvent(write, event);
    },
  };
}

/** Returns a function that says whether to write a refusal. It writes the number of the others after each second. */
function refusalGate(write: WriteLog): (what: RefusalEvent["what"]) => boolean {
  const counts = new Map<RefusalEvent["what"], number>();
  const endSecond = (what: RefusalEvent["what"]): void => {
    const omitted = (counts.get(what) ?? 0) - refusalsPerSecond;
    counts.delete(what);
    if (omitted > 0) write("warn", "refusal", `refused a ${what} ${omitted} more times`, { what, omitted });
  };
  return (what) => {
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    if (count === 1)
      setRef(
        setTimeout(() => endSecond(what), 1_000),
        false,
      );
    return count <= refusalsPerSecond;
  };
}

function writeEvent(write: WriteLog, event: HostEvent): void {
  if (event instanceof HostClientEvent) writeClient(write, event);
  else if (event instanceof LoginEvent) writeLogin(write, event);
  else if (event instanceof RefusalEvent) writeRefusal(write, event);
  else if (event instanceof HostForwardingEvent) {
    const what = event.type === "forwardingopened" ? "listens on" : "no longer listens on";
    const { client, forwarding, type } = event;
    const fields = { ...clientFields(client), ...forwardingFields(forwarding) };
    write("info", type, `the host ${what} ${portOf(forwarding)} for ${nameOf(client)}`, fields);
  } else if (event instanceof HostVisitorEvent) {
    const { client, forwarding, origin, type } = event;
    const from = forwarding.path === undefined ? ` from ${hostPort(origin)}` : "";
    const message = `a visitor${from} connected to ${portOf(forwarding)}`;
    const visitor = from === "" ? {} : { visitorHost: origin.host, visitorPort: origin.port };
    write("debug", type, message, { ...clientFields(client), ...forwardingFields(forwarding), ...visitor });
  } else if (event instanceof TakeoverEvent) {
    const { client, previous, port, path, type } = event;
    const place = path === undefined ? `port ${port}` : `"${path}"`;
    const message = `${nameOf(client)} takes ${place} over from ${nameOf(previous)}, which does not answer`;
    const fields = path === undefined ? { listenPort: port } : { path };
    write("info", type, message, { ...clientFields(client), ...fields, previous: previous.id });
  } else if (event instanceof HostWorkerEvent) {
    const { pid, reason, type } = event;
    write("error", type, `a worker process ended: ${reason}`, { pid, reason });
  } else event satisfies never;
}

function writeClient(write: WriteLog, { type, client, reason }: HostClientEvent): void {
  const fields = clientFields(client);
  if (type === "clientopened") {
    write("debug", type, `${nameOf(client)} connected`, fields);
    return;
  }
  const { bytesIn, bytesOut, since } = client;
  const durationMs = Date.now() - since.getTime();
  const why = reason === undefined ? "" : `: ${reason.message}`;
  const end = { code: reason?.code, reason: reason?.message, bytesIn, bytesOut, durationMs };
  write(reason === undefined ? "info" : "warn", type, `${nameOf(client)} disconnected${why}`, { ...fields, ...end });
}

function writeLogin(write: WriteLog, { type, client, method, fingerprint, certificate, algorithms }: LoginEvent): void {
  const { kex, hostKey, cipherC2s, cipherS2c, macC2s, macS2c, postQuantum } = algorithms;
  write("info", type, `${nameOf(client)} logged in by ${method}`, {
    ...clientFields(client),
    method,
    fingerprint,
    certificateId: certificate?.keyId,
    certificateSerial: certificate?.serial.toString(),
    certificateAuthority: certificate?.authority,
    version: client.version,
    kex,
    hostKey,
    cipherC2s,
    cipherS2c,
    macC2s,
    macS2c,
    postQuantum,
  });
}

function writeRefusal(write: WriteLog, { type, what, reason, client, origin, limit }: RefusalEvent): void {
  const from = origin === undefined ? {} : { host: origin.host, port: origin.port };
  const fields = { ...(client && clientFields(client)), ...from, what, reason, limit };
  write("warn", type, `refused a ${what}: ${reason}`, fields);
}

function clientFields({ id, user, origin }: HostClient): LogFields {
  return { client: id, user, host: origin?.host, port: origin?.port };
}

function forwardingFields({ address, port, path, url }: HostForwarding): LogFields {
  return path === undefined ? { address, listenPort: port, url } : { path, url };
}

function nameOf({ id, user, origin }: HostClient): string {
  const from = (address: Address): string => ` from ${hostPort(address)}`;
  return `client ${id}${user === undefined ? "" : ` (${quote(user, 64)})`}${origin === undefined ? "" : from(origin)}`;
}

function portOf({ address, port, path }: HostForwarding): string {
  return path === undefined ? `"${address}" port ${port}` : `"${path}"`;
}
