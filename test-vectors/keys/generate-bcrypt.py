"""Generates bcrypt-pbkdf.json with python3-bcrypt: /usr/bin/python3 -W ignore test-vectors/keys/generate-bcrypt.py"""

import pathlib
import sys

import bcrypt

sys.path.append(str(pathlib.Path(__file__).parents[1] / "generate"))
from common import save, source  # noqa: E402

CASES = [
    (b"password", b"salt", 4, 32),
    (b"password", b"salt", 8, 48),
    ("pässwörd".encode(), b"sixteen bytes ok", 1, 64),
    (b"x" * 200, b"s", 2, 100),
    (b"\0", b"\0", 3, 1),
    (b"password", b"salt", 24, 44),
]

vectors = [
    {
        "comment": f"{rounds} rounds, {size} bytes",
        "source": "python3-bcrypt",
        "passphrase": passphrase.hex(),
        "salt": salt.hex(),
        "rounds": rounds,
        "size": size,
        "derived": bcrypt.kdf(passphrase, salt, size, rounds).hex(),
    }
    for passphrase, salt, rounds, size in CASES
]
command = {"command": "/usr/bin/python3 -W ignore keys/generate-bcrypt.py"}
save("keys", "bcrypt-pbkdf", {"python3-bcrypt": source("python3-bcrypt", bcrypt.__version__) | command}, vectors)
