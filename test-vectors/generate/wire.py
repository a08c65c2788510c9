"""Data types of RFC 4251 section 5 and messages: run with /usr/bin/python3 on Debian 12."""

import paramiko
from paramiko.message import Message

from common import IETF, OWN, keystream, save, source

PARAMIKO = source("paramiko", paramiko.__version__)


def typed(kind, value, encoded, source="RFC 4251", comment="RFC 4251 section 5, an example of the text"):
    return {"comment": comment, "source": source, "type": kind, "value": value, "encoded": encoded.replace(" ", "")}


def refused(kind, encoded, comment):
    return {"comment": comment, "source": "own", "type": kind, "encoded": encoded.replace(" ", ""), "error": "protocol"}


def types():
    yield typed("uint32", 699921578, "29 b7 f4 aa")
    yield typed("text", "testing", "00 00 00 07 74 65 73 74 69 6e 67")
    yield typed("mpint", "", "00 00 00 00")
    yield typed("mpint", "09a378f9b2e332a7", "00 00 00 08 09 a3 78 f9 b2 e3 32 a7")
    yield typed("mpint", "80", "00 00 00 02 00 80")
    yield refused("mpint", "00 00 00 02 ed cc", "RFC 4251 section 5, -1234: SSH has no use for negative numbers")
    yield refused("mpint", "00 00 00 05 ff 21 52 41 11", "RFC 4251 section 5, -deadbeef: SSH has no use for negative numbers")
    yield typed("nameList", [], "00 00 00 00")
    yield typed("nameList", ["zlib"], "00 00 00 04 7a 6c 69 62")
    yield typed("nameList", ["zlib", "none"], "00 00 00 09 7a 6c 69 62 2c 6e 6f 6e 65")
    yield typed("boolean", False, "00", comment="RFC 4251 section 5, boolean")
    yield typed("boolean", True, "01", comment="RFC 4251 section 5, boolean")

    def made(kind, value, add, argument, comment):
        message = Message()
        getattr(message, add)(argument)
        return typed(kind, value, message.asbytes().hex(), "paramiko", comment)

    for value in (0, 1, 127, 128, 255, 256, 2**31 - 1, 2**31, 2**32 - 1):
        yield made("uint32", value, "add_int", value, f"{value}")
    for value in (0, 1, 2**53, 2**63, 2**64 - 1):
        yield made("uint64", str(value), "add_int64", value, f"{value}")
    for value in (1, 127, 128, 255, 256, 32767, 32768, 2**64, 2**255 - 19, 2**256 - 1, 2**521 - 1):
        digits = f"{value:x}"
        yield made("mpint", digits.zfill(len(digits) + len(digits) % 2), "add_mpint", value, f"{value}")
    for size in (0, 1, 255, 256, 70000 % 4096):
        yield made("string", keystream("wire", size).hex(), "add_string", keystream("wire", size), f"{size} bytes")
    yield made("text", "naïve — ßtraße, 日本, 🚪", "add_string", "naïve — ßtraße, 日本, 🚪", "UTF-8 of one to four bytes")
    names = ["curve25519-sha256", "curve25519-sha256@libssh.org", "kex-strict-c-v00@openssh.com"]
    yield made("nameList", names, "add_list", names, "names with an @")
    yield refused("mpint", "00 00 00 01 00", "RFC 4251 section 5: a zero that is needless")
    yield refused("mpint", "00 00 00 02 00 7f", "RFC 4251 section 5: a zero that is needless")
    yield refused("mpint", "00 00 00 01 80", "RFC 4251 section 5: -128")
    yield refused("nameList", "00 00 00 01 2c", "RFC 4251 section 5: a name must not be empty")
    yield refused("nameList", "00 00 00 05 7a 6c 69 62 2c", "RFC 4251 section 5: a name must not be empty, the last neither")
    for kind in ("uint32", "uint64", "string", "text", "mpint", "nameList", "boolean"):
        yield refused(kind, "", f"no bytes for a {kind}")
    for kind in ("string", "text", "mpint", "nameList"):
        yield refused(kind, "00 00 00", f"a {kind} cut short in its length")
        yield refused(kind, "00 00 00 02 61", f"a {kind} cut short in its content")
        yield refused(kind, "ff ff ff ff 61", f"a {kind} of 2^32 - 1 bytes")
        yield refused(kind, "00 00 00 01 61 62", f"a byte after a {kind}")


