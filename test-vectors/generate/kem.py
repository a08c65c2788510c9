"""
ML-KEM-768 by OpenSSL, sntrup761 by libntruprime and X25519 by cryptography. OPENSSL in the environment is the path of an
openssl of 3.5 or later, NTRUPRIME that of the libntruprime.so.1 of Debian 13. Needs cc, for a random source that returns
given bytes.
"""

# The options of openssl: cspell:ignore genpkey pkeyopt hexseed outform pubout pkeyutl keyform pubin hexikme decap encap inform
import ctypes
import os
import subprocess
import tempfile

from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common import COMMAND, CRYPTOGRAPHY, source

OPENSSL = os.environ["OPENSSL"]
VERSION = subprocess.run([OPENSSL, "version"], capture_output=True, text=True, check=True).stdout.split()[1]
NTRUPRIME = os.environ["NTRUPRIME"]


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

    def __init__(self):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, "random.c", self.SOURCE.encode())
            path = os.path.join(folder, "librandombytes-kernel.so.1")
            subprocess.run(
                ["cc", "-shared", "-fPIC", "-Wl,-soname,librandombytes-kernel.so.1", "-o", path, os.path.join(folder, "random.c")],
                check=True,
            )
            self.random = ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
        self.random.unused.restype = ctypes.c_longlong
        self.library = ctypes.CDLL(NTRUPRIME)

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


# The random bytes of a sntrup761 key: the small polynomial g, the short polynomial f, and the rejected message.
SMALL, SHORT, REJECTED = 761 * 4, 761 * 4, 191


def x25519_public(scalar):
    return x25519.X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def x25519_shared(scalar, public):
    return x25519.X25519PrivateKey.from_private_bytes(scalar).exchange(x25519.X25519PublicKey.from_public_bytes(public))


HERE = {"command": f"OPENSSL=openssl NTRUPRIME=libntruprime.so.1 {COMMAND}"}
BY_OPENSSL = source("OpenSSL", f"{VERSION}; X25519 by {CRYPTOGRAPHY}") | HERE
BY_LIBNTRUPRIME = source("libntruprime", f"20241021 (Debian 0~20241021-2); X25519 by {CRYPTOGRAPHY}") | HERE
