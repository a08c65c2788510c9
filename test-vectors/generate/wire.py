"""Data types of RFC 4251 section 5 and messages: run with /usr/bin/python3 on Debian 12."""

import paramiko
from paramiko.message import Message

import messages
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


def text_cases(table, field):
    """Texts that are no UTF-8 (RFC 3629 section 3), in a field that is shown or compared."""
    name, clause, number, fields = table
    for comment, raw in (
        ("an overlong form", b"a\xc0\x80"), ("a surrogate", b"a\xed\xa0\x80"), ("beyond U+10FFFF", b"a\xf4\x90\x80\x80"),
        ("a continuation byte alone", b"a\x80b"), ("a character cut short", b"a\xe2\x82"), ("Latin-1", b"na\xefve"),
    ):
        made = messages.message(name, clause, number, fields | {field: ("s", raw)})
        yield {"comment": f"{clause}: {field} is not UTF-8: {comment}", "source": "own", "result": "acceptable", "message": name, "encoded": made["encoded"]}


def list_cases(table, field):
    """Name-lists that RFC 4251 section 5 and section 6 forbid."""
    name, clause, number, fields = table
    strict = name != "KexInit"
    for comment, raw in (
        ("an empty name at the start", b",a"), ("an empty name in the middle", b"a,,b"), ("an empty name at the end", b"a,"), ("a comma alone", b","),
    ):
        made = messages.message(name, clause, number, fields | {field: ("s", raw)})
        vector = {"comment": f"{clause}: {field} has {comment}", "source": "own", "message": name, "encoded": made["encoded"]}
        yield vector | ({"result": "invalid", "error": "protocol"} if strict else {"result": "acceptable"})
    for comment, raw in (
        ("a name of 65 characters", b"a" * 65), ("a name that is not US-ASCII", "é".encode()), ("a name with a space", b"a b"), ("a name with a zero byte", b"a\0b"),
        ("a name twice", b"a,a"),
    ):
        made = messages.message(name, clause, number, fields | {field: ("s", raw)})
        yield {"comment": f"{clause}: {field} has {comment}", "source": "own", "result": "acceptable", "message": name, "encoded": made["encoded"]}


