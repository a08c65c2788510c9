"""An SSH server by asyncssh with the logins that sshd does not have without PAM. Arguments: port, host key file.

Users: `expired` must change the password "old" to one with a digit; `rounds` answers two rounds of prompts and reads an
announcement; `anyone` needs no credentials. Prints each login that it accepts.
"""

import asyncio
import sys

import asyncssh

port, host_key = sys.argv[1:]


class Server(asyncssh.SSHServer):
    def connection_made(self, conn):
        self.round = 0

    def begin_auth(self, username):
        self.user = username
        return username != "anyone"

    def auth_completed(self):
        print("accepted", self.user, flush=True)

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        if username == "expired" and password == "old":
            raise asyncssh.PasswordChangeRequired("Your password is too old", "en")
        return False

    def change_password(self, username, old_password, new_password):
        if old_password != "old":
            return False
        if not any(char.isdigit() for char in new_password):
            raise asyncssh.PasswordChangeRequired("It needs a digit", "en")
        return True

    def kbdint_auth_supported(self):
        return True

    def get_kbdint_challenge(self, username, lang, submethods):
        if username != "rounds":
            return False
        return "Login", "Two questions", "en", [("Name: ", True), ("Code: ", False)]

    def validate_kbdint_response(self, username, responses):
        self.round += 1
        if self.round == 1:
            return ("", "", "", [("Again: ", False)]) if responses == ["me", "123"] else False
        if self.round == 2:
            return ("", "Welcome back", "", []) if responses == ["456"] else False
        return responses == []


async def main():
    await asyncssh.create_server(Server, "127.0.0.1", int(port), server_host_keys=[host_key])
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
