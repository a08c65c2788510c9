"""Fingerprints of public keys: run with /usr/bin/python3 on Debian 12, with openssh-client, and with the path of OpenSSH's
sk-dummy.so (Debian's package openssh-tests) as the argument."""

import base64
import hashlib
import os
import subprocess
import sys
import tempfile

import common
from common import OWN, keystream, save, string

[PROVIDER] = sys.argv[1:]
TYPES = [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "1024"), ("rsa", "2048"), ("rsa", "3072"), ("rsa", "4096"), ("dsa", "1024")]


def run(*command):
    environment = os.environ | {"SSH_SK_PROVIDER": PROVIDER}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def listed(comment, path, line):
    """What ssh-keygen prints about a file; hashlib must agree."""
    bits, sha256, *_ = run("ssh-keygen", "-l", "-E", "sha256", "-f", path).split(" ")
    md5 = run("ssh-keygen", "-l", "-E", "md5", "-f", path).split(" ")[1]
    blob = base64.b64decode(line.split(" ")[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    assert sha256 == f"SHA256:{digest}", (sha256, digest)
    assert md5 == "MD5:" + ":".join(f"{byte:02x}" for byte in hashlib.md5(blob).digest())
    return {"comment": comment, "source": "OpenSSH", "publicKey": blob.hex(), "fingerprint": sha256, "md5": md5, "bits": int(bits)}


def made(folder):
    for kind, bits in TYPES:
        path = f"{folder}/{kind}{bits}"
        run("ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "", "-f", path)
        with open(f"{path}.pub") as file:
            line = file.read()
        yield listed(f"ssh-keygen -t {kind} -b {bits}", f"{path}.pub", line)
        # ssh-keygen -l prints the fingerprint of the certified key, unless the file is read as a line of keys.
    for kind in ("ed25519-sk", "ecdsa-sk"):
        path = f"{folder}/{kind}"
        run("ssh-keygen", "-q", "-t", kind, "-w", PROVIDER, "-N", "", "-C", "", "-f", path)
        with open(f"{path}.pub") as file:
            yield listed(f"ssh-keygen -t {kind}", f"{path}.pub", file.read())
    # Keys whose digests have leading zeros or end in zero bits, found by counting.
    wanted = {"a fingerprint that starts with A": lambda text: text.startswith("AA"), "a fingerprint with + and /": lambda text: "+" in text and "/" in text,
              "a fingerprint that ends with A": lambda text: text.endswith("AA") or text.endswith("EA")}
    number = 0
    while wanted:
        blob = string("ssh-ed25519") + string(keystream(f"fingerprint {number}", 32))
        text = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        number += 1
        for comment in [name for name, fits in wanted.items() if fits(text)]:
            del wanted[comment]
            line = f"ssh-ed25519 {base64.b64encode(blob).decode()}\n"
            with open(f"{folder}/found.pub", "w") as file:
                file.write(line)
            yield listed(comment, f"{folder}/found.pub", line)


def texts(good):
    """Texts of the key's fingerprint that a program may be given."""
    key = {"publicKey": good["publicKey"], "bits": good["bits"]}
    base = good["fingerprint"].removeprefix("SHA256:")
    for comment, text, result in (
        ("white space around it", f"  {good['fingerprint']}\n", "acceptable"),
        ("padding after it", f"{good['fingerprint']}=", "acceptable"),
        ("without its prefix", base, "acceptable"),
        ("MD5, with its prefix", good["md5"], "acceptable"),
        ("MD5, without its prefix", good["md5"].removeprefix("MD5:"), "acceptable"),
        ("another letter case", good["fingerprint"].swapcase(), "invalid"),
        ("the prefix in lower case", f"sha256:{base}", "acceptable"),
        ("the first character changed", f"SHA256:{'B' if base[0] != 'B' else 'C'}{base[1:]}", "invalid"),
        ("cut short", good["fingerprint"][:-1], "invalid"),
        ("a character too many", f"{good['fingerprint']}A", "invalid"),
        ("the alphabet of base64url", good["fingerprint"].replace("+", "-").replace("/", "_"), "invalid"),
        ("unused bits of the last character set", good["fingerprint"][:-1] + chr(ord(base[-1]) + 1), "invalid"),
        ("SHA-1", "SHA1:" + base64.b64encode(hashlib.sha1(bytes.fromhex(good["publicKey"])).digest()).decode().rstrip("="), "invalid"),
        ("SHA-512", "SHA512:" + base64.b64encode(hashlib.sha512(bytes.fromhex(good["publicKey"])).digest()).decode().rstrip("="), "invalid"),
        ("hexadecimal", hashlib.sha256(bytes.fromhex(good["publicKey"])).hexdigest(), "invalid"),
        ("an empty text", "", "invalid"),
        ("the prefix alone", "SHA256:", "invalid"),
    ):
        yield {"comment": f"text: {comment}", "source": "own", "result": result, **key, "fingerprint": text}


with tempfile.TemporaryDirectory() as folder:
    vectors = list(made(folder))
unusual = next(vector for vector in vectors if vector["comment"] == "a fingerprint with + and /")
save("fingerprint", "sha256", {"OpenSSH": common.openssh(), "own": OWN}, [*vectors, *texts(unusual)])
