"""Verdicts of a real sshd about lines of authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT): run as root with
/usr/bin/python3 on Debian 12, with openssh-server."""

import os
import socket
import subprocess
import tempfile
import time

import common
from common import save

KEYS = {"ed25519": ["-t", "ed25519"], "ecdsa": ["-t", "ecdsa"], "rsa": ["-t", "rsa"], "other": ["-t", "ed25519"], "ca": ["-t", "ed25519"], "ca2": ["-t", "rsa"]}
#: the certificates: CA, options of ssh-keygen
CERTIFICATES = {
    "good": ("ca", ["-n", "root"]),
    "several": ("ca", ["-n", "ann,root,bob"]),
    "rsa-ca": ("ca2", ["-n", "root"]),
    "other-name": ("ca", ["-n", "ann"]),
    "no-name": ("ca", []),
    "expired": ("ca", ["-n", "root", "-V", "20200101:20200102"]),
    "future": ("ca", ["-n", "root", "-V", "20990101:21000101"]),
    "host": ("ca", ["-h", "-n", "root"]),
    "force-command": ("ca", ["-n", "root", "-O", "force-command=true"]),
    "source": ("ca", ["-n", "root", "-O", "source-address=127.0.0.0/8"]),
    "other-source": ("ca", ["-n", "root", "-O", "source-address=192.0.2.0/24"]),
    "critical": ("ca", ["-n", "root", "-O", "critical:later@example.com=x"]),
    "extension": ("ca", ["-n", "root", "-O", "extension:later@example.com=x"]),
    "clear": ("ca", ["-n", "root", "-O", "clear"]),
}


#: Servers may decide otherwise than sshd: its own verdict is "valid" for the first three, and "invalid" for the others.
UNCLEAR = [
    "a comma before the key", "verify-required with a key that is no security key", "a certificate: no-name",
    "a byte order mark", "two commands", "another command than the certificate's",
]


