/**
 * Known hosts, and host keys to look up in them. In the texts `{ed25519}` stands for the type and base64 of a key,
 * `{hash:NAME}` for a name that `ssh-keygen -H` has hashed.
 * @module
 */

/** A text and a query. Default: the server `ssh.example.com`, port 22, presents its Ed25519 key. */
export interface Case {
  readonly comment: string;
  readonly text: string;
  readonly host?: string;
  readonly port?: number;
  readonly hostKeyAlias?: string;
  readonly key?: "ed25519" | "rsa" | "ecdsa";
  /** the certificate of the Ed25519 key that the server presents, see {@link certificates} */
  readonly certificate?: keyof typeof certificates;
  /** why the verdict is meant to differ from that of OpenSSH 9.2 */
  readonly deviation?: {
    readonly verdict: "revoked" | "unknown" | "trusted";
    readonly line?: number;
    readonly why: string;
  };
}

/** Options of `ssh-keygen -s` for each certificate, after `-s CA`. */
export const certificates = {
  good: { ca: "ca", args: ["-h", "-n", "ssh.example.com"] },
  wildcard: { ca: "ca", args: ["-h", "-n", "*.example.com"] },
  otherName: { ca: "ca", args: ["-h", "-n", "www.example.com"] },
  expired: { ca: "ca", args: ["-h", "-n", "ssh.example.com", "-V", "20200101:20200102"] },
  early: { ca: "ca", args: ["-h", "-n", "ssh.example.com", "-V", "20990101:20990102"] },
  user: { ca: "ca", args: ["-n", "ssh.example.com"] },
  critical: { ca: "ca", args: ["-h", "-n", "ssh.example.com", "-O", "critical:unknown@example.com=x"] },
  noName: { ca: "ca", args: ["-h"] },
  rsaCa: { ca: "rsaCa", args: ["-h", "-n", "ssh.example.com", "-t", "rsa-sha2-512"] },
  sha1Ca: { ca: "rsaCa", args: ["-h", "-n", "ssh.example.com", "-t", "ssh-rsa"] },
} as const;

const name = "ssh.example.com";
const long = "a".repeat(1022);

