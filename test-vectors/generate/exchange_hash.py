"""Exchange hashes (RFC 4253 section 8, RFC 5656 section 4) that real servers signed: run with /usr/bin/python3 on Debian
12 as root, with openssh-server and dropbear-bin."""

import hashlib
import os
import platform
import re
import socket
import subprocess
import tempfile

import common
from common import keystream, mpint, save, source, string
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVES = {"nistp256": (ec.SECP256R1(), "sha256"), "nistp384": (ec.SECP384R1(), "sha384"), "nistp521": (ec.SECP521R1(), "sha512")}
METHODS = ["curve25519-sha256", "curve25519-sha256@libssh.org", *(f"ecdh-sha2-{name}" for name in CURVES)]
HOST_KEYS = ["ssh-ed25519", *(f"ecdsa-sha2-{name}" for name in CURVES), "rsa-sha2-256", "rsa-sha2-512"]
HASHES = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}


class Fields:
    def __init__(self, data):
        self.data = data

    def string(self):
        size = int.from_bytes(self.data[:4], "big")
        value, self.data = self.data[4 : 4 + size], self.data[4 + size :]
        return value

    def integer(self):
        return int.from_bytes(self.string(), "big", signed=True)


class Key:
    """An ephemeral key of a method."""

    def __init__(self, method):
        self.curve, self.digest = CURVES.get(method.removeprefix("ecdh-sha2-"), (None, "sha256"))
        self.private = ec.generate_private_key(self.curve) if self.curve else x25519.X25519PrivateKey.generate()
        form = (Encoding.X962, PublicFormat.UncompressedPoint) if self.curve else (Encoding.Raw, PublicFormat.Raw)
        self.public = self.private.public_key().public_bytes(*form)

    def secret(self, theirs):
        if self.curve is None:
            shared = self.private.exchange(x25519.X25519PublicKey.from_public_bytes(theirs))
        else:
            shared = self.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self.curve, theirs))
        return mpint(int.from_bytes(shared, "big"))


def verify(host_key, signature, data):
    """Raises an exception unless the server signed the data."""
    key, signed = Fields(host_key), Fields(signature)
    kind, algorithm = key.string().decode(), signed.string().decode()
    raw = signed.string()
    if kind == "ssh-ed25519":
        ed25519.Ed25519PublicKey.from_public_bytes(key.string()).verify(raw, data)
    elif kind == "ssh-rsa":
        e, n = key.integer(), key.integer()
        digest = HASHES[{"rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512"}[algorithm]]()
        rsa.RSAPublicNumbers(e, n).public_key().verify(raw, data, padding.PKCS1v15(), digest)
    else:
        curve, digest = CURVES[key.string().decode()]
        pair = Fields(raw)
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.string())
        public.verify(encode_dss_signature(pair.integer(), pair.integer()), data, ec.ECDSA(HASHES[digest]()))


def kexinit(method, host_key):
    lists = [method, host_key, "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""]
    cookie = keystream(f"exchange hash {method} {host_key}", 16)
    return b"\x14" + cookie + b"".join(string(one) for one in lists) + bytes(5)


def packet(payload):
    size = 8 - (5 + len(payload)) % 8
    size += 8 if size < 4 else 0
    return string(bytes([size]) + payload + bytes(size))


def handshake(command, method, host_key):
    """Sends our side of a key exchange to a server, and checks its signature of the exchange hash."""
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    listener.close()
    server = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
    theirs.close()
    ours.settimeout(5)
    stream = ours.makefile("rb")

    def receive():
        while True:
            body = stream.read(int.from_bytes(stream.read(4), "big"))
            payload = body[1 : len(body) - body[0]]
            if payload[0] not in (2, 4):
                return payload

    try:
        version = b"SSH-2.0-vector"
        client_init, key = kexinit(method, host_key), Key(method)
        ours.sendall(version + b"\r\n" + packet(client_init))
        server_version = stream.readline().rstrip(b"\r\n")
        server_init = receive()
        ours.sendall(packet(b"\x1e" + string(key.public)))
        reply = receive()
        assert server_init[0] == 20 and reply[0] == 31, (server_init[0], reply[0])
        fields = Fields(reply[1:])
        blob, server_public, signature = fields.string(), fields.string(), fields.string()
        secret = key.secret(server_public)
    finally:
        ours.close()
        server.kill()
        server.wait()
    inputs = [version, server_version, client_init, server_init, blob, key.public, server_public]
    digest = hashlib.new(key.digest, b"".join(string(one) for one in inputs) + secret).digest()
    verify(blob, signature, digest)
    return vector(inputs, secret, digest) | {"hostKeyAlgorithm": host_key, "signature": signature.hex()}


NAMES = ["clientVersion", "serverVersion", "clientInit", "serverInit", "hostKey", "clientPublic", "serverPublic"]


def vector(inputs, secret, digest):
    fields = {name: value.hex() for name, value in zip(NAMES, inputs)}
    return fields | {"secret": secret.hex(), "exchangeHash": digest.hex()}


def servers(folder):
    """For each server: its name, the host keys that it has, and the command that serves one connection."""
    for kind, bits in (("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048")):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "", "-f", f"{folder}/{kind}{bits}"], check=True)
    files = {"ssh-ed25519": "ed25519256", "rsa-sha2-256": "rsa2048", "rsa-sha2-512": "rsa2048"}
    files |= {f"ecdsa-sha2-nistp{bits}": f"ecdsa{bits}" for bits in (256, 384, 521)}
    config = ["StrictModes no", "UsePAM no", "PidFile none", "Ciphers aes128-ctr", "MACs hmac-sha2-256", "Compression no"]
    os.makedirs("/run/sshd", exist_ok=True)

    def openssh(method, host_key):
        path = f"{folder}/config"
        with open(path, "w") as file:
            lists = [f"HostKey {folder}/{files[host_key]}", f"HostKeyAlgorithms {host_key}", f"KexAlgorithms {method}"]
            file.write("\n".join([*config, *lists, ""]))
        return ["/usr/sbin/sshd", "-i", "-f", path]

    yield "OpenSSH", HOST_KEYS, openssh

    def dropbear(_method, host_key):
        path = f"{folder}/{files[host_key]}.dropbear"
        if not os.path.exists(path):
            source_file = f"{folder}/{files[host_key]}"
            subprocess.run(["dropbearconvert", "openssh", "dropbear", source_file, path], check=True, capture_output=True)
        return ["/usr/sbin/dropbear", "-i", "-r", path]

    # Dropbear of Debian 12 signs with rsa-sha2-256, and not with rsa-sha2-512.
    yield "dropbear", [name for name in HOST_KEYS if name != "rsa-sha2-512"], dropbear


