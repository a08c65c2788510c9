/** The values of the keywords of ssh_config(5). @module */
import type { SshConfigAlgorithms } from "./algorithm-lists.ts";
import type { SshConfigForwardLine } from "./forwards.ts";
import type { SshDestination } from "./jump-hosts.ts";
import type {
  SshConfigAddKeysToAgent,
  SshConfigChannelTimeout,
  SshConfigIPQoS,
  SshConfigLogLevel,
  SshConfigTunnelDevice,
} from "./session-values.ts";
import type { SshConfigRekeyLimit } from "./values.ts";

/** The values of the keywords, by name. Times are in seconds. */
export interface SshConfigValues {
  readonly addKeysToAgent: SshConfigAddKeysToAgent;
  readonly addressFamily: "any" | "inet" | "inet6";
  readonly batchMode: boolean;
  readonly bindAddress: string;
  readonly bindInterface: string;
  readonly canonicalDomains: readonly string[];
  readonly canonicalizeFallbackLocal: boolean;
  readonly canonicalizeHostname: "yes" | "no" | "always" | "none";
  readonly canonicalizeMaxDots: number;
  /** `sources:targets`, or `*` */
  readonly canonicalizePermittedCNAMEs: readonly string[];
  readonly caSignatureAlgorithms: SshConfigAlgorithms;
  readonly certificateFile: readonly string[];
  readonly channelTimeout: readonly SshConfigChannelTimeout[];
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
  readonly enableEscapeCommandline: boolean;
  readonly enableSSHKeysign: boolean;
  /** one character, or `none` */
  readonly escapeChar: string;
  readonly exitOnForwardFailure: boolean;
  readonly fingerprintHash: "MD5" | "SHA1" | "SHA256" | "SHA384" | "SHA512";
  readonly forkAfterAuthentication: boolean;
  /** a text: the socket of the agent, or `$VARIABLE` with its path */
  readonly forwardAgent: boolean | string;
  readonly forwardX11: boolean;
  readonly forwardX11Timeout: number | undefined;
  readonly forwardX11Trusted: boolean;
  readonly gatewayPorts: boolean;
  readonly globalKnownHostsFile: readonly string[];
  readonly gssapiAuthentication: boolean;
  readonly gssapiClientIdentity: string;
  readonly gssapiDelegateCredentials: boolean;
  readonly gssapiKexAlgorithms: string;
  readonly gssapiKeyExchange: boolean;
  readonly gssapiRenewalForcesRekey: boolean;
  readonly gssapiServerIdentity: string;
  readonly gssapiTrustDns: boolean;
  readonly hashKnownHosts: boolean;
  readonly hostbasedAcceptedAlgorithms: SshConfigAlgorithms;
  readonly hostbasedAuthentication: boolean;
  readonly hostKeyAlgorithms: SshConfigAlgorithms;
  readonly hostKeyAlias: string;
  readonly hostName: string;
  readonly identitiesOnly: boolean;
  readonly identityAgent: string;
  readonly identityFile: readonly string[];
  readonly ipQoS: SshConfigIPQoS;
  readonly kbdInteractiveAuthentication: boolean;
  readonly kbdInteractiveDevices: string;
  readonly kexAlgorithms: SshConfigAlgorithms;
  readonly knownHostsCommand: string;
  /** its tokens are expanded if PermitLocalCommand is `yes` */
  readonly localCommand: string;
  readonly localForward: readonly SshConfigForwardLine[];
  readonly logLevel: SshConfigLogLevel;
  readonly logVerbose: readonly string[];
  readonly macs: SshConfigAlgorithms;
  readonly noHostAuthenticationForLocalhost: boolean;
  readonly numberOfPasswordPrompts: number;
  /** milliseconds between packets; 0: keystrokes are sent as they come */
  readonly obscureKeystrokeTiming: number;
  readonly passwordAuthentication: boolean;
  readonly permitLocalCommand: boolean;
  /** `host:port`, `any` or `none` */
  readonly permitRemoteOpen: readonly string[];
  readonly pkcs11Provider: string;
  readonly port: number;
  readonly preferredAuthentications: string;
  readonly proxyCommand: string;
  readonly proxyJump: readonly SshDestination[];
  readonly proxyUseFdpass: boolean;
  readonly pubkeyAcceptedAlgorithms: SshConfigAlgorithms;
  readonly pubkeyAuthentication: "yes" | "no" | "unbound" | "host-bound";
  readonly rekeyLimit: SshConfigRekeyLimit;
  readonly remoteCommand: string;
  readonly remoteForward: readonly SshConfigForwardLine[];
  readonly requestTTY: "yes" | "no" | "force" | "auto";
  readonly requiredRSASize: number;
  readonly revokedHostKeys: string;
  readonly securityKeyProvider: string;
  readonly sendEnv: readonly string[];
  readonly serverAliveCountMax: number;
  readonly serverAliveInterval: number | undefined;
  readonly sessionType: "none" | "subsystem" | "default";
  readonly setEnv: Readonly<Record<string, string>>;
  readonly stdinNull: boolean;
  /** the bits that the mode of a new UNIX socket does not have */
  readonly streamLocalBindMask: number;
  readonly streamLocalBindUnlink: boolean;
  readonly strictHostKeyChecking: "yes" | "no" | "ask" | "off" | "accept-new";
  readonly syslogFacility: string;
  readonly tag: string;
  readonly tcpKeepAlive: boolean;
  readonly tunnel: "yes" | "no" | "point-to-point" | "ethernet";
  readonly tunnelDevice: SshConfigTunnelDevice;
  readonly updateHostKeys: "yes" | "no" | "ask";
  readonly user: string;
  readonly userKnownHostsFile: readonly string[];
  readonly verifyHostKeyDNS: "yes" | "no" | "ask";
  readonly versionAddendum: string;
  readonly visualHostKey: boolean;
  readonly xAuthLocation: string;
}
