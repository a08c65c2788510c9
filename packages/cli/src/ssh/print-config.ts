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
    for (const value of typeof printed === "string" ? [printed] : printed) lines.push(`${keyword} ${value}\n`);
  }
  return lines.join("");
}

function entries(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  return [...flags(config), ...numbers(config), ...texts(config), ...lists(config), ...others(config)];
}

/** In the words of ssh: most flags are `yes` and `no`, others `true` and `false`. */
function flags(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  return [
    ["host", config.originalHost],
    ["user", config.user],
    ["hostname", config.hostName],
    ["port", String(config.port)],
    ["addressfamily", config.addressFamily],
    ["batchmode", flag(config.batchMode)],
    ["canonicalizefallbacklocal", flag(config.canonicalizeFallbackLocal)],
    ["canonicalizehostname", state(config.canonicalizeHostname)],
    ["checkhostip", flag(config.checkHostIP)],
    ["compression", flag(config.compression)],
    ["controlmaster", state(config.controlMaster)],
    ["enablesshkeysign", flag(config.enableSSHKeysign)],
    ["clearallforwardings", flag(config.clearAllForwardings)],
    ["exitonforwardfailure", flag(config.exitOnForwardFailure)],
    ["fingerprinthash", config.fingerprintHash],
    ["forwardx11", flag(config.forwardX11)],
    ["forwardx11trusted", flag(config.written.forwardX11Trusted ?? true)],
    ["gatewayports", flag(config.gatewayPorts)],
    ["gssapiauthentication", flag(config.gssapiAuthentication)],
    ["gssapikeyexchange", flag(config.gssapiKeyExchange)],
    ["gssapidelegatecredentials", flag(config.gssapiDelegateCredentials)],
    ["gssapitrustdns", flag(config.gssapiTrustDns)],
    ["gssapirenewalforcesrekey", flag(config.gssapiRenewalForcesRekey)],
    ["gssapiclientidentity", config.gssapiClientIdentity],
    ["gssapiserveridentity", config.gssapiServerIdentity],
    ["gssapikexalgorithms", config.gssapiKexAlgorithms],
    ["hashknownhosts", flag(config.hashKnownHosts)],
    ["hostbasedauthentication", flag(config.hostbasedAuthentication)],
    ["identitiesonly", flag(config.identitiesOnly)],
    ["kbdinteractiveauthentication", flag(config.kbdInteractiveAuthentication)],
    ["nohostauthenticationforlocalhost", flag(config.noHostAuthenticationForLocalhost)],
    ["passwordauthentication", flag(config.passwordAuthentication)],
    ["permitlocalcommand", flag(config.permitLocalCommand)],
    ["proxyusefdpass", flag(config.proxyUseFdpass && config.proxyJump === undefined)],
    ["pubkeyauthentication", state(config.pubkeyAuthentication)],
    ["requesttty", state(config.requestTTY)],
    ["sessiontype", config.sessionType],
    ["stdinnull", flag(config.stdinNull)],
    ["forkafterauthentication", flag(config.forkAfterAuthentication)],
    ["streamlocalbindunlink", flag(config.streamLocalBindUnlink)],
    ["stricthostkeychecking", state(config.strictHostKeyChecking)],
    ["tcpkeepalive", flag(config.tcpKeepAlive)],
    ["tunnel", config.tunnel === "yes" ? "point-to-point" : state(config.tunnel)],
    ["verifyhostkeydns", state(config.verifyHostKeyDNS)],
    ["visualhostkey", flag(config.visualHostKey)],
    ["updatehostkeys", state(config.updateHostKeys)],
    ["enableescapecommandline", flag(config.enableEscapeCommandline)],
  ];
}

function numbers(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  const { batchMode, serverAliveInterval = batchMode ? 300 : 0, written } = config;
  return [
    ["canonicalizemaxdots", String(config.canonicalizeMaxDots)],
    ["connectionattempts", String(config.connectionAttempts)],
    ["forwardx11timeout", String(config.forwardX11Timeout ?? 1200)],
    ["numberofpasswordprompts", String(config.numberOfPasswordPrompts)],
    ["serveralivecountmax", String(config.serverAliveCountMax ?? 3)],
    ["serveraliveinterval", String(serverAliveInterval)],
    ["requiredrsasize", String(config.requiredRSASize)],
    ["obscurekeystroketiming", keystrokes(written.obscureKeystrokeTiming)],
  ];
}

