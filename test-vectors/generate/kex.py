"""Key agreements: run with /usr/bin/python3 on Debian 12."""

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common import BY_CRYPTOGRAPHY, CRYPTOGRAPHY, IETF, NIST, OWN, PUBLISHED_BY, blocks, keystream, mpint, save, source

P25519 = 2**255 - 19


def raw(key):
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def agreement(comment, source, random, ours, theirs, shared):
    return {
        "comment": comment,
        "source": source,
        "random": random.hex(),
        "ours": ours.hex(),
        "theirs": theirs.hex(),
        "secret": mpint(int.from_bytes(shared, "big")).hex(),
    }


def refusal(comment, random, theirs):
    return {"comment": comment, "source": "own", "random": random.hex(), "theirs": theirs.hex(), "error": "kex"}


def x25519_vectors():
    for _, group in blocks("asymmetric/X25519/rfc7748.txt"):
        scalar, theirs, shared = (bytes.fromhex(group[name]) for name in ("INPUT_SCALAR", "INPUT_U", "OUTPUT_U"))
        private = x25519.X25519PrivateKey.from_private_bytes(scalar)
        assert private.exchange(x25519.X25519PublicKey.from_public_bytes(theirs)) == shared
        yield agreement(f"RFC 7748 5.2, number {group['COUNT']}", "RFC 7748", scalar, raw(private.public_key()), theirs, shared)
    for number in range(12):
        scalar, other = keystream(f"x25519 a {number}", 32), keystream(f"x25519 b {number}", 32)
        private = x25519.X25519PrivateKey.from_private_bytes(scalar)
        theirs = raw(x25519.X25519PrivateKey.from_private_bytes(other).public_key())
        shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(theirs))
        yield agreement(f"keys of a label, number {number}", "cryptography", scalar, raw(private.public_key()), theirs, shared)
    # RFC 8731 3.1: K is the secret read as a big-endian integer; its leading zeros go, and a high first bit gets one.
    wanted, number = {"zero": lambda s: s[0] == 0, "high": lambda s: s[0] > 127, "low": lambda s: 0 < s[0] < 128}, 0
    while wanted:
        scalar = keystream(f"x25519 c {number}", 32)
        private = x25519.X25519PrivateKey.from_private_bytes(scalar)
        shared = private.exchange(x25519.X25519PublicKey.from_public_bytes((9).to_bytes(32, "little")))
        for name in [name for name, test in wanted.items() if test(shared)]:
            del wanted[name]
            comment = f"RFC 8731 3.1: the first byte of the secret is {name}"
            yield agreement(comment, "cryptography", scalar, raw(private.public_key()), (9).to_bytes(32, "little"), shared)
        number += 1
    scalar = keystream("x25519 edge", 32)
    private = x25519.X25519PrivateKey.from_private_bytes(scalar)
    for comment, u in (
        ("RFC 7748 5: a value that is not reduced (p + 9) is taken modulo p", P25519 + 9),
        ("RFC 7748 5: the most significant bit is ignored", 9 + 2**255),
        ("a point on the twist is as good as any", 2),
    ):
        theirs = u.to_bytes(32, "little")
        shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(theirs))
        yield agreement(comment, "cryptography", scalar, raw(private.public_key()), theirs, shared)
    eight = 325606250916557431795983626356110631294008115727848805560023387167927233504
    other = 39382357235489614581723060781553021112529911719440698176882885853963445705823
    for comment, u in (
        ("0, of order 4", 0),
        ("1, of order 1", 1),
        ("of order 8", eight),
        ("of order 8, the other one", other),
        ("p - 1, of order 2", P25519 - 1),
        ("p, which is 0", P25519),
        ("p + 1, which is 1", P25519 + 1),
        ("0 with the ignored bit set", 2**255),
        ("1 with the ignored bit set", 1 + 2**255),
        ("p - 1 with the ignored bit set", P25519 - 1 + 2**255),
    ):
        yield refusal(f"RFC 8731 3: zeros as a secret are refused: {comment}", scalar, u.to_bytes(32, "little"))
    for size in (0, 1, 31, 33, 64):
        yield refusal(f"RFC 8731 3.1: a public value of {size} bytes", scalar, bytes(size - 1) + b"\x09" if size else b"")


