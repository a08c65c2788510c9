/** Prints a configuration as `ssh -G` of Debian's OpenSSH 9.2 does, and later keywords that are set. @module */
import {
  type ResolvedSshConfig,
  type SshConfigAlgorithms,
  type SshConfigForwardLine,
  type SshConfigListen,
  type SshConfigValues,
  selectAlgorithms,
} from "@postern/node";
import * as known from "./algorithm-names.ts";

type Printed = string | readonly string[] | undefined;

/**
 * Returns the lines of `-G`, in the order of ssh. Lists of algorithms name what this program supports. Unlike ssh, a
 * LocalForward to a path is not printed as a DynamicForward, too.
 */
export function printConfig(config: ResolvedSshConfig): string {
  const lines: string[] = [];
  for (const [keyword, printed] of entries(config)) {
    if (printed === undefined) continue;
    for (const value of typeof printed === "string" ? [printed] : printed)
      lines.push(`${printedName(keyword)} ${value}\n`);
  }
  return lines.join("");
}

/** In lower case. The capital letter of CanonicalizePermittedCNAMEs is ssh's. */
function printedName(keyword: string): string {
  return keyword.endsWith("CNAMEs") ? keyword.replace("CNAMEs", "cnames") : keyword.toLowerCase();
}

function entries(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  return [...flags(config), ...numbers(config), ...texts(config), ...lists(config), ...others(config)];
}

/** In the words of ssh: most flags are `yes` and `no`, others `true` and `false`. */
function flags(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  return [
    ["host", config.originalHost],
    ["user", config.user],
    ["hostName", config.hostName],
    ["port", String(config.port)],
    ["addressFamily", config.addressFamily],
    ["batchMode", flag(config.batchMode)],
    ["canonicalizeFallbackLocal", flag(config.canonicalizeFallbackLocal)],
    ["canonicalizeHostname", state(config.canonicalizeHostname)],
    ["checkHostIP", flag(config.checkHostIP)],
    ["compression", flag(config.compression)],
    ["controlMaster", state(config.controlMaster)],
    ["enableSSHKeysign", flag(config.enableSSHKeysign)],
    ["clearAllForwardings", flag(config.clearAllForwardings)],
    ["exitOnForwardFailure", flag(config.exitOnForwardFailure)],
    ["fingerprintHash", config.fingerprintHash],
    ["forwardX11", flag(config.forwardX11)],
    ["forwardX11Trusted", flag(config.written.forwardX11Trusted ?? true)],
    ["gatewayPorts", flag(config.gatewayPorts)],
    ["gssapiAuthentication", flag(config.gssapiAuthentication)],
    ["gssapiKeyExchange", flag(config.gssapiKeyExchange)],
    ["gssapiDelegateCredentials", flag(config.gssapiDelegateCredentials)],
    ["gssapiTrustDns", flag(config.gssapiTrustDns)],
    ["gssapiRenewalForcesRekey", flag(config.gssapiRenewalForcesRekey)],
    ["gssapiClientIdentity", config.gssapiClientIdentity],
    ["gssapiServerIdentity", config.gssapiServerIdentity],
    ["gssapiKexAlgorithms", config.gssapiKexAlgorithms],
    ["hashKnownHosts", flag(config.hashKnownHosts)],
    ["hostbasedAuthentication", flag(config.hostbasedAuthentication)],
    ["identitiesOnly", flag(config.identitiesOnly)],
    ["kbdInteractiveAuthentication", flag(config.kbdInteractiveAuthentication)],
    ["noHostAuthenticationForLocalhost", flag(config.noHostAuthenticationForLocalhost)],
    ["passwordAuthentication", flag(config.passwordAuthentication)],
    ["permitLocalCommand", flag(config.permitLocalCommand)],
    ["proxyUseFdpass", flag(config.proxyUseFdpass && config.proxyJump === undefined)],
    ["pubkeyAuthentication", state(config.pubkeyAuthentication)],
    ["requestTTY", state(config.requestTTY)],
    ["sessionType", config.sessionType],
    ["stdinNull", flag(config.stdinNull)],
    ["forkAfterAuthentication", flag(config.forkAfterAuthentication)],
    ["streamLocalBindUnlink", flag(config.streamLocalBindUnlink)],
    ["strictHostKeyChecking", state(config.strictHostKeyChecking)],
    ["tcpKeepAlive", flag(config.tcpKeepAlive)],
    ["tunnel", config.tunnel === "yes" ? "point-to-point" : state(config.tunnel)],
    ["verifyHostKeyDNS", state(config.verifyHostKeyDNS)],
    ["visualHostKey", flag(config.visualHostKey)],
    ["updateHostKeys", state(config.updateHostKeys)],
    ["enableEscapeCommandline", flag(config.enableEscapeCommandline)],
  ];
}

