"""A reverse tunnel by asyncssh. Argument: JSON with port, user, hostKey and password or keyFile, address, listen, target.

Prints `listening PORT`; on SIGUSR1 it cancels the forwarding and prints `cancelled`.
"""

import asyncio
import json
import signal
import sys

import asyncssh

options = json.loads(sys.argv[1])


async def main():
    cancel = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cancel.set)
    trusted = asyncssh.import_public_key(options["hostKey"])
    connection = await asyncssh.connect(
        "127.0.0.1",
        options["port"],
        config=None,
        username=options["user"],
        password=options.get("password"),
        client_keys=[options["keyFile"]] if "keyFile" in options else None,
        known_hosts=([trusted], [], []),
        preferred_auth=options.get("methods", "publickey,password"),
        **options.get("settings", {}),
    )
    listener = await connection.forward_remote_port(options["address"], options["listen"], *options["target"])
    print("listening", listener.get_port(), flush=True)
    await cancel.wait()
    listener.close()
    await listener.wait_closed()
    print("cancelled", flush=True)
    await connection.wait_closed()


asyncio.run(main())
