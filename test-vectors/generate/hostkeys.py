"""Public keys and signatures: run with /usr/bin/python3 on Debian 12, with OpenSSH installed."""

import base64
import hashlib
import os
import subprocess
import tempfile

import paramiko
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import common
from common import BY_CRYPTOGRAPHY, CRYPTOGRAPHY, IETF, OWN, PUBLISHED, PUBLISHED_BY, blocks, flip, keystream, mpint, save, source, string, uint32

DATA = b"the exchange hash would be here"
LOREM = bytes(range(256)) * 5


def case(comment, source, key, data, signature, valid):
    return {
        "comment": comment,
        "source": source,
        "publicKey": key.hex(),
        "data": data.hex(),
        "signature": signature.hex(),
        "result": "valid" if valid else "invalid",
    }


def bad_key(comment, key, signature):
    vector = case(comment, "own", key, DATA, signature, False)
    return vector | {"error": "key"}


def blob(algorithm, signature):
    return string(algorithm) + string(signature)


def openssh(key_type, *options):
    """A new key of ssh-keygen, and what it signs: the SSHSIG structure of PROTOCOL.sshsig, with the digest of DATA in it."""
    with tempfile.TemporaryDirectory() as folder:
        path, file = os.path.join(folder, "key"), os.path.join(folder, "data")
        subprocess.run(["ssh-keygen", "-q", "-t", key_type, *options, "-N", "", "-C", "", "-f", path], check=True)
        for data in (DATA, b"", LOREM):
            with open(file, "wb") as out:
                out.write(data)
            subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", path, "-n", "postern", file], check=True, capture_output=True)
            with open(file + ".sig") as armored:
                lines = armored.read().split("\n")[1:-2]
            os.remove(file + ".sig")
            packed = base64.b64decode("".join(lines))
            at = len(b"SSHSIG") + 4
            fields = []
            for _ in range(5):
                size = int.from_bytes(packed[at : at + 4], "big")
                fields.append(packed[at + 4 : at + 4 + size])
                at += 4 + size
            key, namespace, reserved, digest, signature = fields
            signed = b"SSHSIG" + string(namespace) + string(reserved) + string(digest)
            signed += string(hashlib.new(digest.decode(), data).digest())
            yield key, signed, signature


