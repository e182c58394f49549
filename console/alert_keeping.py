"""The alert store's part of a role: what is on the bus goes into the SQL store, and bad case updates are audited.

One of these beside each database is enough (the bridge has it); several share the work by their consumer groups. The
database may be away at the start or later: these tasks wait and try again, the rest of the role goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from alerts.bus import Bus
from alerts.case_audit import CaseUpdateAuditor
from alerts.store import AlertStore
from alerts.store_writer import PART, StoreWriter
from console.role import RoleContext
from console.settings import Settings
from devices.sql_registry import DATABASE_FILE
from runtime.errors import UnavailableError
from runtime.service import Restart
from runtime.sql import create_sql_engine, sqlite_url

MAX_DELAY_S = 10.0


@asynccontextmanager
async def add_alert_keeping(context: RoleContext, bus: Bus) -> AsyncIterator[None]:
    """Start the tasks in the role's service; the database connections are closed on exit."""
    engine = create_sql_engine(database_url(context.settings))
    store = AlertStore(engine)
    writer = StoreWriter(bus, store, context.health, context.clock)
    auditor = CaseUpdateAuditor(bus, store, context.clock)
    is_migrated = asyncio.Event()

    async def migrate() -> None:
        try:
            await asyncio.to_thread(store.migrate)
        except UnavailableError as error:
            context.health.unwell(PART, str(error))
            raise
        context.health.well(PART)
        is_migrated.set()

    def then(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def once_migrated() -> None:
            await is_migrated.wait()
            await work()

        return once_migrated

    spawn, rule = context.service.spawn, Restart(max_s=MAX_DELAY_S)
    spawn("alert-store", migrate, restart=rule)
    spawn("alert-writer", then(writer.write_alerts), restart=rule)
    spawn("device-state-writer", then(writer.write_device_states), restart=rule)
    spawn("case-auditor", then(auditor.run), restart=rule)
    try:
        yield
    finally:
        engine.dispose()


def database_url(settings: Settings) -> str:
    """The SQL database of the settings: theirs, or the SQLite file in the data folder."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return sqlite_url(settings.data / DATABASE_FILE)
