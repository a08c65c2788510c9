/** The keywords of sshd_config(5): their forms, defaults, and what this host does with them. @module */

/** The form of a keyword's arguments. */
export type KeywordForm =
  | "flag"
  | "integer"
  | "time"
  | "octal"
  /** one word, kept as it is */
  | "word"
  /** everything after the keyword, kept as it is */
  | "text"
  /** words; the first line counts */
  | "words"
  /** words; those of all lines count, and each is printed in a line of its own */
  | "lines"
  | "level"
  | "facility"
  | "algorithms"
  | { readonly choice: readonly string[] }
  /** a check of its own, see `values.ts` */
  | "special";

/**
 * The effect of a keyword on this host: it has the effect of sshd_config(5); it has it outside of Match blocks; it is
 * accepted without effect, because a host that only forwards lacks what it is about; or a value other than the listed
 * ones is refused, because without its effect more would be permitted than the file says.
 */
export type KeywordUse = "used" | "global" | "ignored" | { readonly refusedUnless: readonly string[] };

/** A keyword of sshd_config(5). */
export interface Keyword {
  /** as sshd_config(5) writes it */
  readonly name: string;
  readonly form: KeywordForm;
  /** the default, as `sshd -T` prints it; none is printed for `undefined` */
  readonly byDefault: string | undefined;
  /** Whether it may be set in a Match block. */
  readonly inMatch: boolean;
  readonly use: KeywordUse;
  /** what a reader has to know */
  readonly note?: string;
}

type Row = readonly [
  name: string,
  form: KeywordForm,
  byDefault: string | undefined,
  where: "match" | "global",
  use: KeywordUse,
  note?: string,
];

const yesNoAll = ["yes", "no", "all", "local", "remote"];
const forwarding: KeywordForm = { choice: yesNoAll };

