"""
Hybrid key exchanges: run with /usr/bin/python3 on Debian 12. OPENSSL in the environment is the path of an openssl of
3.5 or later, NTRUPRIME that of the libntruprime.so.1 of Debian 13. Needs cc, for a random source that returns given
bytes.
"""

# The options of openssl: cspell:ignore genpkey pkeyopt hexseed outform pubout pkeyutl keyform pubin hexikme decap encap inform
import ctypes
import hashlib
import os
import subprocess
import tempfile

from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common import COMMAND, CRYPTOGRAPHY, OWN, flip, keystream, save, source, string

OPENSSL = os.environ["OPENSSL"]
VERSION = subprocess.run([OPENSSL, "version"], capture_output=True, text=True, check=True).stdout.split()[1]
P25519 = 2**255 - 19
EIGHT = 325606250916557431795983626356110631294008115727848805560023387167927233504
OTHER = 39382357235489614581723060781553021112529911719440698176882885853963445705823
SMALL_ORDER = [0, 1, EIGHT, OTHER, P25519 - 1, P25519, P25519 + 1, 2**255, 1 + 2**255, P25519 - 1 + 2**255]


def openssl(folder, *args):
    subprocess.run([OPENSSL, *args], cwd=folder, check=True, capture_output=True)


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


SPKI = bytes.fromhex("308204b2300b0609608648016503040402038204a100")


def mlkem_key(seed):
    """Returns the private key in DER and the raw public key."""
    with tempfile.TemporaryDirectory() as folder:
        openssl(folder, "genpkey", "-algorithm", "ML-KEM-768", "-pkeyopt", f"hexseed:{seed.hex()}", "-outform", "DER", "-out", "key")
        openssl(folder, "pkey", "-in", "key", "-inform", "DER", "-pubout", "-outform", "DER", "-out", "public")
        public = read(folder, "public")
        assert public[: len(SPKI)] == SPKI
        return read(folder, "key"), public[len(SPKI) :]


def mlkem_encapsulate(public, message):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, "public", SPKI + public)
        openssl(
            folder, "pkeyutl", "-encap", "-inkey", "public", "-keyform", "DER", "-pubin",
            "-pkeyopt", f"hexikme:{message.hex()}", "-out", "ciphertext", "-secret", "secret",
        )
        return read(folder, "ciphertext"), read(folder, "secret")


def mlkem_decapsulate(key, ciphertext):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, "key", key)
        write(folder, "ciphertext", ciphertext)
        openssl(folder, "pkeyutl", "-decap", "-inkey", "key", "-keyform", "DER", "-in", "ciphertext", "-secret", "secret")
        return read(folder, "secret")


class Sntrup:
    """libntruprime by D. J. Bernstein and others, with the random bytes that the caller sets."""

    SOURCE = """
    static const unsigned char *bytes; static long long left;
    void script(const unsigned char *b, long long n) { bytes = b; left = n; }
    long long unused(void) { return left; }
    void randombytes_internal_void_voidstar_longlong(void *to, long long n) {
      for (unsigned char *at = to; n > 0 && left > 0; n--, left--) *at++ = *bytes++;
      if (n > 0) __builtin_trap();
    }
    """

    def __init__(self, library):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, "random.c", self.SOURCE.encode())
            path = os.path.join(folder, "librandombytes-kernel.so.1")
            subprocess.run(
                ["cc", "-shared", "-fPIC", "-Wl,-soname,librandombytes-kernel.so.1", "-o", path, os.path.join(folder, "random.c")],
                check=True,
            )
            self.random = ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
        self.random.unused.restype = ctypes.c_longlong
        self.library = ctypes.CDLL(library)

    def call(self, name, random, *sizes_and_inputs):
        """A size stands for an output of so many bytes. Returns the outputs."""
        self.random.script(random, ctypes.c_longlong(len(random)))
        args = [ctypes.create_string_buffer(arg) if isinstance(arg, int) else arg for arg in sizes_and_inputs]
        getattr(self.library, f"ntruprime_kem_sntrup761_{name}")(*args)
        assert self.random.unused() == 0
        return [arg.raw for arg in args if not isinstance(arg, bytes)]

    def keypair(self, random):
        return self.call("keypair", random, 1158, 1763)

    def enc(self, public, random):
        return self.call("enc", random, 1039, 32, public)

    def dec(self, ciphertext, secret):
        return self.call("dec", b"", 32, ciphertext, secret)[0]


