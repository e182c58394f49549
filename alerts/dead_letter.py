"""Messages that could not be dealt with, for their `.dlq` topic: the original, bounded, and the reason. Pure."""

from alerts.bus import Message, Received
from alerts.contract import DEAD_LETTER_SUFFIX

MAX_KEPT_BYTES = 262_144
"""Of the value: any real message fits, and a flood of huge ones fills no disk."""

MAX_KEPT_HEADERS = 32
MAX_KEPT_HEADER_BYTES = 1024
MAX_KEY_CHARS = 256
MAX_REASON_BYTES = 500


def dead_letter(received: Received, reason: str) -> Message:
    """The dead letter; `dlq_*` headers say why, and where the original stood."""
    original = received.message
    kept = tuple(
        (name[:MAX_KEY_CHARS], value[:MAX_KEPT_HEADER_BYTES]) for name, value in original.headers[:MAX_KEPT_HEADERS]
    )
    added = (
        ("dlq_reason", reason.encode()[:MAX_REASON_BYTES]),
        ("dlq_topic", original.topic.encode()),
        ("dlq_partition", str(received.partition).encode()),
        ("dlq_offset", str(received.offset).encode()),
        ("dlq_size_bytes", str(len(original.value)).encode()),
    )
    return Message(
        original.topic + DEAD_LETTER_SUFFIX,
        original.key[:MAX_KEY_CHARS],
        original.value[:MAX_KEPT_BYTES],
        kept + added,
    )
