"""Hybrid key exchanges: run with /usr/bin/python3 on Debian 12, and the environment of `kem.py`."""

import hashlib

from common import OWN, flip, keystream, save, string
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

P25519 = 2**255 - 19
EIGHT = 325606250916557431795983626356110631294008115727848805560023387167927233504
OTHER = 39382357235489614581723060781553021112529911719440698176882885853963445705823
SMALL_ORDER = [0, 1, EIGHT, OTHER, P25519 - 1, P25519, P25519 + 1, 2**255, 1 + 2**255, P25519 - 1 + 2**255]


def sntrup_vectors():
    sntrup = Sntrup()

    def secret_of(kem, shared):
        return string(hashlib.sha512(kem + shared).digest()).hex()

    for number in range(12):
        seed = keystream(f"sntrup key {number}", SMALL + SHORT + REJECTED)
        message = keystream(f"sntrup message {number}", SHORT)
        client, server = keystream(f"sntrup client {number}", 32), keystream(f"sntrup server {number}", 32)
        public, key = sntrup.keypair(seed)
        ciphertext, kem = sntrup.enc(public, message)
        assert sntrup.dec(ciphertext, key) == kem
        ours, theirs = public + x25519_public(client), ciphertext + x25519_public(server)
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        comment = f"keys of a label, number {number}"
        yield vector("client", comment, "libntruprime", seed + client, theirs, ours=ours.hex(), secret=secret)
        yield vector("server", comment, "libntruprime", message + server, ours, ours=theirs.hex(), secret=secret)
    for altered, what in [
        *((flip(ciphertext, bit), f"bit {bit}") for bit in (0, 5, 8 * 500 + 3, 8 * 1007 - 1, 8 * 1007, 8 * 1039 - 1)),
        *((bytes([filler]) * 1039, f"{filler:#04x} bytes") for filler in (0x00, 0xFF)),
    ]:
        kem = sntrup.dec(altered, key)
        comment = f"an altered ciphertext results in another secret: {what}"
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        random, theirs = seed + client, altered + x25519_public(server)
        yield vector("client", comment, "libntruprime", random, theirs, ours=ours.hex(), secret=secret)
    for filler in (0x00, 0xFF):
        odd = bytes([filler]) * 1158
        ciphertext, kem = sntrup.enc(odd, message)
        comment = f"a public key of {filler:#04x} bytes is a polynomial, too"
        secret = secret_of(kem, x25519_shared(server, x25519_public(client)))
        theirs = ciphertext + x25519_public(server)
        random = message + server
        yield vector("server", comment, "libntruprime", random, odd + x25519_public(client), ours=theirs.hex(), secret=secret)
    theirs = ciphertext + x25519_public(server)
    for size in (0, 1, 32, 1039, 1070, 1072, 1103, 1158, 1190):
        data = (theirs + bytes(200))[:size]
        yield vector("client", f"RFC 9941 3: a server's value of {size} bytes", "own", seed + client, data, error="kex")
    for size in (0, 1, 32, 1071, 1158, 1189, 1191, 1222):
        data = (ours + bytes(200))[:size]
        yield vector("server", f"RFC 9941 3: a client's value of {size} bytes", "own", message + server, data, error="kex")
    for u in SMALL_ORDER:
        point = u.to_bytes(32, "little")
        comment = f"RFC 8731 3: zeros as a secret of X25519 are refused: {point.hex()}"
        yield vector("client", comment, "own", seed + client, ciphertext + point, error="kex")
        yield vector("server", comment, "own", message + server, public + point, error="kex")


def secret_of(kem, shared):
    return string(hashlib.sha256(kem + shared).digest()).hex()


def vector(role, comment, source, random, theirs, **more):
    return {"role": role, "comment": comment, "source": source, "random": random.hex(), "theirs": theirs.hex(), **more}