def cases():
    """Comment, text, and the key, the certificate or the client's address if they are not the usual ones."""
    k = "{ed25519}"
    yield "a line", f"{k}\n", {}
    yield "a line with a comment", f"{k} me@laptop\n", {}
    yield "a comment with quotation marks", f'{k} "me" \'you\'\n', {}
    yield "no line feed at the end", k, {}
    yield "CR LF", f"{k}\r\n", {}
    yield "spaces and tabs before the line", f" \t{k}\n", {}
    yield "comments and empty lines before", f"# keys\n\n   # more\n{k}\n", {}
    yield "a line that is commented out", f"#{k}\n", {}
    yield "an empty file", "", {}
    yield "another key", "{other}\n", {}
    yield "another key, then the key", f"{{other}}\n{k}\n", {}
    yield "the key in the middle of many", "{other}\n{ecdsa}\n" + f"{k}\n" + "{rsa}\n", {}
    yield "the key twice", f"{k}\n{k}\n", {}
    yield "an ECDSA key", "{ecdsa}\n", {"key": "ecdsa"}
    yield "an RSA key", "{rsa}\n", {"key": "rsa"}
    yield "a type without a key", "ssh-ed25519\n", {}
    yield "the type of another key", "ssh-rsa {ed25519 base64}\n", {}
    yield "base64 cut short", "ssh-ed25519 {ed25519 short}\n", {}
    yield "base64 alone", "{ed25519 base64}\n", {}
    yield "two spaces between type and key", "ssh-ed25519  {ed25519 base64}\n", {}
    yield "a tab between type and key", "ssh-ed25519\t{ed25519 base64}\n", {}
    yield "a malformed line before the key", f"ssh-ed25519 AAAA\n{k}\n", {}
    yield "a byte order mark", f"{chr(0xFEFF)}{k}\n", {}
    for name in ("restrict", "no-port-forwarding", "port-forwarding", "no-pty", "pty", "no-agent-forwarding", "agent-forwarding", "no-X11-forwarding",
                 "x11-forwarding", "no-user-rc", "user-rc", "no-touch-required", "RESTRICT", "Restrict,Pty", "restrict,port-forwarding,pty"):
        yield f"the option {name}", f"{name} {k}\n", {}
    yield "an unknown option", f"no-such-option {k}\n", {}
    yield "an unknown option with a value", f'no-such="x" {k}\n', {}
    yield "an unknown option after a known one", f"restrict,no-such {k}\n", {}
    yield "a comma before the key", f"restrict, {k}\n", {}
    yield "a space after a comma", f"restrict, pty {k}\n", {}
    yield "an option with a value that it does not take", f'restrict="yes" {k}\n', {}
    yield "an option, a tab and the key", f"restrict\t{k}\n", {}
    yield "a command", f'command="true" {k}\n', {}
    yield "a command with quotation marks", f'command="echo \\"a b\\"" {k}\n', {}
    yield "a command with a comma and spaces", f'command="true a, b" {k}\n', {}
    yield "a command that looks like a key", f'command="ssh-ed25519 AAAA" {k}\n', {}
    yield "a command without quotation marks", f"command=true {k}\n", {}
    yield "a command that is not closed", f'command="true {k}\n', {}
    yield "a command without a value", f"command {k}\n", {}
    yield "two commands", f'command="true",command="false" {k}\n', {}
    yield "an environment variable", f'environment="A=b" {k}\n', {}
    yield "a tunnel device", f'tunnel="0" {k}\n', {}
    for value in ("127.0.0.1", "127.0.0.*", "127.0.0.?", "*", "127.0.0.0/8", "127.0.0.1/32", "127.0.0.0/30,192.0.2.1", "192.0.2.1,127.0.0.1", "!127.0.0.2,127.0.0.*"):
        yield f"from {value}", f'from="{value}" {k}\n', {}
    for value in ("192.0.2.1", "127.0.0.2", "192.0.2.0/24", "!127.0.0.1,127.0.0.*", "127.0.0.*,!127.0.0.1", "!127.0.0.1", "!127.0.0.2", "", "localhost", "127.0.0.1/8", "127.0.0.1/33", "127.0.0.0/x", "127.0.0", "::1", "127.0.0.1 ", "0.0.0.0/0"):
        yield f"from {value!r}", f'from="{value}" {k}\n', {}
    for value in ("::1", "::/0", "::1/128", "0:0:0:0:0:0:0:1", "*", "127.0.0.1", "::2", "fe80::/10", "::1/129", "*:*", "!::1,*"):
        yield f"from {value!r}, for a client at ::1", f'from="{value}" {k}\n', {"host": "::1"}
    yield "from twice", f'from="127.0.0.1",from="192.0.2.1" {k}\n', {}
    yield "a line of another address, then one without", f'from="192.0.2.1" {k}\n{k}\n', {}
    yield "a line of another address, then one of the address", f'from="192.0.2.1" {k}\nfrom="127.0.0.1" {k}\n', {}
    for value in ("20990101", "209901010000", "20990101000000", "20990101Z", "209901010000Z"):
        yield f"expiry-time {value}", f'expiry-time="{value}" {k}\n', {}
    for value in ("20200101", "202001010000Z", "19691231", "2099", "20991301", "20990132", "2099010125", "tomorrow", "", "20990101 "):
        yield f"expiry-time {value!r}", f'expiry-time="{value}" {k}\n', {}
    yield "two expiry times, the first of which is over", f'expiry-time="20200101",expiry-time="20990101" {k}\n', {}
    yield "two expiry times, the second of which is over", f'expiry-time="20990101",expiry-time="20200101" {k}\n', {}
    for value in ("localhost:80", "*:80", "localhost:*", "[::1]:80", "192.0.2.1:1"):
        yield f"permitopen {value}", f'permitopen="{value}" {k}\n', {}
    for value in ("localhost", "localhost:0", "localhost:65536", "localhost:x", ":80", "", "::1:80"):
        yield f"permitopen {value!r}", f'permitopen="{value}" {k}\n', {}
    for value in ("8080", "localhost:8080", "*:8080", "localhost:*", "[::1]:8080"):
        yield f"permitlisten {value}", f'permitlisten="{value}" {k}\n', {}
    for value in ("localhost:x", "localhost:65536", "", "x"):
        yield f"permitlisten {value!r}", f'permitlisten="{value}" {k}\n', {}
    yield "two permitopen", f'permitopen="a:1",permitopen="b:2" {k}\n', {}
    yield "verify-required with a key that is no security key", f"verify-required {k}\n", {}
    ca = "cert-authority {ca}\n"
    yield "the key of a CA as a user's key", ca, {"key": "ca"}
    yield "a CA, and a plain key that it certified", ca, {}
    for name in CERTIFICATES:
        text = "cert-authority {ca2}\n" if name == "rsa-ca" else ca
        yield f"a certificate: {name}", text, {"certificate": name}
    yield "a certificate of another CA", "cert-authority {ca2}\n", {"certificate": "good"}
    yield "a certificate, and the CA without cert-authority", "{ca}\n", {"certificate": "good"}
    yield "a certificate, and the plain key", f"{k}\n", {"certificate": "good"}
    yield "principals with the certificate's name", 'cert-authority,principals="root" {ca}\n', {"certificate": "good"}
    yield "principals with another name", 'cert-authority,principals="ann" {ca}\n', {"certificate": "good"}
    yield "principals instead of the user's name", 'cert-authority,principals="ann" {ca}\n', {"certificate": "other-name"}
    yield "principals, one of several", 'cert-authority,principals="bob,carol" {ca}\n', {"certificate": "several"}
    yield "principals with a certificate without names", 'cert-authority,principals="root" {ca}\n', {"certificate": "no-name"}
    yield "principals without cert-authority", f'principals="root" {k}\n', {}
    yield "principals that are empty", 'cert-authority,principals="" {ca}\n', {"certificate": "good"}
    yield "a CA for another address", 'cert-authority,from="192.0.2.1" {ca}\n', {"certificate": "good"}
    yield "a CA for the address", 'cert-authority,from="127.0.0.1" {ca}\n', {"certificate": "good"}
    yield "a CA past its expiry-time", 'cert-authority,expiry-time="20200101" {ca}\n', {"certificate": "good"}
    yield "an option and a certificate's force-command", 'cert-authority,command="true" {ca}\n', {"certificate": "force-command"}
    yield "another command than the certificate's", 'cert-authority,command="false" {ca}\n', {"certificate": "force-command"}


