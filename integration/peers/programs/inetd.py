"""Starts a program for each connection, with the connection as its input and output. Arguments: port, command line. Prints `ready`."""

import socket
import subprocess
import sys

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    subprocess.Popen(sys.argv[2:], stdin=connection, stdout=connection)
    connection.close()
