"""A reverse tunnel by paramiko. Argument: JSON with port, user, hostKey and password or keyFile, address, listen, target,
and optionally rekeyBytes.

Prints `listening PORT`; on SIGUSR1 it cancels the forwarding and prints `cancelled`.
"""

import base64
import json
import signal
import socket
import sys
import threading

import paramiko

options = json.loads(sys.argv[1])
cancel = threading.Event()
signal.signal(signal.SIGUSR1, lambda _signal, _frame: cancel.set())


def copy(source, destination):
    try:
        while data := source.recv(32768):
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR) if isinstance(destination, socket.socket) else destination.shutdown_write()
    except OSError:
        pass


def serve(channel, _origin, _server):
    target = socket.create_connection(tuple(options["target"]))
    back = threading.Thread(target=copy, args=(target, channel), daemon=True)
    there = threading.Thread(target=copy, args=(channel, target), daemon=True)

    def finish():
        back.start()
        there.start()
        back.join()
        there.join()
        channel.close()
        target.close()

    threading.Thread(target=finish, daemon=True).start()


transport = paramiko.Transport(("127.0.0.1", options["port"]))
if "rekeyBytes" in options:
    transport.packetizer.REKEY_BYTES = options["rekeyBytes"]
transport.start_client(timeout=10)
got = transport.get_remote_server_key()
expected = options["hostKey"].split(" ")
if [got.get_name(), base64.b64encode(got.asbytes()).decode()] != expected:
    sys.exit("wrong host key")
if "keyFile" in options:
    transport.auth_publickey(options["user"], paramiko.Ed25519Key.from_private_key_file(options["keyFile"]))
elif options.get("interactive"):
    transport.auth_interactive(options["user"], lambda _t, _i, prompts: [options["password"] for _ in prompts])
else:
    transport.auth_password(options["user"], options["password"], fallback=False)
port = transport.request_port_forward(options["address"], options["listen"], serve)
print("cipher", transport.remote_cipher, flush=True)
print("listening", port, flush=True)
cancel.wait()
transport.cancel_port_forward(options["address"], port)
print("cancelled", flush=True)
signal.pause()
