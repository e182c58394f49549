"""Mosquitto 2 with a password file and the ACL of the MQTT contract, or open on the loopback address."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping

from tests.servers.cache import find_program
from tests.servers.process import HOST, ServerProcess, free_port

CONNECT_3_1_1 = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x05\x00\x01?"
"""CONNECT, clean session, keep-alive 5 s, client id "?"."""

CONNACK = 0x20


class Mosquitto(ServerProcess):
    """`host`, `port`, `url` (mqtt://HOST:PORT).

    `users` (name -> password): only they may log in; each owns `sharpeyes/v1/+/NAME/#`, and those named in
    `servants` (the bridge) everything under `sharpeyes/v1/`. Without `users` anybody may do anything.
    """

    name = "mosquitto"

    def __init__(
        self, users: Mapping[str, str] | None = None, servants: frozenset[str] = frozenset({"bridge"})
    ) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"mqtt://{HOST}:{self.port}"
        self._users = dict(users) if users is not None else None
        self._servants = servants

    def prepare(self) -> None:
        (self.folder / "data").mkdir()
        lines = [
            f"listener {self.port} {HOST}",
            "persistence true",
            f"persistence_location {self.folder}/data/",
            "log_dest stderr",
            "log_type all",
            f"allow_anonymous {'true' if self._users is None else 'false'}",
        ]
        if os.geteuid() == 0:
            lines.append("user root")
        if self._users is not None:
            lines += [f"password_file {self.folder}/passwords", f"acl_file {self.folder}/acl"]
            self._write_accounts()
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def add_user(self, name: str, password: str) -> None:
        """A further account, in force at once."""
        assert self._users is not None, "this broker was started open to anybody"
        self._users[name] = password
        self._write_accounts()
        if self.is_running:
            os.kill(self.pid, signal.SIGHUP)

    def command(self) -> list[str]:
        return [find_program("mosquitto"), "-c", str(self.folder / "mosquitto.conf")]

    def is_ready(self) -> bool:
        """Whether the broker answers CONNECT, be it with a refusal."""
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(CONNECT_3_1_1)
                return connection.recv(4)[:1] == bytes([CONNACK])
        except OSError:
            return False

    def _write_accounts(self) -> None:
        passwords = self.folder / "passwords"
        passwords.write_text("")
        passwords.chmod(0o600)
        for name, password in (self._users or {}).items():
            subprocess.run(
                [find_program("mosquitto_passwd"), "-b", str(passwords), name, password],
                check=True,
                capture_output=True,
            )
        acl = "pattern readwrite sharpeyes/v1/+/%u/#\n"
        for name in sorted(self._servants):
            acl += f"\nuser {name}\ntopic readwrite sharpeyes/v1/#\n"
        (self.folder / "acl").write_text(acl)
        (self.folder / "acl").chmod(0o600)