def tables():
    data, key, signature = bytes(range(40)), keystream("key blob", 51), keystream("signature blob", 83)
    yield ("Disconnect", "RFC 4253 11.1", 1, {"reason": ("u", 11), "description": ("s", "bye"), "language": ("s", "")})
    yield ("Ignore", "RFC 4253 11.2", 2, {"data": ("s", data)})
    yield ("Unimplemented", "RFC 4253 11.4", 3, {"sequence": ("u", 2**32 - 1)})
    yield ("Debug", "RFC 4253 11.3", 4, {"alwaysDisplay": ("?", True), "message": ("s", "näh"), "language": ("s", "de")})
    yield ("ServiceRequest", "RFC 4253 10", 5, {"service": ("s", "ssh-userauth")})
    yield ("ServiceAccept", "RFC 4253 10", 6, {"service": ("s", "ssh-connection")})
    pairs = {"server-sig-algs": b"ssh-ed25519,rsa-sha2-512", "ping@openssh.com": b"0"}
    yield ("ExtInfo", "RFC 8308 2.3", 7, {"extensions": ("m", pairs)})
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
    yield (
        "KexInit",
        "RFC 4253 7.1",
        20,
        {"cookie": ("f", keystream("cookie", 16))}
        | {name: ("l", names) for name, names in lists.items()}
        | {"firstKexPacketFollows": ("?", False), "reserved": ("u", 0)},
    )
    yield ("NewKeys", "RFC 4253 7.3", 21, {})
    yield ("KexEcdhInit", "RFC 5656 4", 30, {"clientPublic": ("s", keystream("q_c", 32))})
    reply = {"hostKey": ("s", key), "serverPublic": ("s", keystream("q_s", 32)), "signature": ("s", signature)}
    yield ("KexEcdhReply", "RFC 5656 4", 31, reply)
    password = ("PasswordRequest", "RFC 4252 8", None, {"isChange": ("?", False), "password": ("s", "secret")})
    yield password
    request = {"user": ("s", "test"), "service": ("s", "ssh-connection"), "method": ("s", "password")}
    yield ("UserauthRequest", "RFC 4252 5 and 8", 50, request | {"specificData": ("r", messages.encode("?", False) + messages.encode("s", "secret"))})
    yield ("UserauthFailure", "RFC 4252 5.1", 51, {"canContinue": ("l", ["publickey", "password"]), "partialSuccess": ("?", True)})
    yield ("UserauthSuccess", "RFC 4252 5.1", 52, {})
    yield ("UserauthBanner", "RFC 4252 5.4", 53, {"message": ("s", "Welcome\r\n"), "language": ("s", "en")})
    query = {"hasSignature": ("?", False), "algorithm": ("s", "rsa-sha2-512"), "publicKey": ("s", key)}
    yield ("PublickeyQuery", "RFC 4252 7", None, query)
    yield ("PublickeyProof", "RFC 4252 7", None, query | {"hasSignature": ("?", True), "signature": ("s", signature)})
    bound = query | {"hostKey": ("s", key[::-1])}
    yield ("HostboundQuery", "OpenSSH PROTOCOL, publickey-hostbound", None, bound)
    yield ("HostboundProof", "OpenSSH PROTOCOL, publickey-hostbound", None, bound | {"hasSignature": ("?", True), "signature": ("s", signature)})
    yield ("UserauthPkOk", "RFC 4252 7", 60, {"algorithm": ("s", "ssh-ed25519"), "publicKey": ("s", key)})
    change = {"isChange": ("?", True), "oldPassword": ("s", "old"), "newPassword": ("s", "new")}
    yield ("PasswordChange", "RFC 4252 8", None, change)
    yield ("UserauthPasswdChangereq", "RFC 4252 8", 60, {"prompt": ("s", "expired"), "language": ("s", "")})
    prompts = [{"prompt": "Password: ", "echo": False}, {"prompt": "Übung? ", "echo": True}]
    info = {"name": ("s", "PAM"), "instruction": ("s", "two questions"), "language": ("s", ""), "prompts": ("i", prompts)}
    yield ("UserauthInfoRequest", "RFC 4256 3.2", 60, info)
    yield ("UserauthInfoResponse", "RFC 4256 3.4", 61, {"responses": ("t", ["secret", ""])})
    yield ("KeyboardInteractiveRequest", "RFC 4256 3.1", None, {"language": ("s", ""), "submethods": ("s", "pam")})
    yield ("GlobalRequest", "RFC 4254 4 and 7.1", 80, {
        "name": ("s", "tcpip-forward"), "wantReply": ("?", True), "specificData": ("r", bytes.fromhex("000000096c6f63616c686f737400001e61")),
    })
    yield ("RequestSuccess", "RFC 4254 4", 81, {"specificData": ("r", bytes.fromhex("0000a123"))})
    yield ("RequestFailure", "RFC 4254 4", 82, {})
    opening = {"senderChannel": ("u", 7), "initialWindow": ("u", 2**21), "maxPacket": ("u", 32768), "specificData": ("r", data)}
    yield ("ChannelOpen", "RFC 4254 5.1", 90, {"channelType": ("s", "forwarded-tcpip")} | opening)
    yield ("ChannelOpenConfirmation", "RFC 4254 5.1", 91, {"recipientChannel": ("u", 2**32 - 1)} | opening | {"specificData": ("r", b"")})
    failure = {"recipientChannel": ("u", 1), "reason": ("u", 2), "description": ("s", "Connection refused"), "language": ("s", "")}
    yield ("ChannelOpenFailure", "RFC 4254 5.1", 92, failure)
    yield ("ChannelWindowAdjust", "RFC 4254 5.2", 93, {"recipientChannel": ("u", 3), "bytesToAdd": ("u", 2**32 - 1)})
    yield ("ChannelData", "RFC 4254 5.2", 94, {"recipientChannel": ("u", 3), "data": ("s", data)})
    yield ("ChannelExtendedData", "RFC 4254 5.2", 95, {"recipientChannel": ("u", 3), "dataType": ("u", 1), "data": ("s", data)})
    yield ("ChannelEof", "RFC 4254 5.3", 96, {"recipientChannel": ("u", 3)})
    yield ("ChannelClose", "RFC 4254 5.3", 97, {"recipientChannel": ("u", 3)})
    asking = {"recipientChannel": ("u", 3), "requestType": ("s", "keepalive@openssh.com"), "wantReply": ("?", True), "specificData": ("r", b"")}
    yield ("ChannelRequest", "RFC 4254 5.4", 98, asking)
    yield ("ChannelSuccess", "RFC 4254 5.4", 99, {"recipientChannel": ("u", 3)})
    yield ("ChannelFailure", "RFC 4254 5.4", 100, {"recipientChannel": ("u", 3)})
    yield ("TcpipForward", "RFC 4254 7.1", None, {"address": ("s", "localhost"), "port": ("u", 7777)})
    yield ("TcpipForwardReply", "RFC 4254 7.1", None, {"port": ("u", 41251)})
    origin = {"port": ("u", 7777), "originAddress": ("s", "2001:db8::1"), "originPort": ("u", 50000)}
    yield ("ForwardedTcpip", "RFC 4254 7.2", None, {"address": ("s", "localhost")} | origin)
    yield ("DirectTcpip", "RFC 4254 7.2", None, {"host": ("s", "example.com")} | origin)
    yield ("Ping", "OpenSSH PROTOCOL 1.8", 192, {"data": ("s", data)})
    yield ("Pong", "OpenSSH PROTOCOL 1.8", 193, {"data": ("s", b"")})
    path = {"path": ("s", "/run/web.sock")}
    yield ("StreamlocalForward", "OpenSSH PROTOCOL 2.4", None, path)
    yield ("ForwardedStreamlocal", "OpenSSH PROTOCOL 2.4", None, path | {"reserved": ("s", b"")})
    yield ("DirectStreamlocal", "OpenSSH PROTOCOL 2.4", None, path | {"reserved": ("s", b""), "reservedNumber": ("u", 0)})
    size = {"columns": ("u", 80), "rows": ("u", 24), "width": ("u", 640), "height": ("u", 480)}
    yield ("PtyRequest", "RFC 4254 6.2", None, {"terminal": ("s", "vt100")} | size | {"modes": ("s", bytes.fromhex("350000000100"))})
    yield ("EnvRequest", "RFC 4254 6.4", None, {"name": ("s", "LANG"), "value": ("s", "de_DE.UTF-8")})
    yield ("ExecRequest", "RFC 4254 6.5", None, {"command": ("s", "printf '%s\\n' Übung")})
    yield ("SubsystemRequest", "RFC 4254 6.5", None, {"name": ("s", "sftp")})
    yield ("WindowChange", "RFC 4254 6.7", None, size)
    yield ("SignalRequest", "RFC 4254 6.9", None, {"signal": ("s", "INT")})
    yield ("ExitStatus", "RFC 4254 6.10", None, {"status": ("u", 3)})
    killed = {"signal": ("s", "SEGV"), "coreDumped": ("?", True), "message": ("s", "Segmentation fault"), "language": ("s", "en")}
    yield ("ExitSignal", "RFC 4254 6.10", None, killed)


