"""The alert store's tables, as SQLAlchemy Core describes them; `alerts/migrations` makes and changes them.

Times are UTC nanoseconds; `body` is the JSON of the wire form. `change_number` counts every stored revision.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

alert_changes = Table(
    "alert_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""One row. Writers update it first, so numbers become visible in their order: who follows them misses none."""

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String(26), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("device_id", String(64), nullable=False),
    Column("opened_ns", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_alerts_status", "status", "alert_id"),
    Index("ix_alerts_device_id", "device_id", "alert_id"),
    Index("ix_alerts_opened_ns", "opened_ns"),
)
"""The highest revision of each alert. Ids are ULIDs: their order is that of opening."""

alert_revisions = Table(
    "alert_revisions",
    metadata,
    Column("alert_id", String(26), ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("change_number", BigInteger, nullable=False, unique=True),
    Column("body", Text, nullable=False),
)
"""Every revision that came."""

alert_sites = Table(
    "alert_sites",
    metadata,
    Column("site_id", String(64), primary_key=True),
    Column("alert_id", String(26), ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True),
    Index("ix_alert_sites_alert_id", "alert_id"),
)
"""The sites above an alert's device when it was opened: a county finds the alerts of its villages."""

device_states = Table(
    "device_states",
    metadata,
    Column("device_id", String(64), primary_key=True),
    Column("condition", String(16), nullable=False),
    Column("body", Text, nullable=False),
)
"""The latest state of each device."""
