"""The tables of a ledger file, and how one is opened: SQLite in WAL with synchronous=FULL.

Runs on the ledger's writer thread. Raises `UnavailableError` when the disk cannot be written and
`ConfigurationError` when the file is not a ledger this version can read.
"""

import sqlite3
from pathlib import Path

from runtime.errors import ConfigurationError, UnavailableError
from runtime.language import say

SCHEMA_VERSION = 1

BUSY_TIMEOUT_S = 5.0
"""Only a person who looks into the file with another program can hold its lock."""

_SCHEMA = """
CREATE TABLE alerts (
    alert_id   TEXT PRIMARY KEY,
    revision   INTEGER NOT NULL,
    device_id  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    finished   INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    body       BLOB NOT NULL
);
CREATE UNIQUE INDEX one_open_call ON alerts (device_id) WHERE kind = 'call' AND finished = 0;
CREATE INDEX calls_of_device ON alerts (device_id, finished, alert_id) WHERE kind = 'call';

CREATE TABLE outbox (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    topic    TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    BLOB NOT NULL,
    headers  BLOB NOT NULL,
    alert_id TEXT,
    revision INTEGER
);

CREATE TABLE seen (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    scope   TEXT NOT NULL,
    key     TEXT NOT NULL,
    seen_ns INTEGER NOT NULL,
    UNIQUE (scope, key)
);

CREATE TABLE memory (
    scope TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
"""


def open_ledger_file(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode to the ledger at `path`, made when it does not exist."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise not_writable(path, error) from None
    try:
        _prepare(connection, path)
    except sqlite3.OperationalError as error:
        connection.close()
        raise not_writable(path, error) from None
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ConfigurationError(
            say(
                zh=f"{path} 不是本系统的账本文件（{error}）：请把它移走，会另建一个",
                en=f"{path} is not a ledger ({error}): move it away, a new one is made",
            )
        ) from None
    except ConfigurationError:
        connection.close()
        raise
    return connection


def not_writable(path: Path, error: Exception) -> UnavailableError:
    """What to say when the ledger's disk does not take writes."""
    return UnavailableError(
        say(
            zh=f"{path} 无法写入（{error}）：请让数据目录可写，并腾出磁盘空间；之后会自动继续",
            en=f"{path} cannot be written ({error}): make the data folder writable and free disk space; "
            "work goes on by itself then",
        )
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA journal_size_limit=67108864")
    connection.execute("PRAGMA temp_store=MEMORY")  # savepoints keep what they may have to undo there
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            say(
                zh=f"{path} 由更新的版本写成：请重新安装该版本",
                en=f"{path} was written by a newer version of Sharp Eyes: install that version again",
            )
        )
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
