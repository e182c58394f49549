"""PostgreSQL 15 or later, with a data folder of its own, as a user that is not root."""

import itertools
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.servers.cache import MissingServerError, find_program
from tests.servers.process import HOST, ServerProcess, free_port

USER = "sharpeyes"
PASSWORD = "test:pass@word/%"
"""With the characters that break hand-made URLs."""

PASSWORD_IN_URL = "test%3Apass%40word%2F%25"


def postgres_program(name: str) -> str:
    """A program of the newest PostgreSQL that Debian installed; raises MissingServerError."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not found:
        raise MissingServerError("PostgreSQL")
    return str(found[-1])


class Postgres(ServerProcess):
    """`url` of an empty database; `create_database()` makes another one and returns its URL."""

    name = "postgres"
    stop_signal = signal.SIGINT
    kill_signal = signal.SIGQUIT  # ends all backends at once without a checkpoint, as a crash does

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.url = self._url_of("postgres")
        self._names = itertools.count(1)

    def _url_of(self, database: str) -> str:
        return f"postgresql://{USER}:{PASSWORD_IN_URL}@{HOST}:{self.port}/{database}"

    def privileges(self) -> list[str]:
        return ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.geteuid() == 0 else []

    def prepare(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            shutil.chown(password_file, "postgres", "postgres")
        initdb = [postgres_program("initdb"), "-D", str(self.folder / "data"), "-U", USER, "--no-sync", "-E", "UTF8"]
        options = ["--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        made = subprocess.run(
            [find_program("setpriv"), *self.privileges(), "--", *initdb, *options],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=120,
        )
        assert made.returncode == 0, f"initdb failed:\n{made.stdout}{made.stderr}"

    def command(self) -> list[str]:
        # No fsync: a test's crash is a process's, not a machine's.
        settings = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": self.folder, "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [postgres_program("postgres"), "-D", str(self.folder / "data"), *options]

    def is_ready(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def create_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._names)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._url_of(name)
