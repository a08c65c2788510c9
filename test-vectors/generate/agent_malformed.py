"""Malformed messages of an agent (draft-ietf-sshm-ssh-agent section 3): run with /usr/bin/python3 on Debian 12."""

import messages
from common import keystream, save

KEY, SIGNATURE = keystream("agent key", 51), keystream("agent signature", 83)
IDENTITIES = [{"publicKey": messages.shown(KEY), "comment": "me@laptop"}, {"publicKey": messages.shown(KEY[::-1]), "comment": "Zoë"}]
CLAUSE = "draft-ietf-sshm-ssh-agent 3"
TABLES = [
    ("AgentRequestIdentities", f"{CLAUSE}.5", 11, {}),
    ("AgentIdentitiesAnswer", f"{CLAUSE}.5", 12, {"identities": ("a", IDENTITIES)}),
    ("AgentSignRequest", f"{CLAUSE}.6", 13, {"publicKey": ("s", KEY), "data": ("s", b"data"), "flags": ("u", 4)}),
    ("AgentSignResponse", f"{CLAUSE}.6", 14, {"signature": ("s", SIGNATURE)}),
    ("AgentExtension", f"{CLAUSE}.8", 27, {"name": ("s", "query"), "contents": ("r", b"")}),
    ("AgentSessionBind", "OpenSSH PROTOCOL.agent 1", None, {
        "hostKey": ("s", KEY), "sessionId": ("s", keystream("session", 32)), "signature": ("s", SIGNATURE), "isForwarding": ("?", True),
    }),
]
vectors = []
for table in TABLES:
    vectors += [messages.message(*table, ", made by hand"), *messages.edges(*table), *messages.malformed(*table)]
save("agent", "malformed", messages.SOURCES, vectors)
