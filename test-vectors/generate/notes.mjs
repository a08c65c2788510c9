/** The flags of the tests, and when `save` sets each one. A file copies the notes of the flags that it uses. @module */

/** `where` matches `kind/algorithm`; `when` is tested against the comment, or called with the test. */
const rule = (flag, where, when, note) => ({ flag, where, when, note });
const any = /./;

export const notes = [
  // Packets
  rule("CounterWrap", /^cipher/, /counter wraps|a carry|fixed field is/, {
    bugType: "EDGE_CASE",
    description: "The block counter or the invocation counter carries or wraps (RFC 4344 section 4, RFC 5647 7.1).",
    effect: "A wrong key stream, or one that is used twice.",
  }),
  rule("SequenceWrap", /^(cipher|mac)/, /sequence numbers around|sequence number 4294967295/, {
    bugType: "EDGE_CASE",
    description: "The sequence number is an unsigned 32-bit integer that wraps to zero (RFC 4253 section 6.4).",
    effect: "The connection fails after 2^31 or 2^32 packets.",
  }),
  rule("ModifiedTag", /^cipher/, /tag flipped|tag of zeros/, {
    bugType: "AUTH_BYPASS",
    description: "The tag is not the one of the packet.",
    effect: "An attacker on the path changes data.",
  }),
  rule("ModifiedPacket", /^cipher/, /body flipped|length flipped/, {
    bugType: "AUTH_BYPASS",
    description: "A bit of the packet is changed, and the tag is not.",
    effect: "An attacker on the path changes data.",
  }),
  rule("PlaintextPacket", /^cipher/, /plaintext sent/, {
    bugType: "AUTH_BYPASS",
    description: "The packet is not encrypted.",
    effect: "An attacker on the path injects data.",
  }),
  rule("ReplayedPacket", /^cipher/, /wrong sequence number|first packet twice/, {
    bugType: "AUTH_BYPASS",
    description: "A packet arrives at another position than the one for which it was sealed.",
    effect: "An attacker on the path drops, repeats or reorders packets.",
  }),
  rule("WrongKey", /^cipher/, /halves of the key exchanged/, {
    bugType: "MISSING_STEP",
    description: "The two keys of chacha20-poly1305@openssh.com are exchanged (OpenSSH PROTOCOL.chacha20poly1305).",
  }),
  // Key exchanges
  rule("SecretAsMpint", /^kex/, /leading zeros of|first byte of the secret/, {
    bugType: "EDGE_CASE",
    description: "K is an mpint: without leading zeros, and with one if the first bit is set (RFC 4251 section 5).",
    effect: "One handshake in 256, or in two, fails.",
    links: ["https://www.rfc-editor.org/rfc/rfc8731#section-3.1"],
  }),
  rule("NonCanonicalPublicValue", /^kex/, /is taken modulo p|significant bit is ignored|on the twist/, {
    bugType: "EDGE_CASE",
    description: "X25519 accepts every string of 32 bytes (RFC 7748 section 5).",
  }),
  rule("ScalarSampling", /^kex/, /drawn and dropped|surplus bits/, {
    bugType: "EDGE_CASE",
    description:
      "Random bytes outside the range of a scalar are dropped (FIPS 186-5 A.2.2). Applies only to this method.",
    effect: "A biased or invalid private key.",
  }),
  rule("ExtremeScalar", /^kex/, /smallest scalar|greatest scalar/, {
    bugType: "EDGE_CASE",
    description: "The private key is the first or the last of its range.",
  }),
  rule("LowOrderPoint", /^kex/, /zeros as a secret/, {
    bugType: "CONFIDENTIALITY",
    description: "The shared secret is zero, which must end the connection (RFC 8731 section 3).",
    effect: "The peer, or an attacker who is both peers, fixes the secret.",
    links: ["https://www.rfc-editor.org/rfc/rfc8731#section-3"],
  }),
  rule("InvalidCurve", /^(kex|hostkey)/, /not on the curve|\(0, 0\)|curve with b \+ 1|^SigVer.*Q changed/, {
    bugType: "CONFIDENTIALITY",
    description: "The public value is not a point of the curve (RFC 5656 section 4).",
    effect: "The peer learns a private key that is used more than once.",
    cves: ["CVE-2015-7940"],
  }),
  rule(
    "InvalidPublicValue",
    /^kex/,
    /compressed|hybrid|infinity|byte too|first byte is [0-9]|that is p$|nothing|of X25519|public value of/,
    {
      bugType: "MODIFIED_PARAMETER",
      description:
        "The public value does not have the form that the method prescribes (RFC 5656 section 4, RFC 8731 3).",
    },
  ),
  // Signatures
  rule("ModifiedMessage", /^(hostkey|userauth)/, /other data|data flipped|Message changed|another message/, {
    bugType: "AUTH_BYPASS",
    description: "The signature is of other data.",
    effect: "Another party is taken for the owner of the key.",
  }),
  rule(
    "ModifiedSignature",
    /^hostkey/,
    /^bit .* of the signature|Signature changed|[RS] changed|flag flipped|another counter/,
    {
      bugType: "AUTH_BYPASS",
      description: "A part of the signature is changed.",
      effect: "Another party is taken for the owner of the key.",
    },
  ),
  rule("OtherKey", /^hostkey/, /Public Key e changed/, {
    bugType: "AUTH_BYPASS",
    description: "The signature is of another key.",
  }),
  rule(
    "AlgorithmConfusion",
    /^hostkey/,
    /calls itself|plain algorithm's name|key type rsa|of another type|plain key|other security key|another curve's/,
    {
      bugType: "AUTH_BYPASS",
      description:
        "A name inside the key or the signature is not that of the algorithm (RFC 4253 section 6.6, RFC 8332 3).",
      effect: "A weaker algorithm than the negotiated one is used.",
    },
  ),
  rule("SecurityKeyFlags", /^hostkey/, /^flags [0-9]/, {
    bugType: "EDGE_CASE",
    description: "The signature holds under any flags; whether a user must be present is a question of authorization.",
    links: ["https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.u2f"],
  }),
  rule(
    "SecurityKeyStructure",
    /^hostkey/,
    /another application|without the hashes|without its application|no counter|after the counter/,
    {
      bugType: "AUTH_BYPASS",
      description: "The signed structure of OpenSSH PROTOCOL.u2f is not the one of this key and data.",
    },
  ),
  rule("SmallOrderKey", /^hostkey\/.*ed25519/, /small order/, {
    bugType: "AUTH_BYPASS",
    description: "A public key of small order: one signature fits many messages.",
    effect: "A signature that proves nothing.",
  }),
  rule("NonCanonicalPoint", /^hostkey\/.*ed25519/, /not reduced|sign set|no point/, {
    bugType: "MALLEABILITY",
    description: "An encoding that decodes to no point (RFC 8032 section 5.1.3).",
  }),
  rule("ScalarRange", /^hostkey\/.*ed25519/, /S is not below L|R and S of zeros/, {
    bugType: "MALLEABILITY",
    description: "S is outside its range (RFC 8032 section 5.1.7).",
    effect: "A second signature for the same data.",
  }),
  rule(
    "EcdsaRange",
    /^hostkey\/.*ecdsa/,
    /: -?[rs] (=|[-+] n)|: -[rs]$|r = s = 0|twice the size|s of 2000|and s exchanged/,
    {
      bugType: "AUTH_BYPASS",
      description: "r or s is outside 1 to n - 1, or is not the one of the data (FIPS 186-5 section 6.4.2).",
      effect: "With r = s = 0, one signature fits every message and key.",
      cves: ["CVE-2022-21449"],
    },
  ),
  rule("SignatureMalleability", /^hostkey\/.*ecdsa/, /n - s is as valid/, {
    bugType: "MALLEABILITY",
    description: "ECDSA as SSH uses it accepts both roots.",
  }),
  rule("Pkcs1Padding", /^hostkey\/rsa/, /RFC 8017 8\.2\.2|Format of the EM|RSASSA-PSS/, {
    bugType: "AUTH_BYPASS",
    description: "The encoded message is not exactly that of RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2).",
    effect: "Signatures are forged if the exponent is small.",
    cves: ["CVE-2006-4339"],
  }),
  rule("RsaRange", /^hostkey\/rsa/, /RFC 8017 5\.2\.2/, {
    bugType: "AUTH_BYPASS",
    description: "The signature is outside its range (RFC 8017 section 5.2.2).",
  }),
  rule("OmittedLeadingZeros", /^hostkey\/rsa/, /without the zero, which/, {
    bugType: "LEGACY",
    description: "Leading zeros of the signature are omitted; a verifier may accept that (RFC 8332 section 3).",
  }),
  rule("LeadingZeros", /^hostkey\/rsa/, /with a leading zero/, {
    bugType: "EDGE_CASE",
    description: "The signature has the length of the modulus, with leading zeros (RFC 8332 section 3).",
    effect: "One signature in 256 fails.",
  }),
  rule("WeakKey", /^hostkey\/rsa/, /^a modulus of|even modulus|negative modulus|^e = |negative e$|e and n exch/, {
    bugType: "WEAK_PARAMS",
    description: "The key is too short, too costly, or is no RSA key.",
    effect: "Anybody can sign, or a verification takes very long.",
  }),
  rule(
    "InvalidKey",
    /^hostkey\/ecdsa/,
    /RFC 5656 3\.1: (no identifier|a compressed|the hybrid|the point|an empty|x = p|a byte)/,
    {
      bugType: "MODIFIED_PARAMETER",
      description: "The point does not have the form that RFC 5656 section 3.1 prescribes.",
    },
  ),
  rule(
    "InvalidEncoding",
    /^hostkey/,
    /blob with a byte|cut short|an empty (sig|key)|of \d+ bytes|DER|without lengths|needless zero|s missing|byte after (s|the key)$|third integer|byte (longer|shorter)/,
    {
      bugType: "MODIFIED_PARAMETER",
      description: "The key or the signature is not encoded as its RFC prescribes.",
    },
  ),
  // Data types
  rule("NonMinimalMpint", /^wire/, /zero that is needless|needless (leading )?zero/, {
    bugType: "MODIFIED_PARAMETER",
    description: "Unnecessary leading bytes must not be included (RFC 4251 section 5).",
  }),
  rule("NegativeMpint", /^wire/, /negative|-128$/, {
    bugType: "MODIFIED_PARAMETER",
    description: "A negative integer. No message of SSH has one, so a reader may refuse it.",
  }),
  rule("EmptyName", /^wire/, /name must not be empty/, {
    bugType: "MODIFIED_PARAMETER",
    description: "A name must have a non-zero length (RFC 4251 section 5).",
  }),
  rule("Truncated", /^(wire|agent)/, /cut short|^no bytes|truncated/, {
    bugType: "MODIFIED_PARAMETER",
    description: "The bytes end inside a field.",
    effect: "A read beyond the end of the buffer.",
  }),
  rule("LengthBeyondEnd", /^(wire|agent)/, /of 2\^32 - 1 bytes|length beyond/, {
    bugType: "MODIFIED_PARAMETER",
    description: "The length of a field is greater than the bytes that follow.",
    effect: "A read beyond the end of the buffer, or an allocation of gigabytes.",
  }),
  rule("TrailingBytes", /^(wire|agent)/, /a byte after|trailing/, {
    bugType: "MODIFIED_PARAMETER",
    description: "Bytes follow the last field.",
  }),
  // Certificates, key files, known hosts
  rule("Sha1Signature", /^certificates/, /SHA-1/, {
    bugType: "WEAK_PARAMS",
    description: "The CA signed with SHA-1, or a list holds SHA-1 fingerprints.",
    effect: "A collision gives a certificate that the CA never signed.",
  }),
  rule("NoPrincipals", /^certificates\/(?!krl)/, ({ principals }) => principals.length === 0, {
    bugType: "LEGACY",
    description: "The certificate names no principal. OpenSSH before 10.3 accepts it for every user or host.",
    effect: "A certificate for everybody.",
  }),
  rule("CriticalOption", /^certificates/, ({ criticalOptions = [] }) => criticalOptions.length > 0, {
    bugType: "MISSING_STEP",
    description:
      "The certificate has critical options; it must be refused if one is not known (OpenSSH PROTOCOL.certkeys).",
  }),
  rule("Revoked", /^certificates\/krl/, ({ revoked }) => revoked.length > 0, {
    bugType: "AUTH_BYPASS",
    description: "The list revokes some of the keys and certificates (OpenSSH PROTOCOL.krl).",
  }),
  rule("EncryptedFile", /^keys\/file/, ({ passphrase }) => passphrase !== undefined, {
    bugType: "BASIC",
    description: "The file is read with its passphrase, and not without it or with another.",
  }),
  rule("TripleDes", /^keys/, /des3|3des|3DES/, {
    bugType: "LEGACY",
    description: "The file is encrypted with Triple DES, which a reader may refuse.",
  }),
  rule("UnsupportedKey", /^keys\/unread/, /dsa|secp256k1|ed448|-nomac/, {
    bugType: "LEGACY",
    description: "A type of key or a form of file that a reader may refuse.",
  }),
  rule("CostlyFile", /^keys\/unread/, ({ error }) => error === "limit", {
    bugType: "DENIAL_OF_SERVICE",
    description: "The file asks for a very long key derivation; a reader may refuse it.",
    effect: "A file makes a program hang.",
  }),
  rule("WeakKeyFile", /^keys\/unread/, /-b 1024/, {
    bugType: "WEAK_PARAMS",
    description: "An RSA key that is too short.",
  }),
  rule("NoPrivateKey", /^keys\/unread/, /-nokeys/, {
    bugType: "EDGE_CASE",
    description: "The file holds no private key.",
  }),
  rule("ChangedHostKey", /^known-hosts/, ({ verdict }) => verdict === "changed", {
    bugType: "AUTH_BYPASS",
    description: "Another key is known for this host.",
    effect: "An attacker on the path is taken for the server.",
  }),
  rule("RevokedHostKey", /^known-hosts/, ({ verdict }) => verdict === "revoked", {
    bugType: "AUTH_BYPASS",
    description: "The key or its CA is marked @revoked.",
  }),
  rule("UnknownHost", /^known-hosts/, ({ verdict }) => verdict === "unknown", {
    bugType: "AUTH_BYPASS",
    description: "No line matches the host and the key.",
  }),
  rule("DiffersFromOpenSsh", /^known-hosts/, /; OpenSSH /, {
    bugType: "CAN_OF_WORMS",
    description: "The verdict differs from the one of OpenSSH 9.2; the comment says how.",
  }),
  // Transcripts
  rule("Rekey", /^transcripts/, /new keys every/, {
    bugType: "BASIC",
    description: "Keys are exchanged again while data flows (RFC 4253 section 9).",
  }),
  rule("Normal", any, ({ result, flags }) => result === "valid" && flags.length === 0, {
    bugType: "BASIC",
    description: "An ordinary input.",
  }),
];
