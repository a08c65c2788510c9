"""An SSH server by asyncssh that grants tcpip-forward. Arguments: port, host key file, authorized key, rekey bytes or 0. Prints `ready`."""

import asyncio
import sys

import asyncssh

port, host_key, authorized, rekey = sys.argv[1:]


class Server(asyncssh.SSHServer):
    def server_requested(self, listen_host, listen_port):
        return True


async def main():
    await asyncssh.create_server(
        Server,
        "127.0.0.1",
        int(port),
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(authorized),
        **({"rekey_bytes": int(rekey)} if rekey != "0" else {}),
    )
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
