"""Whole packets, sealed by asyncssh: run with /usr/bin/python3 on Debian 12."""

import hashlib

from asyncssh.encryption import get_encryption
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from common import BY_ASYNCSSH, CRYPTOGRAPHY, IETF, PUBLISHED_BY, blocks, flip, keystream, save, source, uint32

SIZES = [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 64, 255, 1024]


def content(size):
    return bytes(index % 256 for index in range(size))


def packet_of(size, block, length_is_padded):
    head = (4 if length_is_padded else 0) + 1 + size
    padding = block - head % block
    if padding < 4:
        padding += block
    padding = bytes(0xA0 + index for index in range(padding))
    body = bytes([len(padding)]) + content(size) + padding
    return padding, uint32(len(body)), body


def sealed_packets(cipher, sequences_and_sizes, block, length_is_padded):
    packets = []
    for sequence, size in sequences_and_sizes:
        padding, head, body = packet_of(size, block, length_is_padded)
        text, tag = cipher.encrypt_packet(sequence, head, body)
        sealed = text + tag
        packet = {"sequence": sequence, "payload": content(size).hex(), "padding": padding.hex(), "sealed": sealed.hex()}
        if size > 1024:
            del packet["payload"], packet["sealed"]
            packet |= {"payloadSize": size, "sealedSha256": hashlib.sha256(sealed).hexdigest()}
        packets.append(packet)
    return packets


def positive(name, key_size, block, ivs, mac=None):
    etm = mac is not None and mac[0].endswith("-etm@openssh.com")
    length_is_padded = mac is not None and not etm

    def vector(comment, key, iv, mac_key, plan):
        args = (mac[0].encode(), mac_key, etm) if mac else ()
        cipher = get_encryption(name.encode(), key, iv, *args)
        result = {"comment": comment, "source": "asyncssh", "key": key.hex(), "iv": iv.hex()}
        if mac:
            result["mac"] = {"algorithm": mac[0], "key": mac_key.hex()}
        return result | {"packets": sealed_packets(cipher, plan, block, length_is_padded)}

    label = f"{name} {mac[0]}" if mac else name
    key, mac_key = keystream(label + " key", key_size), keystream(label + " mac", mac[1] if mac else 0)
    for number, (comment, iv) in enumerate(ivs):
        suffix = f", {mac[0]}" if mac else ""
        if number == 0:
            plan = list(enumerate(SIZES)) + [(len(SIZES), 32768)]
            yield vector(f"one direction, payloads of many sizes{suffix}", key, iv, mac_key, plan)
            plan = [(2**31 - 1, 5), (2**31, 5), (2**32 - 1, 5), (0, 5), (1, 40)]
            yield vector(f"sequence numbers around 2^31 and 2^32{suffix}", key, iv, mac_key, plan)
        else:
            yield vector(f"{comment}{suffix}", key, iv, mac_key, [(3, 20), (4, 20), (5, 100)])


def negative(vectors, tag_size, sequence_counts, length_is_encrypted):
    """Spoiled packets: each is the first one its opener sees."""
    base = vectors[1]
    packet = base["packets"][0]
    sealed = bytes.fromhex(packet["sealed"])
    bits = 8 * len(sealed)
    spoilt = [
        ("first bit of the tag flipped", flip(sealed, bits - 8 * tag_size)),
        ("last bit of the tag flipped", flip(sealed, bits - 1)),
        ("tag of zeros", sealed[:-tag_size] + bytes(tag_size)),
        ("first bit of the body flipped", flip(sealed, 32)),
        ("last bit of the body flipped", flip(sealed, bits - 8 * tag_size - 1)),
        ("last bit of the length flipped", flip(sealed, 31)),
        ("first bit of the length flipped", flip(sealed, 0)),
        ("plaintext sent instead", b"\x00\x00\x00" + bytes([len(sealed) - 4 - tag_size]) + sealed[4:]),
    ]
    if not length_is_encrypted:
        spoilt.pop()
    for comment, data in spoilt:
        yield base | {
            "comment": comment + (f", {base['mac']['algorithm']}" if "mac" in base else ""),
            "packets": [{"sequence": packet["sequence"], "sealed": data.hex(), "error": "mac"}],
        }
    if sequence_counts:
        yield base | {
            "comment": "right packet at the wrong sequence number" + (f", {base['mac']['algorithm']}" if "mac" in base else ""),
            "packets": [{"sequence": packet["sequence"] + 1, "sealed": packet["sealed"], "error": "mac"}],
        }
    else:
        yield base | {
            "comment": "RFC 5647 7.1: the first packet twice; the second time the invocation counter has moved on",
            "packets": [packet, {"sequence": packet["sequence"], "sealed": packet["sealed"], "error": "mac"}],
        }


