"""What the generators share: the file format, and the data types of RFC 4251 section 5."""

import hashlib
import json
import os
import subprocess
import sys

import asyncssh
import cryptography
import cryptography_vectors
from cryptography.hazmat.backends.openssl import backend

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PUBLISHED = os.path.dirname(cryptography_vectors.__file__)

CRYPTOGRAPHY = f"python3-cryptography {cryptography.__version__} over {backend.openssl_version_text()}"
PUBLISHED_BY = f"as shipped in python3-cryptography-vectors {cryptography_vectors.__version__}"

COMMAND = " ".join(["/usr/bin/python3 -W ignore", f"generate/{os.path.basename(sys.argv[0])}", *sys.argv[1:]])
IETF = "BSD-3-Clause (IETF Trust Legal Provisions, code components)"
NIST = "public domain (work of the government of the United States)"


def source(name, version, licence="MIT"):
    """A document or program, and the command that is running."""
    return {"name": name, "version": version, "command": COMMAND, "licence": licence}


def openssh(tool="ssh"):
    """OpenSSH with its version, as `ssh -V` prints it."""
    version = subprocess.run([tool, "-V"], capture_output=True, text=True).stderr.split(",")[0]
    return source("OpenSSH", version.removeprefix("OpenSSH_"))


BY_CRYPTOGRAPHY = source("cryptography", CRYPTOGRAPHY.removeprefix("python3-cryptography "))
BY_ASYNCSSH = source("asyncssh", f"{asyncssh.__version__} over {CRYPTOGRAPHY}")
OWN = source("Postern", "1: malformed on purpose; the clause in the comment decides")


def save(kind, algorithm, sources, vectors):
    """Each vector names its source by key. `save.mjs` writes the file."""
    content = {"kind": kind, "algorithm": algorithm, "sources": sources, "vectors": vectors}
    subprocess.run(["node", os.path.join(ROOT, "generate", "save.mjs")], check=True, text=True, input=json.dumps(content))


def keystream(label, size):
    """Keys that are reproducible: SHAKE-256 of their label."""
    return hashlib.shake_256(label.encode()).digest(size)


def uint32(value):
    return value.to_bytes(4, "big")


def string(value):
    value = value.encode() if isinstance(value, str) else value
    return uint32(len(value)) + value


def mpint(value):
    """RFC 4251 section 5: two's complement, shortest form."""
    if value == 0:
        return uint32(0)
    size = (value.bit_length() if value > 0 else (value + 1).bit_length()) // 8 + 1
    return string(value.to_bytes(size, "big", signed=True))


def flip(data, bit):
    data = bytearray(data)
    data[bit // 8] ^= 0x80 >> bit % 8
    return bytes(data)


def blocks(path):
    """The `name = value` groups of a NIST or RFC vector file, with the headings above them."""
    group, headings = {}, []
    with open(os.path.join(PUBLISHED, path)) as file:
        for line in file:
            line = line.strip()
            if line.startswith("["):
                headings = [line]
            elif "=" in line and not line.startswith("#"):
                name, value = (part.strip() for part in line.split("=", 1))
                group[name] = value
            elif not line and group:
                yield headings, group
                group = {}
    if group:
        yield headings, group