def common_spoils(algorithm, key, signature, raw):
    yield case("the right one, as a yardstick", "cryptography", key, DATA, signature, True)
    yield case("other data", "cryptography", key, DATA + b".", signature, False)
    yield case("a bit of the data flipped", "cryptography", key, flip(DATA, 0), signature, False)
    for name in ("ssh-rsa", "ssh-ed25519", "rsa-sha2-256", "rsa-sha2-512", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521", "", algorithm + " "):
        if name != algorithm:
            yield case(f'RFC 4253 6.6: a signature that calls itself "{name}"', "own", key, DATA, blob(name, raw), False)
    yield case("a signature blob with a byte after it", "own", key, DATA, signature + b"\0", False)
    yield case("a signature blob cut short", "own", key, DATA, signature[:-1], False)
    yield case("an empty signature blob", "own", key, DATA, b"", False)
    yield case("an empty signature", "own", key, DATA, blob(algorithm, b""), False)
    yield bad_key("a key blob with a byte after it", key + b"\0", signature)
    yield bad_key("a key blob cut short", key[:-1], signature)
    yield bad_key("an empty key blob", b"", signature)
    yield bad_key("a key blob of another type", string("ssh-dss") + key[4 + int.from_bytes(key[:4], "big") :], signature)


# ---- ssh-ed25519

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493


def ed25519_vectors():
    name = "ssh-ed25519"
    with open(os.path.join(PUBLISHED, "asymmetric/Ed25519/sign.input")) as file:
        for number, line in enumerate(file):
            _, public, message, signed, _ = line.split(":")
            source, comment = ("RFC 8032", f"RFC 8032 7.1, TEST {number + 1}") if number < 3 else ("ed25519.cr.yp.to", f"line {number + 1}")
            if number < 3 or number % 80 == 0:
                key = string(name) + string(bytes.fromhex(public))
                yield case(comment, source, key, bytes.fromhex(message), blob(name, bytes.fromhex(signed)[:64]), True)
    for key, data, signature in openssh("ed25519"):
        yield case("ssh-keygen -Y sign", "OpenSSH", key, data, signature, True)
        yield case("ssh-keygen -Y sign, a bit of the data flipped", "OpenSSH", key, flip(data, 100), signature, False)

    private = ed25519.Ed25519PrivateKey.from_private_bytes(keystream("ed25519", 32))
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    raw = private.sign(DATA)
    key, signature = string(name) + string(public), blob(name, raw)
    yield from common_spoils(name, key, signature, raw)
    for bit in (0, 7, 200, 248, 255, 256, 300, 504, 511):
        yield case(f"bit {bit} of the signature flipped", "own", key, DATA, blob(name, flip(raw, bit)), False)
    scalar = int.from_bytes(raw[32:], "little")
    for factor in (1, 2, 15):
        if scalar + factor * L < 2**256:
            s = (scalar + factor * L).to_bytes(32, "little")
            yield case(f"RFC 8032 5.1.7: S is not below L (S + {factor} L)", "own", key, DATA, blob(name, raw[:32] + s), False)
    yield case("a signature of 63 bytes", "own", key, DATA, blob(name, raw[:-1]), False)
    yield case("a signature of 65 bytes", "own", key, DATA, blob(name, raw + b"\0"), False)
    yield bad_key("RFC 8709 4: a key of 31 bytes", string(name) + string(public[:-1]), signature)
    yield bad_key("RFC 8709 4: a key of 33 bytes", string(name) + string(public + b"\0"), signature)
    yield bad_key("RFC 8709 4: an empty key", string(name) + string(b""), signature)

    # With a key of small order the equation holds for R = S B and whatever data, as often as k is a multiple of the order.
    base = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
    one = (1).to_bytes(32, "little")
    small = {
        "1, the identity": 1,
        "0, of order 4": 0,
        "p - 1, of order 2": P - 1,
        "of order 8": 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        "of order 8, the other one": 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        "p, which is 0": P,
        "p + 1, which is 1": P + 1,
    }
    for comment, y in small.items():
        for sign in (0, 1):
            weak = string(name) + string((y + sign * 2**255).to_bytes(32, "little"))
            for r, s in ((base, one), (one, bytes(32))):
                what = f"a key of small order: y = {comment}, sign {sign}, R = {'B' if r == base else 'the identity'}"
                yield case(what, "own", weak, DATA, blob(name, r + s), False)
    for comment, y in (("y = 2, no point of the curve", 2), ("y = p + 3, not reduced", P + 3), ("y = 2^255 - 1, not reduced", 2**255 - 1)):
        yield case(comment, "own", string(name) + string(y.to_bytes(32, "little")), DATA, signature, False)
    for comment, r in (("R = p + 1, not reduced", P + 1), ("R = the identity with the sign set", 1 + 2**255), ("R is no point", 2)):
        yield case(comment, "own", key, DATA, blob(name, r.to_bytes(32, "little") + raw[32:]), False)
    # R = 0 B in encodings that are none, with the S that goes with each: S B = R + k A holds for all of them.
    secret = bytearray(hashlib.sha512(keystream("ed25519", 32)).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 63 | 64
    # The plain one is left out: Node.js 24 refuses what RFC 8032 accepts.
    for comment, r in (
        ("the equation holds, R is the identity, not reduced", P + 1),
        ("the equation holds, R is the identity with the sign set", 1 + 2**255),
    ):
        r = r.to_bytes(32, "little")
        challenge = int.from_bytes(hashlib.sha512(r + public + DATA).digest(), "little")
        s = (challenge * int.from_bytes(secret, "little") % L).to_bytes(32, "little")
        yield case(f"RFC 8032 5.1.3 and 5.1.7: {comment}", "own", key, DATA, blob(name, r + s), False)
    yield case("R and S of zeros", "own", key, DATA, blob(name, bytes(64)), False)


# ---- ecdsa-sha2-*


def ecdsa_vectors(curve, name, digest, heading, size, order, p):
    algorithm = f"ecdsa-sha2-{name}"

    def key_of(point):
        return string(algorithm) + string(name) + string(point)

    def pair(r, s):
        return blob(algorithm, mpint(r) + mpint(s))

    for headings, group in blocks("asymmetric/ECDSA/FIPS_186-3/SigVer.rsp"):
        if headings != [heading] or "R" not in group:
            continue
        x, y, r, s = (int(group[field], 16) for field in ("Qx", "Qy", "R", "S"))
        key = key_of(b"\x04" + x.to_bytes(size, "big") + y.to_bytes(size, "big"))
        vector = case(f"SigVer: {group['Result']}", "NIST", key, bytes.fromhex(group["Msg"]), pair(r, s), group["Result"].startswith("P"))
        try:
            ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
        except ValueError:
            vector["error"] = "key"
        yield vector
    for key, data, signature in openssh("ecdsa", "-b", str(curve.key_size)):
        yield case("ssh-keygen -Y sign", "OpenSSH", key, data, signature, True)
        yield case("ssh-keygen -Y sign, a bit of the data flipped", "OpenSSH", key, flip(data, 100), signature, False)

    private = ec.derive_private_key(int.from_bytes(keystream(name, size - 1), "big"), curve)
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key = key_of(point)
    der = private.sign(DATA, ec.ECDSA(digest))
    r, s = decode_dss_signature(der)
    signature = pair(r, s)
    yield from common_spoils(algorithm, key, signature, mpint(r) + mpint(s))
    yield case("the other root: n - s is as valid as s", "cryptography", key, DATA, pair(r, order - s), True)
    for comment, a, b in (
        ("r = 0", 0, s), ("s = 0", r, 0), ("r = s = 0", 0, 0), ("r = 1", 1, s), ("s = 1", r, 1),
        ("r = n", order, s), ("s = n", r, order), ("r + n", r + order, s), ("s + n", r, s + order),
        ("r = p", p, s), ("-r", -r, s), ("-s", r, -s), ("r and s exchanged", s, r), ("r - n", r - order, s), ("s - n", r, s - order),
        ("r of twice the size", r << (8 * size), s), ("s of 2000 bytes", r, s << 16000),
    ):
        yield case(f"RFC 5656 3.1.2: {comment}", "own", key, DATA, pair(a, b), False)
    for comment, raw in (
        ("DER, as X.509 has it", der),
        ("r || s without lengths", r.to_bytes(size, "big") + s.to_bytes(size, "big")),
        ("r with a needless zero", string(bytes(8) + r.to_bytes(size, "big")) + mpint(s)),
        ("s missing", mpint(r)),
        ("a byte after s", mpint(r) + mpint(s) + b"\0"),
        ("a third integer", mpint(r) + mpint(s) + mpint(1)),
    ):
        yield case(f"RFC 5656 3.1.2: {comment}", "own", key, DATA, blob(algorithm, raw), False)
    x, y = (int.from_bytes(part, "big") for part in (point[1 : size + 1], point[size + 1 :]))
    other = "nistp384" if name != "nistp384" else "nistp256"
    for comment, bad in (
        ("another curve's identifier", string(algorithm) + string(other) + string(point)),
        ("no identifier", string(algorithm) + string(point)),
        ("a compressed point", key_of(bytes([2 + y % 2]) + point[1 : size + 1])),
        ("the hybrid form of SEC 1", key_of(bytes([6 + y % 2]) + point[1:])),
        ("the point at infinity", key_of(b"\x00")),
        ("an empty point", key_of(b"")),
        ("(0, 0)", key_of(b"\x04" + bytes(2 * size))),
        ("y + 1: not on the curve", key_of(b"\x04" + point[1 : size + 1] + ((y + 1) % p).to_bytes(size, "big"))),
        ("x = p, not reduced", key_of(b"\x04" + p.to_bytes(size, "big") + point[size + 1 :])),
        ("a byte too few", key_of(point[:-1])),
        ("a byte too many", key_of(point + b"\0")),
    ):
        yield bad_key(f"RFC 5656 3.1: {comment}", bad, signature)


# ---- rsa-sha2-*

PREFIX = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


def rsa_vectors(algorithm, digest, hash_class):
    def key_of(e, n):
        return string("ssh-rsa") + mpint(e) + mpint(n)

    modulus = 0
    for headings, group in blocks("asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp"):
        if "n" in group:
            modulus = int(group["n"], 16)
        if group.get("SHAAlg") != digest.upper() or modulus.bit_length() < 2048:
            continue
        e, s = int(group["e"], 16), bytes.fromhex(group["S"])
        key = key_of(e, modulus)
        yield case(
            f"SigVer15 {modulus.bit_length()}: {group['Result']}", "NIST", key, bytes.fromhex(group["Msg"]), blob(algorithm, s), group["Result"].startswith("P")
        )
    if algorithm == "rsa-sha2-512":
        for bits in ("2048", "3072"):
            for key, data, signature in openssh("rsa", "-b", bits):
                yield case(f"ssh-keygen -Y sign, {bits} bits", "OpenSSH", key, data, signature, True)
                yield case(f"ssh-keygen -Y sign, {bits} bits, a bit of the data flipped", "OpenSSH", key, flip(data, 100), signature, False)
    for bits in (2048, 2056, 4096):
        pkey = paramiko.RSAKey(key=rsa.generate_private_key(65537, bits))
        signature = pkey.sign_ssh_data(DATA, algorithm).asbytes()
        yield case(f"RSAKey.sign_ssh_data, {bits} bits", "paramiko", pkey.asbytes(), DATA, signature, True)

    private = rsa.generate_private_key(3, 2048)
    numbers = private.private_numbers()
    n, d, size = numbers.public_numbers.n, numbers.d, 256
    key = key_of(3, n)
    raw = private.sign(DATA, padding.PKCS1v15(), hash_class)
    signature = blob(algorithm, raw)
    yield from common_spoils(algorithm, key, signature, raw)

    def forged(message):
        """What comes of raising it to e is the encoded message given."""
        assert len(message) == size
        return blob(algorithm, pow(int.from_bytes(message, "big"), d, n).to_bytes(size, "big"))

    def encoded(prefix, value, first=b"\0\x01", fill=b"\xff", stop=b"\0", short=0, tail=b""):
        rest = stop + prefix + value + tail
        return first + fill * (size - len(first) - len(rest) - short) + rest + bytes(short)

    prefix, value = bytes.fromhex(PREFIX[digest]), hashlib.new(digest, DATA).digest()
    assert forged(encoded(prefix, value)) == signature
    without_null = bytearray(prefix[:-4] + prefix[-2:])
    without_null[1] -= 2
    without_null[3] -= 2
    sha1 = hashlib.sha1(DATA).digest()
    for comment, message in (
        ("no parameters instead of NULL", encoded(bytes(without_null), value)),
        ("block type 2", encoded(prefix, value, first=b"\0\x02")),
        ("block type 0", encoded(prefix, value, first=b"\0\0", fill=b"\0")),
        ("the first byte is 1", encoded(prefix, value, first=b"\x01\x01")),
        ("padding of zeros", encoded(prefix, value, fill=b"\0")),
        ("padding of fe", encoded(prefix, value, fill=b"\xfe")),
        ("no zero after the padding", encoded(prefix, value, stop=b"")),
        ("the zero after the padding is 1", encoded(prefix, value, stop=b"\x01")),
        ("eight bytes of padding and rubbish behind the digest (CVE-2006-4339)", b"\0\x01" + 8 * b"\xff" + b"\0" + prefix + value + bytes(size - 11 - len(prefix) - len(value))),
        ("a byte behind the digest", encoded(prefix, value, tail=b"\0")),
        ("no DigestInfo", encoded(b"", value)),
        ("another algorithm in the DigestInfo", encoded(bytes.fromhex(PREFIX["sha384"]), hashlib.sha384(DATA).digest())),
        ("SHA-1", encoded(bytes.fromhex(PREFIX["sha1"]), sha1)),
        ("SHA-1's identifier before the right digest", encoded(bytes.fromhex(PREFIX["sha1"]), value)),
        ("lengths in BER's long form", encoded(b"\x30\x81" + prefix[1:2] + prefix[2:], value)),
        ("a digest cut short", encoded(prefix, value[:-1])),
        ("the digest twice", encoded(prefix, value + value)),
        ("a bit of the digest flipped", encoded(prefix, flip(value, 5))),
        ("one padding byte is 7f", b"\0\x01\xff\x7f" + encoded(prefix, value)[4:]),
    ):
        yield case(f"RFC 8017 8.2.2: {comment}", "own", key, DATA, forged(message), False)
    # The cube root of a number that starts like a good encoded message is a signature to who does not compare it all.
    start = b"\0\x01" + 8 * b"\xff" + b"\0" + prefix + value
    target = int.from_bytes(start + b"\xff" * (size - len(start)), "big")
    low, high = 0, 1 << 1024
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= target else (low, middle)
    if (low**3).to_bytes(size, "big").startswith(start):  # SHA-512 leaves too little room in 2048 bits
        yield case("RFC 8017 8.2.2: Bleichenbacher's cube root with e = 3", "own", key, DATA, blob(algorithm, low.to_bytes(size, "big")), False)
    value_of = int.from_bytes(raw, "big")
    for comment, number in (("0", 0), ("1", 1), ("n - 1", n - 1), ("n", n), ("n - s", n - value_of), ("2^2048 - 1", 2**2048 - 1)):
        yield case(f"RFC 8017 5.2.2: s = {comment}", "own", key, DATA, blob(algorithm, number.to_bytes(size, "big")), False)
    number = 0
    while True:
        data = DATA + uint32(number)
        above = int.from_bytes(private.sign(data, padding.PKCS1v15(), hash_class), "big") + n
        number += 1
        if above < 2**2048:
            yield case("RFC 8017 5.2.2: s + n, for which the equation holds", "own", key, data, blob(algorithm, above.to_bytes(size, "big")), False)
            break
    yield case("RFC 8332 3: one byte longer than the modulus, by a zero", "own", key, DATA, blob(algorithm, b"\0" + raw), False)
    yield case("RFC 8332 3: one byte shorter than the modulus", "own", key, DATA, blob(algorithm, raw[:-1]), False)
    number = 0
    while True:
        data = DATA + uint32(number)
        raw0 = private.sign(data, padding.PKCS1v15(), hash_class)
        number += 1
        if raw0[0] == 0:
            yield case("a signature with a leading zero", "cryptography", key, data, blob(algorithm, raw0), True)
            short = case("the same without the zero, which OpenSSH takes as well", "cryptography", key, data, blob(algorithm, raw0.lstrip(b"\0")), True)
            yield short | {"result": "acceptable"}
            break
    pss = private.sign(DATA, padding.PSS(padding.MGF1(hash_class), hash_class.digest_size), hash_class)
    yield case("RSASSA-PSS", "cryptography", key, DATA, blob(algorithm, pss), False)
    weak = rsa.generate_private_key(65537, 1024)
    weak_key = key_of(65537, weak.public_key().public_numbers().n)
    yield bad_key("a modulus of 1024 bits", weak_key, blob(algorithm, weak.sign(DATA, padding.PKCS1v15(), hash_class)))
    for comment, e, modulus in (
        ("a modulus of 2047 bits", 65537, n >> 1 | 1),
        ("a modulus of 16385 bits", 65537, 2**16384 + 1),
        ("an even modulus", 65537, n - 1),
        ("a modulus of 0", 65537, 0),
        ("a negative modulus", 65537, -n),
        ("e = 0", 0, n),
        ("e = 1, with which everything signs itself", 1, n),
        ("e = 2", 2, n),
        ("e = 65536", 65536, n),
        ("a negative e", -3, n),
        ("e = 2^64 + 1", 2**64 + 1, n),
        ("e and n exchanged", n, 3),
    ):
        yield bad_key(comment, key_of(e, modulus), signature)
    yield bad_key("a modulus with needless zeros", string("ssh-rsa") + mpint(3) + string(bytes(2) + n.to_bytes(size, "big")), signature)
    yield bad_key("the key type rsa-sha2-512", string("rsa-sha2-512") + mpint(3) + mpint(n), signature)


COMMON = {
    "OpenSSH": common.openssh(),
    "cryptography": BY_CRYPTOGRAPHY,
    "own": OWN,
}
ED_SOURCES = {
    "RFC 8032": source("RFC 8032 section 7.1", PUBLISHED_BY, IETF),
    "ed25519.cr.yp.to": source("ed25519.cr.yp.to, sign.input", PUBLISHED_BY, "public domain"),
}
save("hostkey", "ssh-ed25519", ED_SOURCES | COMMON, list(ed25519_vectors()))

SIGVER = {"NIST": source("NIST CAVP FIPS 186-3 ECDSA SigVer", PUBLISHED_BY, common.NIST)}
for curve, name, digest, heading, size, order, p in (
    (ec.SECP256R1(), "nistp256", hashes.SHA256(), "[P-256,SHA-256]", 32, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551, 2**256 - 2**224 + 2**192 + 2**96 - 1),
    (ec.SECP384R1(), "nistp384", hashes.SHA384(), "[P-384,SHA-384]", 48, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973, 2**384 - 2**128 - 2**96 + 2**32 - 1),
    (ec.SECP521R1(), "nistp521", hashes.SHA512(), "[P-521,SHA-512]", 66, int("01" + 64 * "F" + "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16), 2**521 - 1),
):
    save("hostkey", f"ecdsa-sha2-{name}", SIGVER | COMMON, list(ecdsa_vectors(curve, name, digest, heading, size, order, p)))

SIGVER = {
    "NIST": source("NIST CAVP FIPS 186-3 RSA SigVer15", PUBLISHED_BY, common.NIST),
    "paramiko": source("paramiko", f"{paramiko.__version__} over {CRYPTOGRAPHY}"),
}
save("hostkey", "rsa-sha2-256", SIGVER | COMMON, list(rsa_vectors("rsa-sha2-256", "sha256", hashes.SHA256())))
save("hostkey", "rsa-sha2-512", SIGVER | COMMON, list(rsa_vectors("rsa-sha2-512", "sha512", hashes.SHA512())))
