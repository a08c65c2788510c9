"""Generates bcrypt-pbkdf.json with python3-bcrypt: /usr/bin/python3 -W ignore test-vectors/keys/generate-bcrypt.py"""

import json
import pathlib

import bcrypt

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
        "id": index + 1,
        "comment": f"{rounds} rounds, {size} bytes",
        "source": "python3-bcrypt",
        "passphrase": passphrase.hex(),
        "salt": salt.hex(),
        "rounds": rounds,
        "size": size,
        "derived": bcrypt.kdf(passphrase, salt, size, rounds).hex(),
    }
    for index, (passphrase, salt, rounds, size) in enumerate(CASES)
]
provenance = {"python3-bcrypt": f"generate-bcrypt.py: bcrypt.kdf of python3-bcrypt {bcrypt.__version__}"}
content = {"algorithm": "bcrypt-pbkdf", "kind": "keys", "provenance": provenance, "vectors": vectors}
path = pathlib.Path(__file__).with_name("bcrypt-pbkdf.json")
path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