def ec_vectors(curve, name, heading, size, order, p, b):
    def public(private):
        return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def pair(scalar):
        return ec.derive_private_key(int.from_bytes(scalar, "big"), curve)

    def point(x, y):
        return b"\x04" + x.to_bytes(size, "big") + y.to_bytes(size, "big")

    files = ("init", "resp")
    for file in files:
        for headings, group in blocks(f"asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{file}.fax"):
            if not headings[0].startswith(f"[{heading} - ") or not group["Result"].startswith("P"):
                continue
            scalar = int(group["dsIUT"], 16).to_bytes(size, "big")
            ours = point(int(group["QsIUTx"], 16), int(group["QsIUTy"], 16))
            theirs = point(int(group["QsCAVSx"], 16), int(group["QsCAVSy"], 16))
            shared = int(group["Z"], 16).to_bytes(size, "big")
            assert public(pair(scalar)) == ours
            yield agreement(f"{file} {group['COUNT']}", "NIST", scalar, ours, theirs, shared)
    scalar = keystream(f"{name} edge", size)
    scalar = bytes([0 if size == 66 else scalar[0] & 0x7F]) + scalar[1:]
    private = pair(scalar)
    theirs = public(pair((2).to_bytes(size, "big")))
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, theirs))
    yield agreement(
        "FIPS 186-5 A.2.2: 0 and the order are drawn and dropped before the scalar",
        "cryptography",
        bytes(size) + order.to_bytes(size, "big") + scalar,
        public(private),
        theirs,
        shared,
    )
    if size == 66:
        yield agreement(
            "the seven surplus bits of 66 bytes are cleared", "cryptography", bytes([scalar[0] | 0xFE]) + scalar[1:], public(private), theirs, shared
        )
    one = pair((1).to_bytes(size, "big"))
    yield agreement("the smallest scalar", "cryptography", (1).to_bytes(size, "big"), public(one), theirs, theirs[1 : size + 1])
    last = pair((order - 1).to_bytes(size, "big"))
    yield agreement("the greatest scalar", "cryptography", (order - 1).to_bytes(size, "big"), public(last), theirs, theirs[1 : size + 1])
    number = 0
    while True:
        random = bytes([0 if size == 66 else 1]) + keystream(f"{name} zero {number}", size - 1)
        shared = pair(random).exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, theirs))
        number += 1
        if shared[0] == 0 and (size == 48 or size == 32 or shared[1] == 0):
            comment = "RFC 5656 4: leading zeros of the x coordinate go, as K is an mpint"
            yield agreement(comment, "cryptography", random, public(pair(random)), theirs, shared)
            break
    x, y = (int.from_bytes(part, "big") for part in (theirs[1 : size + 1], theirs[size + 1 :]))
    compressed = bytes([2 + y % 2]) + theirs[1 : size + 1]
    bad = [
        ("y + 1: not on the curve", point(x, (y + 1) % p)),
        ("x + 1: not on the curve", point((x + 1) % p, y)),
        ("(0, 0)", point(0, 0)),
        ("a coordinate that is p", point(p, y)),
        ("the point at infinity in its one-byte form", b"\x00"),
        ("the first byte is 0", b"\x00" + theirs[1:]),
        ("a compressed point, which OpenSSH does not take either", compressed),
        ("the hybrid form of SEC 1", bytes([6 + y % 2]) + theirs[1:]),
        ("a byte too few", theirs[:-1]),
        ("a byte too many", theirs + b"\x00"),
        ("nothing", b""),
        ("a point of X25519", (9).to_bytes(32, "little")),
    ]
    # A point of the same equation with another b, of small order or not, is what an invalid-curve attack sends.
    ax = 1
    while pow((ax**3 - 3 * ax + b + 1) % p, (p - 1) // 2, p) != 1:
        ax += 1
    root = pow((ax**3 - 3 * ax + b + 1) % p, (p + 1) // 4, p)
    bad.append(("a point of the curve with b + 1", point(ax, root)))
    for comment, theirs in bad:
        yield refusal(f"RFC 5656 4: {comment}", scalar, theirs)


X_SOURCES = {
    "RFC 7748": source("RFC 7748 section 5.2", f"{PUBLISHED_BY}; public values by {CRYPTOGRAPHY}", IETF),
    "cryptography": BY_CRYPTOGRAPHY,
    "own": OWN,
}
for name in ("curve25519-sha256", "curve25519-sha256@libssh.org"):
    save("kex", name, X_SOURCES, list(x25519_vectors()))

EC_SOURCES = {
    "NIST": source("NIST CAVP KAS, ECC static unified, ZZ only", f"{PUBLISHED_BY}; checked with {CRYPTOGRAPHY}", NIST),
    "cryptography": BY_CRYPTOGRAPHY,
    "own": OWN,
}
CURVES = [
    (
        ec.SECP256R1(), "nistp256", "EC", 32,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    (
        ec.SECP384R1(), "nistp384", "ED", 48,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    (
        ec.SECP521R1(), "nistp521", "EE", 66,
        int("01" + 64 * "F" + "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
]
for curve, name, heading, size, order, p, b in CURVES:
    save("kex", f"ecdh-sha2-{name}", EC_SOURCES, list(ec_vectors(curve, name, heading, size, order, p, b)))