ADD = {"b": "add_byte", "u": "add_int", "?": "add_boolean", "s": "add_string", "l": "add_list"}


def message(name, clause, number, fields, **extra):
    """`fields`: name -> (kind, value); kinds as in ADD, `r` for raw bytes at the end."""
    packed = Message()
    if number is not None:
        packed.add_byte(bytes([number]))
    values = {}
    for field, (kind, value) in fields.items():
        if kind == "r":
            packed.add_bytes(value)
        else:
            getattr(packed, ADD[kind])(value)
        values[field] = {"hex": value.hex()} if isinstance(value, bytes) else value
    return {"comment": clause, "source": "paramiko", "message": name, "values": values, "encoded": packed.asbytes().hex()} | extra


def messages():
    data, key, signature = bytes(range(40)), keystream("key blob", 51), keystream("signature blob", 83)
    yield message("Disconnect", "RFC 4253 11.1", 1, {"reason": ("u", 11), "description": ("s", "bye"), "language": ("s", "")})
    yield message("Ignore", "RFC 4253 11.2", 2, {"data": ("s", data)})
    yield message("Unimplemented", "RFC 4253 11.4", 3, {"sequence": ("u", 2**32 - 1)})
    yield message("Debug", "RFC 4253 11.3", 4, {"alwaysDisplay": ("?", True), "message": ("s", "näh"), "language": ("s", "de")})
    yield message("ServiceRequest", "RFC 4253 10", 5, {"service": ("s", "ssh-userauth")})
    yield message("ServiceAccept", "RFC 4253 10", 6, {"service": ("s", "ssh-connection")})
    lists = {
        "kexAlgorithms": ["curve25519-sha256", "ext-info-c", "kex-strict-c-v00@openssh.com"],
        "serverHostKeyAlgorithms": ["ssh-ed25519", "rsa-sha2-512"],
        "encryptionC2s": ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com"],
        "encryptionS2c": ["aes128-ctr"],
        "macC2s": ["hmac-sha2-256-etm@openssh.com"],
        "macS2c": ["hmac-sha2-512"],
        "compressionC2s": ["none"],
        "compressionS2c": ["none", "zlib@openssh.com"],
        "languagesC2s": [],
        "languagesS2c": [],
    }
    yield message(
        "KexInit",
        "RFC 4253 7.1",
        20,
        {"cookie": ("r", keystream("cookie", 16))}
        | {name: ("l", names) for name, names in lists.items()}
        | {"firstKexPacketFollows": ("?", False), "reserved": ("u", 0)},
    )
    yield message("NewKeys", "RFC 4253 7.3", 21, {})
    yield message("KexEcdhInit", "RFC 5656 4", 30, {"clientPublic": ("s", keystream("q_c", 32))})
    reply = {"hostKey": ("s", key), "serverPublic": ("s", keystream("q_s", 32)), "signature": ("s", signature)}
    yield message("KexEcdhReply", "RFC 5656 4", 31, reply)
    password = message("PasswordRequest", "RFC 4252 8", None, {"isChange": ("?", False), "password": ("s", "secret")})
    yield password
    request = {"user": ("s", "test"), "service": ("s", "ssh-connection"), "method": ("s", "password")}
    yield message("UserauthRequest", "RFC 4252 5 and 8", 50, request | {"specificData": ("r", bytes.fromhex(password["encoded"]))})
    yield message("UserauthFailure", "RFC 4252 5.1", 51, {"canContinue": ("l", ["publickey", "password"]), "partialSuccess": ("?", True)})
    yield message("UserauthSuccess", "RFC 4252 5.1", 52, {})
    yield message("UserauthBanner", "RFC 4252 5.4", 53, {"message": ("s", "Welcome\r\n"), "language": ("s", "en")})
    query = {"hasSignature": ("?", False), "algorithm": ("s", "rsa-sha2-512"), "publicKey": ("s", key)}
    yield message("PublickeyQuery", "RFC 4252 7", None, query)
    yield message("PublickeyProof", "RFC 4252 7", None, query | {"hasSignature": ("?", True), "signature": ("s", signature)})
    bound = query | {"hostKey": ("s", key[::-1])}
    yield message("HostboundQuery", "OpenSSH PROTOCOL, publickey-hostbound", None, bound)
    yield message("HostboundProof", "OpenSSH PROTOCOL, publickey-hostbound", None, bound | {"hasSignature": ("?", True), "signature": ("s", signature)})
    yield message("UserauthPkOk", "RFC 4252 7", 60, {"algorithm": ("s", "ssh-ed25519"), "publicKey": ("s", key)})
    change = {"isChange": ("?", True), "oldPassword": ("s", "old"), "newPassword": ("s", "new")}
    yield message("PasswordChange", "RFC 4252 8", None, change)
    yield message("UserauthPasswdChangereq", "RFC 4252 8", 60, {"prompt": ("s", "expired"), "language": ("s", "")})
    yield message("KeyboardInteractiveRequest", "RFC 4256 3.1", None, {"language": ("s", ""), "submethods": ("s", "pam")})
    yield message("GlobalRequest", "RFC 4254 4 and 7.1", 80, {
        "name": ("s", "tcpip-forward"), "wantReply": ("?", True), "specificData": ("r", bytes.fromhex("000000096c6f63616c686f737400001e61")),
    })
    yield message("RequestSuccess", "RFC 4254 4", 81, {"specificData": ("r", bytes.fromhex("0000a123"))})
    yield message("RequestFailure", "RFC 4254 4", 82, {})
    opening = {"senderChannel": ("u", 7), "initialWindow": ("u", 2**21), "maxPacket": ("u", 32768), "specificData": ("r", data)}
    yield message("ChannelOpen", "RFC 4254 5.1", 90, {"channelType": ("s", "forwarded-tcpip")} | opening)
    yield message("ChannelOpenConfirmation", "RFC 4254 5.1", 91, {"recipientChannel": ("u", 2**32 - 1)} | opening | {"specificData": ("r", b"")})
    failure = {"recipientChannel": ("u", 1), "reason": ("u", 2), "description": ("s", "Connection refused"), "language": ("s", "")}
    yield message("ChannelOpenFailure", "RFC 4254 5.1", 92, failure)
    yield message("ChannelWindowAdjust", "RFC 4254 5.2", 93, {"recipientChannel": ("u", 3), "bytesToAdd": ("u", 2**32 - 1)})
    yield message("ChannelData", "RFC 4254 5.2", 94, {"recipientChannel": ("u", 3), "data": ("s", data)})
    yield message("ChannelData", "RFC 4254 5.2, empty", 94, {"recipientChannel": ("u", 0), "data": ("s", b"")})
    yield message("ChannelExtendedData", "RFC 4254 5.2", 95, {"recipientChannel": ("u", 3), "dataType": ("u", 1), "data": ("s", data)})
    yield message("ChannelEof", "RFC 4254 5.3", 96, {"recipientChannel": ("u", 3)})
    yield message("ChannelClose", "RFC 4254 5.3", 97, {"recipientChannel": ("u", 3)})
    asking = {"recipientChannel": ("u", 3), "requestType": ("s", "keepalive@openssh.com"), "wantReply": ("?", True), "specificData": ("r", b"")}
    yield message("ChannelRequest", "RFC 4254 5.4", 98, asking)
    yield message("ChannelSuccess", "RFC 4254 5.4", 99, {"recipientChannel": ("u", 3)})
    yield message("ChannelFailure", "RFC 4254 5.4", 100, {"recipientChannel": ("u", 3)})
    yield message("TcpipForward", "RFC 4254 7.1", None, {"address": ("s", "localhost"), "port": ("u", 7777)})
    yield message("TcpipForwardReply", "RFC 4254 7.1", None, {"port": ("u", 41251)})
    origin = {"port": ("u", 7777), "originAddress": ("s", "2001:db8::1"), "originPort": ("u", 50000)}
    yield message("ForwardedTcpip", "RFC 4254 7.2", None, {"address": ("s", "localhost")} | origin)
    yield message("DirectTcpip", "RFC 4254 7.2", None, {"host": ("s", "example.com")} | origin)
    yield message("Ping", "OpenSSH PROTOCOL 1.8", 192, {"data": ("s", data)})
    yield message("Pong", "OpenSSH PROTOCOL 1.8", 193, {"data": ("s", b"")})


save("wire", "types", {"RFC 4251": source("RFC 4251 section 5", "January 2006", IETF), "paramiko": PARAMIKO, "own": OWN}, list(types()))
save("wire", "messages", {"paramiko": PARAMIKO}, list(messages()))
