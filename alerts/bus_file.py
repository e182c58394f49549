"""The SQLite file of the embedded bus: messages in the order of their publication, and the position of each group.

Used from one thread; other processes may use the same file. Raises `sqlite3.Error` and `OSError`, which
`alerts.embedded_bus` puts into words.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from alerts.bus import COMPACTED_TOPICS, Headers, Message, Received
from runtime.clock import NS_PER_S

BUSY_TIMEOUT_S = 10.0
"""Another process holds the file's lock for one commit; a disk that is this slow counts as away."""

KEPT_S = 7 * 86_400
"""As long as Kafka keeps messages unless told otherwise: a reader may be away for a week."""

KEPT_MESSAGES = 200_000
"""Of all topics; about 300 MB. A full disk must not come from messages that everybody has read long ago."""

PRUNE_EVERY_MESSAGES = 1000
PRUNE_STEP = 4 * PRUNE_EVERY_MESSAGES
"""More goes away in a step than came since the last one, so a file that was too large shrinks."""

_COMPACTED = "".join(
    f"CREATE INDEX IF NOT EXISTS \"keys of {topic}\" ON messages (key) WHERE topic = '{topic}';"
    for topic in sorted(COMPACTED_TOPICS)
)

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS messages (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    topic   TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   BLOB NOT NULL,
    headers BLOB NOT NULL,
    put_ns  INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_of_topic ON messages (topic, number);
{_COMPACTED}
CREATE TABLE IF NOT EXISTS positions (
    topic  TEXT NOT NULL,
    reader TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (topic, reader)
) WITHOUT ROWID;
"""

_headers_encoder = msgspec.msgpack.Encoder()
_headers_decoder = msgspec.msgpack.Decoder(Headers)


class BusFile:
    """One connection."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sql = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._sql.execute("PRAGMA journal_mode=WAL")
        self._sql.execute("PRAGMA synchronous=FULL")
        self._sql.executescript(_SCHEMA)
        self._since_prune = 0

    def close(self) -> None:
        self._sql.close()

    def append(self, messages: Sequence[Message], now_ns: int) -> None:
        """Store the messages, all or none."""
        rows = [(m.topic, m.key, m.value, _headers_encoder.encode(m.headers), now_ns) for m in messages]
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                if row[0] in COMPACTED_TOPICS:
                    self._drop_older(row[0], row[1])
                self._sql.execute(
                    "INSERT INTO messages (topic, key, value, headers, put_ns) VALUES (?, ?, ?, ?, ?)", row
                )
            self._prune(len(messages), now_ns)
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise

    def position(self, topic: str, group: str, *, from_latest: bool) -> int:
        """Where a group stands; a new one is remembered only from its first commit on."""
        found = self._sql.execute("SELECT number FROM positions WHERE topic = ? AND reader = ?", (topic, group))
        if row := found.fetchone():
            return int(row[0])
        newest = self._sql.execute("SELECT coalesce(max(number), 0) FROM messages WHERE topic = ?", (topic,))
        return int(newest.fetchone()[0]) if from_latest else 0

    def after(self, topic: str, number: int, limit: int) -> Sequence[Received]:
        """The messages of a topic after `number`, oldest first."""
        rows = self._sql.execute(
            "SELECT number, key, value, headers FROM messages WHERE topic = ? AND number > ? ORDER BY number LIMIT ?",
            (topic, number, limit),
        ).fetchall()
        return [
            Received(Message(topic, key, value, _headers_decoder.decode(headers)), 0, at)
            for at, key, value, headers in rows
        ]

    def commit(self, topic: str, group: str, number: int) -> None:
        """Move a group's position forward."""
        self._sql.execute(
            "INSERT INTO positions (topic, reader, number) VALUES (?, ?, ?)"
            " ON CONFLICT (topic, reader) DO UPDATE SET number = max(number, excluded.number)",
            (topic, group, number),
        )

    def data_version(self) -> int:
        """Changes when another connection has changed the file."""
        version: int = self._sql.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _drop_older(self, topic: str, key: str) -> None:
        # The topic stands in the statement itself, or SQLite could not use the partial index.
        self._sql.execute(f"DELETE FROM messages WHERE topic = '{topic}' AND key = ?", (key,))

    def _prune(self, added: int, now_ns: int) -> None:
        self._since_prune += added
        if self._since_prune < PRUNE_EVERY_MESSAGES:
            return
        self._since_prune = 0
        compacted = sorted(COMPACTED_TOPICS)
        marks = ", ".join("?" * len(compacted))
        newest = self._sql.execute("SELECT coalesce(max(number), 0) FROM messages").fetchone()[0]
        self._sql.execute(
            "DELETE FROM messages WHERE number IN (SELECT number FROM messages"
            f" WHERE topic NOT IN ({marks}) ORDER BY number LIMIT ?) AND (number <= ? OR put_ns < ?)",
            (*compacted, PRUNE_STEP, newest - KEPT_MESSAGES, now_ns - KEPT_S * NS_PER_S),
        )
        self._sql.execute(
            f"DELETE FROM messages WHERE topic IN ({marks}) AND length(value) = 0 AND put_ns < ?",
            (*compacted, now_ns - KEPT_S * NS_PER_S),
        )
