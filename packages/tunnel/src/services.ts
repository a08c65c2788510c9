/**
 * Presets for hosted tunnel services and for servers that many people run: the options of a tunnel that each of them
 * needs. Spread one into the options, and add `hostKey`. The facts about a service come from its source or its
 * documentation, as the comment of its preset says. None of them is contacted by the tests.
 * @module
 */
import { type AuthMethod, keyboardInteractive, none, password } from "@postern/auth";
import { checkOptions, type SessionProgram } from "@postern/ssh";
import { expectText, SshError } from "@postern/wire";
import { type HostedService, hostedService, type ServiceProfile } from "./hosted-session.ts";

/** The options of a tunnel that a preset brings. Those that follow it in the options replace them. */
export interface ServicePreset {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly session: SessionProgram;
  readonly service: HostedService;
}

/** As {@link ServicePreset}, with a login that needs no key. */
export interface OpenServicePreset extends ServicePreset {
  readonly auth: readonly AuthMethod[];
}

/**
 * localhost.run, by its documentation: an anonymous login as `nokey`, and a domain that changes from time to time. For
 * a domain that stays, add `user: "localhost"` or `user: "plan"`, and `auth` with a key of your account. The URL comes
 * from its JSON output.
 *
 * @example
 * const tunnel = new ReverseTunnel({ ...localhostRun(), hostKey: knownHosts() });
 */
export function localhostRun(): OpenServicePreset {
  return {
    host: "localhost.run",
    port: 22,
    user: "nokey",
    // It is not documented which of them logs in.
    auth: [none(), emptyAnswers()],
    session: { exec: "--output json" },
    service: hostedService({ port: 80, findUrl: localhostRunUrl }),
  };
}

function localhostRunUrl(line: string): string | undefined {
  try {
    const { event, address } = JSON.parse(line) as { readonly event?: unknown; readonly address?: unknown };
    const isHost = event === "tcpip-forward" && typeof address === "string" && /^[\w.-]+$/.test(address);
    return isHost ? `https://${address}` : undefined;
  } catch {
    return /^\S+ tunneled with tls termination, (https:\/\/\S+)/.exec(line)?.[1];
  }
}

/** Options of {@link pinggy}. */
export interface PinggyOptions {
  /** of your account; without it a tunnel ends after an hour */
  readonly token?: string;
  /** the type of tunnel: `http` (default), `tcp` or `tls` */
  readonly type?: "http" | "tcp" | "tls";
}

/**
 * Pinggy, by its documentation. With a token, a tunnel that already uses it is closed (`force`), so that a reconnection
 * does not wait for the old connection.
 *
 * @throws SshError `misuse`
 * @example
 * const tunnel = new ReverseTunnel({ ...pinggy({ token: "…" }), hostKey: knownHosts() });
 */
export function pinggy(options: PinggyOptions = {}): OpenServicePreset {
  checkOptions("pinggy", options, ["token", "type"]);
  const { token, type = "http" } = options;
  if (token !== undefined) expectText("token", token);
  return {
    host: "a.pinggy.io",
    port: 443,
    user: token === undefined ? type : `${token}+force+${type}`,
    auth: [password("")],
    session: { shell: true },
    // Of an HTTP tunnel it prints both URLs. Others are on lines of their own only if they are those of the tunnel.
    service: hostedService({
      port: 0,
      omitsPort: true,
      repeatsPort: true,
      findUrl: (line) => /^(?:https|tcp|tls):\/\/\S+$/.exec(line.trim())?.[0],
    }),
  };
}

/**
 * srv.us, by its source (pcarrier/srv.us). Any key logs in, and the URL depends on the key: add `auth`. The port is
 * the number of the forwarding, from 1: `forward({ port: 2, … })` has another URL.
 *
 * @example
 * const tunnel = new ReverseTunnel({ ...srvUs(), auth: [privateKey(pem)], hostKey: knownHosts() });
 */
export function srvUs(): ServicePreset {
  const findUrl: ServiceProfile["findUrl"] = (line, { port }) => {
    const [, number, url] = /^(\d+): (https:\/\/[^\s,]+)/.exec(line) ?? [];
    return Number(number) === port ? url : undefined;
  };
  return {
    host: "srv.us",
    port: 22,
    user: "srv",
    session: { shell: true },
    service: hostedService({ port: 1, findUrl }),
  };
}

/**
 * Serveo, by what it prints; it is closed source. Without a key it asks by keyboard-interactive, which is answered with
 * nothing. With `auth: [privateKey(…)]` a name that you request (`forward({ address: "name", … })`) is kept for your
 * key.
 *
 * @example
 * const tunnel = new ReverseTunnel({ ...serveo(), hostKey: knownHosts() });
 */
export function serveo(): OpenServicePreset {
  return {
    host: "serveo.net",
    port: 22,
    user: "serveo",
    auth: [emptyAnswers()],
    session: { shell: true },
    service: hostedService({
      port: 80,
      omitsPort: true,
      findUrl(line) {
        const [, url] = /^\s*Forwarding \S+ (?:traffic|connections) from (\S+)/.exec(line) ?? [];
        return url === undefined || url.includes("://") ? url : `tcp://${url}`;
      },
    }),
  };
}