def unreduced(public, index, value):
    """Replaces a coefficient of 12 bits (FIPS 203 algorithm 5)."""
    public, at, half = bytearray(public), index * 12 // 8, index % 2
    word = int.from_bytes(public[at : at + 2], "little")
    word = (word & 0x000F) | value << 4 if half else (word & 0xF000) | value
    public[at : at + 2] = word.to_bytes(2, "little")
    return bytes(public)


def mlkem_vectors():
    for number in range(12):
        seed, message = keystream(f"mlkem seed {number}", 64), keystream(f"mlkem message {number}", 32)
        client, server = keystream(f"mlkem client {number}", 32), keystream(f"mlkem server {number}", 32)
        key, public = mlkem_key(seed)
        ciphertext, kem = mlkem_encapsulate(public, message)
        assert mlkem_decapsulate(key, ciphertext) == kem
        ours, theirs = public + x25519_public(client), ciphertext + x25519_public(server)
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        comment = f"keys of a label, number {number}"
        yield vector("client", comment, "OpenSSL", seed + client, theirs, ours=ours.hex(), secret=secret)
        yield vector("server", comment, "OpenSSL", message + server, ours, ours=theirs.hex(), secret=secret)
    for bit in (0, 7, 8 * 500, 8 * 960 + 3, 8 * 1088 - 1):
        altered = flip(ciphertext, bit)
        kem = mlkem_decapsulate(key, altered)
        comment = f"FIPS 203 6.3: an altered ciphertext results in another secret: bit {bit}"
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        theirs = altered + x25519_public(server)
        yield vector("client", comment, "OpenSSL", seed + client, theirs, ours=ours.hex(), secret=secret)
    for filler in (0x00, 0xFF):
        altered = bytes([filler]) * 1088
        kem = mlkem_decapsulate(key, altered)
        comment = f"FIPS 203 6.3: a ciphertext of {filler:#04x} bytes results in a secret"
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        theirs = altered + x25519_public(server)
        yield vector("client", comment, "OpenSSL", seed + client, theirs, ours=ours.hex(), secret=secret)
    theirs = ciphertext + x25519_public(server)
    for size in (0, 1, 32, 1088, 1119, 1121, 1152, 1184, 1216):
        data = (theirs + bytes(100))[:size]
        yield vector("client", f"draft 2.3: a server's value of {size} bytes", "own", seed + client, data, error="kex")
    for size in (0, 1, 32, 1120, 1184, 1215, 1217, 1248):
        data = (ours + bytes(100))[:size]
        yield vector("server", f"draft 2.3: a client's value of {size} bytes", "own", message + server, data, error="kex")
    for u in SMALL_ORDER:
        point = u.to_bytes(32, "little")
        comment = f"RFC 8731 3: zeros as a secret of X25519 are refused: {point.hex()}"
        yield vector("client", comment, "own", seed + client, ciphertext + point, error="kex")
        yield vector("server", comment, "own", message + server, public + point, error="kex")
    for index in (0, 1, 255, 256, 500, 767):
        for value in (3329, 3330, 4095):
            data = unreduced(public, index, value) + x25519_public(client)
            comment = f"FIPS 203 7.2: coefficient {index} of the public key is {value}"
            yield vector("server", comment, "own", message + server, data, error="kex")
    data = unreduced(public, 767, 3328) + x25519_public(client)
    ciphertext, kem = mlkem_encapsulate(data[:1184], message)
    secret = secret_of(kem, x25519_shared(server, x25519_public(client)))
    theirs = ciphertext + x25519_public(server)
    comment = "FIPS 203 7.2: coefficient 767 of the public key is 3328, the largest"
    yield vector("server", comment, "OpenSSL", message + server, data, ours=theirs.hex(), secret=secret)


SOURCES = {"OpenSSL": BY_OPENSSL, "libntruprime": BY_LIBNTRUPRIME, "own": OWN | HERE}
save("kex", "mlkem768x25519-sha256", SOURCES, list(mlkem_vectors()))
SNTRUP = list(sntrup_vectors())
for name in ("sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"):
    save("kex", name, SOURCES, SNTRUP)
