/** The keywords of ssh_config(5): the form of each value, and how the values of several lines combine. @module */
import { algorithmList } from "./algorithm-lists.ts";
import type { ConfigLine } from "./config-line.ts";
import { dynamicForward, localForward, remoteForward, type SshConfigForwardLine } from "./forwards.ts";
import { jumpHosts } from "./jump-hosts.ts";
import type { SshConfigValues } from "./keyword-values.ts";
import {
  addKeysToAgent,
  agentPath,
  agentSocket,
  attempts,
  bindMask,
  canonicalDomains,
  channelTimeout,
  escapeChar,
  fingerprintHash,
  ipQoS,
  logLevel,
  logVerbose,
  obscureKeystrokeTiming,
  permitRemoteOpen,
  permittedCnames,
  syslogFacility,
  tunnelDevice,
  tunnelMode,
  versionAddendum,
} from "./session-values.ts";
import type { SshConfigEnvironment } from "./system.ts";
import {
  addEntries,
  addVariableNames,
  checkCount,
  choice,
  command,
  files,
  flag,
  integer,
  persistence,
  port,
  rekeyLimit,
  time,
  variableNames,
  variables,
  word,
  words,
} from "./values.ts";

export type { SshConfigValues } from "./keyword-values.ts";

/** How to read a keyword. */
interface KeywordRule<Value> {
  /** @throws SshError `misuse` with file and line for a value that OpenSSH refuses */
  readonly parse: (line: ConfigLine, env: SshConfigEnvironment) => Value;
  /** Combines the value with that of earlier lines. Without it, the first value counts. */
  readonly add?: (line: ConfigLine, before: Value, added: Value) => Value;
}

/** The second pass, for Match final, finds the same forwardings again. */
const addForward = (
  line: ConfigLine,
  before: readonly SshConfigForwardLine[],
  added: readonly SshConfigForwardLine[],
) => {
  const known = new Set(before.map((one) => JSON.stringify(one)));
  return checkCount(line, [...before, ...added.filter((one) => !known.has(JSON.stringify(one)))]);
};

/** One rule for each value. The keyword is the name in lower case. */
export const keywordRules: { readonly [Name in keyof SshConfigValues]: KeywordRule<SshConfigValues[Name]> } = {
  addKeysToAgent: { parse: addKeysToAgent },
  addressFamily: { parse: (line) => choice(line, ["any", "inet", "inet6"]) },
  batchMode: { parse: flag },
  bindAddress: { parse: word },
  bindInterface: { parse: word },
  canonicalDomains: { parse: canonicalDomains },
  canonicalizeFallbackLocal: { parse: flag },
  canonicalizeHostname: { parse: (line) => choice(line, ["yes", "no", "always", "none"]) },
  canonicalizeMaxDots: { parse: integer },
  canonicalizePermittedCNAMEs: { parse: permittedCnames },
  caSignatureAlgorithms: { parse: algorithmList },
  certificateFile: { parse: (line) => [word(line)], add: addEntries },
  channelTimeout: { parse: channelTimeout },
  checkHostIP: { parse: flag },
  ciphers: { parse: algorithmList },
  clearAllForwardings: { parse: flag },
  compression: { parse: flag },
  connectionAttempts: { parse: attempts },
  connectTimeout: { parse: time },
  controlMaster: { parse: (line) => choice(line, ["yes", "no", "ask", "auto", "autoask"]) },
  controlPath: { parse: word },
  controlPersist: { parse: persistence },
  dynamicForward: { parse: dynamicForward, add: addForward },
  enableEscapeCommandline: { parse: flag },
  enableSSHKeysign: { parse: flag },
  escapeChar: { parse: escapeChar },
  exitOnForwardFailure: { parse: flag },
  fingerprintHash: { parse: fingerprintHash },
  forkAfterAuthentication: { parse: flag },
  forwardAgent: { parse: agentSocket },
  forwardX11: { parse: flag },
  forwardX11Timeout: { parse: time },
  forwardX11Trusted: { parse: flag },
  gatewayPorts: { parse: flag },
  globalKnownHostsFile: { parse: files },
  gssapiAuthentication: { parse: flag },
  gssapiClientIdentity: { parse: word },
  gssapiDelegateCredentials: { parse: flag },
  gssapiKexAlgorithms: { parse: word },
  gssapiKeyExchange: { parse: flag },
  gssapiRenewalForcesRekey: { parse: flag },
  gssapiServerIdentity: { parse: word },
  gssapiTrustDns: { parse: flag },
  hashKnownHosts: { parse: flag },
  hostbasedAcceptedAlgorithms: { parse: algorithmList },
  hostbasedAuthentication: { parse: flag },
  hostKeyAlgorithms: { parse: algorithmList },
  hostKeyAlias: { parse: word },
  hostName: { parse: word },
  identitiesOnly: { parse: flag },
  identityAgent: { parse: agentPath },
  identityFile: { parse: (line) => [word(line)], add: addEntries },
  ipQoS: { parse: ipQoS },
  kbdInteractiveAuthentication: { parse: flag },
  kbdInteractiveDevices: { parse: word },
  kexAlgorithms: { parse: algorithmList },
  knownHostsCommand: { parse: command },
  localCommand: { parse: command },
  localForward: { parse: localForward, add: addForward },
  logLevel: { parse: logLevel },
  logVerbose: { parse: logVerbose },
  macs: { parse: algorithmList },
  noHostAuthenticationForLocalhost: { parse: flag },
  numberOfPasswordPrompts: { parse: integer },
  obscureKeystrokeTiming: { parse: obscureKeystrokeTiming },
  passwordAuthentication: { parse: flag },
  permitLocalCommand: { parse: flag },
  permitRemoteOpen: { parse: permitRemoteOpen },
  pkcs11Provider: { parse: word },
  port: { parse: port },
  preferredAuthentications: { parse: word },
  proxyCommand: { parse: command },
  proxyJump: { parse: jumpHosts },
  proxyUseFdpass: { parse: flag },
  pubkeyAcceptedAlgorithms: { parse: algorithmList },
  pubkeyAuthentication: { parse: (line) => choice(line, ["yes", "no", "unbound", "host-bound"]) },
  rekeyLimit: { parse: rekeyLimit },
  remoteCommand: { parse: command },
  remoteForward: { parse: remoteForward, add: addForward },
  requestTTY: { parse: (line) => choice(line, ["yes", "no", "force", "auto"]) },
  requiredRSASize: { parse: integer },
  revokedHostKeys: { parse: word },
  securityKeyProvider: { parse: word },
  sendEnv: { parse: variableNames, add: addVariableNames },
  serverAliveCountMax: { parse: integer },
  serverAliveInterval: { parse: time },
  sessionType: { parse: (line) => choice(line, ["none", "subsystem", "default"]) },
  // Only the first line counts, as in OpenSSH, although it may name several variables.
  setEnv: { parse: variables },
  stdinNull: { parse: flag },
  streamLocalBindMask: { parse: bindMask },
  streamLocalBindUnlink: { parse: flag },
  strictHostKeyChecking: { parse: (line) => choice(line, ["yes", "no", "ask", "off", "accept-new"]) },
  syslogFacility: { parse: syslogFacility },
  tag: { parse: word },
  tcpKeepAlive: { parse: flag },
  tunnel: { parse: tunnelMode },
  tunnelDevice: { parse: tunnelDevice },
  updateHostKeys: { parse: (line) => choice(line, ["yes", "no", "ask"]) },
  user: { parse: word },
  userKnownHostsFile: { parse: files },
  verifyHostKeyDNS: { parse: (line) => choice(line, ["yes", "no", "ask"]) },
  versionAddendum: { parse: versionAddendum },
  visualHostKey: { parse: flag },
  xAuthLocation: { parse: word },
};

