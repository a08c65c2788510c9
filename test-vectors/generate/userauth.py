"""Signatures of user authentication (RFC 4252 section 7, OpenSSH PROTOCOL section 3.1): run with /usr/bin/python3 on
Debian 12."""

import paramiko
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common import BY_CRYPTOGRAPHY, CRYPTOGRAPHY, OWN, flip, keystream, mpint, save, source, string, uint32

SESSION = keystream("userauth session", 32)
HOST_KEY = string("ssh-ed25519") + string(keystream("userauth host key", 32))
CURVES = {"nistp256": (ec.SECP256R1(), hashes.SHA256()), "nistp384": (ec.SECP384R1(), hashes.SHA384()), "nistp521": (ec.SECP521R1(), hashes.SHA512())}
HOSTBOUND = "publickey-hostbound-v00@openssh.com"


def pair(signature):
    r, s = decode_dss_signature(signature)
    return mpint(r) + mpint(s)


def keys():
    """For each algorithm: its name, a public key, and its signer."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(keystream("userauth ed25519", 32))
    point = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    yield "ssh-ed25519", string("ssh-ed25519") + string(point), private.sign
    for name, (curve, digest) in CURVES.items():
        secret = ec.derive_private_key(int.from_bytes(keystream(f"userauth {name}", curve.key_size // 8 - 1), "big"), curve)
        point = secret.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        algorithm = f"ecdsa-sha2-{name}"
        yield algorithm, string(algorithm) + string(name) + string(point), lambda data, s=secret, d=digest: pair(s.sign(data, ec.ECDSA(d)))
    secret = rsa.generate_private_key(65537, 2048)
    numbers = secret.public_key().public_numbers()
    blob = string("ssh-rsa") + mpint(numbers.e) + mpint(numbers.n)
    for algorithm, digest in (("rsa-sha2-256", hashes.SHA256()), ("rsa-sha2-512", hashes.SHA512())):
        yield algorithm, blob, lambda data, d=digest: secret.sign(data, padding.PKCS1v15(), d)


def request(user, algorithm, key, service="ssh-connection", method="publickey", has_signature=b"\1", host_key=None):
    """The request without its signature: all that is signed after the session identifier."""
    packed = b"\x32" + string(user) + string(service) + string(method) + has_signature + string(algorithm) + string(key)
    return packed if host_key is None else packed + string(host_key)


def vector(comment, made, signature, result="valid", by="cryptography", session=SESSION, host_key=HOST_KEY, **more):
    fields = {"sessionId": session.hex(), "hostKey": host_key.hex(), "request": (made + string(signature)).hex()}
    return {"comment": comment, "source": by, "result": result, **fields, **more}


def vectors(algorithm, key, sign):
    def signed(data, name=algorithm):
        return string(name) + string(sign(data))

    def good(comment, user="ann", session=SESSION, bound=False, host_key=HOST_KEY, by="cryptography"):
        made = request(user, algorithm, key, method=HOSTBOUND if bound else "publickey", host_key=host_key if bound else None)
        data = string(session) + made
        return vector(comment, made, signed(data), by=by, session=session, host_key=host_key, user=user, data=data.hex())

    plain = request("ann", algorithm, key)
    bound = request("ann", algorithm, key, method=HOSTBOUND, host_key=HOST_KEY)
    yield good("RFC 4252 7: a signature")
    yield good("RFC 4252 7: a user with letters outside US-ASCII", user="Zoë Åß 日本")
    yield good("RFC 4252 7: an empty user name", user="")
    yield good("RFC 4252 7: a session identifier of 48 bytes", session=keystream("userauth session 48", 48))
    yield good("RFC 4252 7: a session identifier of 64 bytes", session=keystream("userauth session 64", 64))
    yield good("OpenSSH PROTOCOL 3.1: a signature that covers the host key", bound=True)
    yield good("OpenSSH PROTOCOL 3.1: an RSA host key", bound=True, host_key=string("ssh-rsa") + mpint(65537) + string(b"\0\xc0" + bytes(255)))

    right, right_bound = signed(string(SESSION) + plain), signed(string(SESSION) + bound)

    def bad(comment, made, signature, **more):
        return vector(comment, made, signature, "invalid", "own", user="ann", **more)

    # A signature that covers something else.
    yield bad("RFC 4252 7: of another session", plain, signed(string(flip(SESSION, 0)) + plain))
    yield bad("RFC 4252 7: without a session identifier", plain, signed(plain))
    yield bad("RFC 4252 7: with an empty session identifier", plain, signed(string(b"") + plain))
    yield bad("RFC 4252 7: the session identifier without its length", plain, signed(SESSION + plain))
    yield bad("RFC 4252 7: of another user", plain, signed(string(SESSION) + request("bob", algorithm, key)))
    yield bad("RFC 4252 7: of another service", plain, signed(string(SESSION) + request("ann", algorithm, key, service="ssh-userauth")))
    yield bad("RFC 4252 7: of another method", plain, signed(string(SESSION) + request("ann", algorithm, key, method="hostbased")))
    yield bad("RFC 4252 7: of the query, whose boolean is FALSE", plain, signed(string(SESSION) + request("ann", algorithm, key, has_signature=b"\0")))
    yield bad("RFC 4252 7: without the message number", plain, signed(string(SESSION) + plain[1:]))
    yield bad("RFC 4252 7: of another key", plain, signed(string(SESSION) + request("ann", algorithm, flip(key, 8 * len(key) - 1))))
    yield bad("RFC 4252 7: of the session identifier alone", plain, signed(string(SESSION)))
    yield bad("RFC 4252 7: of another algorithm name in the request", plain, signed(string(SESSION) + request("ann", "ssh-dss", key)))
    yield bad("OpenSSH PROTOCOL 3.1: of another host key", bound, signed(string(SESSION) + request("ann", algorithm, key, method=HOSTBOUND, host_key=HOST_KEY[:-1] + b"x")))
    yield bad("OpenSSH PROTOCOL 3.1: without the host key", bound, signed(string(SESSION) + request("ann", algorithm, key, method=HOSTBOUND)))
    yield bad("OpenSSH PROTOCOL 3.1: the signature of publickey", bound, right)
    yield bad("RFC 4252 7: the signature of publickey-hostbound", plain, right_bound)
    other = request("ann", algorithm, key, method=HOSTBOUND, host_key=HOST_KEY[:-1] + b"x")
    yield bad("OpenSSH PROTOCOL 3.1: the request names another host key, and signs it", other, signed(string(SESSION) + other))
    yield bad("a bit of the signature flipped", plain, flip(right, 8 * len(right) - 3))
    yield bad("an empty signature blob", plain, b"")
    yield bad("an empty signature", plain, string(algorithm) + string(b""))
    yield bad("RFC 8332 3: the signature names another algorithm than the request", plain, signed(string(SESSION) + plain, "ssh-dss"))
    if algorithm.startswith("rsa"):
        swapped = {"rsa-sha2-256": "rsa-sha2-512", "rsa-sha2-512": "rsa-sha2-256"}[algorithm]
        yield bad("RFC 8332 3.2: the signature names the other hash", plain, signed(string(SESSION) + plain, swapped))
        for name in ("ssh-rsa", swapped):
            made = request("ann", name, key)
            yield bad(f"RFC 8332 3.2: the request names {name}, the signature {algorithm}", made, signed(string(SESSION) + made))
    # Requests that are malformed.
    yield bad("a request with a byte after the signature", plain, right, tail="00")
    malformed = {
        "the length of the signature beyond the end": plain + uint32(len(right) + 1) + right,
        "no signature although the boolean is TRUE": plain,
        "the key of another type": request("ann", algorithm, string("ssh-dss") + key[4 + int.from_bytes(key[:4], "big") :]) + string(right),
        "an empty key": request("ann", algorithm, b"") + string(right),
        "a key cut short": request("ann", algorithm, key[:-1]) + string(right),
    }
    for comment, whole in malformed.items():
        yield bad(f"RFC 4252 7: {comment}", plain, right) | {"request": whole.hex()}


def from_paramiko():
    """paramiko's own signed data and signatures."""
    for name, key in (("ecdsa-sha2-nistp256", paramiko.ECDSAKey.generate(bits=256)), ("rsa-sha2-512", paramiko.RSAKey.generate(2048))):
        message = paramiko.Message()
        message.add_string(SESSION)
        message.add_byte(b"\x32")
        for text in ("ann", "ssh-connection", "publickey"):
            message.add_string(text)
        message.add_boolean(True)
        message.add_string(name)
        message.add_string(key.asbytes())
        data = message.asbytes()
        signature = key.sign_ssh_data(data, name).asbytes()
        yield name, vector("RFC 4252 7: a signature", data[4 + len(SESSION) :], signature, by="paramiko", user="ann", data=data.hex())


SOURCES = {
    "cryptography": BY_CRYPTOGRAPHY,
    "paramiko": source("paramiko", f"{paramiko.__version__} over {CRYPTOGRAPHY}"),
    "own": OWN,
}
more = {}
for name, made in from_paramiko():
    more.setdefault(name, []).append(made)
for algorithm, key, sign in keys():
    all_vectors = [*vectors(algorithm, key, sign), *more.get(algorithm, [])]
    for one in all_vectors:
        one["request"] += one.pop("tail", "")
    save("userauth", algorithm, SOURCES, all_vectors)