function numbers(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  const { batchMode, serverAliveInterval = batchMode ? 300 : 0, written } = config;
  return [
    ["canonicalizeMaxDots", String(config.canonicalizeMaxDots)],
    ["connectionAttempts", String(config.connectionAttempts)],
    ["forwardX11Timeout", String(config.forwardX11Timeout ?? 1200)],
    ["numberOfPasswordPrompts", String(config.numberOfPasswordPrompts)],
    ["serverAliveCountMax", String(config.serverAliveCountMax ?? 3)],
    ["serverAliveInterval", String(serverAliveInterval)],
    ["requiredRSASize", String(config.requiredRSASize)],
    ["obscureKeystrokeTiming", keystrokes(written.obscureKeystrokeTiming)],
  ];
}

function texts(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  const { knownHostsCommand, revokedHostKeys, logLevel, written } = config;
  const { securityKeyProvider, localCommand } = written;
  return [
    ["bindAddress", config.bindAddress],
    ["bindInterface", config.bindInterface],
    ["ciphers", algorithms(config.ciphers, known.ciphers)],
    ["controlPath", config.controlPath],
    ["hostKeyAlgorithms", algorithms(config.hostKeyAlgorithms, known.hostKeyAlgorithms)],
    ["hostKeyAlias", config.hostKeyAlias],
    ["hostbasedAcceptedAlgorithms", algorithms(config.hostbasedAcceptedAlgorithms, known.userKeyAlgorithms)],
    ["identityAgent", config.identityAgent],
    ["ignoreunknown", config.ignoreUnknown],
    ["kbdInteractiveDevices", config.kbdInteractiveDevices],
    ["kexAlgorithms", algorithms(config.kexAlgorithms, known.kexAlgorithms)],
    ["caSignatureAlgorithms", algorithms(config.caSignatureAlgorithms, known.signatures)],
    // ssh prints it with its tokens.
    ["localCommand", isNone(localCommand) ? undefined : localCommand],
    ["remoteCommand", config.remoteCommand],
    ["logLevel", logNames[logLevel] ?? logLevel],
    ["macs", algorithms(config.macs, known.macs)],
    ["pkcs11Provider", config.pkcs11Provider],
    ["securityKeyProvider", isNone(securityKeyProvider) ? undefined : config.securityKeyProvider],
    ["preferredAuthentications", config.preferredAuthentications],
    ["pubkeyAcceptedAlgorithms", algorithms(config.pubkeyAcceptedAlgorithms, known.userKeyAlgorithms)],
    ["revokedHostKeys", isNone(revokedHostKeys) ? undefined : revokedHostKeys],
    ["xAuthLocation", config.xAuthLocation],
    ["knownHostsCommand", isNone(knownHostsCommand) ? undefined : knownHostsCommand],
    ["tag", config.tag],
    ["versionAddendum", config.versionAddendum],
  ];
}

/** The names that ssh prints. */
const logNames: Readonly<Record<string, string>> = { DEBUG1: "DEBUG", QUIET: "SILENT" };

function lists(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  const { written, dynamicForward, localForward, remoteForward, channelTimeout } = config;
  return [
    ["dynamicForward", dynamicForward.map(({ listen }) => address(listen))],
    ["localForward", localForward.map(forwarding)],
    ["remoteForward", remoteForward.map(forwarding)],
    // ssh prints them with their tokens.
    ["identityFile", written.identityFile ?? defaultIdentities],
    ["canonicalDomains", inOneLine(config.canonicalDomains)],
    ["certificateFile", written.certificateFile],
    ["globalKnownHostsFile", inOneLine(config.globalKnownHostsFile)],
    ["userKnownHostsFile", inOneLine(config.userKnownHostsFile)],
    ["sendEnv", config.sendEnv],
    ["setEnv", Object.entries(config.setEnv ?? {}).map(([name, value]) => `${name}=${value}`)],
    ["logVerbose", inOneLine(config.logVerbose)],
    [
      "channelTimeout",
      written.channelTimeout && inOneLine(channelTimeout.map(({ type, seconds }) => `${type}=${seconds}`)),
    ],
    ["permitRemoteOpen", config.permitRemoteOpen.length === 0 ? "any" : inOneLine(config.permitRemoteOpen)],
  ];
}