def recorded():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, host_keys, command in servers(folder):
            for method in METHODS:
                for host_key in host_keys:
                    made = handshake(command(method, host_key), method, host_key)
                    yield method, made | {"comment": f"signed by {name} with {host_key}", "source": name}


def edges(digest):
    """Values at the edges of their encoding, computed with hashlib alone."""
    inputs = [b"SSH-2.0-a", b"SSH-2.0-b", b"\x14" + bytes(80), b"\x14" + bytes(80), keystream("K_S", 51), keystream("Q_C", 32), keystream("Q_S", 32)]
    secret = int.from_bytes(keystream("K", 32), "big")
    cases = [
        ("RFC 4251 5: K with its first bit set gets a zero", {}, mpint(secret | 2**255)),
        ("RFC 4251 5: K with its first bit not set gets none", {}, mpint(secret >> 1 | 2**254)),
        ("RFC 4251 5: K with leading zeros loses them", {}, mpint(secret >> 17)),
        ("K is a string, as in hybrid exchanges", {}, string(keystream("K", 32))),
        ("K is a string of zeros, as in hybrid exchanges", {}, string(bytes(32))),
        ("RFC 4253 4.2: a version with comments and spaces", {0: b"SSH-2.0-a_1.2 comment, more"}, mpint(secret)),
        ("RFC 4253 4.2: a version of 253 bytes", {1: b"SSH-2.0-" + b"v" * 245}, mpint(secret)),
        ("RFC 4253 5.1: a server of the version 1.99", {1: b"SSH-1.99-b"}, mpint(secret)),
        ("no host key, as with null of RFC 4462 section 5", {4: b""}, mpint(secret)),
        ("public values of 133 bytes", {5: b"\4" + keystream("Q_C", 132), 6: b"\4" + keystream("Q_S", 132)}, mpint(secret)),
        ("public values of 1184 and 1120 bytes, as of ML-KEM", {5: keystream("Q_C", 1216), 6: keystream("Q_S", 1120)}, string(keystream("K", 32))),
        ("the same KEXINIT on both sides", {3: b"\x14" + bytes(80)}, mpint(secret)),
        ("the KEXINIT of the two sides exchanged", {2: b"\x14" + bytes(90)}, mpint(secret)),
    ]
    for comment, changes, key in cases:
        values = [changes.get(index, value) for index, value in enumerate(inputs)]
        result = hashlib.new(digest, b"".join(string(one) for one in values) + key).digest()
        yield vector(values, key, result) | {"comment": comment, "source": "hashlib"}


dropbear_version = subprocess.run(["dropbear", "-V"], capture_output=True, text=True)
dropbear_version = re.search(r"v(\S+)", dropbear_version.stdout + dropbear_version.stderr)[1]
SOURCES = {
    "OpenSSH": common.openssh(),
    "dropbear": source("dropbear", dropbear_version),
    "hashlib": source("Python, hashlib", platform.python_version()),
}
by_digest = {"sha256": [], "sha384": [], "sha512": []}
for method, made in recorded():
    made["comment"] = f"{method}, {made['comment']}"
    by_digest[CURVES.get(method.removeprefix("ecdh-sha2-"), (None, "sha256"))[1]].append(made)
for digest, vectors in by_digest.items():
    save("exchange-hash", digest, SOURCES, [*vectors, *edges(digest)])
