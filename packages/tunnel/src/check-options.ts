/** Checks the options of a ReverseTunnel and fills in the defaults. @module */
import type { AuthEntry, AuthMethod } from "@postern/auth";
import { checkAlgorithms, checkAuth, checkKeepAlive, checkOptions, rekeyLimits } from "@postern/ssh";
import {
  describeType,
  expectList,
  expectNumber,
  expectPort,
  expectText,
  expectType,
  quote,
  SshError,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { type HostKeyCheck, isHostKeyCheck } from "./host-key.ts";
import type {
  CheckedJumpHost,
  CheckedOptions,
  Endpoint,
  JumpHost,
  ReconnectChanges,
  TunnelOptions,
} from "./options.ts";
import type { Platform } from "./platform.ts";
import type { ReconnectOptions } from "./reconnect.ts";

const tunnelOptions = [
  "host",
  "port",
  "hosts",
  "preferFirst",
  "user",
  "auth",
  "hostKey",
  "via",
  "proxy",
  "hostKeyAlias",
  "algorithms",
  "rekey",
  "keepAlive",
  "reconnect",
  "beforeReconnect",
  "exitOnForwardFailure",
  "session",
  "service",
  "selfCheck",
  "loginTimeoutMs",
  "targetTimeoutMs",
  "tap",
] as const satisfies readonly (keyof TunnelOptions)[];

type PlatformDefaults = Pick<Platform, "algorithms" | "defaultHostKey" | "service">;
type GivenOptions = Omit<TunnelOptions, "hostKey"> & Partial<Pick<TunnelOptions, "hostKey">>;

/** @throws SshError `misuse` with the name of the option, the expected value and the actual one */
export function checkTunnelOptions(given: GivenOptions, platform: PlatformDefaults): CheckedOptions {
  checkOptions("ReverseTunnel", given, tunnelOptions);
  const {
    user,
    auth,
    hostKey = platform.defaultHostKey?.(),
    hostKeyAlias,
    algorithms = {},
    selfCheck = { intervalMs: 0 },
  } = given;
  if (hostKeyAlias !== undefined) expectText("hostKeyAlias", hostKeyAlias);
  checkOptions("selfCheck", selfCheck, ["intervalMs"]);
  const {
    preferFirst = false,
    exitOnForwardFailure = false,
    loginTimeoutMs = Limits.loginTimeoutMs,
    targetTimeoutMs = 30_000,
  } = given;
  expectType("preferFirst", preferFirst, "boolean");
  expectType("exitOnForwardFailure", exitOnForwardFailure, "boolean");
  expectNumber("loginTimeoutMs", loginTimeoutMs, 1);
  expectNumber("targetTimeoutMs", targetTimeoutMs, 1);
  expectNumber("selfCheck.intervalMs", selfCheck.intervalMs, 0);
  for (const name of ["beforeReconnect", "tap"] as const)
    if (given[name] !== undefined) expectType(name, given[name], "function");
  const checked = {
    endpoints: checkEndpoints(given),
    preferFirst,
    exitOnForwardFailure,
    user,
    auth: listOf(auth),
    hostKeyAlias,
    via: checkVia(given.via),
    proxy: checkProxy(given.proxy),
    algorithms: checkAlgorithms(algorithms, platform.algorithms),
    rekey: rekeyLimits(given.rekey),
    keepAlive: checkKeepAlive(given.keepAlive, { intervalMs: 30_000, countMax: 5 }),
    reconnect: checkReconnect(given.reconnect),
    beforeReconnect: given.beforeReconnect,
    hosted: checkHosted(given, platform),
    selfCheckMs: selfCheck.intervalMs,
    loginTimeoutMs,
    targetTimeoutMs,
    tap: given.tap,
  };
  checkIdentity(checked);
  return { ...checked, hostKey: checkHostKey(hostKey) };
}

/** Returns the options with the changes that `beforeReconnect` returned. @throws SshError `misuse` */
export function changeOptions(options: CheckedOptions, changes: ReconnectChanges): CheckedOptions {
  checkOptions("beforeReconnect", changes, ["host", "port", "user", "auth", "hostKey"]);
  const { user = options.user, auth = options.auth, hostKey = options.hostKey } = changes;
  const changed = { ...options, user, auth: listOf(auth), hostKey: checkHostKey(hostKey) };
  checkIdentity(changed);
  if (changes.host === undefined && changes.port === undefined) return changed;
  // With several hosts there is no single host or port to keep.
  const [only] = options.endpoints.length === 1 ? options.endpoints : [];
  const { host = only?.host, port = only?.port ?? 22 } = changes;
  if (host === undefined)
    throw new SshError("misuse", "expected beforeReconnect to return a host with the port, got none");
  return { ...changed, endpoints: checkEndpoints({ host, port }) };
}

/** @param of what the options belong to, such as `via[0].` */
function checkIdentity({ user, auth }: Pick<CheckedOptions, "user" | "auth">, of = ""): void {
  expectText(`${of}user`, user);
  if (!Array.isArray(auth) || auth.length === 0) {
    const got = Array.isArray(auth) ? "an empty list" : describeType(auth);
    throw new SshError("misuse", `expected ${of}auth to be a login method or a list of them, got ${got}`);
  }
  checkAuth(auth);
}

function checkHostKey(hostKey: HostKeyCheck | undefined, of = ""): HostKeyCheck {
  if (isHostKeyCheck(hostKey)) return hostKey;
  const hint = "such as fingerprint('SHA256:…')";
  const got =
    typeof hostKey === "string" ? `the string ${quote(hostKey)}: write fingerprint(…)` : describeType(hostKey);
  throw new SshError("misuse", `expected ${of}hostKey to be a function or an object with check(), ${hint}; got ${got}`);
}

function checkHosted({ session, service }: GivenOptions, platform: PlatformDefaults): CheckedOptions["hosted"] {
  const hosted = service ?? (session && platform.service);
  if (session ?? hosted) expectType("service", hosted, "function");
  return hosted?.(session) as CheckedOptions["hosted"];
}

function checkVia(via: TunnelOptions["via"] = []): readonly CheckedJumpHost[] {
  expectList("via to list jump hosts: via: [{ host, user, auth }]", via, (one: unknown) => {
    return typeof one === "object" && !Array.isArray(one);
  });
  if (via.length > Limits.jumpHosts)
    throw new SshError("misuse", `expected via to list at most ${Limits.jumpHosts} jump hosts, got ${via.length}`);
  return via.map((hop: JumpHost, index) => {
    const of = `via[${index}].`;
    checkOptions("via", hop, ["host", "port", "user", "auth", "hostKey", "hostKeyAlias"]);
    const { host, port = 22, user, hostKey, hostKeyAlias } = hop;
    const auth = listOf(hop.auth);
    checkHostName(`${of}host`, host);
    expectPort(`${of}port`, port, 1);
    checkIdentity({ user, auth }, of);
    if (hostKey !== undefined) checkHostKey(hostKey, of);
    if (hostKeyAlias !== undefined) expectText(`${of}hostKeyAlias`, hostKeyAlias);
    return { host, port, user, auth, hostKey, hostKeyAlias };
  });
}

/** The message names the type alone, because a URL may hold a password. */
function checkProxy(proxy: TunnelOptions["proxy"]): TunnelOptions["proxy"] {
  if (proxy === undefined) return undefined;
  if (typeof (proxy as Partial<typeof proxy> | null)?.open !== "function") {
    const hint = "such as socks5('socks5://host:port') or httpConnect('http://host:port')";
    throw new SshError("misuse", `expected proxy to be a proxy ${hint}, got ${describeType(proxy)}`);
  }
  expectText("proxy.host", proxy.host);
  expectPort("proxy.port", proxy.port, 1);
  return proxy;
}

function checkEndpoints({
  host,
  port = 22,
  hosts,
}: Pick<TunnelOptions, "host" | "port" | "hosts">): readonly Endpoint[] {
  expectPort("port", port, 1);
  if (hosts === undefined) {
    checkHostName("host", host);
    return [{ host: String(host), port }];
  }
  if (host !== undefined) throw new SshError("misuse", "expected either host or hosts, got both");
  if (!Array.isArray(hosts) || hosts.length === 0)
    throw new SshError("misuse", "expected hosts to hold at least one host, got none");
  expectList("hosts to hold names or { host, port }", hosts, (one: unknown) => {
    return typeof one === "string" || (typeof one === "object" && !Array.isArray(one));
  });
  return hosts.map((one: string | Partial<Endpoint>) => {
    const given = typeof one === "string" ? { host: one } : one;
    checkOptions("hosts", given, ["host", "port"]);
    const { host: name, port: own = port } = given;
    checkHostName("hosts", name);
    expectPort("port", own, 1);
    return { host: String(name), port: own };
  });
}

/** @throws SshError `misuse`; if the text contains a user or a port, the message shows the options for them */
function checkHostName(option: string, value: unknown): void {
  expectText(option, value);
  const [, user, host, port] = /^(?:([^@]*)@)?(\[.*\]|[^:@]+)?(?::(\d+))?$/.exec(String(value)) ?? [];
  if (host === undefined || (user === undefined && port === undefined && !host.startsWith("["))) return;
  const name = host.startsWith("[") ? host.slice(1, -1) : host;
  const parts = [user && `user: ${quote(user)}`, `host: ${quote(name)}`, port && `port: ${port}`];
  const hint = parts.filter((part) => part).join(", ");
  throw new SshError(
    "misuse",
    `expected ${option} to be a name or an address, got ${quote(String(value))}: write ${hint}`,
  );
}

function listOf(auth: AuthEntry | readonly AuthEntry[]): readonly AuthEntry[] {
  return typeof auth === "function" || typeof (auth as Partial<AuthMethod> | undefined)?.begin === "function"
    ? [auth as AuthEntry]
    : (auth as readonly AuthEntry[]);
}

function checkReconnect(given: TunnelOptions["reconnect"] = {}): ReconnectOptions {
  checkOptions("reconnect", given, ["mode", "intervalMs", "maxRetries", "backoff", "final"]);
  const {
    mode = "established",
    intervalMs = 5_000,
    maxRetries = Number.POSITIVE_INFINITY,
    backoff = {},
    final,
  } = given;
  checkOptions("reconnect.backoff", backoff, ["factor", "maxIntervalMs", "jitter"]);
  const { factor = 1, maxIntervalMs = 300_000, jitter = 0.1 } = backoff;
  if (!["never", "established", "always"].includes(mode)) {
    const got = typeof mode === "string" ? quote(mode) : describeType(mode);
    throw new SshError("misuse", `expected reconnect.mode to be 'never', 'established' or 'always', got ${got}`);
  }
  expectNumber("reconnect.intervalMs", intervalMs, 0);
  expectNumber("reconnect.maxRetries", maxRetries, 0);
  expectNumber("reconnect.backoff.factor", factor, 1);
  expectNumber("reconnect.backoff.maxIntervalMs", maxIntervalMs, 0);
  expectNumber("reconnect.backoff.jitter", jitter, 0);
  if (jitter > 1000)
    throw new SshError("misuse", `expected reconnect.backoff.jitter to be at most 1000, got ${jitter}`);
  if (final !== undefined) expectType("reconnect.final", final, "function");
  return { mode, intervalMs, maxRetries, backoff: { factor, maxIntervalMs, jitter }, final };
}
