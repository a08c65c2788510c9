/** The texts of ssh about host keys (check_host_key of OpenSSH's sshconnect.c). @module */
import type { UnknownHostKey } from "@postern/tunnel";
import { quote, sanitizeText } from "@postern/wire";

/** The dialogue about an unknown host key. */
export interface HostKeyDialog {
  readonly key: Pick<UnknownHostKey, "host" | "port" | "hostKeyAlias" | "keyType">;
  /** in the hash of FingerprintHash */
  readonly fingerprint: string;
  /** the IP address of the server; `undefined` behind a proxy */
  readonly address?: string | undefined;
  /** places where the same key is known for other names: `~/.ssh/known_hosts:3: example.com` */
  readonly otherNames?: readonly string[];
  /** the picture of VisualHostKey */
  readonly picture?: string | undefined;
}

/** Returns the question about an unknown host key, as ssh prints it. */
export function hostKeyQuestion(dialog: HostKeyDialog): string {
  const { key, fingerprint, address, otherNames = [], picture } = dialog;
  const { host, port, hostKeyAlias } = key;
  const shown = hostKeyAlias ?? nameAndPort(host, port);
  const ip = address === undefined ? "<no hostip for proxy command>" : nameAndPort(address, port);
  return [
    `The authenticity of host '${sanitizeText(shown)} (${sanitizeText(ip)})' can't be established.`,
    `${keyTypeName(key.keyType)} key fingerprint is ${fingerprint}.`,
    ...(picture === undefined ? [] : [picture]),
    ...(otherNames.length === 0
      ? ["This key is not known by any other names."]
      : [
          "This host key is known by the following other names/addresses:",
          ...otherNames.map((name) => `    ${sanitizeText(name)}`),
        ]),
    "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
  ].join("\n");
}

/** `host`, or `[host]:port` if the port is not 22, as put_host_port of OpenSSH. */
export function nameAndPort(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

/** The short name of a key type, as sshkey_type of OpenSSH. */
export function keyTypeName(type: string): string {
  const names: Readonly<Record<string, string>> = {
    "ssh-ed25519": "ED25519",
    "ssh-rsa": "RSA",
    "rsa-sha2-256": "RSA",
    "rsa-sha2-512": "RSA",
    "ssh-dss": "DSA",
    "sk-ssh-ed25519@openssh.com": "ED25519-SK",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ECDSA-SK",
  };
  return names[type] ?? (type.startsWith("ecdsa-sha2-") ? "ECDSA" : sanitizeText(type));
}

/** A host key as a server presented it. */
export interface PresentedKey {
  /** the name that was looked up, such as `[localhost]:2222` */
  readonly name: string;
  readonly keyType: string;
  /** in the hash of FingerprintHash */
  readonly fingerprint: string;
}

const rule = "@".repeat(59);

/**
 * Returns the lines of ssh's warning that the key of a host has changed. `file` is the user's first file of known
 * hosts, `offending` the line with the known key.
 */
export function changedHostKeyWarning(
  { name, keyType, fingerprint }: PresentedKey,
  file: string | undefined,
  offending: { readonly file: string | undefined; readonly number: number; readonly keyType: string },
): readonly string[] {
  const { file: place = "" } = offending;
  const shown = sanitizeText(name);
  return [
    rule,
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
    rule,
    "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!",
    "Someone could be eavesdropping on you right now (man-in-the-middle attack)!",
    "It is also possible that a host key has just been changed.",
    `The fingerprint for the ${keyTypeName(keyType)} key sent by the remote host is\n${fingerprint}.`,
    "Please contact your system administrator.",
    ...(file === undefined ? [] : [`Add correct host key in ${sanitizeText(file)} to get rid of this message.`]),
    `Offending ${keyTypeName(offending.keyType)} key in ${sanitizeText(place)}:${offending.number}`,
    "  remove with:",
    `  ssh-keygen -f ${quote(place, 1024)} -R ${quote(name, 1024)}`,
    `Host key for ${shown} has changed and you have requested strict checking.`,
  ];
}

/** Returns the lines of ssh's warning about a revoked key. */
export function revokedHostKeyWarning({ name, keyType }: PresentedKey): readonly string[] {
  const key = `${keyTypeName(keyType)} host key for ${sanitizeText(name)}`;
  return [
    rule,
    "@       WARNING: REVOKED HOST KEY DETECTED!               @",
    rule,
    `The ${key} is marked as revoked.`,
    "This could mean that a stolen key is being used to",
    "impersonate this host.",
    `${key} was revoked and you have requested strict checking.`,
  ];
}

/** Returns ssh's line about a key that was added to the user's file. */
export function addedHostKeyWarning({ name, keyType }: PresentedKey): string {
  return `Warning: Permanently added '${sanitizeText(name)}' (${keyTypeName(keyType)}) to the list of known hosts.`;
}

/** Returns ssh's line about a key that is not known. */
export function unknownHostKeyWarning({ name, keyType }: PresentedKey): readonly string[] {
  return [
    `No ${keyTypeName(keyType)} host key is known for ${sanitizeText(name)} and you have requested strict checking.`,
  ];
}