const defaultIdentities: readonly string[] = [
  "rsa",
  "ecdsa",
  "ecdsa_sk",
  "ed25519",
  "ed25519_sk",
  // Not supported here; printed as ssh does.
  "xmss",
  "dsa",
].map((name) => `~/.ssh/id_${name}`);

function others(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  const { addKeysToAgent, forwardAgent, connectTimeout, tunnelDevice, streamLocalBindMask, rekeyLimit } = config;
  const { ipQoS = { interactive: "lowdelay", bulk: "throughput" }, controlPersist = false } = config;
  const { mode, lifetime } = addKeysToAgent;
  const prefix = mode === "confirm" ? "confirm " : "";
  return [
    ["addKeysToAgent", lifetime > 0 ? `${prefix}${lifetime}` : state(mode)],
    ["forwardAgent", typeof forwardAgent === "string" ? forwardAgent : flag(forwardAgent)],
    ["connectTimeout", String(connectTimeout ?? "none")],
    ["tunnelDevice", `${tunnelDevice.local}:${tunnelDevice.remote}`],
    ["canonicalizePermittedCNAMEs", inOneLine(config.canonicalizePermittedCNAMEs)],
    ["controlPersist", persistence(controlPersist)],
    ["escapeChar", visible(config.escapeChar)],
    ["ipQoS", `${ipQoS.interactive} ${ipQoS.bulk}`],
    ["rekeyLimit", `${rekeyLimit?.bytes ?? 0} ${rekeyLimit?.seconds ?? 0}`],
    ["streamLocalBindMask", `0${streamLocalBindMask.toString(8)}`],
    ["syslogFacility", config.syslogFacility],
    proxy(config),
  ];
}

function proxy({ proxyJump, proxyCommand }: ResolvedSshConfig): readonly [string, Printed] {
  if (proxyJump === undefined || proxyJump.length === 0)
    return ["proxyCommand", isNone(proxyCommand) ? undefined : proxyCommand];
  const hops = proxyJump.map(({ host, user, port }, index) => {
    // ssh parses the last one, and puts addresses in brackets.
    const isAddress = host.includes(":") || (index === proxyJump.length - 1 && /^[\d.]+$/.test(host));
    return `${user === undefined ? "" : `${user}@`}${isAddress ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`;
  });
  return ["proxyJump", hops.join(",")];
}

function flag(value: boolean): string {
  return value ? "yes" : "no";
}

function state(value: string): string {
  if (value === "yes") return "true";
  return value === "no" || value === "off" || value === "none" ? "false" : value;
}

function isNone(text: string | undefined): boolean {
  return text?.toLowerCase() === "none";
}

function persistence(value: SshConfigValues["controlPersist"]): string {
  if (typeof value === "boolean") return flag(value);
  return value === 0 ? "yes" : String(value);
}

function keystrokes(ms: number | undefined): string | undefined {
  if (ms === 0) return "no";
  return ms === 20 ? "yes" : ms === undefined ? undefined : String(ms);
}

/** As vis(3). */
function visible(char: string): string {
  const code = char.charCodeAt(0);
  return code < 32 ? `\\^${String.fromCharCode(code | 64)}` : char;
}

function inOneLine(values: readonly string[]): string {
  return values.length === 0 ? "none" : values.join(" ");
}

function algorithms(list: SshConfigAlgorithms | undefined, supported: readonly string[]): string {
  return (list === undefined ? supported : selectAlgorithms(list, supported, supported)).join(",");
}

function forwarding({ listen, target }: SshConfigForwardLine): string {
  return `${address(listen)} ${target === "socks" ? "[socks]:0" : address(target)}`;
}

function address(at: SshConfigListen): string {
  if ("path" in at) return at.path;
  return at.host === undefined ? String(at.port) : `[${at.host}]:${at.port}`;
}
