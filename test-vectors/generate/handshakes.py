"""Whole key exchanges: run with /usr/bin/python3 on Debian 12, and the environment of `kem.py`."""

import hashlib
import subprocess

import asyncssh
from asyncssh import kex_dh
from cryptography.hazmat.primitives.asymmetric import dh, ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common import CRYPTOGRAPHY, keystream, mpint, save, source, string, uint32
from kem import (
    BY_LIBNTRUPRIME,
    BY_OPENSSL,
    HERE,
    REJECTED,
    SHORT,
    SMALL,
    Sntrup,
    mlkem_decapsulate,
    mlkem_encapsulate,
    mlkem_key,
    x25519_public,
    x25519_shared,
)

CIPHERS = {  # the sizes of key and IV: RFC 4344 section 4, RFC 5647 section 6, OpenSSH PROTOCOL.chacha20poly1305
    "aes128-ctr": (16, 16),
    "aes192-ctr": (24, 16),
    "aes256-ctr": (32, 16),
    "aes128-gcm@openssh.com": (16, 12),
    "aes256-gcm@openssh.com": (32, 12),
    "chacha20-poly1305@openssh.com": (64, 0),
}
MACS = {  # the sizes of keys: RFC 6668 section 2
    "hmac-sha2-256": 32,
    "hmac-sha2-512": 64,
    "hmac-sha2-256-etm@openssh.com": 32,
    "hmac-sha2-512-etm@openssh.com": 64,
}
AES128_GCM, AES256_GCM, CHACHA = (("aes128-gcm@openssh.com", None), ("aes256-gcm@openssh.com", None), ("chacha20-poly1305@openssh.com", None))
AES256_CTR = ("aes256-ctr", "hmac-sha2-256")
# The algorithms from client to server, and from server to client.
CASES = [
    (CHACHA, CHACHA),
    (AES128_GCM, AES128_GCM),
    (AES256_GCM, AES256_GCM),
    (("aes128-ctr", "hmac-sha2-256-etm@openssh.com"),) * 2,
    (("aes192-ctr", "hmac-sha2-512"),) * 2,
    (("aes256-ctr", "hmac-sha2-512-etm@openssh.com"),) * 2,
    (AES256_CTR, CHACHA),
]
SIGNER = ed25519.Ed25519PrivateKey.from_private_bytes(keystream("host key", 32))
HOST_KEY = string("ssh-ed25519") + string(SIGNER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


class X25519:
    """RFC 8731. K is an mpint. Its `size` is that of K with its leading zeros."""

    size = 32

    def client(self, label):
        self.scalar = keystream(f"{label} client", 32)
        return self.scalar, x25519_public(self.scalar)

    def server(self, label, client):
        scalar = keystream(f"{label} server", 32)
        shared = x25519_shared(scalar, client)
        assert x25519_shared(self.scalar, x25519_public(scalar)) == shared
        return scalar, x25519_public(scalar), mpint(int.from_bytes(shared, "big"))


class Ecdh:
    """RFC 5656 section 4. K is an mpint."""

    def __init__(self, curve):
        self.curve, self.size = curve, (curve.key_size + 7) // 8

    def pair(self, label):
        # The key size of nistp521 is no multiple of 8.
        scalar = int.from_bytes(keystream(label, self.size), "big") % 2**self.curve.key_size
        private = ec.derive_private_key(scalar, self.curve)
        public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return private, scalar.to_bytes(self.size, "big"), public

    def agree(self, private, public):
        return private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self.curve, public))

    def client(self, label):
        self.private, random, public = self.pair(f"{label} client")
        return random, public

    def server(self, label, client):
        private, random, public = self.pair(f"{label} server")
        shared = self.agree(private, client)
        assert self.agree(self.private, public) == shared
        return random, public, mpint(int.from_bytes(shared, "big"))


class Modp:
    """RFC 4253 section 8, RFC 8268. K is an mpint. Public values are the bodies of mpints."""

    def __init__(self, prime, generator=2):
        self.prime, self.generator, self.size = prime, generator, prime.bit_length() // 8

    def pair(self, label):
        random = keystream(label, 64)
        exponent = int.from_bytes(random, "big") | 2**511
        return random, exponent, pow(self.generator, exponent, self.prime)

    def client(self, label):
        random, self.exponent, self.value = self.pair(f"{label} client")
        return random, mpint(self.value)[4:]

    def server(self, label, client):
        random, exponent, value = self.pair(f"{label} server")
        shared = pow(self.value, exponent, self.prime)
        self.check = (value, shared)
        return random, mpint(value)[4:], mpint(shared)

    def verify(self):
        """The client's side, by another implementation of powers."""
        theirs, shared = self.check
        parameters = dh.DHParameterNumbers(self.prime, self.generator)
        private = dh.DHPrivateNumbers(self.exponent, dh.DHPublicNumbers(self.value, parameters)).private_key()
        secret = private.exchange(dh.DHPublicNumbers(theirs, parameters).public_key())
        assert int.from_bytes(secret, "big") == shared