/** In the order in which `sshd -T` prints them. */
const rows: readonly Row[] = [
  ["Port", "special", "22", "global", "used"],
  ["AddressFamily", { choice: ["any", "inet", "inet6"] }, "any", "global", "used"],
  ["ListenAddress", "special", undefined, "global", "used", "without `rdomain`"],
  ["UsePAM", "flag", "no", "global", "ignored", "PAM is native code"],
  ["LoginGraceTime", "time", "120", "global", "used"],
  ["X11DisplayOffset", "integer", "10", "match", "ignored"],
  ["MaxAuthTries", "integer", "6", "match", "global"],
  ["MaxSessions", "integer", "10", "match", "global"],
  ["ClientAliveInterval", "time", "0", "match", "global"],
  ["ClientAliveCountMax", "integer", "3", "match", "global"],
  [
    "RequiredRSASize",
    "integer",
    "1024",
    "match",
    "used",
    "at least 2048, because shorter keys are refused in any case",
  ],
  ["StreamLocalBindMask", "octal", "0177", "match", "global"],
  ["UnusedConnectionTimeout", "time", "none", "match", "ignored"],
  [
    "PermitRootLogin",
    { choice: ["without-password", "prohibit-password", "forced-commands-only", "yes", "no"] },
    "without-password",
    "match",
    "used",
    "`forced-commands-only` is `no`",
  ],
  ["IgnoreRhosts", { choice: ["yes", "no", "shosts-only"] }, "yes", "match", "ignored"],
  ["IgnoreUserKnownHosts", "flag", "no", "match", "ignored"],
  ["HostbasedAuthentication", "flag", "no", "match", "ignored", "the method is not offered"],
  ["HostbasedUsesNameFromPacketOnly", "flag", "no", "match", "ignored"],
  ["PubkeyAuthentication", "flag", "yes", "match", "used"],
  ["KerberosAuthentication", "flag", "no", "match", "ignored", "the method is not offered"],
  ["KerberosOrLocalPasswd", "flag", "yes", "global", "ignored"],
  ["KerberosTicketCleanup", "flag", "yes", "global", "ignored"],
  ["GSSAPIAuthentication", "flag", "no", "match", "ignored", "the method is not offered"],
  ["GSSAPICleanupCredentials", "flag", "yes", "global", "ignored"],
  ["GSSAPIKeyExchange", "flag", "no", "global", "ignored"],
  ["GSSAPIStrictAcceptorCheck", "flag", "yes", "global", "ignored"],
  ["GSSAPIStoreCredentialsOnRekey", "flag", "no", "global", "ignored"],
  [
    "PasswordAuthentication",
    "flag",
    "yes",
    "match",
    "ignored",
    "system passwords are out of reach: the method is not offered",
  ],
  [
    "KbdInteractiveAuthentication",
    "flag",
    "yes",
    "match",
    "ignored",
    "system passwords are out of reach: the method is not offered",
  ],
  ["PrintMotd", "flag", "yes", "global", "ignored"],
  ["PrintLastLog", "flag", "yes", "global", "ignored"],
  ["X11Forwarding", "flag", "no", "match", "ignored", "X11 is refused"],
  ["X11UseLocalhost", "flag", "yes", "match", "ignored"],
  ["PermitTTY", "flag", "yes", "match", "ignored", "a session only prints the ports"],
  ["PermitUserRC", "flag", "yes", "match", "ignored"],
  ["StrictModes", "flag", "yes", "global", "used"],
  ["TCPKeepAlive", "flag", "yes", "global", "ignored", "it is always on"],
  ["PermitEmptyPasswords", "flag", "no", "match", "ignored"],
  ["Compression", { choice: ["yes", "no", "delayed"] }, "yes", "global", "ignored", "compression is not offered"],
  ["GatewayPorts", { choice: ["clientspecified", "yes", "no"] }, "no", "match", "used"],
  ["UseDNS", "flag", "no", "global", "ignored", "patterns of hosts are compared with addresses"],
  ["AllowTcpForwarding", forwarding, "yes", "match", "used"],
  ["AllowAgentForwarding", "flag", "yes", "match", "ignored", "agents are never forwarded"],
  ["DisableForwarding", "flag", "no", "match", "used"],
  [
    "AllowStreamLocalForwarding",
    forwarding,
    "yes",
    "match",
    "used",
    "only for the user that the host runs as, because it opens all sockets as that user",
  ],
  [
    "StreamLocalBindUnlink",
    "flag",
    "no",
    "match",
    "ignored",
    "a socket on which nothing listens is replaced, no other file is",
  ],
  [
    "FingerprintHash",
    { choice: ["MD5", "SHA1", "SHA256", "SHA384", "SHA512"] },
    "SHA256",
    "global",
    "ignored",
    "fingerprints are SHA256",
  ],
  ["ExposeAuthInfo", "flag", "no", "match", "ignored"],
  ["RefuseConnection", "flag", "no", "match", "used"],
  ["PidFile", "word", "/run/postern-host.pid", "global", "used"],
  ["ModuliFile", "word", "/etc/ssh/moduli", "global", "ignored", "groups are those of RFC 3526"],
  ["XAuthLocation", "word", "/usr/bin/xauth", "global", "ignored"],
  ["Ciphers", "algorithms", undefined, "global", "used"],
  ["MACs", "algorithms", undefined, "global", "used"],
  ["Banner", "word", "none", "match", "global", "the file is read at the start and on SIGHUP"],
  ["ForceCommand", "text", "none", "match", "ignored", "no command is ever run"],
  ["ChrootDirectory", "word", "none", "match", "ignored"],
  ["TrustedUserCAKeys", "word", "none", "match", "used"],
  ["RevokedKeys", "word", "none", "match", "used"],
  ["SecurityKeyProvider", "word", "internal", "global", "ignored"],
  ["AuthorizedPrincipalsFile", "word", "none", "match", "used"],
  ["VersionAddendum", "text", "none", "global", "used"],
  ["AuthorizedKeysCommand", "text", "none", "match", { refusedUnless: ["none"] }, "commands are not run"],
  ["AuthorizedKeysCommandUser", "word", "none", "match", "ignored"],
  ["AuthorizedPrincipalsCommand", "text", "none", "match", { refusedUnless: ["none"] }, "commands are not run"],
  ["AuthorizedPrincipalsCommandUser", "word", "none", "match", "ignored"],
  ["HostKeyAgent", "word", "none", "global", { refusedUnless: ["none"] }, "use HostKey"],
  ["KexAlgorithms", "algorithms", undefined, "global", "used"],
  ["CASignatureAlgorithms", "algorithms", undefined, "match", "used"],
  ["HostbasedAcceptedAlgorithms", "word", undefined, "match", "ignored"],
  [
    "HostKeyAlgorithms",
    "algorithms",
    undefined,
    "global",
    "used",
    "`ssh-rsa` stands for `rsa-sha2-512` and `rsa-sha2-256`",
  ],
  ["PubkeyAcceptedAlgorithms", "algorithms", undefined, "match", "used"],
  ["LogLevel", "level", "INFO", "match", "global"],
  ["SyslogFacility", "facility", "AUTH", "global", "used"],
  ["AuthorizedKeysFile", "words", ".ssh/authorized_keys .ssh/authorized_keys2", "match", "used"],
  ["HostKey", "lines", undefined, "global", "used"],
  ["HostCertificate", "lines", undefined, "global", "used"],
  ["AllowUsers", "lines", undefined, "match", "used"],
  ["DenyUsers", "lines", undefined, "match", "used"],
  ["AllowGroups", "lines", undefined, "match", "used"],
  ["DenyGroups", "lines", undefined, "match", "used"],
  ["AcceptEnv", "lines", undefined, "match", "ignored"],
  ["SetEnv", "words", undefined, "match", "ignored"],
  ["AuthenticationMethods", "special", "any", "match", "used", "lists of `publickey`; others cannot be passed"],
  ["LogVerbose", "words", undefined, "match", "ignored"],
  ["ChannelTimeout", "words", undefined, "match", "ignored"],
  ["Subsystem", "text", undefined, "match", "ignored", "subsystems are refused"],
  ["MaxStartups", "special", "10:30:100", "global", "used"],
  ["PerSourceMaxStartups", "special", "none", "global", "used"],
  ["PerSourceNetBlockSize", "special", "32:128", "global", "used"],
  ["PerSourcePenalties", "special", undefined, "global", "used", "without `crash`, `refuseconnection` and `overflow`"],
  ["PerSourcePenaltyExemptList", "word", "none", "global", "used"],
  [
    "PermitTunnel",
    { choice: ["yes", "no", "point-to-point", "ethernet"] },
    "no",
    "match",
    "ignored",
    "tunnels of packets are refused",
  ],
  ["IPQoS", "words", "lowdelay throughput", "match", "ignored"],
  ["RekeyLimit", "special", "0 0", "match", "global"],
  ["PermitOpen", "special", "any", "match", "used"],
  ["PermitListen", "special", "any", "match", "used"],
  ["PermitUserEnvironment", "word", "no", "global", "ignored"],
  ["PubkeyAuthOptions", "words", "none", "match", "used", "`verify-required` and `touch-required`"],
  ["SshdSessionPath", "word", undefined, "global", "ignored"],
  ["SshdAuthPath", "word", undefined, "global", "ignored"],
  ["RDomain", "word", undefined, "match", "ignored"],
  ["GSSAPIKexAlgorithms", "word", undefined, "global", "ignored"],
  ["DebianBanner", "flag", undefined, "global", "ignored"],
];

