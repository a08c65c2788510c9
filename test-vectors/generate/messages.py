"""Messages as tables of fields: their encoding by paramiko, and what can be wrong with it."""

import paramiko
from paramiko.message import Message

from common import OWN, source

SOURCES = {"paramiko": source("paramiko, paramiko.message.Message", paramiko.__version__), "own": OWN}

COUNTED = ("m", "i", "t", "a")
ADD = {"b": "add_byte", "u": "add_int", "?": "add_boolean", "s": "add_string", "l": "add_list"}


def shown(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {"map": [[name, shown(one)] for name, one in value.items()]}
    return value


def encode(kind, value):
    """Kinds as in ADD; `r` for raw bytes at the end, `f` for raw bytes of a fixed size, `m` for counted pairs, `i` for
    counted prompts, `t` for counted texts, `a` for counted identities of an agent."""
    packed = Message()
    if kind in "rf":
        packed.add_bytes(value)
    elif kind in COUNTED:
        packed.add_int(len(value))
        for one in value.items() if kind == "m" else value:
            if kind == "t":
                packed.add_string(one)
            else:
                first, second = one if kind == "m" else one.values()
                packed.add_string(bytes.fromhex(first["hex"]) if isinstance(first, dict) else first)
                (packed.add_boolean if isinstance(second, bool) else packed.add_string)(second)
    else:
        getattr(packed, ADD[kind])(value)
    return packed.asbytes()


def message(name, clause, number, fields, comment=""):
    """`fields`: name -> (kind, value)."""
    values = {field: shown(value) for field, (kind, value) in fields.items()}
    encoded = bytes([number] if number is not None else []) + b"".join(encode(*field) for field in fields.values())
    return {"comment": f"{clause}{comment}", "source": "paramiko", "message": name, "values": values, "encoded": encoded.hex()}


SMALLEST = {"u": 0, "?": False, "l": [], "m": {}, "i": [], "t": [], "a": [], "r": b""}


def edges(name, clause, number, fields):
    """The smallest and the greatest value of each field at once, where they differ from the values given."""
    smallest = {field: (kind, SMALLEST.get(kind, value[:0] if kind == "s" else value)) for field, (kind, value) in fields.items()}
    if fields and smallest != fields:
        yield message(name, clause, number, smallest, ", all fields at their smallest value")
    greatest = {field: (kind, {"u": 2**32 - 1, "?": True}.get(kind, value)) for field, (kind, value) in fields.items()}
    if greatest != fields:
        yield message(name, clause, number, greatest, ", all numbers at their greatest value")
    for field, (kind, value) in fields.items():
        if kind == "?":
            made = message(name, clause, number, fields | {field: (kind, True)}, f", {field} is 255, which is true (RFC 4251 5)")
            at = len(encode_until(number, fields, field))
            yield made | {"encoded": made["encoded"][: 2 * at] + "ff" + made["encoded"][2 * at + 2 :], "decodeOnly": True, "source": "own"}


def encode_until(number, fields, last):
    encoded = bytes([number] if number is not None else [])
    for field, pair in fields.items():
        if field == last:
            break
        encoded += encode(*pair)
    return encoded


def malformed(name, clause, number, fields, omittable=None):
    """Each field cut short or missing, lengths beyond the end, and bytes after the last field. `omittable`: the last
    field, which implementations omit."""
    whole = bytes.fromhex(message(name, clause, number, fields)["encoded"])

    def case(encoded, comment, result="invalid"):
        made = {"comment": f"{clause}: {comment}", "source": "own", "result": result, "message": name, "encoded": encoded.hex()}
        return made | ({"error": "protocol"} if result == "invalid" else {})

    if number is not None:
        yield case(b"", "truncated before the message number")
    for field, (kind, value) in fields.items():
        at = len(encode_until(number, fields, field))
        size = len(encode(kind, value))
        if kind == "r":
            continue
        if at < len(whole):
            if field == omittable:
                yield case(whole[:at], f"{field} omitted", "acceptable")
            else:
                yield case(whole[:at], f"truncated before {field}")
        if kind in "usl" or kind in COUNTED:
            yield case(whole[: at + 3], f"truncated inside {'the number' if kind == 'u' else 'the length'} of {field}")
        if kind in "sl":
            yield case(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :], f"a length beyond the end, 2^32 - 1, of {field}")
            beyond = len(whole) - at - 4 + 1
            yield case(whole[:at] + beyond.to_bytes(4, "big") + whole[at + 4 :], f"a length beyond the end, by one byte, of {field}")
            if size > 4:
                yield case(whole[: at + size - 1], f"truncated inside {field}")
        if kind in COUNTED and value:
            count = len(value) + 1
            yield case(whole[:at] + count.to_bytes(4, "big") + whole[at + 4 :], f"truncated: one item fewer than the count of {field}")
            yield case(whole[: at + size - 1], f"truncated inside {field}")
    if not fields or [*fields.values()][-1][0] != "r":
        yield case(whole + b"\0", "a trailing byte", "acceptable")
