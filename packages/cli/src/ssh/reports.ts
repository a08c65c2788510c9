/** What the client reports of a tunnel: lines, a status line on a terminal, or records. @module */
import type { ReverseTunnel, TunnelState } from "@postern/node";
import { hostPort } from "@postern/ssh";
import { SshError } from "@postern/wire";
import { createStatusLine } from "../terminal/index.ts";
import type { SshLog } from "./log.ts";
import { describeFailure, describeOpenFailure, type MessageContext } from "./messages.ts";

/** Options of {@link reportTunnel}. */
export interface ReportOptions {
  readonly log: SshLog;
  /** the server as the user named it */
  readonly destination: string;
  readonly context: () => MessageContext;
  /** whether a terminal shows the state in one line that changes */
  readonly showsStatus: boolean;
}

/** How often the figures of the status line are read. */
const refreshMs = 1000;

/** Reports until the tunnel is closed. Returns a function that ends the status line. */
export function reportTunnel(tunnel: ReverseTunnel, options: ReportOptions): () => void {
  const { log, destination, context, showsStatus } = options;
  const line = createStatusLine(process.stderr);
  const isShown = showsStatus && line.isOn;
  let openedAt: number | undefined;
  let wasOpen = false;
  let previous: TunnelState = tunnel.state;
  const show = (): void => {
    if (!isShown) return;
    const { accepted, open, bytesIn, bytesOut, roundTripMs } = tunnel.stats();
    const forwardings = tunnel.forwardings.map(
      (one) => one.url ?? one.path ?? hostPort({ host: one.address || "*", port: one.port ?? 0 }),
    );
    line.show({
      state: tunnel.state,
      server: destination,
      forwardings,
      visitors: open,
      accepted,
      bytesIn,
      bytesOut,
      roundTripMs,
      openedAt,
    });
  };
  const timer = isShown ? setInterval(show, refreshMs).unref() : undefined;
  if (isShown) {
    log.onLine = (write) => {
      line.clear();
      write();
    };
  }
  tunnel.addEventListener("state", ({ state, reason }) => {
    openedAt = state === "open" ? Date.now() : undefined;
    if (!log.isJson) {
      if (state === "open") log.write(wasOpen ? "info" : "verbose", connectedLine(context()));
      // An attempt that failed, unlike a loss, has the words of a login.
      if (state === "waiting" && reason !== undefined)
        for (const text of describeFailure(reason, { ...context(), wasOpen: previous === "open" }))
          log.write("info", text);
    }
    previous = state;
    wasOpen ||= state === "open";
    show();
  });
  tunnel.addEventListener("reconnectattempt", ({ intervalMs }) => {
    if (!log.isJson) log.write("info", `reconnecting to ${destination} in ${(intervalMs / 1000).toFixed(1)} s`);
  });
  tunnel.addEventListener("forwarding", ({ forwarding, state, reason }) => {
    show();
    if (log.isJson || state === "open" || reason === undefined || tunnel.state !== "open") return;
    const at = forwarding.path ?? hostPort({ host: forwarding.address || "*", port: forwarding.port ?? 0 });
    log.write("info", `remote forwarding of ${at} is ${state}: ${reason.message}`);
  });
  tunnel.addEventListener("banner", ({ message }) => {
    if (!log.isJson && log.includes("info")) process.stderr.write(message);
  });
  tunnel.addEventListener("debug", ({ message }) => log.write("debug1", `Remote: ${message}`));
  tunnel.addEventListener("localerror", ({ error }) => {
    if (log.isJson) return;
    const described = describeOpenFailure(undefined, error);
    log.write("error", described instanceof Error ? described.message : String(described));
  });
  tunnel.addEventListener("visitorerror", ({ forwarding, error }) => {
    if (log.isJson) return;
    const { target } = forwarding;
    if (target === undefined || target === "socks" || !(error instanceof SshError))
      return log.write("error", String(error));
    log.write(
      "error",
      "path" in target
        ? `connect_to ${target.path}: failed.`
        : `connect_to ${target.host} port ${target.port}: failed.`,
    );
    log.write("debug1", error.message);
  });
  return () => {
    clearInterval(timer);
    log.onLine = undefined;
    line.close();
  };
}

function connectedLine({ host, address, method }: MessageContext): string {
  const using = method === undefined || method === "" ? "" : ` using "${method}"`;
  return `Authenticated to ${host} ([${address.host}]:${address.port})${using}.`;
}
