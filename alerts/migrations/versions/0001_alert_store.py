"""The alert store: alerts, their revisions and sites, device states."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the one row of `alert_changes`."""
    changes = op.create_table(
        "alert_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(changes, [{"id": 1, "number": 0}])
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(26), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("opened_ns", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_alerts_status", "alerts", ["status", "alert_id"])
    op.create_index("ix_alerts_device_id", "alerts", ["device_id", "alert_id"])
    op.create_index("ix_alerts_opened_ns", "alerts", ["opened_ns"])
    op.create_table(
        "alert_revisions",
        _alert_id(),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("change_number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table("alert_sites", sa.Column("site_id", sa.String(64), primary_key=True), _alert_id())
    op.create_index("ix_alert_sites_alert_id", "alert_sites", ["alert_id"])
    op.create_table(
        "device_states",
        sa.Column("device_id", sa.String(64), primary_key=True),
        sa.Column("condition", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )


def _alert_id() -> sa.Column[str]:
    alert = sa.ForeignKey("alerts.alert_id", ondelete="CASCADE")
    return sa.Column("alert_id", sa.String(26), alert, primary_key=True)


def downgrade() -> None:
    """Drop everything the alert store holds."""
    for table in ("device_states", "alert_sites", "alert_revisions", "alerts", "alert_changes"):
        op.drop_table(table)