SMALL, SHORT, REJECTED = 761 * 4, 761 * 4, 191


def sntrup_vectors(library):
    sntrup = Sntrup(library)

    def secret_of(kem, shared):
        return string(hashlib.sha512(kem + shared).digest()).hex()

    for number in range(12):
        seed = keystream(f"sntrup key {number}", SMALL + SHORT + REJECTED)
        message = keystream(f"sntrup message {number}", SHORT)
        client, server = keystream(f"sntrup client {number}", 32), keystream(f"sntrup server {number}", 32)
        public, key = sntrup.keypair(seed)
        ciphertext, kem = sntrup.enc(public, message)
        assert sntrup.dec(ciphertext, key) == kem
        ours, theirs = public + x25519_public(client), ciphertext + x25519_public(server)
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        comment = f"keys of a label, number {number}"
        yield vector("client", comment, "libntruprime", seed + client, theirs, ours=ours.hex(), secret=secret)
        yield vector("server", comment, "libntruprime", message + server, ours, ours=theirs.hex(), secret=secret)
    for altered, what in [
        *((flip(ciphertext, bit), f"bit {bit}") for bit in (0, 5, 8 * 500 + 3, 8 * 1007 - 1, 8 * 1007, 8 * 1039 - 1)),
        *((bytes([filler]) * 1039, f"{filler:#04x} bytes") for filler in (0x00, 0xFF)),
    ]:
        kem = sntrup.dec(altered, key)
        comment = f"an altered ciphertext results in another secret: {what}"
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        random, theirs = seed + client, altered + x25519_public(server)
        yield vector("client", comment, "libntruprime", random, theirs, ours=ours.hex(), secret=secret)
    for filler in (0x00, 0xFF):
        odd = bytes([filler]) * 1158
        ciphertext, kem = sntrup.enc(odd, message)
        comment = f"a public key of {filler:#04x} bytes is a polynomial, too"
        secret = secret_of(kem, x25519_shared(server, x25519_public(client)))
        theirs = ciphertext + x25519_public(server)
        random = message + server
        yield vector("server", comment, "libntruprime", random, odd + x25519_public(client), ours=theirs.hex(), secret=secret)
    theirs = ciphertext + x25519_public(server)
    for size in (0, 1, 32, 1039, 1070, 1072, 1103, 1158, 1190):
        data = (theirs + bytes(200))[:size]
        yield vector("client", f"RFC 9941 3: a server's value of {size} bytes", "own", seed + client, data, error="kex")
    for size in (0, 1, 32, 1071, 1158, 1189, 1191, 1222):
        data = (ours + bytes(200))[:size]
        yield vector("server", f"RFC 9941 3: a client's value of {size} bytes", "own", message + server, data, error="kex")
    for u in SMALL_ORDER:
        point = u.to_bytes(32, "little")
        comment = f"RFC 8731 3: zeros as a secret of X25519 are refused: {point.hex()}"
        yield vector("client", comment, "own", seed + client, ciphertext + point, error="kex")
        yield vector("server", comment, "own", message + server, public + point, error="kex")


def x25519_public(scalar):
    return x25519.X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def x25519_shared(scalar, public):
    return x25519.X25519PrivateKey.from_private_bytes(scalar).exchange(x25519.X25519PublicKey.from_public_bytes(public))


def secret_of(kem, shared):
    return string(hashlib.sha256(kem + shared).digest()).hex()


def vector(role, comment, source, random, theirs, **more):
    return {"role": role, "comment": comment, "source": source, "random": random.hex(), "theirs": theirs.hex(), **more}


def unreduced(public, index, value):
    """Replaces a coefficient of 12 bits (FIPS 203 algorithm 5)."""
    public, at, half = bytearray(public), index * 12 // 8, index % 2
    word = int.from_bytes(public[at : at + 2], "little")
    word = (word & 0x000F) | value << 4 if half else (word & 0xF000) | value
    public[at : at + 2] = word.to_bytes(2, "little")
    return bytes(public)


