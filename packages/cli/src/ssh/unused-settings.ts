/** Lines of the configuration that ask for something that this program does not do. @module */
import type { ResolvedSshConfig, SshConfigSetting } from "@postern/node";

/** Keywords without effect here, although ssh acts on them. */
const keywords: readonly string[] = [
  "CanonicalizeHostname",
  "ChannelTimeout",
  "CheckHostIP",
  "ForwardAgent",
  "ForwardX11",
  "ForwardX11Trusted",
  "GSSAPIAuthentication",
  "GSSAPIDelegateCredentials",
  "GSSAPIKeyExchange",
  "HostbasedAuthentication",
  "IPQoS",
  "KbdInteractiveDevices",
  "ObscureKeystrokeTiming",
  "PKCS11Provider",
  "ProxyUseFdpass",
  "SecurityKeyProvider",
  "Tunnel",
  "VerifyHostKeyDNS",
  "VersionAddendum",
];

/** Returns a line of the log for each setting in `unused` that would change something in ssh. */
export function withoutEffect(unused: readonly SshConfigSetting[], config: Partial<ResolvedSshConfig>): string[] {
  const values = new Map(Object.entries(config).map(([name, value]) => [name.toLowerCase(), value]));
  return unused.flatMap(({ file, line, keyword }) => {
    const name = keywords.find((one) => one.toLowerCase() === keyword);
    return name === undefined || isOff(values.get(keyword)) ? [] : [`${file} line ${line}: ${name} has no effect`];
  });
}

/** Such as `ForwardAgent no`. */
function isOff(value: unknown): boolean {
  return value === undefined || value === false || value === 0 || value === "no" || value === "none" || value === "";
}