/** Without a certificate. */
const plain: readonly Case[] = [
  { comment: "trusts a plain name", text: `${name} {ed25519}\n` },
  { comment: "does not know a host in an empty file", text: "" },
  { comment: "does not know another host", text: "www.example.com {ed25519}\n" },
  { comment: "refuses a changed key", text: `${name} {other}\n` },
  { comment: "refuses a key if only one of another type is known", text: `${name} {rsa}\n` },
  { comment: "trusts one of several keys", text: `${name} {other}\n${name} {rsa}\n${name} {ed25519}\n` },
  { comment: "trusts an RSA key", text: `${name} {rsa}\n`, key: "rsa" },
  { comment: "trusts an ECDSA key", text: `${name} {ecdsa}\n`, key: "ecdsa" },
  { comment: "names the last line of a changed key, of any type", text: `${name} {other}\n${name} {rsa}\n` },
  { comment: "names the last line of a changed key", text: `${name} {rsa}\n${name} {other}\n` },
  { comment: "trusts one name of a list", text: `www.example.com,${name},192.0.2.1 {ed25519}\n` },
  { comment: "ignores the case of a name", text: `SSH.Example.COM {ed25519}\n`, host: "Ssh.example.com" },
  {
    comment: "skips comments and empty lines",
    text: `# ${name} {other}\n\n  \t\n${name} {ed25519} a comment # more\n`,
  },
  { comment: "accepts white space before and between fields", text: ` \t${name}\t \t{ed25519}\n` },
  { comment: "accepts CR LF", text: `# x\r\n${name} {ed25519}\r\n` },
  { comment: "accepts a last line without a line feed", text: `${name} {ed25519}` },
  { comment: "does not skip a byte order mark", text: `\u{feff}${name} {ed25519}\n` },
  { comment: "trusts a wildcard", text: `*.example.com {ed25519}\n` },
  { comment: "trusts a question mark", text: `ss?.example.com {ed25519}\n` },
  { comment: "needs a character for a question mark", text: `ssh?.example.com {ed25519}\n` },
  { comment: "trusts a lone star", text: `* {ed25519}\n` },
  { comment: "matches several stars in turn", text: `*s*h*.*e*.com {ed25519}\n` },
  { comment: "does not match a wildcard across the whole name", text: `*.example.org {ed25519}\n` },
  { comment: "obeys a negation after the pattern", text: `*.example.com,!${name} {ed25519}\n` },
  { comment: "obeys a negation before the pattern", text: `!${name},*.example.com {ed25519}\n` },
  { comment: "obeys a negated wildcard", text: `${name},!*.example.com {ed25519}\n` },
  { comment: "does not match a negation alone", text: `!www.example.com {ed25519}\n` },
  { comment: "ignores a negation of another host", text: `*.example.com,!www.example.com {ed25519}\n` },
  { comment: "takes one exclamation mark only", text: `*.example.com,!!${name} {ed25519}\n` },
  { comment: "skips empty patterns", text: `,,${name}, {ed25519}\n` },
  { comment: "matches a pattern of 1022 characters", text: `${"*".repeat(1022)} {ed25519}\n` },
  { comment: "matches nothing with a pattern of 1023 characters", text: `${"*".repeat(1023)} {ed25519}\n` },
  { comment: "matches nothing with a long pattern after one that matches", text: `${name},${long}a {ed25519}\n` },
  { comment: "trusts a hashed name", text: `{hash:${name}} {ed25519}\n` },
  { comment: "refuses a changed key of a hashed name", text: `{hash:${name}} {other}\n` },
  { comment: "does not know another hashed name", text: `{hash:www.example.com} {ed25519}\n` },
  { comment: "ignores a list that starts with a hash", text: `{hash:${name}},${name} {ed25519}\n` },
  { comment: "ignores a hash in a list", text: `www.example.com,{hash:${name}} {ed25519}\n` },
  {
    comment: "ignores a hash with a wrong magic",
    text: `|2|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA= {ed25519}\n`,
  },
  { comment: "ignores a hash without a salt", text: `|1||AAAAAAAAAAAAAAAAAAAAAAAAAAA= {ed25519}\n` },
  { comment: "trusts a name with its port", text: `[${name}]:2222 {ed25519}\n`, port: 2222 },
  { comment: "trusts a hashed name with its port", text: `{hash:[${name}]:2222} {ed25519}\n`, port: 2222 },
  { comment: "trusts a name without the port", text: `${name} {ed25519}\n`, port: 2222 },
  { comment: "does not know a name with another port", text: `[${name}]:2223 {ed25519}\n`, port: 2222 },
  { comment: "does not know a name with a port at port 22", text: `[${name}]:2222 {ed25519}\n` },
  { comment: "does not match port 22 in brackets", text: `[${name}]:22 {ed25519}\n` },
  {
    comment: "prefers a changed key with the port to a known one without",
    text: `${name} {ed25519}\n[${name}]:2222 {other}\n`,
    port: 2222,
  },
  { comment: "does not know a host if another key is known without the port", text: `${name} {other}\n`, port: 2222 },
  { comment: "matches a wildcard with a port", text: `[*.example.com]:2222 {ed25519}\n`, port: 2222 },
  { comment: "matches a wildcard for any port", text: `[*.example.com]:* {ed25519}\n`, port: 2222 },
  { comment: "trusts an IPv6 address", text: `2001:db8::1 {ed25519}\n`, host: "2001:db8::1" },
  {
    comment: "trusts an IPv6 address with a port",
    text: `[2001:db8::1]:2222 {ed25519}\n`,
    host: "2001:db8::1",
    port: 2222,
  },
  {
    comment: "looks up the alias instead of the name",
    text: `alias {ed25519}\n${name} {other}\n`,
    hostKeyAlias: "alias",
  },
  { comment: "does not look up the name if there is an alias", text: `${name} {ed25519}\n`, hostKeyAlias: "alias" },
  { comment: "ignores the port if there is an alias", text: `alias {ed25519}\n`, hostKeyAlias: "alias", port: 2222 },
  { comment: "refuses a revoked key", text: `@revoked ${name} {ed25519}\n` },
  { comment: "refuses a key that is known and revoked", text: `${name} {ed25519}\n@revoked * {ed25519}\n` },
  { comment: "refuses a key that is revoked and then known", text: `@revoked * {ed25519}\n${name} {ed25519}\n` },
  { comment: "does not refuse a key for another revoked one", text: `@revoked * {other}\n${name} {ed25519}\n` },
  { comment: "does not know a host by another revoked key", text: `@revoked * {other}\n` },
  { comment: "refuses a revoked key of a hashed name", text: `@revoked {hash:${name}} {ed25519}\n${name} {ed25519}\n` },
  { comment: "ignores a revocation for another host", text: `@revoked www.example.com {ed25519}\n${name} {ed25519}\n` },
  {
    comment: "refuses a key by the certificate in a revoked line",
    text: `@revoked * {cert:good}\n${name} {ed25519}\n`,
  },
  {
    comment: "refuses a key that is revoked for the name without the port",
    text: `@revoked ${name} {ed25519}\n`,
    port: 2222,
    deviation: { verdict: "revoked", line: 1, why: "OpenSSH calls it unknown, and would accept it in accept-new mode" },
  },
  {
    comment: "refuses a key that is revoked with a tab after the marker",
    text: `@revoked\t* {ed25519}\n${name} {ed25519}\n`,
    deviation: { verdict: "revoked", line: 1, why: "OpenSSH ignores the line, and trusts the key" },
  },
  { comment: "does not trust a CA key as a host key", text: `@cert-authority * {ed25519}\n` },
  { comment: "ignores unknown markers", text: `@trusted ${name} {ed25519}\n` },
  { comment: "ignores two markers", text: `@revoked @cert-authority ${name} {ed25519}\n${name} {ed25519}\n` },
  {
    comment: "ignores a line without a key",
    text: `${name}\n${name} \n${name} ssh-ed25519\n${name} ssh-ed25519 #\n${name} {ed25519}\n`,
  },
  { comment: "ignores a malformed key", text: `${name} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n${name} {ed25519}\n` },
  { comment: "does not know a host by a malformed key", text: `${name} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n` },
  { comment: "does not know a host by an unknown key type", text: `${name} ssh-unknown AAAAC3NzaC11bmtub3du\n` },
  {
    comment: "does not know a host if the type differs from that of the key",
    text: `${name} ssh-rsa {base64:ed25519}\n`,
  },
  {
    comment: "accepts the name of a signature algorithm as the type",
    text: `${name} rsa-sha2-256 {base64:rsa}\n`,
    key: "rsa",
  },
  { comment: "ignores the numbers of an SSH 1 key", text: `${name} 1024 35 1234567\n${name} {ed25519}\n` },
  {
    comment: "ignores base64 with a missing end",
    text: `${name} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAA\n${name} {ed25519}\n`,
  },
  { comment: "takes a certificate without a marker for another key", text: `${name} {cert:good}\n` },
];

