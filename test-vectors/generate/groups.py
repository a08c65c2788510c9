"""Diffie-Hellman over the groups of RFC 3526: run with /usr/bin/python3 on Debian 12."""

import asyncssh
from asyncssh import kex_dh
from cryptography.hazmat.primitives.asymmetric import dh

from common import CRYPTOGRAPHY, OWN, keystream, mpint, save, source


def body(value):
    """The body of an mpint, which is how a public value is sent and hashed."""
    return mpint(value)[4:]


def group_vectors(prime, name):
    parameters = dh.DHParameterNumbers(prime, 2)

    def public(exponent):
        return pow(2, exponent, prime)

    def shared(exponent, theirs):
        numbers = dh.DHPrivateNumbers(exponent, dh.DHPublicNumbers(public(exponent), parameters))
        secret = numbers.private_key().exchange(dh.DHPublicNumbers(theirs, parameters).public_key())
        return int.from_bytes(secret, "big")

    def agreement(comment, random, theirs):
        exponent = int.from_bytes(bytes([random[0] | 0x80]) + random[1:], "big")
        return {
            "comment": comment,
            "source": "cryptography",
            "random": random.hex(),
            "ours": body(public(exponent)).hex(),
            "theirs": body(theirs).hex(),
            "secret": mpint(shared(exponent, theirs)).hex(),
        }

    for number in range(3 if prime.bit_length() > 4096 else 8):
        other = int.from_bytes(keystream(f"{name} b {number}", 64), "big")
        yield agreement(f"keys of a label, number {number}", keystream(f"{name} a {number}", 64), public(other))
    random = keystream(f"{name} edge", 64)
    yield agreement("the smallest public value, 2", random, 2)
    yield agreement("the inverse of 2, (p + 1) / 2", random, (prime + 1) // 2)
    yield agreement("the highest bit of the random bytes is set", bytes(63) + b"\x01", public(5))
    size = prime.bit_length() // 8
    for comment, theirs in (
        ("0", b""),
        ("0 with a byte", b"\x00"),
        ("1", b"\x01"),
        ("p - 1", body(prime - 1)),
        ("p", body(prime)),
        ("p + 1", body(prime + 1)),
        ("p + 2", body(prime + 2)),
        ("2 p", body(2 * prime)),
        ("a negative mpint", b"\x80" + bytes(size - 1)),
        ("-1", b"\xff"),
        ("2 with a leading zero", b"\x00\x02"),
        ("a value with two leading zeros", b"\x00\x00" + prime.to_bytes(size, "big")[:-1]),
        ("a byte more than p", b"\x01" + bytes(size + 1)),
        ("a value of 100000 bytes", b"\x01" + bytes(99_999)) if size == 256 else ("a value of 2000 bytes", b"\x01" + bytes(1999)),
    ):
        comment = f"RFC 8268 4, RFC 4251 5: {comment}"
        yield {"comment": comment, "source": "own", "random": random.hex(), "theirs": theirs.hex(), "error": "kex"}


VERSION = CRYPTOGRAPHY.removeprefix("python3-cryptography ")
SOURCES = {
    "cryptography": source("cryptography", f"{VERSION}; primes of asyncssh {asyncssh.__version__}"),
    "own": OWN,
}
for number, suffix in ((14, "sha256"), (16, "sha512"), (18, "sha512")):
    name = f"diffie-hellman-group{number}-{suffix}"
    save("kex", name, SOURCES, list(group_vectors(getattr(kex_dh, f"_group{number}_p"), name)))