/** All keywords. */
export const keywords: readonly Keyword[] = rows.map(([name, form, byDefault, where, use, note]) => ({
  name,
  form,
  byDefault,
  inMatch: where === "match",
  use,
  ...(note !== undefined && { note }),
}));

/** Other names of keywords. */
const aliases = {
  ChallengeResponseAuthentication: "KbdInteractiveAuthentication",
  SKeyAuthentication: "KbdInteractiveAuthentication",
  DSAAuthentication: "PubkeyAuthentication",
  PubkeyAcceptedKeyTypes: "PubkeyAcceptedAlgorithms",
  HostbasedAcceptedKeyTypes: "HostbasedAcceptedAlgorithms",
  HostDSAKey: "HostKey",
  KeepAlive: "TCPKeepAlive",
} as const;
const aliasByName = lowerCased(new Map(Object.entries(aliases)));

/** Keywords that sshd accepts without effect, and says so. */
const deprecated = (
  "UsePrivilegeSeparation UseLogin KeyRegenerationInterval ServerKeyBits RhostsAuthentication " +
  "RhostsRSAAuthentication RSAAuthentication KerberosTGTPassing AFSTokenPassing VerifyReverseMapping " +
  "ReverseMappingCheck AuthorizedKeysFile2 CheckMail GSSUseSessionCCache"
)
  .toLowerCase()
  .split(" ");

const byName = lowerCased(new Map(keywords.map((one) => [one.name, one])));

/** Returns a keyword by its name in any case; `deprecated` or `obsolete` if it has no effect in sshd either. */
export function keywordOf(given: string): Keyword | "deprecated" | "obsolete" | undefined {
  const name = given.toLowerCase();
  if (name === "protocol") return "obsolete";
  if (deprecated.includes(name)) return "deprecated";
  return byName.get(aliasByName.get(name)?.toLowerCase() ?? name);
}

function lowerCased<Value>(map: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  return new Map([...map].map(([name, value]) => [name.toLowerCase(), value]));
}
