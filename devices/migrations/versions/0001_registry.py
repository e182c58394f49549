"""The registry: its revision, sites and devices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the one row of `registry_state`."""
    state = op.create_table(
        "registry_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "revision": 0}])
    op.create_table(
        "sites",
        sa.Column("site_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("parent_id", sa.String(64), sa.ForeignKey("sites.site_id", ondelete="RESTRICT")),
        *_bookkeeping(),
    )
    op.create_index("ix_sites_parent_id", "sites", ["parent_id"])
    op.create_table(
        "devices",
        sa.Column("device_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("site_id", sa.String(64), sa.ForeignKey("sites.site_id", ondelete="RESTRICT"), nullable=False),
        sa.Column("document", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("sealed", sa.Text),
        *_bookkeeping(),
    )
    op.create_index("ix_devices_kind", "devices", ["kind"])
    op.create_index("ix_devices_site_id", "devices", ["site_id"])


def _bookkeeping() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in ("version", "created_ns", "updated_ns")]


def downgrade() -> None:
    """Drop everything the registry holds."""
    op.drop_table("devices")
    # SQLite deletes the rows one by one before it drops a table, and a parent must not go before its child.
    op.execute("UPDATE sites SET parent_id = NULL")
    op.drop_table("sites")
    op.drop_table("registry_state")