/** Other names of keywords, from older versions of OpenSSH. */
const aliases: Readonly<Record<string, keyof SshConfigValues>> = {
  CertificateFile2: "certificateFile",
  ChallengeResponseAuthentication: "kbdInteractiveAuthentication",
  DsaAuthentication: "pubkeyAuthentication",
  IdentityFile2: "identityFile",
  KeepAlive: "tcpKeepAlive",
  HostbasedAcceptedKeyTypes: "hostbasedAcceptedAlgorithms",
  HostbasedKeyTypes: "hostbasedAcceptedAlgorithms",
  PubkeyAcceptedKeyTypes: "pubkeyAcceptedAlgorithms",
  RSAMinSize: "requiredRSASize",
  SkeyAuthentication: "kbdInteractiveAuthentication",
  SmartcardDevice: "pkcs11Provider",
  TisAuthentication: "kbdInteractiveAuthentication",
};

/** Keywords of OpenSSH that have no value here, because they are of the past, or newer. They take anything. */
const others = `AfsTokenPassing Cipher CompressionLevel FallBackToRsh GlobalKnownHostsFile2 KerberosAuthentication
  KerberosTgtPassing Protocol RefuseConnection RhostsAuthentication RhostsRSAAuthentication RSAAuthentication
  UsePrivilegedPort UserKnownHostsFile2 UseRoaming UseRsh WarnWeakCrypto`;

/** The kind of a keyword: one with a rule, another one of OpenSSH, or none. */
export type KeywordKind =
  | { readonly at: "value"; readonly name: keyof SshConfigValues }
  | { readonly at: "other" }
  | { readonly at: "unknown" };

/** Creates the function that looks keywords up by their names in lower case. */
export function createKeywordLookup(): (keyword: string) => KeywordKind {
  const kinds = new Map<string, KeywordKind>();
  for (const name of Object.keys(keywordRules) as (keyof SshConfigValues)[])
    kinds.set(name.toLowerCase(), { at: "value", name });
  for (const [alias, name] of Object.entries(aliases)) kinds.set(alias.toLowerCase(), { at: "value", name });
  for (const name of others.toLowerCase().split(/\s+/)) kinds.set(name, { at: "other" });
  return (keyword) => kinds.get(keyword) ?? { at: "unknown" };
}

/** Checks the value of a keyword that has no value here. @throws SshError `misuse` */
export function checkOther(line: ConfigLine): void {
  words(line);
}