/** With certificates. */
const certified: readonly Case[] = [
  { comment: "trusts a certificate of a known CA", text: `@cert-authority *.example.com {ca}\n`, certificate: "good" },
  {
    comment: "trusts a certificate of an RSA CA",
    text: `@cert-authority *.example.com {rsaCa}\n`,
    certificate: "rsaCa",
  },
  {
    comment: "trusts a principal with a wildcard",
    text: `@cert-authority * {ca}\n`,
    certificate: "wildcard",
    deviation: { verdict: "trusted", line: 1, why: "OpenSSH before 10.3 compares the text of the principal" },
  },
  { comment: "does not know a host by another CA", text: `@cert-authority * {ca2}\n`, certificate: "good" },
  {
    comment: "does not know a host by a CA for other hosts",
    text: `@cert-authority *.org {ca}\n`,
    certificate: "good",
  },
  { comment: "refuses another principal", text: `@cert-authority * {ca}\n`, certificate: "otherName" },
  { comment: "refuses an expired certificate", text: `@cert-authority * {ca}\n`, certificate: "expired" },
  { comment: "refuses a certificate that is not valid yet", text: `@cert-authority * {ca}\n`, certificate: "early" },
  { comment: "refuses a host key with a user certificate", text: `@cert-authority * {ca}\n`, certificate: "user" },
  { comment: "refuses an unknown critical option", text: `@cert-authority * {ca}\n`, certificate: "critical" },
  {
    comment: "refuses a certificate without principals",
    text: `@cert-authority * {ca}\n`,
    certificate: "noName",
    deviation: { verdict: "unknown", why: "OpenSSH before 10.3 accepts it for every host" },
  },
  { comment: "refuses a signature with SHA-1", text: `@cert-authority * {rsaCa}\n`, certificate: "sha1Ca" },
  {
    comment: "trusts the plain key of an expired certificate",
    text: `@cert-authority * {ca}\n${name} {ed25519}\n`,
    certificate: "expired",
  },
  { comment: "trusts the plain key if no CA is known", text: `${name} {ed25519}\n`, certificate: "good" },
  { comment: "refuses a changed plain key if no CA is known", text: `${name} {other}\n`, certificate: "good" },
  {
    comment: "trusts a certificate beside a changed plain key",
    text: `${name} {other}\n@cert-authority * {ca}\n`,
    certificate: "good",
  },
  { comment: "refuses a revoked CA", text: `@cert-authority * {ca}\n@revoked * {ca}\n`, certificate: "good" },
  {
    comment: "refuses a revoked CA although the plain key is known",
    text: `${name} {ed25519}\n@revoked * {ca}\n`,
    certificate: "good",
  },
  {
    comment: "refuses the revoked key of a certificate",
    text: `@cert-authority * {ca}\n@revoked * {ed25519}\n`,
    certificate: "good",
  },
  { comment: "does not trust a CA without the marker", text: `${name} {ca}\n`, certificate: "good" },
  {
    comment: "trusts a CA for the name with its port",
    text: `@cert-authority [*.example.com]:2222 {ca}\n`,
    port: 2222,
    certificate: "good",
  },
  {
    comment: "trusts a CA for the name without the port",
    text: `@cert-authority *.example.com {ca}\n`,
    port: 2222,
    certificate: "good",
  },
  {
    comment: "looks for a CA without the port if another is known with it",
    text: `@cert-authority [*.example.com]:2222 {ca2}\n@cert-authority *.example.com {ca}\n`,
    port: 2222,
    certificate: "good",
  },
  {
    comment: "looks for the alias among the principals",
    text: `@cert-authority * {ca}\n`,
    hostKeyAlias: "alias",
    certificate: "good",
  },
  {
    comment: "trusts the alias of a certificate",
    text: `@cert-authority * {ca}\n`,
    host: "other.org",
    hostKeyAlias: name,
    certificate: "good",
  },
];

export const cases: readonly Case[] = [...plain, ...certified];
