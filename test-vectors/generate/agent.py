"""Records what OpenSSH's client and its ssh-agent say to each other, through a socket that copies both directions."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from common import openssh, save

SOURCE = {"OpenSSH": openssh()}


class Fields:
    def __init__(self, data):
        self.data = data

    def take(self, size):
        assert size <= len(self.data)
        head, self.data = self.data[:size], self.data[size:]
        return head

    def uint32(self):
        return int.from_bytes(self.take(4), "big")

    def string(self):
        return self.take(self.uint32())

    def hex(self):
        return {"hex": self.string().hex()}


def read_identities(fields):
    return [{"publicKey": fields.hex(), "comment": fields.string().decode()} for _ in range(fields.uint32())]


def values_of(number, fields):
    """The name of the message in @postern/keys, and its values. `None` for a message that it does not contain."""
    if number == 11:
        return "AgentRequestIdentities", {}
    if number == 12:
        return "AgentIdentitiesAnswer", {"identities": read_identities(fields)}
    if number == 13:
        return "AgentSignRequest", {"publicKey": fields.hex(), "data": fields.hex(), "flags": fields.uint32()}
    if number == 14:
        return "AgentSignResponse", {"signature": fields.hex()}
    if number == 27:
        return "AgentExtension", {"name": fields.string().decode(), "contents": {"hex": fields.take(len(fields.data)).hex()}}
    return None


def copy(source, target, log):
    with open(source.fileno(), "rb", closefd=False) as stream:
        while header := stream.read(4):
            content = stream.read(int.from_bytes(header, "big"))
            log.append(content)
            target.sendall(header + content)
    target.shutdown(socket.SHUT_WR)


def relay(path, agent, log):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen()

    def serve():
        while True:
            client, _ = listener.accept()
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(agent)
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=copy, args=(*pair, log), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def run(*command, env=None, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})


def record(folder):
    log = []
    agent_path, relay_path = os.path.join(folder, "agent"), os.path.join(folder, "relay")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", agent_path], stdout=subprocess.DEVNULL)
    while not os.path.exists(agent_path):
        time.sleep(0.01)
    try:
        relay(relay_path, agent_path, log)
        direct, relayed = {"SSH_AUTH_SOCK": agent_path}, {"SSH_AUTH_SOCK": relay_path}
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/ca", "-C", "ca")
        # With no identity.
        run("ssh-add", "-L", env=relayed, check=False)
        types = ["ed25519", "ecdsa", "rsa"]
        for name in types:
            file = f"{folder}/{name}"
            run("ssh-keygen", "-q", "-t", name, "-N", "", "-f", file, "-C", f"{name} of a vector")
            if name == "ed25519":
                run("ssh-keygen", "-q", "-s", f"{folder}/ca", "-I", "vector", "-n", "nobody", f"{file}.pub")
            run("ssh-add", "-q", file, env=direct)
        run("ssh-add", "-L", env=relayed)
        # Signs arbitrary data with each key.
        for name in types:
            run("ssh-add", "-T", f"{folder}/{name}.pub", env=relayed)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/host", "-C", "")
        with open(f"{folder}/sshd_config", "w") as config:
            config.write(f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/rsa.pub\nStrictModes no\nUsePAM no\nPidFile none\n")
        os.chmod(folder, 0o755)
        # Logs in over a pipe. Binds the session, and signs with rsa-sha2-512. The shell of nobody ends at once.
        options = ["ProxyCommand=/usr/sbin/sshd -i -f %s/sshd_config" % folder, "StrictHostKeyChecking=no",
                   "UserKnownHostsFile=/dev/null", "IdentityFile=%s/rsa.pub" % folder, "IdentitiesOnly=yes"]
        run("ssh", "-T", *[f"-o{option}" for option in options], "nobody@vector", env=relayed, check=False)
        time.sleep(0.2)
    finally:
        agent.terminate()
        agent.wait()
    return log


def vectors(log):
    seen = set()
    for content in log:
        decoded = values_of(content[0], Fields(content[1:]))
        if decoded is None or content in seen:
            continue
        seen.add(content)
        message, values = decoded
        yield {"comment": "draft-ietf-sshm-ssh-agent 3", "source": "OpenSSH", "message": message, "values": values, "encoded": content.hex()}
        if message == "AgentExtension" and values["name"] == "session-bind@openssh.com":
            inner = bytes.fromhex(values["contents"]["hex"])
            fields = Fields(inner)
            bind = {"hostKey": fields.hex(), "sessionId": fields.hex(), "signature": fields.hex(), "isForwarding": fields.take(1) != b"\0"}
            yield {"comment": "OpenSSH PROTOCOL.agent 1", "source": "OpenSSH", "message": "AgentSessionBind", "values": bind, "encoded": inner.hex()}


folder = tempfile.mkdtemp()
try:
    recorded = list(vectors(record(folder)))
finally:
    shutil.rmtree(folder)
os.makedirs(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent"), exist_ok=True)
names = {vector["message"] for vector in recorded}
assert len(names) == 6, names
save("agent", "messages", SOURCE, recorded)
