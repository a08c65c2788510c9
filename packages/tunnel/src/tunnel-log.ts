/** Log records of a tunnel's events. @module */
import { createLogWriter, type Log, type LogFields } from "@postern/ssh";
import type { SshError } from "@postern/wire";
import type { Forwarding } from "./forwarding.ts";
import type { ReverseTunnel } from "./reverse-tunnel.ts";

/**
 * Passes a record of each event of a tunnel to `log`: `state`, `reconnectattempt`, `forwarding`, `visitorerror`,
 * `selfcheck`, `localerror`, `banner`, `message` and `debug`. The tunnels of `@postern/node` and `@postern/web` call it
 * for their option `log`.
 */
export function logTunnel(tunnel: ReverseTunnel, log: Log): void {
  const write = createLogWriter(log);
  tunnel.addEventListener("state", ({ state, reason }) => {
    const isTransient = state === "connecting" || state === "authenticating";
    // The program closed the tunnel, or aborted its login.
    const isWanted = reason === undefined || reason.code === "aborted";
    const level = isTransient ? "debug" : isWanted ? "info" : state === "closed" ? "error" : "warn";
    const fields = { state, ...reasonFields(reason), ...(state === "open" ? peerFields(tunnel) : {}) };
    write(level, "state", `the tunnel is ${state}${because(reason)}`, fields);
  });
  tunnel.addEventListener("reconnectattempt", ({ attempt, maxRetries, intervalMs, reason }) => {
    const limit = Number.isFinite(maxRetries) ? maxRetries : undefined;
    const fields = { attempt, maxRetries: limit, intervalMs: Math.round(intervalMs), ...reasonFields(reason) };
    write("info", "reconnectattempt", `attempt ${attempt} in ${Math.round(intervalMs)} ms`, fields);
  });
  tunnel.addEventListener("forwarding", ({ forwarding, state, reason }) => {
    const fields = { ...forwardingFields(forwarding), state, ...reasonFields(reason) };
    const message = `the forwarding of ${nameOf(forwarding)} is ${state}${because(reason)}`;
    write(reason === undefined ? "info" : "warn", "forwarding", message, fields);
  });
  tunnel.addEventListener("visitorerror", ({ forwarding, origin, error }) => {
    const reason = error instanceof Error ? error.message : String(error);
    const fields = { ...forwardingFields(forwarding), originHost: origin.host, originPort: origin.port, reason };
    write("warn", "visitorerror", `a visitor of ${nameOf(forwarding)} was refused: ${reason}`, fields);
  });
  tunnel.addEventListener("localerror", ({ forwarding, origin, error }) => {
    const reason = error instanceof Error ? error.message : String(error);
    const fields = {
      address: forwarding.address,
      port: forwarding.port,
      originHost: origin?.host,
      originPort: origin?.port,
    };
    write("warn", "localerror", `a connection to a local port was refused: ${reason}`, { ...fields, reason });
  });
  tunnel.addEventListener("selfcheck", ({ forwarding, result }) => {
    const fields = { ...forwardingFields(forwarding), ok: result.ok };
    const message = result.ok ? "leads here" : "does not lead here";
    write(result.ok ? "debug" : "warn", "selfcheck", `${nameOf(forwarding)} ${message}`, fields);
  });
  tunnel.addEventListener("banner", ({ message }) => write("info", "banner", message));
  tunnel.addEventListener("message", ({ message }) => write("info", "message", message));
  tunnel.addEventListener("debug", ({ message }) => write("debug", "debug", message));
}

function because(reason: SshError | undefined): string {
  return reason === undefined ? "" : `: ${reason.message}`;
}

function reasonFields(reason: SshError | undefined): LogFields {
  return reason === undefined ? {} : { code: reason.code, reason: reason.message };
}

function nameOf({ address, port, path }: Forwarding): string {
  return path ?? `${address}:${port ?? "?"}`;
}

function forwardingFields({ address, port, path, url }: Forwarding): LogFields {
  return path === undefined ? { address, port, url } : { path };
}

function peerFields({ peer }: ReverseTunnel): LogFields {
  if (peer === undefined) return {};
  const { kex, hostKey, cipherC2s, cipherS2c, postQuantum, strict } = peer.algorithms;
  return { server: peer.version, kex, hostKey, cipherC2s, cipherS2c, postQuantum, strict };
}
