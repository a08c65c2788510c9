"""HMAC and SHA-2: run with /usr/bin/python3 on Debian 12."""

import hashlib
import platform

from asyncssh.mac import get_mac

from common import BY_ASYNCSSH, IETF, NIST, PUBLISHED_BY, blocks, keystream, save, source


PYTHON = f"Python {platform.python_version()}, hashlib and hmac"


def rfc4231(digest, size):
    """A key shorter than the MAC's is padded with zeros and one longer than a block is hashed: RFC 2104 section 2 does both."""
    for _, group in blocks(f"HMAC/rfc-4231-{digest}.txt"):
        key, message = bytes.fromhex(group["Key"]), bytes.fromhex(group["Msg"])
        block = 64 if digest == "sha256" else 128
        how = "as it is"
        if len(key) > block:
            key, how = hashlib.new(digest, key).digest(), "hashed"
        elif len(key) > size:
            continue
        elif len(key) < size:
            key, how = key + bytes(size - len(key)), "padded with zeros"
        yield {
            "comment": f"RFC 4231 section 4, key {how}; the first four bytes of the message are the sequence number",
            "source": "RFC 4231",
            "key": key.hex(),
            "sequence": int.from_bytes(message[:4], "big"),
            "data": message[4:].hex(),
            "tag": group["MD"],
        }


def packets(name, size):
    mac = get_mac(name.encode(), key := keystream(name, size))
    for sequence in (0, 1, 2**31, 2**32 - 1):
        for length in (0, 1, 16, 55, 56, 64, 111, 112, 119, 128, 300):
            data = bytes(index % 256 for index in range(length))
            yield {
                "comment": f"{length} bytes at sequence number {sequence}",
                "source": "asyncssh",
                "key": key.hex(),
                "sequence": sequence,
                "data": data.hex(),
                "tag": mac.sign(sequence, data).hex(),
            }


for digest, size in (("sha256", 32), ("sha512", 64)):
    for suffix in ("", "-etm@openssh.com"):
        name = f"hmac-sha2-{size * 8}{suffix}"
        vectors = [*rfc4231(digest, size), *packets(name, size)]
        sources = {"RFC 4231": source("RFC 4231 section 4", PUBLISHED_BY, IETF), "asyncssh": BY_ASYNCSSH}
        save("mac", name, sources, vectors)

for digest in ("sha256", "sha384", "sha512"):
    vectors = []
    for _, group in blocks(f"hashes/SHA2/{digest.upper()}ShortMsg.rsp"):
        if "Msg" not in group or int(group["Len"]) % (64 if digest == "sha256" else 128) not in (0, 8, 56):
            continue
        data = group["Msg"] if group["Len"] != "0" else ""
        assert hashlib.new(digest, bytes.fromhex(data)).hexdigest() == group["MD"]
        vectors.append({"comment": f"{int(group['Len']) // 8} bytes", "source": "NIST", "data": data, "digest": group["MD"]})
    name = "NIST CAVP SHA test vectors, byte-oriented short messages"
    save("hash", digest, {"NIST": source(name, f"{PUBLISHED_BY}; checked with {PYTHON}", NIST)}, vectors)