def mlkem_vectors():
    for number in range(12):
        seed, message = keystream(f"mlkem seed {number}", 64), keystream(f"mlkem message {number}", 32)
        client, server = keystream(f"mlkem client {number}", 32), keystream(f"mlkem server {number}", 32)
        key, public = mlkem_key(seed)
        ciphertext, kem = mlkem_encapsulate(public, message)
        assert mlkem_decapsulate(key, ciphertext) == kem
        ours, theirs = public + x25519_public(client), ciphertext + x25519_public(server)
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        comment = f"keys of a label, number {number}"
        yield vector("client", comment, "OpenSSL", seed + client, theirs, ours=ours.hex(), secret=secret)
        yield vector("server", comment, "OpenSSL", message + server, ours, ours=theirs.hex(), secret=secret)
    for bit in (0, 7, 8 * 500, 8 * 960 + 3, 8 * 1088 - 1):
        altered = flip(ciphertext, bit)
        kem = mlkem_decapsulate(key, altered)
        comment = f"FIPS 203 6.3: an altered ciphertext results in another secret: bit {bit}"
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        theirs = altered + x25519_public(server)
        yield vector("client", comment, "OpenSSL", seed + client, theirs, ours=ours.hex(), secret=secret)
    for filler in (0x00, 0xFF):
        altered = bytes([filler]) * 1088
        kem = mlkem_decapsulate(key, altered)
        comment = f"FIPS 203 6.3: a ciphertext of {filler:#04x} bytes results in a secret"
        secret = secret_of(kem, x25519_shared(client, x25519_public(server)))
        theirs = altered + x25519_public(server)
        yield vector("client", comment, "OpenSSL", seed + client, theirs, ours=ours.hex(), secret=secret)
    theirs = ciphertext + x25519_public(server)
    for size in (0, 1, 32, 1088, 1119, 1121, 1152, 1184, 1216):
        data = (theirs + bytes(100))[:size]
        yield vector("client", f"draft 2.3: a server's value of {size} bytes", "own", seed + client, data, error="kex")
    for size in (0, 1, 32, 1120, 1184, 1215, 1217, 1248):
        data = (ours + bytes(100))[:size]
        yield vector("server", f"draft 2.3: a client's value of {size} bytes", "own", message + server, data, error="kex")
    for u in SMALL_ORDER:
        point = u.to_bytes(32, "little")
        comment = f"RFC 8731 3: zeros as a secret of X25519 are refused: {point.hex()}"
        yield vector("client", comment, "own", seed + client, ciphertext + point, error="kex")
        yield vector("server", comment, "own", message + server, public + point, error="kex")
    for index in (0, 1, 255, 256, 500, 767):
        for value in (3329, 3330, 4095):
            data = unreduced(public, index, value) + x25519_public(client)
            comment = f"FIPS 203 7.2: coefficient {index} of the public key is {value}"
            yield vector("server", comment, "own", message + server, data, error="kex")
    data = unreduced(public, 767, 3328) + x25519_public(client)
    ciphertext, kem = mlkem_encapsulate(data[:1184], message)
    secret = secret_of(kem, x25519_shared(server, x25519_public(client)))
    theirs = ciphertext + x25519_public(server)
    comment = "FIPS 203 7.2: coefficient 767 of the public key is 3328, the largest"
    yield vector("server", comment, "OpenSSL", message + server, data, ours=theirs.hex(), secret=secret)


HERE = {"command": f"OPENSSL=openssl NTRUPRIME=libntruprime.so.1 {COMMAND}"}
SOURCES = {
    "OpenSSL": source("OpenSSL", f"{VERSION}; X25519 by {CRYPTOGRAPHY}") | HERE,
    "libntruprime": source("libntruprime", f"20241021 (Debian 0~20241021-2); X25519 by {CRYPTOGRAPHY}") | HERE,
    "own": OWN | HERE,
}
save("kex", "mlkem768x25519-sha256", SOURCES, list(mlkem_vectors()))
SNTRUP = list(sntrup_vectors(os.environ["NTRUPRIME"]))
for name in ("sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"):
    save("kex", name, SOURCES, SNTRUP)