def chacha():
    name = "chacha20-poly1305@openssh.com"
    vectors = list(positive(name, 64, 8, [("", b"")]))
    vectors += list(negative(vectors, 16, True, True))
    base = vectors[1]
    swapped = bytes.fromhex(base["key"])
    swapped = swapped[32:] + swapped[:32]
    vectors.append(base | {
        "comment": "the two halves of the key exchanged",
        "key": swapped.hex(),
        "packets": [{"sequence": base["packets"][0]["sequence"], "sealed": base["packets"][0]["sealed"], "error": "mac"}],
    })
    save("cipher", name, {"asyncssh": BY_ASYNCSSH}, vectors)


def gcm(bits):
    name = f"aes{bits}-gcm@openssh.com"
    ivs = [
        ("", keystream(name + " iv", 12)),
        ("RFC 5647 7.1: the invocation counter wraps modulo 2^64", bytes.fromhex("01020304fffffffffffffffe")),
        ("RFC 5647 7.1: a carry through seven bytes", bytes.fromhex("0102030400ffffffffffffff")),
        ("RFC 5647 7.1: the fixed field is all ones, and stays", bytes.fromhex("ffffffffffffffffffffffff")),
    ]
    vectors = list(positive(name, bits // 8, 16, ivs))
    vectors += list(negative(vectors, 16, False, False))
    save("cipher", name, {"asyncssh": BY_ASYNCSSH}, vectors)


MACS = [
    ("hmac-sha2-256-etm@openssh.com", 32),
    ("hmac-sha2-512-etm@openssh.com", 64),
    ("hmac-sha2-256", 32),
    ("hmac-sha2-512", 64),
]


def rfc3686(bits):
    """The key stream alone: whole blocks in counter mode, without a MAC."""
    for _, group in blocks(f"ciphers/AES/CTR/aes-{bits}-ctr.txt"):
        key, iv = bytes.fromhex(group["KEY"]), bytes.fromhex(group["IV"])
        plain, sealed = bytes.fromhex(group["PLAINTEXT"]), bytes.fromhex(group["CIPHERTEXT"])
        size = len(plain) - len(plain) % 16
        assert Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(plain) == sealed
        yield {
            "comment": f"RFC 3686 section 6, AES-{bits} in counter mode, number {int(group['COUNT']) + 1}, whole blocks",
            "source": "RFC 3686",
            "key": key.hex(),
            "iv": iv.hex(),
            "blocks": plain[:size].hex(),
            "sealed": sealed[:size].hex(),
        }


def ctr(bits):
    name = f"aes{bits}-ctr"
    vectors = list(rfc3686(bits))
    ivs = [
        ("", keystream(name + " iv", 16)),
        ("RFC 4344 4: the counter wraps modulo 2^128", b"\xff" * 16),
        ("RFC 4344 4: a carry out of the low 32 bits", bytes.fromhex("000102030405060708090a0bfffffffe")),
        ("RFC 4344 4: a carry out of the low 64 bits", bytes.fromhex("0001020304050607ffffffffffffffff")),
    ]
    for mac in MACS:
        some = list(positive(name, bits // 8, 16, ivs, mac))
        etm = mac[0].endswith("-etm@openssh.com")
        vectors += some + list(negative(some, mac[1], True, not etm))
    sources = {
        "RFC 3686": source("RFC 3686 section 6", f"{PUBLISHED_BY}; checked with {CRYPTOGRAPHY}", IETF),
        "asyncssh": BY_ASYNCSSH,
    }
    save("cipher", name, sources, vectors)


chacha()
for size in (128, 256):
    gcm(size)
for size in (128, 192, 256):
    ctr(size)
