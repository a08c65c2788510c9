/** The keywords of ssh_config(5): the form of each value, and how the values of several lines combine. @module */
import { algorithmList, type SshConfigAlgorithms } from "./algorithm-lists.ts";
import type { ConfigLine } from "./config-line.ts";
import { dynamicForward, localForward, remoteForward, type SshConfigForwardLine } from "./forwards.ts";
import { jumpHosts, type SshDestination } from "./jump-hosts.ts";
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
  type SshConfigRekeyLimit,
  time,
  variableNames,
  variables,
  word,
  words,
} from "./values.ts";

/** The values of the keywords that have a meaning here, by name. Times are in seconds. */
export interface SshConfigValues {
  readonly addressFamily: "any" | "inet" | "inet6";
  readonly batchMode: boolean;
  readonly bindAddress: string;
  readonly bindInterface: string;
  readonly canonicalizeHostname: "yes" | "no" | "always" | "none";
  readonly certificateFile: readonly string[];
  readonly checkHostIP: boolean;
  readonly ciphers: SshConfigAlgorithms;
  readonly clearAllForwardings: boolean;
  readonly compression: boolean;
  /** `undefined`: no limit but the system's */
  readonly connectTimeout: number | undefined;
  readonly connectionAttempts: number;
  readonly controlMaster: "yes" | "no" | "ask" | "auto" | "autoask";
  readonly controlPath: string;
  readonly controlPersist: boolean | number;
  readonly dynamicForward: readonly SshConfigForwardLine[];
  readonly exitOnForwardFailure: boolean;
  readonly gatewayPorts: boolean;
  readonly globalKnownHostsFile: readonly string[];
  readonly hashKnownHosts: boolean;
  readonly hostKeyAlgorithms: SshConfigAlgorithms;
  readonly hostKeyAlias: string;
  readonly hostName: string;
  readonly identitiesOnly: boolean;
  readonly identityAgent: string;
  readonly identityFile: readonly string[];
  readonly kbdInteractiveAuthentication: boolean;
  readonly kexAlgorithms: SshConfigAlgorithms;
  readonly knownHostsCommand: string;
  readonly localForward: readonly SshConfigForwardLine[];
  readonly macs: SshConfigAlgorithms;
  readonly numberOfPasswordPrompts: number;
  readonly passwordAuthentication: boolean;
  readonly port: number;
  readonly preferredAuthentications: string;
  readonly proxyCommand: string;
  readonly proxyJump: readonly SshDestination[];
  readonly pubkeyAcceptedAlgorithms: SshConfigAlgorithms;
  readonly pubkeyAuthentication: "yes" | "no" | "unbound" | "host-bound";
  readonly rekeyLimit: SshConfigRekeyLimit;
  readonly remoteForward: readonly SshConfigForwardLine[];
  readonly revokedHostKeys: string;
  readonly sendEnv: readonly string[];
  readonly serverAliveCountMax: number;
  readonly serverAliveInterval: number | undefined;
  readonly setEnv: Readonly<Record<string, string>>;
  readonly strictHostKeyChecking: "yes" | "no" | "ask" | "off" | "accept-new";
  readonly tag: string;
  readonly tcpKeepAlive: boolean;
  readonly updateHostKeys: "yes" | "no" | "ask";
  readonly user: string;
  readonly userKnownHostsFile: readonly string[];
}

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
  addressFamily: { parse: (line) => choice(line, ["any", "inet", "inet6"]) },
  batchMode: { parse: flag },
  bindAddress: { parse: word },
  bindInterface: { parse: word },
  canonicalizeHostname: { parse: (line) => choice(line, ["yes", "no", "always", "none"]) },
  certificateFile: { parse: (line) => [word(line)], add: addEntries },
  checkHostIP: { parse: flag },
  ciphers: { parse: algorithmList },
  clearAllForwardings: { parse: flag },
  compression: { parse: flag },
  connectTimeout: { parse: time },
  connectionAttempts: { parse: integer },
  controlMaster: { parse: (line) => choice(line, ["yes", "no", "ask", "auto", "autoask"]) },
  controlPath: { parse: word },
  controlPersist: { parse: persistence },
  dynamicForward: { parse: dynamicForward, add: addForward },
  exitOnForwardFailure: { parse: flag },
  gatewayPorts: { parse: flag },
  globalKnownHostsFile: { parse: files },
  hashKnownHosts: { parse: flag },
  hostKeyAlgorithms: { parse: algorithmList },
  hostKeyAlias: { parse: word },
  hostName: { parse: word },
  identitiesOnly: { parse: flag },
  identityAgent: { parse: word },
  identityFile: { parse: (line) => [word(line)], add: addEntries },
  kbdInteractiveAuthentication: { parse: flag },
  kexAlgorithms: { parse: algorithmList },
  knownHostsCommand: { parse: command },
  localForward: { parse: localForward, add: addForward },
  macs: { parse: algorithmList },
  numberOfPasswordPrompts: { parse: integer },
  passwordAuthentication: { parse: flag },
  port: { parse: port },
  preferredAuthentications: { parse: word },
  proxyCommand: { parse: command },
  proxyJump: { parse: jumpHosts },
  pubkeyAcceptedAlgorithms: { parse: algorithmList },
  pubkeyAuthentication: { parse: (line) => choice(line, ["yes", "no", "unbound", "host-bound"]) },
  rekeyLimit: { parse: rekeyLimit },
  remoteForward: { parse: remoteForward, add: addForward },
  revokedHostKeys: { parse: word },
  sendEnv: { parse: variableNames, add: addVariableNames },
  serverAliveCountMax: { parse: integer },
  serverAliveInterval: { parse: time },
  // Only the first line counts, as in OpenSSH, although it may name several variables.
  setEnv: { parse: variables },
  strictHostKeyChecking: { parse: (line) => choice(line, ["yes", "no", "ask", "off", "accept-new"]) },
  tag: { parse: word },
  tcpKeepAlive: { parse: flag },
  updateHostKeys: { parse: (line) => choice(line, ["yes", "no", "ask"]) },
  user: { parse: word },
  userKnownHostsFile: { parse: files },
};

