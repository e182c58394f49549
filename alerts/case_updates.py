"""The case system's answers, applied by the process that owns the alert. In: `sharpeyes.case-updates`; out: revisions.

One task on the loop, in a consumer group of its own. An update is applied once (`update_id`), together with its next
revision or, when it is out of order, with its dead letter, in one ledger commit; then the offset is committed. Alerts
of other processes and what cannot be read are passed over: `alerts.case_audit` deals with those.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

import msgspec

from alerts import call_revision, lifecycle
from alerts.bus import Bus, Received
from alerts.call import STIMULUS_OF_CASE
from alerts.call_revision import CallMoved, step_of
from alerts.contract import TOPIC_CASE_UPDATES, AlertKind, AlertV1, CaseUpdateV1
from alerts.dead_letter import dead_letter
from alerts.ledger import Ledger
from alerts.ledger_txn import LedgerTxn
from runtime import metrics
from runtime.errors import InvalidInputError
from runtime.log import get_logger

MAX_CASE_UPDATE_BYTES = 1_000_000
"""The longest texts of the contract need 20 kB; fields that we do not know may be there too."""

CallsMoved = Callable[[Sequence[CallMoved]], Awaitable[None]]

_decoder = msgspec.json.Decoder(CaseUpdateV1)
_log = get_logger(__name__)


def read_case_update(value: bytes) -> CaseUpdateV1:
    """Decode a case update, its time as UTC; InvalidInputError says what is wrong with it."""
    if len(value) > MAX_CASE_UPDATE_BYTES:
        raise InvalidInputError(f"case update of {len(value)} bytes: at most {MAX_CASE_UPDATE_BYTES} are read")
    try:
        update = _decoder.decode(value)
        return msgspec.structs.replace(update, at=update.at.astimezone(UTC))
    # An OverflowError is a time that is before year 1 or after 9999 in UTC: nothing could write it down again.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise InvalidInputError(f"case update cannot be read: {str(error)[:300]}") from None


@dataclass(slots=True)
class _Applied:
    moved: list[CallMoved]
    outcomes: list[str]


class CaseUpdateConsumer:
    """`calls_moved` hears of calls that an update moved (`CallDesk.moved`); a role without calls gives none."""

    def __init__(self, ledger: Ledger, bus: Bus, calls_moved: CallsMoved | None = None) -> None:
        self._ledger = ledger
        self._bus = bus
        self._calls_moved = calls_moved

    async def run(self) -> None:
        """Apply updates for ever. Ends with UnavailableError; run again, it goes on after the last commit."""
        async with self._bus.subscribe(TOPIC_CASE_UPDATES, f"sharpeyes.{self._ledger.owner}") as subscription:
            while True:
                await self._apply(await subscription.receive())
                await subscription.commit()

    async def _apply(self, batch: Sequence[Received]) -> None:
        readable = [(item, update) for item in batch if (update := _read_or_none(item))]
        if not readable:
            return
        applied = await self._ledger.apply(lambda txn: _apply_all(txn, readable))
        for outcome in applied.outcomes:
            metrics.case_updates.labels(outcome).inc()
        if applied.moved and self._calls_moved:
            await self._calls_moved(applied.moved)


def _read_or_none(item: Received) -> CaseUpdateV1 | None:
    try:
        return read_case_update(item.message.value)
    except InvalidInputError:
        return None


# Below here: on the ledger's writer thread, inside a change.


def _apply_all(txn: LedgerTxn, batch: Sequence[tuple[Received, CaseUpdateV1]]) -> _Applied:
    applied = _Applied([], [])
    for item, update in batch:
        alert = txn.alert(update.alert_id)
        if alert is None:
            continue
        if not txn.once(f"case/{update.alert_id}", update.update_id):
            applied.outcomes.append("duplicate")
        elif alert.kind is AlertKind.CALL:
            applied.outcomes.append(_apply_to_call(txn, item, update, alert, applied.moved))
        else:
            applied.outcomes.append(_apply_to_other(txn, item, update, alert))
    return applied


def _apply_to_call(txn: LedgerTxn, item: Received, update: CaseUpdateV1, alert: AlertV1, moved: list[CallMoved]) -> str:
    case = lifecycle.case_of(update)
    call = call_revision.advance(alert, STIMULUS_OF_CASE[update.status], txn.now_ns, case)
    if call is None:
        return _refuse(txn, item, update, str(step_of(alert)))
    txn.put(call.alert)
    moved.append(call)
    return "applied"


def _apply_to_other(txn: LedgerTxn, item: Received, update: CaseUpdateV1, alert: AlertV1) -> str:
    revised = lifecycle.advance(alert, update, txn.now_ns)
    if revised is None:
        return _refuse(txn, item, update, str(alert.status))
    txn.put(revised)
    return "applied"


def _refuse(txn: LedgerTxn, item: Received, update: CaseUpdateV1, stands: str) -> str:
    reason = f"out of order: the alert is {stands}, so it cannot be {update.status} now"
    txn.publish(dead_letter(item, reason))
    _log.warning("case update refused", alert=update.alert_id, update=update.update_id, reason=reason)
    return "out_of_order"