/** Options of {@link sish}. */
export interface SishOptions {
  /** the server, such as `tuns.sh` */
  readonly host: string;
  /** the port of its SSH server, which is 2222 unless its operator has changed it; default 22 */
  readonly port?: number;
  /** any name, or that of your account; default `sish` */
  readonly user?: string;
}

/**
 * A server that runs sish, by its source (antoniomika/sish), such as tuns.sh. The default is a TCP port that the server
 * chooses. For HTTP: `forward({ address: "name", port: 80, target })`. Logs in without credentials; for a server that
 * wants a key or a password, add `auth`.
 *
 * @throws SshError `misuse`
 * @example
 * const service = sish({ host: "tuns.sh", user: "me" });
 * const tunnel = new ReverseTunnel({ ...service, auth: [agent()], hostKey: knownHosts() });
 */
export function sish(options: SishOptions): OpenServicePreset {
  checkOptions("sish", options, ["host", "port", "user"]);
  const { host, port = 22, user = "sish" } = options;
  return {
    host,
    port,
    user,
    auth: [none()],
    session: { shell: true },
    service: hostedService({ address: "localhost", port: 0, repeatsPort: true, findUrl: sishUrl }),
  };
}

function sishUrl(line: string, { address, port }: Parameters<NonNullable<ServiceProfile["findUrl"]>>[1]) {
  const [, label = "", url = ""] = /^(HTTPS?|TCP|TLS): (\S+)$/.exec(line) ?? [];
  const isHttp = port === 80 || port === 443;
  if (label.startsWith("HTTP")) {
    const name = address === "" || address === "localhost" ? "" : address;
    return isHttp && /^https?:\/\//.test(url) && url.includes(`//${name}`) ? url : undefined;
  }
  // The port of the reply is the one in the text only if 0 was requested.
  const isOther = isHttp || (port !== undefined && !url.endsWith(`:${port}`));
  return label === "" || isOther ? undefined : `${label.toLowerCase()}://${url}`;
}

/** Options of {@link ngrok}. */
export interface NgrokOptions {
  /** the command line of the endpoint; default `http` */
  readonly exec?: string;
}

/**
 * ngrok, by its documentation. Add `auth` with a key that you have uploaded to your account. One connection has one
 * endpoint: for HTTP, request port 443 (the default), or `address: "name.ngrok.app"` for a domain of yours; for
 * `exec: "tcp"`, port 0. ngrok publishes the fingerprints of its host keys; they are RSA.
 *
 * @throws SshError `misuse`
 * @example
 * const tunnel = new ReverseTunnel({ ...ngrok(), auth: [agent()], hostKey: knownHosts() });
 */
export function ngrok(options: NgrokOptions = {}): ServicePreset {
  checkOptions("ngrok", options, ["exec"]);
  const { exec = "http" } = options;
  return {
    host: "connect.ngrok-agent.com",
    port: 22,
    user: "v2",
    session: { exec },
    service: hostedService({
      port: /^(?:http|tls)\b/.test(exec) ? 443 : 0,
      omitsPort: true,
      repeatsPort: true,
      findUrl: (line) => /^Forwarding\s+(\w+:\/\/\S+)/.exec(line)?.[1],
    }),
  };
}

/** Options of {@link frp}. */
export interface FrpOptions {
  /** the server that runs frps with `sshTunnelGateway` */
  readonly host: string;
  /** `sshTunnelGateway.bindPort`; default 2200 */
  readonly port?: number;
  /** any name; default `v0` */
  readonly user?: string;
  /** the proxy, such as `http --proxy_name web --custom_domain www.example.com` or `tcp --remote_port 6000` */
  readonly exec: string;
}

/**
 * The SSH gateway of frp, by its source (fatedier/frp). It has one proxy for each connection. Logs in without
 * credentials; with `sshTunnelGateway.authorizedKeysFile` it wants a key: add `auth`.
 *
 * @throws SshError `misuse`
 * @example
 * const exec = "http --proxy_name web --custom_domain www.example.com";
 * const tunnel = new ReverseTunnel({ ...frp({ host: "frp.example.com", exec }), hostKey: knownHosts() });
 */
export function frp(options: FrpOptions): OpenServicePreset {
  checkOptions("frp", options, ["host", "port", "user", "exec"]);
  const { host, port = 2200, user = "v0", exec } = options;
  expectText("exec", exec);
  const [type = ""] = exec.trim().split(" ");
  if (!["tcp", "http", "https", "tcpmux", "stcp"].includes(type))
    throw new SshError("misuse", "expected exec to start with tcp, http, https, tcpmux or stcp");
  const scheme = type.startsWith("http") ? type : "tcp";
  return {
    host,
    port,
    user,
    auth: [none()],
    session: { exec },
    service: hostedService({
      address: "",
      port: 80,
      omitsPort: true,
      findUrl(line) {
        const [, address] = /^RemoteAddress: ([^\s,]+)/.exec(line) ?? [];
        return address && `${scheme}://${address.startsWith(":") ? host : ""}${address}`;
      },
    }),
  };
}

/** keyboard-interactive with an empty answer to each prompt */
function emptyAnswers(): AuthMethod {
  return keyboardInteractive(({ prompts }) => prompts.map(() => ""));
}
