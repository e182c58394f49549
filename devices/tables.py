"""The registry's tables, as SQLAlchemy Core describes them; `devices/migrations` makes and changes them.

All devices share one table, so that an id is unique across kinds: it is a Kafka key and an MQTT name.
Times are UTC nanoseconds. `version` counts the writes of one record, for optimistic concurrency.
"""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

registry_state = Table(
    "registry_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
"""One row. Every write updates it first, which also makes writers wait for each other."""

sites = Table(
    "sites",
    metadata,
    Column("site_id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("level", String(16), nullable=False),
    Column("parent_id", String(64), ForeignKey("sites.site_id", ondelete="RESTRICT"), nullable=True, index=True),
    Column("version", BigInteger, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False, index=True),
    Column("site_id", String(64), ForeignKey("sites.site_id", ondelete="RESTRICT"), nullable=False, index=True),
    Column("document", JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    Column("sealed", Text, nullable=True),
    Column("version", BigInteger, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
)
"""`document` is the record in the registry's own form; `sealed` what of it must be secret, encrypted JSON or NULL."""