class Hybrid:
    """A KEM and X25519. K is a string."""

    def __init__(self, kem, digest):
        self.kem, self.digest, self.size = kem, digest, hashlib.new(digest).digest_size

    def client(self, label):
        seed, key, public = self.kem.keypair(label)
        self.message, self.ciphertext, self.secret = self.kem.encapsulate(label, public)
        assert self.kem.decapsulate(key, self.ciphertext) == self.secret
        self.scalar = keystream(f"{label} client", 32)
        return seed + self.scalar, public + x25519_public(self.scalar)

    def server(self, label, client):
        scalar = keystream(f"{label} server", 32)
        shared = x25519_shared(scalar, client[-32:])
        assert x25519_shared(self.scalar, x25519_public(scalar)) == shared
        k = hashlib.new(self.digest, self.secret + shared).digest()
        return self.message + scalar, self.ciphertext + x25519_public(scalar), string(k)


class MlKem768:
    """draft-ietf-sshm-mlkem-hybrid-kex: 64 bytes are the seed of a key (d and z of FIPS 203), 32 the message."""

    def keypair(self, label):
        seed = keystream(f"{label} seed", 64)
        return seed, *mlkem_key(seed)

    def encapsulate(self, label, public):
        message = keystream(f"{label} message", 32)
        return message, *mlkem_encapsulate(public, message)

    def decapsulate(self, key, ciphertext):
        return mlkem_decapsulate(key, ciphertext)


class Sntrup761(Sntrup):
    """RFC 9941."""

    def keypair(self, label):
        seed = keystream(f"{label} seed", SMALL + SHORT + REJECTED)
        public, key = super().keypair(seed)
        return seed, key, public

    def encapsulate(self, label, public):
        message = keystream(f"{label} message", SHORT)
        return message, *self.enc(public, message)

    def decapsulate(self, key, ciphertext):
        return self.dec(ciphertext, key)


def kexinit(label, method, markers, c2s, s2c):
    macs = [mac or "hmac-sha2-256" for _, mac in (c2s, s2c)]
    lists = [",".join([method, *markers]), "ssh-ed25519", c2s[0], s2c[0], *macs, "none", "none", "", ""]
    return b"\x14" + keystream(label, 16) + b"".join(string(one) for one in lists) + bytes(5)


def derive(digest, secret, exchange_hash, session_id, letter, size):
    derived = hashlib.new(digest, secret + exchange_hash + letter.encode() + session_id).digest()
    while len(derived) < size:
        derived += hashlib.new(digest, secret + exchange_hash + derived).digest()
    options = {"digest": digest, "hexkey": secret.hex(), "hexxcghash": exchange_hash.hex(), "hexsession_id": session_id.hex(), "type": letter}
    options = [part for name, value in options.items() for part in ("-kdfopt", f"{name}:{value}")]
    if size > 0:
        command = ["openssl", "kdf", "-keylen", str(size), "-binary", *options, "SSHKDF"]
        assert subprocess.run(command, check=True, capture_output=True).stdout == derived[:size]
    return derived[:size]


def handshake(method, digest, agreement, label, c2s, s2c, *, session_id=None, starts_with_zero=False, group=None):
    client_random, client_public = agreement.client(label)
    for number in range(10_000):
        server_random, server_public, secret = agreement.server(f"{label} {number}", client_public)
        if not starts_with_zero or int.from_bytes(secret[4:], "big") < 256 ** (agreement.size - 1):
            break
    getattr(agreement, "verify", lambda: None)()
    # Only the first KEXINIT has the markers of RFC 8308 section 2.1 and of strict key exchange.
    client_markers = ["ext-info-c", "kex-strict-c-v00@openssh.com"] if session_id is None else []
    server_markers = ["kex-strict-s-v00@openssh.com"] if session_id is None else []
    inputs = [
        b"SSH-2.0-client",
        b"SSH-2.0-server",
        kexinit(f"{label} client cookie", method, client_markers, c2s, s2c),
        kexinit(f"{label} server cookie", method, server_markers, c2s, s2c),
        HOST_KEY,
    ]
    publics = [string(client_public), string(server_public)]
    numbers, messages, hashed = (30, 31), [], b""
    if group is not None:
        # RFC 4419 section 3: min || n || max || p || g are hashed before the public values.
        request, prime, generator = group
        bounds, answer = b"".join(uint32(one) for one in request), mpint(prime) + mpint(generator)
        numbers, hashed = (32, 33), bounds + answer
        messages = [("client", b"\x22" + bounds), ("server", b"\x1f" + answer)]
    data = b"".join([string(one) for one in inputs] + [hashed] + publics) + secret
    exchange_hash = hashlib.new(digest, data).digest()
    signature = string("ssh-ed25519") + string(SIGNER.sign(exchange_hash))
    messages += [
        ("client", bytes([numbers[0]]) + publics[0]),
        ("server", bytes([numbers[1]]) + string(HOST_KEY) + publics[1] + string(signature)),
    ]
    session = session_id or exchange_hash
    sizes = {}
    for letters, (cipher, mac) in (("ACE", c2s), ("BDF", s2c)):
        key, iv = CIPHERS[cipher]
        sizes |= dict(zip(letters, (iv, key, MACS.get(mac, 0))))
    names = ["clientVersion", "serverVersion", "clientInit", "serverInit", "hostKey"]
    return {
        "source": "made",
        "algorithms": {
            "hostKey": "ssh-ed25519",
            "clientToServer": {name: value for name, value in zip(("cipher", "mac"), c2s) if value},
            "serverToClient": {name: value for name, value in zip(("cipher", "mac"), s2c) if value},
        },
        **{name: value.hex() for name, value in zip(names, inputs)},
        "clientRandom": client_random.hex(),
        "serverRandom": server_random.hex(),
        "messages": [{"from": side, "payload": payload.hex()} for side, payload in messages],
        "clientPublic": client_public.hex(),
        "serverPublic": server_public.hex(),
        "secret": secret.hex(),
        "exchangeHash": exchange_hash.hex(),
        "signature": signature.hex(),
        "sessionId": session.hex(),
        "keys": {letter: derive(digest, secret, exchange_hash, session, letter, sizes[letter]).hex() for letter in sorted(sizes)},
    }