save("wire", "types", {"RFC 4251": source("RFC 4251 section 5", "January 2006", IETF), "paramiko": PARAMIKO, "own": OWN}, list(types()))

LANGUAGES = {"Disconnect", "Debug", "UserauthBanner", "UserauthPasswdChangereq", "ChannelOpenFailure", "ExitSignal"}
all_tables = {table[0]: table for table in tables()}
valid, wrong = [], []
for table in tables():
    valid += [messages.message(*table), *messages.edges(*table)]
for name, table in all_tables.items():
    wrong += messages.malformed(*table, omittable="language" if name in LANGUAGES else None)
for name, field in (("Disconnect", "description"), ("UserauthBanner", "message"), ("UserauthRequest", "user"), ("ChannelOpen", "channelType"), ("GlobalRequest", "name")):
    wrong += text_cases(all_tables[name], field)
for name, field in (("KexInit", "kexAlgorithms"), ("KexInit", "languagesS2c"), ("UserauthFailure", "canContinue")):
    wrong += list_cases(all_tables[name], field)
encoded = set()
valid = [vector for vector in valid if not (vector["encoded"] in encoded or encoded.add(vector["encoded"]))]
save("wire", "messages", messages.SOURCES, valid)
save("wire", "malformed", messages.SOURCES, wrong)
