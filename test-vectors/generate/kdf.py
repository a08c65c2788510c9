"""Key derivation (RFC 4253 section 7.2): run with /usr/bin/python3 on Debian 12, and with the path of OpenSSL's file
test/recipes/30-test_evp_data/evpkdf_ssh.txt (`apt-get source openssl`) as the argument."""

import hashlib
import subprocess
import sys

from common import NIST, keystream, mpint, save, source, string

[PUBLISHED] = sys.argv[1:]
LETTERS = "ABCDEF"
HASHES = ["sha256", "sha384", "sha512"]
OPENSSL = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.split(" ")[1]


def test(name, comment, key, exchange_hash, session_id, keys):
    hexes = {"secret": key.hex(), "exchangeHash": exchange_hash.hex(), "sessionId": session_id.hex()}
    for letter, derived in keys.items():
        assert by_hashlib(name, key, exchange_hash, session_id, letter, len(derived)) == derived
    return {"comment": comment, "source": name, **hexes, "keys": {letter: derived.hex() for letter, derived in keys.items()}}


def by_hashlib(digest, key, exchange_hash, session_id, letter, size):
    derived = hashlib.new(digest, key + exchange_hash + letter.encode() + session_id).digest()
    while len(derived) < size:
        derived += hashlib.new(digest, key + exchange_hash + derived).digest()
    return derived[:size]


def by_openssl(digest, key, exchange_hash, session_id, letter, size):
    options = {"digest": digest, "hexkey": key.hex(), "hexxcghash": exchange_hash.hex(), "hexsession_id": session_id.hex(), "type": letter}
    command = ["openssl", "kdf", "-keylen", str(size), "-binary"]
    for name, value in options.items():
        command += ["-kdfopt", f"{name}:{value}"]
    return subprocess.run([*command, "SSHKDF"], check=True, capture_output=True).stdout


def published(digest):
    """NIST CAVS 14.1 has the six keys of each input one after the other."""
    group, groups = {}, {}
    with open(PUBLISHED) as file:
        for line in [*file, "\n"]:
            if "=" in line:
                name, value = line.strip().split(" = ", 1)
                group[name.split(".")[-1]] = value.split(":")[-1]
            elif not line.strip() and group:
                if group.get("digest") == digest.upper():
                    inputs = tuple(bytes.fromhex(group[name]) for name in ("hexkey", "hexxcghash", "hexsession_id"))
                    groups.setdefault(inputs, {})[group["type"]] = bytes.fromhex(group["Output"])
                group = {}
    for number, (inputs, keys) in enumerate(groups.items(), 1):
        yield test(digest, f"number {number}, {len(keys['A'])}, {len(keys['C'])} and {len(keys['E'])} bytes", *inputs, keys) | {"source": "NIST"}


def made(digest):
    size = hashlib.new(digest).digest_size
    secret = int.from_bytes(keystream("kdf", 32), "big") | 2**255
    first, later = keystream(f"kdf first {digest}", size), keystream(f"kdf later {digest}", size)
    cases = [(f"RFC 4253 7.2: keys of {one} bytes, from digests of {size}", mpint(secret), first, first, one)
             for one in sorted({1, 12, size - 1, size, size + 1, 64, 2 * size, 2 * size + 1, 3 * size})]
    cases += [
        ("RFC 4253 7.2: a later exchange keeps the session identifier of the first", mpint(secret), later, first, 32),
        ("RFC 4253 7.2: an exchange hash as session identifier of a shorter exchange before", mpint(secret), later, keystream("kdf 32", 32), 64),
        ("RFC 4251 5: K whose first byte is zero, which goes", mpint(secret >> 8), first, first, 32),
        ("RFC 4251 5: K whose first bit is not set", mpint(secret >> 1), first, first, 32),
        ("RFC 4251 5: K is 1", mpint(1), first, first, 32),
        ("a hybrid exchange: K is a string of 32 bytes with its length", string(keystream("kdf hybrid", 32)), first, first, 64),
        ("a hybrid exchange: K is a string that starts with zeros, which stay", string(bytes(3) + keystream("kdf hybrid", 29)), first, first, 64),
        ("a hybrid exchange: K is a string of 64 bytes", string(keystream("kdf hybrid", 64)), first, first, 64),
    ]
    for comment, key, exchange_hash, session_id, length in cases:
        keys = {letter: by_openssl(digest, key, exchange_hash, session_id, letter, length) for letter in LETTERS}
        yield test(digest, comment, key, exchange_hash, session_id, keys) | {"source": "OpenSSL"}


for name in HASHES:
    sources = {
        "NIST": source("NIST CAVS 14.1, SSHKDF", "as shipped in OpenSSL 3.0.20, checked with hashlib", NIST),
        "OpenSSL": source("OpenSSL, openssl kdf SSHKDF", f"{OPENSSL}, checked with hashlib"),
    }
    for key in sources:
        sources[key]["command"] = "/usr/bin/python3 -W ignore generate/kdf.py openssl-3.0.20/test/recipes/30-test_evp_data/evpkdf_ssh.txt"
    save("kdf", name, sources, [*published(name), *made(name)])