def keygen(*arguments):
    subprocess.run(["ssh-keygen", "-q", *arguments], check=True, capture_output=True)


def line(path):
    with open(path) as file:
        return " ".join(file.read().split()[:2])


class World:
    def __init__(self, folder):
        self.folder = folder
        self.lines = {}
        for name, options in KEYS.items():
            keygen(*options, "-N", "", "-C", "", "-f", f"{folder}/{name}")
            self.lines[name] = line(f"{folder}/{name}.pub")
        for name, (authority, options) in CERTIFICATES.items():
            path = f"{folder}/cert-{name}"
            for suffix in ("", ".pub"):
                subprocess.run(["cp", f"{folder}/ed25519{suffix}", path + suffix], check=True)
            keygen("-s", f"{folder}/{authority}", "-I", name, *options, f"{path}.pub")
        keygen("-t", "ed25519", "-N", "", "-f", f"{folder}/host")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = [f"Port {self.port}", "ListenAddress 127.0.0.1", "ListenAddress ::1", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/keys",
                  "StrictModes no", "UsePAM no", "PidFile none", "UseDNS no", "PermitRootLogin yes", "PasswordAuthentication no", "MaxStartups 100"]
        with open(f"{folder}/config", "w") as file:
            file.write("\n".join([*config, ""]))
        os.makedirs("/run/sshd", exist_ok=True)
        self.server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", f"{folder}/config"], stderr=subprocess.DEVNULL)
        time.sleep(1)

    def text(self, template):
        text = template
        for name, whole in self.lines.items():
            base64 = whole.split(" ")[1]
            text = text.replace(f"{{{name} base64}}", base64).replace(f"{{{name} short}}", base64[:40]).replace(f"{{{name}}}", whole)
        return text

    def accepts(self, text, identity, host):
        with open(f"{self.folder}/keys", "w", newline="") as file:
            file.write(text)
        options = ["IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", f"IdentityFile={identity}", "IdentityAgent=none"]
        command = ["ssh", "-v", "-F", "none", "-p", str(self.port), *[f"-o{option}" for option in options], f"root@{host}", "true"]
        tried = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        return "Authenticated to" in tried.stderr


with tempfile.TemporaryDirectory() as folder:
    world = World(folder)
    vectors = []
    try:
        for comment, template, more in cases():
            text, host = world.text(template), more.get("host", "127.0.0.1")
            certificate, key = more.get("certificate"), more.get("key", "ed25519")
            identity = f"{folder}/cert-{certificate}" if certificate else f"{folder}/{key}"
            # ssh tries the plain key as well, which no text with a certificate may accept by itself.
            accepted = world.accepts(text, identity, host)
            if certificate and template.startswith("{ed25519}"):
                continue
            presented = line(f"{identity}-cert.pub") if certificate else world.lines[key]
            vector = {"comment": comment, "source": "OpenSSH", "result": "valid" if accepted else "invalid", "text": text, "user": "root", "host": host}
            if comment in UNCLEAR:
                assert accepted == (UNCLEAR.index(comment) < 3), comment
                vector["result"] = "acceptable"
            vectors.append(vector | {"key": presented, "now": int(time.time()) * 1000})
    finally:
        world.server.terminate()
        world.server.wait()
save("authorized-keys", "verdicts", {"OpenSSH": common.openssh()}, vectors)
