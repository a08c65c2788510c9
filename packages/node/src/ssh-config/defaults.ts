/** The defaults of OpenSSH. @module */
import type { SshConfigValues } from "./keyword-values.ts";

/** The keywords whose default does not depend on the user. */
type Constant =
  | "addKeysToAgent"
  | "addressFamily"
  | "batchMode"
  | "canonicalDomains"
  | "canonicalizeFallbackLocal"
  | "canonicalizeHostname"
  | "canonicalizeMaxDots"
  | "canonicalizePermittedCNAMEs"
  | "channelTimeout"
  | "checkHostIP"
  | "clearAllForwardings"
  | "compression"
  | "connectionAttempts"
  | "controlMaster"
  | "enableEscapeCommandline"
  | "enableSSHKeysign"
  | "escapeChar"
  | "exitOnForwardFailure"
  | "fingerprintHash"
  | "forkAfterAuthentication"
  | "forwardAgent"
  | "forwardX11"
  | "forwardX11Timeout"
  | "forwardX11Trusted"
  | "gatewayPorts"
  | "gssapiAuthentication"
  | "gssapiDelegateCredentials"
  | "gssapiKeyExchange"
  | "gssapiRenewalForcesRekey"
  | "gssapiTrustDns"
  | "hashKnownHosts"
  | "hostbasedAuthentication"
  | "identitiesOnly"
  | "kbdInteractiveAuthentication"
  | "logLevel"
  | "logVerbose"
  | "noHostAuthenticationForLocalhost"
  | "numberOfPasswordPrompts"
  | "obscureKeystrokeTiming"
  | "passwordAuthentication"
  | "permitLocalCommand"
  | "permitRemoteOpen"
  | "port"
  | "proxyUseFdpass"
  | "pubkeyAuthentication"
  | "requestTTY"
  | "requiredRSASize"
  | "securityKeyProvider"
  | "sessionType"
  | "stdinNull"
  | "streamLocalBindMask"
  | "streamLocalBindUnlink"
  | "strictHostKeyChecking"
  | "syslogFacility"
  | "tcpKeepAlive"
  | "tunnel"
  | "tunnelDevice"
  | "verifyHostKeyDNS"
  | "visualHostKey"
  | "xAuthLocation";

/** The keywords that have a default. */
export type Defaulted =
  | Constant
  | "dynamicForward"
  | "globalKnownHostsFile"
  | "hostName"
  | "identityFile"
  | "localForward"
  | "remoteForward"
  | "updateHostKeys"
  | "user"
  | "userKnownHostsFile";

/** The constant defaults. */
export const constantDefaults: Pick<SshConfigValues, Constant> = {
  addKeysToAgent: { mode: "no", lifetime: 0 },
  addressFamily: "any",
  batchMode: false,
  canonicalDomains: [],
  canonicalizeFallbackLocal: true,
  canonicalizeHostname: "no",
  canonicalizeMaxDots: 1,
  canonicalizePermittedCNAMEs: [],
  channelTimeout: [],
  checkHostIP: false,
  clearAllForwardings: false,
  compression: false,
  connectionAttempts: 1,
  controlMaster: "no",
  enableEscapeCommandline: false,
  enableSSHKeysign: false,
  escapeChar: "~",
  exitOnForwardFailure: false,
  fingerprintHash: "SHA256",
  forkAfterAuthentication: false,
  forwardAgent: false,
  forwardX11: false,
  forwardX11Timeout: 1200,
  forwardX11Trusted: false,
  gatewayPorts: false,
  gssapiAuthentication: false,
  gssapiDelegateCredentials: false,
  gssapiKeyExchange: false,
  gssapiRenewalForcesRekey: false,
  gssapiTrustDns: false,
  hashKnownHosts: false,
  hostbasedAuthentication: false,
  identitiesOnly: false,
  kbdInteractiveAuthentication: true,
  logLevel: "INFO",
  logVerbose: [],
  noHostAuthenticationForLocalhost: false,
  numberOfPasswordPrompts: 3,
  obscureKeystrokeTiming: 20,
  passwordAuthentication: true,
  permitLocalCommand: false,
  permitRemoteOpen: [],
  port: 22,
  proxyUseFdpass: false,
  pubkeyAuthentication: "yes",
  requestTTY: "auto",
  // Our RSA keys have 2048 bits at least, whatever OpenSSH's 1024 permit.
  requiredRSASize: 1024,
  securityKeyProvider: "internal",
  sessionType: "default",
  stdinNull: false,
  streamLocalBindMask: 0o177,
  streamLocalBindUnlink: false,
  strictHostKeyChecking: "ask",
  syslogFacility: "USER",
  tcpKeepAlive: true,
  tunnel: "no",
  tunnelDevice: { local: "any", remote: "any" },
  verifyHostKeyDNS: "no",
  visualHostKey: false,
  xAuthLocation: "/usr/bin/xauth",
};
