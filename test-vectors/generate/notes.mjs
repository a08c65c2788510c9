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
  // Key derivation and exchange hash
  rule("KeySize", /^kdf/, /keys of \d+ bytes, from/, {
    bugType: "EDGE_CASE",
    description: "A key is shorter than a digest, as long, or longer; a longer one is extended (RFC 4253 section 7.2).",
    effect: "The connection fails, or a part of a key is constant.",
  }),
  rule("SessionIdentifier", /^(kdf|handshake)/, /a later exchange|as session identifier/, {
    bugType: "EDGE_CASE",
    description: "The session identifier is the exchange hash of the first exchange (RFC 4253 section 7.2).",
    effect: "The connection fails at its first rekey.",
  }),
  rule("EncodingOfSecret", /^(kdf|exchange-hash)/, /: K (whose|with|is 1)/, {
    bugType: "EDGE_CASE",
    description: "K is an mpint: without leading zeros, and with one if the first bit is set (RFC 4251 section 5).",
    effect: "One handshake in 256, or in two, fails.",
  }),
  rule("SecretAsString", /^(kdf|exchange-hash|handshake)/, /K is a string/, {
    bugType: "EDGE_CASE",
    description:
      "In hybrid exchanges K is a string, whose leading zeros stay (draft-ietf-sshm-mlkem-hybrid-kex, RFC 9941).",
    effect: "One handshake in 256, or in two, fails.",
  }),
  rule("UnusualInput", /^exchange-hash/, /version (with|of)|1\.99|no host key|public values of|KEXINIT (of|on)/, {
    bugType: "EDGE_CASE",
    description: "A value that is longer, shorter or rarer than usual.",
  }),
  // Key exchanges
  rule("DifferentDirections", /^handshake/, /to the server, .* to the client/, {
    bugType: "EDGE_CASE",
    description: "The ciphers of the two directions differ (RFC 4253 section 7.1), and so do the sizes of their keys.",
  }),
  rule("OtherGroup", /^handshake/, /with generator 5/, {
    bugType: "EDGE_CASE",
    description: "The server's group has not the size that the client prefers, and is not of RFC 3526 (RFC 4419).",
  }),
  rule("SecretAsMpint", /^(kex|handshake)/, /leading zeros of|first byte of the secret|K is an mpint/, {
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
    /compressed|hybrid|infinity|byte too|first byte is [0-9]|that is p$|nothing|point of X25519|public value of/,
    {
      bugType: "MODIFIED_PARAMETER",
      description:
        "The public value does not have the form that the method prescribes (RFC 5656 section 4, RFC 8731 3).",
    },
  ),
  rule("InvalidLength", /^kex/, /'s value of \d+ bytes/, {
    bugType: "MODIFIED_PARAMETER",
    description:
      "The value is longer or shorter than the two that it joins (draft-ietf-sshm-mlkem-hybrid-kex section 2.3, RFC 9941 3).",
    effect: "A read beyond the end of the buffer, or a secret of fewer parts.",
  }),
  rule("ImplicitRejection", /^kex/, /altered ciphertext|a ciphertext of/, {
    bugType: "CONFIDENTIALITY",
    description:
      "An altered ciphertext results in another secret, and in no error (FIPS 203 section 6.3; sntrup761 does so, too).",
    effect: "An error, or its timing, tells an attacker about the private key.",
  }),
  rule("CoefficientRange", /^kex\/mlkem/, /FIPS 203 7\.2/, {
    bugType: "MODIFIED_PARAMETER",
    description: "A coefficient of the public key of ML-KEM is at most 3328 (FIPS 203 section 7.2).",
    effect: "Several encodings of one key.",
  }),
  rule("UnusualPublicKey", /^kex\/sntrup/, /is a polynomial, too/, {
    bugType: "EDGE_CASE",
    description: "Every string of 1158 bytes is a public key of sntrup761.",
  }),
  rule("KnownSecret", /^kex\/diffie/, /: (0|0 with a byte|1|p - 1|p|p \+ 1|2 p)$/, {
    bugType: "CONFIDENTIALITY",
    description: "The public value is 0, 1 or -1 modulo p, and so is the secret (RFC 8268 section 4).",
    effect: "An attacker who is both peers fixes the secret.",
  }),
  rule("ValueRange", /^kex\/diffie/, /: (p|p \+ [12]|2 p|a byte more than p|-1|a negative mpint)$|: a value of/, {
    bugType: "MODIFIED_PARAMETER",
    description: "The public value is not from 2 to p - 2 (RFC 4253 section 8, RFC 8268 4).",
  }),
  rule("OversizedValue", /^kex\/diffie/, /: a value of \d+ bytes/, {
    bugType: "DENIAL_OF_SERVICE",
    description: "A value of many bytes, which must be refused before it is computed with.",
    effect: "One packet keeps a peer busy for a long time.",
  }),
  rule("ExtremePublicValue", /^kex\/diffie/, /the smallest public value|the inverse of 2/, {
    bugType: "EDGE_CASE",
    description: "The public value is the generator or its inverse.",
  }),
  rule("PrivateExponent", /^kex\/diffie/, /highest bit of the random bytes/, {
    bugType: "EDGE_CASE",
    description: "The exponent is 64 random bytes whose first bit is set. Applies only to this way to draw it.",
  }),
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
  rule("NoUserPresence", /^hostkey/, /^flags [04] /, {
    bugType: "AUTH_BYPASS",
    description:
      "The signature holds, but nobody touched the security key. A verifier may refuse it; a server must, unless no-touch-required is set.",
    effect: "A program that reaches the security key logs in although its owner is away.",
    cves: ["CVE-2026-39831"],
    links: ["https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.u2f"],
  }),
  rule("SecurityKeyFlags", /^hostkey/, /^flags [15] /, {
    bugType: "EDGE_CASE",
    description: "A user was present, or present and verified. The signature covers the flags.",
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
  rule("OversizedKey", /^hostkey\/rsa/, /^a modulus of 16385 bits|^e = 2\^64/, {
    bugType: "DENIAL_OF_SERVICE",
    description: "An RSA key of a size that must be refused before the signature is computed.",
    effect: "One key keeps a program busy for minutes.",
    cves: ["CVE-2026-39829"],
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
  // User authentication
  rule(
    "OtherSession",
    /^userauth/,
    /another session|session identifier (alone|without)|(without|with an empty) (a )?session/,
    {
      bugType: "AUTH_BYPASS",
      description: "The signature does not cover the session identifier (RFC 4252 section 7).",
      effect: "A server to which a user logs in can log in elsewhere as that user.",
    },
  ),
  rule(
    "OtherRequest",
    /^userauth/,
    /of (another (user|service|method|key|algorithm)|the query)|without the message number/,
    {
      bugType: "AUTH_BYPASS",
      description: "The signature covers another request than the one that carries it.",
      effect: "A signature made for one purpose serves another.",
    },
  ),
  rule("Hostbound", /^userauth/, /3\.1|publickey-hostbound/, {
    bugType: "AUTH_BYPASS",
    description: "publickey-hostbound-v00@openssh.com also signs the server's host key (OpenSSH PROTOCOL section 3.1).",
    effect: "A restriction of an agent's key to hosts is bypassed.",
    links: ["https://www.openssh.com/agent-restrict.html"],
  }),
  rule("UserauthAlgorithm", /^userauth/, /RFC 8332 3/, {
    bugType: "AUTH_BYPASS",
    description: "The algorithm of the signature is not the one of the request (RFC 8332 section 3.2).",
    effect: "A weaker algorithm than the one that was allowed.",
  }),
  rule("UnusualRequest", /^userauth/, /a user with|empty user name|session identifier of/, {
    bugType: "EDGE_CASE",
    description: "A field that is longer, shorter or rarer than usual.",
  }),
  rule("ModifiedUserauth", /^userauth/, /bit of the signature|an empty signature/, {
    bugType: "AUTH_BYPASS",
    description: "The signature is changed, or there is none.",
    cves: ["CVE-2020-9283"],
  }),
  rule(
    "MalformedRequest",
    /^userauth/,
    /beyond the end|no signature although|of another type|an empty key|cut short|byte after/,
    {
      bugType: "MODIFIED_PARAMETER",
      description: "The request, or the key in it, is malformed.",
      effect: "A crash, or a read beyond the end of the buffer.",
      cves: ["CVE-2020-9283"],
    },
  ),
  // Data types
  rule("NonMinimalMpint", /^(wire|kex\/diffie)/, /needless|0 with a byte|with a leading zero|leading zeros$/, {
    bugType: "MODIFIED_PARAMETER",
    description: "Unnecessary leading bytes must not be included (RFC 4251 section 5).",
  }),
  rule("NegativeMpint", /^(wire|kex\/diffie)/, /negative|-128$|: -1$/, {
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
  rule("OmittedLanguage", /^wire/, /language omitted/, {
    bugType: "LEGACY",
    description: "The last field, a language tag, is missing; some implementations omit it.",
  }),
  rule("InvalidUtf8", /^wire/, /is not UTF-8/, {
    bugType: "EDGE_CASE",
    description: "A text is not UTF-8 (RFC 3629 section 3). A reader may refuse it, or replace the wrong bytes.",
    effect: "Two names that look alike, or a crash.",
  }),
  rule(
    "EmptyNameInKexinit",
    /^wire/,
    ({ comment, message }) => message === "KexInit" && /empty name|a comma alone/.test(comment),
    {
      bugType: "LEGACY",
      description: "An empty name in a list of KEXINIT; libssh before 0.11 ends lists with a comma.",
    },
  ),
  rule(
    "EmptyNameInList",
    /^wire/,
    ({ comment, message }) => message !== "KexInit" && /has (an empty name|a comma alone)/.test(comment),
    {
      bugType: "MODIFIED_PARAMETER",
      description: "A name must have a non-zero length (RFC 4251 section 5).",
    },
  ),
  rule("UnusualName", /^wire/, /has a name/, {
    bugType: "EDGE_CASE",
    description: "A name that RFC 4251 section 6 forbids; a reader may ignore it, because it matches none of its own.",
  }),
  rule("EdgeValue", /^(wire|agent)/, /at their (smallest|greatest) value/, {
    bugType: "EDGE_CASE",
    description: "Fields at the ends of their range.",
  }),
  rule("NonCanonicalBoolean", /^(wire|agent)/, /is 255, which is true/, {
    bugType: "EDGE_CASE",
    description: "All values but zero must be read as true (RFC 4251 section 5).",
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
  rule("RevokedAuthority", /^known-hosts/, /refuses a revoked CA/, {
    bugType: "AUTH_BYPASS",
    description: "The key of the CA that signed the certificate is marked @revoked.",
    effect: "Whoever has the revoked CA is taken for any server.",
    cves: ["CVE-2026-42508"],
  }),
  rule("UnknownHost", /^known-hosts/, ({ verdict }) => verdict === "unknown", {
    bugType: "AUTH_BYPASS",
    description: "No line matches the host and the key.",
  }),
  rule("DiffersFromOpenSsh", /^known-hosts/, /; OpenSSH /, {
    bugType: "CAN_OF_WORMS",
    description: "The verdict differs from the one of OpenSSH 9.2; the comment says how.",
  }),
  rule("FingerprintText", /^fingerprint/, ({ result, comment }) => result === "invalid" && comment.startsWith("text"), {
    bugType: "MODIFIED_PARAMETER",
    description: "A text that is no SHA-256 fingerprint of the key.",
    effect: "Another key is accepted.",
  }),
  rule("PaddedFingerprint", /^fingerprint/, /white space around|padding after/, {
    bugType: "LEGACY",
    description: "White space around a fingerprint, or padding after it, which a reader may ignore.",
  }),
  rule("OtherFingerprint", /^fingerprint/, /text: (without its prefix|MD5|the prefix in lower)/, {
    bugType: "LEGACY",
    description: "A fingerprint in another form, or by MD5, which a reader may refuse.",
  }),
  rule("UnusualFingerprint", /^fingerprint/, /^a fingerprint (that|with)/, {
    bugType: "EDGE_CASE",
    description: "A digest with characters that programs tend to lose.",
  }),
  rule("RefusedKey", /^authorized-keys/, ({ result }) => result === "invalid", {
    bugType: "AUTH_BYPASS",
    description: "sshd refuses the key: no line authorizes it under these conditions, or the line is malformed.",
    effect: "Somebody logs in who must not.",
  }),
  rule("SourceAddress", /^authorized-keys/, /^a certificate: other-source$/, {
    bugType: "MISSING_STEP",
    description: "The client's address is not in the certificate's source-address (OpenSSH PROTOCOL.certkeys).",
    effect: "A stolen certificate works from everywhere.",
    cves: ["CVE-2026-46595"],
  }),
  rule("NoAuthority", /^authorized-keys/, /^a certificate, and the CA without cert-authority$/, {
    bugType: "MISSING_STEP",
    description: "A certificate is presented, and no CA is configured.",
    effect: "A server that expects a CA accepts every certificate, or crashes.",
    cves: ["CVE-2026-39835"],
  }),
  rule("LaxerThanOpenSsh", /^authorized-keys/, /byte order mark|two commands|another command/, {
    bugType: "CAN_OF_WORMS",
    description:
      "sshd 9.2 refuses the key; a server that ignores byte order marks, or runs no commands, may accept it.",
  }),
  rule(
    "StricterThanOpenSsh",
    /^authorized-keys/,
    ({ result, flags }) => result === "acceptable" && flags.length === 0,
    {
      bugType: "CAN_OF_WORMS",
      description: "sshd 9.2 accepts the key; a server may refuse it, because the line is unclear or ineffective.",
    },
  ),
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