def described(algorithms):
    return " and ".join(name for name in algorithms if name)


def handshakes(method, digest, agreement, groups):
    """`agreement` is None if the groups are those of a group exchange."""
    # The largest groups take long in JavaScript.
    step = 6 if getattr(agreement, "size", 0) >= 512 else 1
    for number, (c2s, s2c) in list(enumerate(CASES))[::step]:
        comment = described(c2s) if c2s == s2c else f"{described(c2s)} to the server, {described(s2c)} to the client"
        group = groups[number % len(groups)]
        if group:
            agreement = Modp(*group[1:])
            comment += f"; a group of {group[1].bit_length()} bits with generator {group[2]}"
        yield handshake(method, digest, agreement, f"{method} {number}", c2s, s2c, group=group) | {"comment": comment}
    later = keystream(f"{method} first exchange", hashlib.new(digest).digest_size)
    comment = "RFC 4253 7.2: a later exchange keeps the session identifier of the first"
    yield handshake(method, digest, agreement, f"{method} later", CHACHA, CHACHA, session_id=later, group=group) | {"comment": comment}
    is_string = isinstance(agreement, Hybrid)
    comment = "K is a string, which keeps its leading zero" if is_string else "RFC 4251 5: K is an mpint, which loses a leading zero"
    yield handshake(method, digest, agreement, f"{method} zero", *CASES[3], starts_with_zero=True, group=group) | {"comment": comment}


def moduli(bits, generator):
    """Returns the first prime of the size in the file of OpenSSH."""
    with open("/etc/ssh/moduli") as file:
        for line in file:
            fields = line.split()
            if fields[4:6] == [str(bits - 1), str(generator)]:
                return int(fields[6], 16)


P = {number: getattr(kex_dh, f"_group{number}_p") for number in (14, 15, 16, 18)}
# Request, prime and generator. The last one is not of RFC 3526.
GROUPS = [
    ((2048, 3072, 8192), P[15], 2),
    ((2048, 4096, 8192), P[16], 2),
    ((2048, 2048, 8192), P[14], 2),
    ((2048, 3072, 8192), moduli(2048, 5), 5),
]
BY_CRYPTOGRAPHY = source("cryptography and hashlib", f"{CRYPTOGRAPHY.removeprefix('python3-cryptography ')}, checked with openssl kdf")
BY_MODP = BY_CRYPTOGRAPHY | {"version": f"{BY_CRYPTOGRAPHY['version']}; primes of asyncssh {asyncssh.__version__} and of /etc/ssh/moduli"}
SNTRUP = Hybrid(Sntrup761(), "sha512")
METHODS = [
    *((name, "sha256", X25519(), BY_CRYPTOGRAPHY) for name in ("curve25519-sha256", "curve25519-sha256@libssh.org")),
    ("ecdh-sha2-nistp256", "sha256", Ecdh(ec.SECP256R1()), BY_CRYPTOGRAPHY),
    ("ecdh-sha2-nistp384", "sha384", Ecdh(ec.SECP384R1()), BY_CRYPTOGRAPHY),
    ("ecdh-sha2-nistp521", "sha512", Ecdh(ec.SECP521R1()), BY_CRYPTOGRAPHY),
    ("diffie-hellman-group14-sha256", "sha256", Modp(P[14]), BY_MODP),
    ("diffie-hellman-group16-sha512", "sha512", Modp(P[16]), BY_MODP),
    ("diffie-hellman-group18-sha512", "sha512", Modp(P[18]), BY_MODP),
    ("diffie-hellman-group-exchange-sha256", "sha256", None, BY_MODP),
    ("mlkem768x25519-sha256", "sha256", Hybrid(MlKem768(), "sha256"), BY_OPENSSL),
    *((f"sntrup761x25519-sha512{end}", "sha512", SNTRUP, BY_LIBNTRUPRIME) for end in ("", "@openssh.com")),
]
for method, digest, agreement, by in METHODS:
    groups = GROUPS if agreement is None else [None]
    save("handshake", method, {"made": by | HERE}, list(handshakes(method, digest, agreement, groups)))
