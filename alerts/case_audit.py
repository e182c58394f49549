"""The auditor of case updates: what nobody can read or nobody knows goes to the dead-letter topic with the reason.

One task on the loop beside the alert store, in the group `sharpeyes.case-audit`. An update to an alert that the store
does not know waits up to GRACE_S for it: an answer may overtake the store. Ends with `UnavailableError` when bus or
store are away; run again, it goes on after its last commit, so a dead letter may come twice.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from alerts.bus import Bus, Message, Received
from alerts.case_updates import read_case_update
from alerts.contract import TOPIC_CASE_UPDATES, AlertV1
from alerts.dead_letter import dead_letter
from runtime import metrics
from runtime.clock import Clock
from runtime.errors import InvalidInputError, NotFoundError
from runtime.log import get_logger

GROUP = "sharpeyes.case-audit"

GRACE_S = 10.0
"""The alert store is behind the bus by less than this, unless its database is away, and then the auditor waits too."""

CHECK_EVERY_S = 0.5

_log = get_logger(__name__)


class KnownAlerts(Protocol):
    """The part of the alert store that is read here; blocks."""

    def get(self, alert_id: str) -> AlertV1: ...


class CaseUpdateAuditor:
    """`run` is its task."""

    def __init__(self, bus: Bus, store: KnownAlerts, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Audit for ever."""
        async with self._bus.subscribe(TOPIC_CASE_UPDATES, GROUP) as subscription:
            while True:
                letters = await self.audit(await subscription.receive())
                if letters:
                    await self._bus.publish(letters)
                await subscription.commit()

    async def audit(self, batch: Sequence[Received]) -> list[Message]:
        """The dead letters of a batch; takes up to GRACE_S when an alert in it is unknown."""
        letters: list[Message] = []
        waiting: list[tuple[Received, str]] = []
        for item in batch:
            try:
                waiting.append((item, read_case_update(item.message.value).alert_id))
            except InvalidInputError as error:
                letters.append(_refuse(item, "malformed", str(error)))
        unknown = await self._await_known({alert_id for _, alert_id in waiting})
        letters += [
            _refuse(item, "unknown_alert", f"unknown alert {alert_id}")
            for item, alert_id in waiting
            if alert_id in unknown
        ]
        return letters

    async def _await_known(self, alert_ids: set[str]) -> set[str]:
        deadline_s = self._clock.monotonic_s() + GRACE_S
        unknown = await asyncio.to_thread(self._unknown, alert_ids)
        while unknown and self._clock.monotonic_s() < deadline_s:
            await self._clock.sleep(CHECK_EVERY_S)
            unknown = await asyncio.to_thread(self._unknown, unknown)
        return unknown

    def _unknown(self, alert_ids: set[str]) -> set[str]:
        return {alert_id for alert_id in alert_ids if not self._knows(alert_id)}

    def _knows(self, alert_id: str) -> bool:
        try:
            self._store.get(alert_id)
        except NotFoundError:
            return False
        return True


def _refuse(item: Received, outcome: str, reason: str) -> Message:
    metrics.case_updates.labels(outcome).inc()
    _log.warning("case update refused", partition=item.partition, offset=item.offset, reason=reason)
    return dead_letter(item, reason)