function texts(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  const { knownHostsCommand, revokedHostKeys, logLevel, written } = config;
  const { securityKeyProvider, localCommand } = written;
  return [
    ["bindaddress", config.bindAddress],
    ["bindinterface", config.bindInterface],
    ["ciphers", algorithms(config.ciphers, known.ciphers)],
    ["controlpath", config.controlPath],
    ["hostkeyalgorithms", algorithms(config.hostKeyAlgorithms, known.hostKeyAlgorithms)],
    ["hostkeyalias", config.hostKeyAlias],
    ["hostbasedacceptedalgorithms", algorithms(config.hostbasedAcceptedAlgorithms, known.userKeyAlgorithms)],
    ["identityagent", config.identityAgent],
    ["ignoreunknown", config.ignoreUnknown],
    ["kbdinteractivedevices", config.kbdInteractiveDevices],
    ["kexalgorithms", algorithms(config.kexAlgorithms, known.kexAlgorithms)],
    ["casignaturealgorithms", algorithms(config.caSignatureAlgorithms, known.signatures)],
    // ssh prints it with its tokens.
    ["localcommand", isNone(localCommand) ? undefined : localCommand],
    ["remotecommand", config.remoteCommand],
    ["loglevel", logNames[logLevel] ?? logLevel],
    ["macs", algorithms(config.macs, known.macs)],
    ["pkcs11provider", config.pkcs11Provider],
    ["securitykeyprovider", isNone(securityKeyProvider) ? undefined : config.securityKeyProvider],
    ["preferredauthentications", config.preferredAuthentications],
    ["pubkeyacceptedalgorithms", algorithms(config.pubkeyAcceptedAlgorithms, known.userKeyAlgorithms)],
    ["revokedhostkeys", isNone(revokedHostKeys) ? undefined : revokedHostKeys],
    ["xauthlocation", config.xAuthLocation],
    ["knownhostscommand", isNone(knownHostsCommand) ? undefined : knownHostsCommand],
    ["tag", config.tag],
    ["versionaddendum", config.versionAddendum],
  ];
}

/** The names that ssh prints. */
const logNames: Readonly<Record<string, string>> = { DEBUG1: "DEBUG", QUIET: "SILENT" };

function lists(config: ResolvedSshConfig): readonly (readonly [string, Printed])[] {
  const { written, dynamicForward, localForward, remoteForward, channelTimeout } = config;
  return [
    ["dynamicforward", dynamicForward.map(({ listen }) => address(listen))],
    ["localforward", localForward.map(forwarding)],
    ["remoteforward", remoteForward.map(forwarding)],
    // ssh prints them with their tokens.
    ["identityfile", written.identityFile ?? defaultIdentities],
    ["canonicaldomains", inOneLine(config.canonicalDomains)],
    ["certificatefile", written.certificateFile],
    ["globalknownhostsfile", inOneLine(config.globalKnownHostsFile)],
    ["userknownhostsfile", inOneLine(config.userKnownHostsFile)],
    ["sendenv", config.sendEnv],
    ["setenv", Object.entries(config.setEnv ?? {}).map(([name, value]) => `${name}=${value}`)],
    ["logverbose", inOneLine(config.logVerbose)],
    [
      "channeltimeout",
      written.channelTimeout && inOneLine(channelTimeout.map(({ type, seconds }) => `${type}=${seconds}`)),
    ],
    ["permitremoteopen", config.permitRemoteOpen.length === 0 ? "any" : inOneLine(config.permitRemoteOpen)],
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
    ["addkeystoagent", lifetime > 0 ? `${prefix}${lifetime}` : state(mode)],
    ["forwardagent", typeof forwardAgent === "string" ? forwardAgent : flag(forwardAgent)],
    ["connecttimeout", String(connectTimeout ?? "none")],
    ["tunneldevice", `${tunnelDevice.local}:${tunnelDevice.remote}`],
    ["canonicalizePermittedcnames", inOneLine(config.canonicalizePermittedCNAMEs)],
    ["controlpersist", persistence(controlPersist)],
    ["escapechar", visible(config.escapeChar)],
    ["ipqos", `${ipQoS.interactive} ${ipQoS.bulk}`],
    ["rekeylimit", `${rekeyLimit?.bytes ?? 0} ${rekeyLimit?.seconds ?? 0}`],
    ["streamlocalbindmask", `0${streamLocalBindMask.toString(8)}`],
    ["syslogfacility", config.syslogFacility],
    proxy(config),
  ];
}

function proxy({ proxyJump, proxyCommand }: ResolvedSshConfig): readonly [string, Printed] {
  if (proxyJump === undefined || proxyJump.length === 0)
    return ["proxycommand", isNone(proxyCommand) ? undefined : proxyCommand];
  const hops = proxyJump.map(({ host, user, port }, index) => {
    // ssh parses the last one, and puts addresses in brackets.
    const isAddress = host.includes(":") || (index === proxyJump.length - 1 && /^[\d.]+$/.test(host));
    return `${user === undefined ? "" : `${user}@`}${isAddress ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`;
  });
  return ["proxyjump", hops.join(",")];
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
