"""An SSH server by paramiko that grants tcpip-forward. Arguments: port, host key file, authorized key, rekey bytes or 0. Prints `ready`."""

import base64
import socket
import sys
import threading

import paramiko

port, host_key, authorized, rekey = sys.argv[1:]
expected = base64.b64decode(authorized.split(" ")[1])


def copy(source, destination):
    try:
        while data := source.recv(32768):
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR) if isinstance(destination, socket.socket) else destination.shutdown_write()
    except OSError:
        pass


def relay(channel, visitor):
    halves = [threading.Thread(target=copy, args=pair, daemon=True) for pair in ((channel, visitor), (visitor, channel))]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
    channel.close()
    visitor.close()


class Server(paramiko.ServerInterface):
    def __init__(self, transport):
        self.transport = transport
        self.listeners = {}

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key.asbytes() == expected else paramiko.AUTH_FAILED

    def check_port_forward_request(self, address, listen):
        listener = socket.create_server(("127.0.0.1", listen))
        listen = listener.getsockname()[1]
        self.listeners[listen] = listener
        threading.Thread(target=self.accept, args=(listener, address, listen), daemon=True).start()
        return listen

    def cancel_port_forward_request(self, address, listen):
        listener = self.listeners.pop(listen)
        # close() alone does not wake the thread that accepts.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    def accept(self, listener, address, listen):
        while True:
            try:
                visitor, origin = listener.accept()
            except OSError:
                return
            try:
                channel = self.transport.open_forwarded_tcpip_channel(origin, (address, listen))
            except paramiko.SSHException:
                visitor.close()
                continue
            threading.Thread(target=relay, args=(channel, visitor), daemon=True).start()


server = socket.create_server(("127.0.0.1", int(port)))
print("ready", flush=True)
while True:
    client, _ = server.accept()
    transport = paramiko.Transport(client)
    if rekey != "0":
        transport.packetizer.REKEY_BYTES = int(rekey)
    transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(host_key))
    transport.start_server(event=threading.Event(), server=Server(transport))
