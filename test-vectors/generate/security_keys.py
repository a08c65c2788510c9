"""Signatures of security keys (OpenSSH PROTOCOL.u2f): run with /usr/bin/python3 on Debian 12, with OpenSSH installed, and
with the path of OpenSSH's sk-dummy.so (Debian's package openssh-tests) as the argument."""

import base64
import hashlib
import os
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import common
from common import BY_CRYPTOGRAPHY, OWN, flip, mpint, save, string, uint32

[PROVIDER] = sys.argv[1:]
DATA = b"the exchange hash would be here"
ED25519, ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"


def case(comment, source, key, data, signature, valid):
    hexes = {"publicKey": key.hex(), "data": data.hex(), "signature": signature.hex()}
    return {"comment": comment, "source": source, **hexes, "result": "valid" if valid else "invalid"}


def bad_key(comment, key, signature):
    vector = case(comment, "own", key, DATA, signature, False)
    return vector | {"error": "key"}


def openssh(key_type):
    """A new key of ssh-keygen with sk-dummy.so, and its signature of the SSHSIG structure of PROTOCOL.sshsig."""
    environment = os.environ | {"SSH_SK_PROVIDER": PROVIDER}
    with tempfile.TemporaryDirectory() as folder:
        path, file = os.path.join(folder, "key"), os.path.join(folder, "data")
        make = ["ssh-keygen", "-q", "-t", key_type, "-w", PROVIDER, "-N", "", "-C", "", "-f", path]
        subprocess.run(make, check=True, env=environment, capture_output=True)
        for data in (DATA, b""):
            with open(file, "wb") as out:
                out.write(data)
            sign = ["ssh-keygen", "-q", "-Y", "sign", "-f", path, "-n", "postern", file]
            subprocess.run(sign, check=True, env=environment, capture_output=True)
            with open(file + ".sig") as armored:
                lines = armored.read().split("\n")[1:-2]
            os.remove(file + ".sig")
            packed, at, fields = base64.b64decode("".join(lines)), len(b"SSHSIG") + 4, []
            for _ in range(5):
                size = int.from_bytes(packed[at : at + 4], "big")
                fields.append(packed[at + 4 : at + 4 + size])
                at += 4 + size
            key, namespace, reserved, digest, signature = fields
            signed = b"SSHSIG" + string(namespace) + string(reserved) + string(digest)
            signed += string(hashlib.new(digest.decode(), data).digest())
            yield key, signed, signature


def signed_bytes(application, flags, counter, data):
    """PROTOCOL.u2f, SSH U2F signatures: what the token signs."""
    digest = hashlib.sha256
    return digest(application).digest() + bytes([flags]) + uint32(counter) + digest(data).digest()


def ed25519_key():
    private = ed25519.Ed25519PrivateKey.generate()
    point = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return string(point), private.sign


def ecdsa_key():
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(data):
        r, s = decode_dss_signature(private.sign(data, ec.ECDSA(hashes.SHA256())))
        return mpint(r) + mpint(s)

    return string("nistp256") + string(point), sign


def vectors(name, key_type, new_key):
    for key, data, signature in openssh(key_type):
        yield case("ssh-keygen -Y sign with sk-dummy.so", "OpenSSH", key, data, signature, True)
        yield case("the same with a flag flipped", "OpenSSH", key, data, flip(signature, 8 * (len(signature) - 5)), False)
        yield case("the same with another counter", "OpenSSH", key, data, flip(signature, 8 * len(signature) - 1), False)
        yield case("the same with other data", "OpenSSH", key, data + b".", signature, False)
    fields, sign = new_key()

    def key_of(application):
        return string(name) + fields + string(application)

    def signature(application, flags, counter, data=DATA, algorithm=name):
        return string(algorithm) + string(sign(signed_bytes(application, flags, counter, data))) + bytes([flags]) + uint32(counter)

    for flags, meaning in ((0, "nobody present"), (1, "user present"), (4, "user verified"), (5, "user present and verified")):
        for application in (b"ssh:", b"ssh:example", b""):
            comment = f"flags {flags} ({meaning}), application {application.decode()!r}"
            good = signature(application, flags, 0xFFFFFFFF if flags == 5 else flags)
            vector = case(comment, "cryptography", key_of(application), DATA, good, True)
            yield vector if flags & 1 else vector | {"result": "acceptable"}
    good = signature(b"ssh:", 1, 7)
    yield case("signed for another application", "cryptography", key_of(b"ssh:other"), DATA, good, False)
    plain = name.replace("sk-", "").replace("@openssh.com", "")
    yield case("the plain algorithm's name", "cryptography", key_of(b"ssh:"), DATA, signature(b"ssh:", 1, 7, DATA, plain), False)
    yield case("signed without the hashes", "cryptography", key_of(b"ssh:"), DATA, string(name) + string(sign(DATA)) + b"\1" + uint32(7), False)
    yield case("no counter", "own", key_of(b"ssh:"), DATA, good[:-4], False)
    yield case("a byte after the counter", "own", key_of(b"ssh:"), DATA, good + b"\0", False)
    yield case("an empty signature", "own", key_of(b"ssh:"), DATA, string(name) + string(b"") + good[-5:], False)
    for at in range(0, 8 * len(good), 8):
        yield case(f"bit {at} of the signature flipped", "own", key_of(b"ssh:"), DATA, flip(good, at), False)
    whole = key_of(b"ssh:")
    yield bad_key("a key without its application", whole[:-8], good)
    yield bad_key("a byte after the key", whole + b"\0", good)
    yield bad_key("a plain key", string(plain) + fields, good)
    yield bad_key("a key of the other security key type", string(ECDSA if name == ED25519 else ED25519) + whole[4 + len(name) :], good)


SOURCES = {
    "OpenSSH": common.openssh(),
    "cryptography": BY_CRYPTOGRAPHY,
    "own": OWN,
}
save("hostkey", ED25519, SOURCES, list(vectors(ED25519, "ed25519-sk", ed25519_key)))
save("hostkey", ECDSA, SOURCES, list(vectors(ECDSA, "ecdsa-sk", ecdsa_key)))