/** Other names of keywords, from older versions of OpenSSH. */
const aliases: Readonly<Record<string, keyof SshConfigValues>> = {
  CertificateFile2: "certificateFile",
  ChallengeResponseAuthentication: "kbdInteractiveAuthentication",
  DsaAuthentication: "pubkeyAuthentication",
  IdentityFile2: "identityFile",
  KeepAlive: "tcpKeepAlive",
  PubkeyAcceptedKeyTypes: "pubkeyAcceptedAlgorithms",
  SkeyAuthentication: "kbdInteractiveAuthentication",
  TisAuthentication: "kbdInteractiveAuthentication",
};

/** Keywords of OpenSSH that have no meaning here, and take `yes` or `no`. */
const otherFlags = `CanonicalizeFallbackLocal EnableEscapeCommandline EnableSSHKeysign ForkAfterAuthentication ForwardX11
  ForwardX11Trusted GSSAPIAuthentication GSSAPIDelegateCredentials HostbasedAuthentication
  NoHostAuthenticationForLocalhost PermitLocalCommand ProxyUseFdpass StdinNull StreamLocalBindUnlink VisualHostKey
  WarnWeakCrypto`;
/** Keywords of OpenSSH that have no meaning here, and take anything. Some of them are of the past. */
const otherWords = `AddKeysToAgent AfsTokenPassing CanonicalDomains CanonicalizeMaxDots CanonicalizePermittedCNAMEs
  CASignatureAlgorithms ChannelTimeout Cipher CompressionLevel EscapeChar FallBackToRsh FingerprintHash ForwardAgent
  ForwardX11Timeout GlobalKnownHostsFile2 GSSAPIClientIdentity GSSAPIKexAlgorithms GSSAPIKeyExchange
  GSSAPIRenewalForcesRekey GSSAPIServerIdentity GSSAPITrustDns HostbasedAcceptedAlgorithms HostbasedKeyTypes IPQoS
  KbdInteractiveDevices KerberosAuthentication KerberosTgtPassing LocalCommand LogLevel LogVerbose
  ObscureKeystrokeTiming PermitRemoteOpen PKCS11Provider Protocol RefuseConnection RemoteCommand RequestTTY
  RequiredRSASize RhostsAuthentication RhostsRSAAuthentication RSAAuthentication RSAMinSize SecurityKeyProvider
  SessionType SmartcardDevice StreamLocalBindMask SyslogFacility Tunnel TunnelDevice UsePrivilegedPort
  UserKnownHostsFile2 UseRoaming UseRsh VerifyHostKeyDNS VersionAddendum XAuthLocation`;

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
  for (const name of [...listed(otherFlags), ...listed(otherWords)]) kinds.set(name, { at: "other" });
  return (keyword) => kinds.get(keyword) ?? { at: "unknown" };
}

/** Checks the value of a keyword that has no meaning here. @throws SshError `misuse` */
export function checkOther(line: ConfigLine): void {
  if (listed(otherFlags).includes(line.keyword)) flag(line);
  else if (line.keyword !== "localcommand" && line.keyword !== "remotecommand") words(line);
}

function listed(names: string): readonly string[] {
  return names.toLowerCase().split(/\s+/);
}
