"""The bus that the settings choose: Kafka when its servers are given, else the embedded one in the data folder."""

from pathlib import Path

from alerts.bus import Bus
from alerts.embedded_bus import EmbeddedBus
from alerts.settings import BusSettings
from runtime.clock import Clock

BUS_FILE = "bus.db"


def open_bus(settings: BusSettings, data: Path, clock: Clock | None = None) -> Bus:
    """The bus, not started yet; makes no connection."""
    if settings.kafka_bootstrap:
        from alerts.kafka_bus import KafkaBus  # not at the top: its client loads slowly, for commands that do without

        return KafkaBus(settings.kafka_bootstrap, settings.kafka_partitions, settings.kafka_replication)
    return EmbeddedBus(data / BUS_FILE, clock)
