"""Help calls of this process. In: key presses, time-outs, case updates; out: revisions in the ledger, words to the box.

Runs on the loop; every change is committed before anybody is told. A box that misses a word is told again when it
comes back (`retell`). `run` is the task of the time-outs: they are computed from the ledger, so a restart loses none.
Raises `UnavailableError` when the ledger takes no commit: then nothing happened and the press has to come again.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from alerts.call import BOX_HEARS, STIMULUS_OF_KEY, BoxKey, BoxStep, Stimulus, move_of
from alerts.call_revision import CallMoved, advance, open_call, step_of
from alerts.contract import AlertKind, AlertV1, CallStep
from alerts.deadlines import Deadlines
from alerts.ledger import Ledger
from alerts.ledger_txn import LedgerTxn, OutboxRow
from alerts.places import Place, Places
from alerts.settings import CallSettings
from runtime import metrics
from runtime.clock import NS_PER_S, Clock, to_ns
from runtime.errors import SharpEyesError, UnavailableError
from runtime.log import get_logger

MAX_TOGETHER = 250
"""Presses in one change: they share its cost, and the first does not wait long for the last."""

COMPLAIN_EVERY_S = 1.0
"""A broker that overflows loses presses by the thousand, and a log line costs more than a press; the metric has all."""

RING_AGAIN_S = 1.0
"""A call that is on the bus and that the ledger could not let ring: people see it already, the box does not know."""

_HEARD = (CallStep.OPEN, "")
"""What such a call awaits; only a deadline that is set for it."""

_log = get_logger(__name__)


class PressOutcome(StrEnum):
    """What became of a press. Both are to be acknowledged to the box."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class BoxPress:
    """One press of a key; `boot` and `seq` tell it from every other press of its box."""

    callbox_id: str
    boot: str
    seq: int
    key: BoxKey
    received_ns: int


@dataclass(frozen=True, slots=True)
class BoxCommand:
    """What a call box is told about one of its calls."""

    step: BoxStep
    call_id: str


class _KindOnly(msgspec.Struct):
    kind: AlertKind


_kind_decoder = msgspec.json.Decoder(_KindOnly)

Tell = Callable[[str, BoxCommand], Awaitable[None] | None]


class CallDesk:
    """`tell(callbox_id, command)` reaches a box; it may be a coroutine function and may raise SharpEyesError."""

    def __init__(self, ledger: Ledger, places: Places, clock: Clock, settings: CallSettings, tell: Tell) -> None:
        self._ledger = ledger
        self._places = places
        self._clock = clock
        self._settings = settings
        self._tell_box = tell
        self._deadlines = Deadlines(clock)
        self._awaited: dict[str, tuple[CallStep, str]] = {}
        self._last_seq: dict[str, tuple[str, int]] = {}
        self._next_complaint_s = 0.0

    async def press_all(
        self, presses: Sequence[BoxPress], when_safe: Callable[[BoxPress], None]
    ) -> list[PressOutcome | BaseException]:
        """What `press` returns or raises for each of these, in their order; they share the ledger's changes."""
        outcomes: list[PressOutcome | BaseException] = []
        for at in range(0, len(presses), MAX_TOGETHER):  # one after another, so that a box's presses keep their order
            together = presses[at : at + MAX_TOGETHER]
            try:
                outcomes += await self._press(together, when_safe)
            except UnavailableError as error:
                outcomes += [error] * len(together)
            except Exception:  # noqa: BLE001 - whatever it is, it is found again below, beside the press that meets it
                single = (self.press(press, when_safe) for press in together)
                outcomes += await asyncio.gather(*single, return_exceptions=True)
        return outcomes

    async def press(self, press: BoxPress, when_safe: Callable[[BoxPress], None] | None = None) -> PressOutcome:
        """Deal with one press of a key; on the disk when this returns.

        `when_safe` is called once it is there, before the box hears what the press has done: acknowledge it in there.
        Raises NotFoundError for a call box that is not registered.
        """
        return (await self._press([press], when_safe))[0]

    async def _press(
        self, presses: Sequence[BoxPress], when_safe: Callable[[BoxPress], None] | None
    ) -> list[PressOutcome]:
        """All of them in one change, or none."""
        placed = [(press, await self._places.callbox(press.callbox_id)) for press in presses]
        made = await self._ledger.apply(lambda txn: [_press_once(txn, press, place) for press, place in placed])
        moved: list[CallMoved] = []
        for press, calls in zip(presses, made, strict=True):
            if when_safe is not None:
                when_safe(press)
            if calls is not None:
                self._notice_gap(press)
                moved += calls
        await self.moved(moved)
        return [PressOutcome.DUPLICATE if calls is None else PressOutcome.ACCEPTED for calls in made]

    async def moved(self, calls: Sequence[CallMoved]) -> None:
        """After a commit: set the deadlines of these calls and tell their boxes."""
        for call in calls:  # all before the first await: in the order of the commits, whoever else is telling
            self._watch(call.alert)
        for call in calls:
            if call.tell is not None:
                await self._tell(call.alert, call.tell)

    async def published(self, rows: Sequence[OutboxRow]) -> None:
        """The bus has these messages: the calls that were opened by them now ring. A listener of the relay.

        Calls that the ledger cannot let ring now are tried again by `run`; it also finds those of an earlier process.
        """
        opened = [row.alert_id for row in rows if row.alert_id and row.revision == 1 and _is_call(row)]
        if not opened:
            return
        try:
            await self._advance(opened, Stimulus.PUBLISHED)
        except UnavailableError:
            for alert_id in opened:
                self._awaited[alert_id] = _HEARD
                self._deadlines.set(alert_id, RING_AGAIN_S)
            raise

    async def retell(self, callbox_id: str) -> None:
        """Tell a box that came back where its latest call stands."""
        await self.moved(await self._ledger.apply(lambda txn: _latest(txn, callbox_id)))

    async def run(self) -> None:
        """Take up the calls that the ledger holds, then carry out time-outs for ever.

        Ends with UnavailableError when the ledger does; run again, it takes up where it was.
        """
        calls, unsent = await self._ledger.apply(lambda txn: (txn.unfinished(AlertKind.CALL), txn.waiting_alert_ids()))
        await self.moved([CallMoved(call, BOX_HEARS[step_of(call)]) for call in calls])
        heard = [call.alert_id for call in calls if step_of(call) is CallStep.OPEN and call.alert_id not in unsent]
        await self._advance(heard, Stimulus.PUBLISHED)
        while True:
            await self._time_out(await self._deadlines.due())

    async def _advance(self, alert_ids: Sequence[str], stimulus: Stimulus) -> None:
        await self.moved(await self._ledger.apply(lambda txn: _advance_all(txn, alert_ids, stimulus)))

    async def _time_out(self, alert_ids: Sequence[str]) -> None:
        awaited = {alert_id: self._awaited.pop(alert_id) for alert_id in alert_ids}

        def change(txn: LedgerTxn) -> list[CallMoved]:
            heard = [alert_id for alert_id, was in awaited.items() if was == _HEARD]
            late = [alert_id for alert_id, was in awaited.items() if _awaits(txn.alert(alert_id)) == was]
            rating = [alert_id for alert_id in late if awaited[alert_id][0] is CallStep.RATING]
            ringing = [alert_id for alert_id in late if awaited[alert_id][0] is CallStep.RINGING]
            return [
                *_advance_all(txn, heard, Stimulus.PUBLISHED),
                *_advance_all(txn, rating, Stimulus.RATING_TIMEOUT),
                *_advance_all(txn, ringing, Stimulus.ESCALATION_TIMEOUT),
            ]

        await self.moved(await self._ledger.apply(change))

    def _watch(self, alert: AlertV1) -> None:
        left_s, awaits = self._left_s(alert), _awaits(alert)
        if left_s is None or awaits is None:
            self._deadlines.cancel(alert.alert_id)
            self._awaited.pop(alert.alert_id, None)
        else:
            self._deadlines.set(alert.alert_id, left_s)
            self._awaited[alert.alert_id] = awaits

    def _left_s(self, alert: AlertV1) -> float | None:
        """Seconds until this call times out; None when it waits for people alone."""
        detail = alert.call
        if detail is None or detail.since is None:
            return None
        if detail.step is CallStep.RATING:
            limit_s = self._settings.call_rating_timeout_s
        elif detail.step is CallStep.RINGING and detail.site_id != alert.sites[0].site_id:
            limit_s = self._settings.call_escalate_after_s
        else:
            return None
        passed_s = (self._clock.now_ns() - to_ns(detail.since)) / NS_PER_S
        return min(limit_s, limit_s - passed_s)  # a wall clock that went back delays nothing beyond the limit

    async def _tell(self, alert: AlertV1, step: BoxStep) -> None:
        try:
            telling = self._tell_box(alert.device_id, BoxCommand(step, alert.alert_id))
            if inspect.isawaitable(telling):
                await telling
        except SharpEyesError as error:
            _log.warning(
                "call box not told, it is told again when it comes back",
                callbox=alert.device_id,
                step=str(step),
                reason=str(error),
            )

    def _notice_gap(self, press: BoxPress) -> None:
        """A press that never came is no reason to refuse the next one; it is counted, for whoever mends the link."""
        callbox_id, boot, seq = press.callbox_id, press.boot, press.seq
        last_boot, last_seq = self._last_seq.get(callbox_id, (boot, seq - 1))
        if last_boot == boot and seq > last_seq + 1:
            metrics.press_gaps.inc()
            if self._clock.monotonic_s() >= self._next_complaint_s:
                self._next_complaint_s = self._clock.monotonic_s() + COMPLAIN_EVERY_S
                _log.warning("presses missing before this one", callbox=callbox_id, seq=seq, last_seq=last_seq)
        if last_boot != boot or seq > last_seq:
            last_seq = seq
        self._last_seq[callbox_id] = (boot, last_seq)


# Below here: on the ledger's writer thread, inside a change.


def _press_once(txn: LedgerTxn, press: BoxPress, place: Place) -> list[CallMoved] | None:
    """What the box is to hear of this press; None when it came before."""
    if not txn.once(f"press/{press.callbox_id}/{press.boot}", str(press.seq)):
        return None
    return _press(txn, place, STIMULUS_OF_KEY[press.key], press.received_ns) or _latest(txn, press.callbox_id)


def _press(txn: LedgerTxn, place: Place, stimulus: Stimulus, received_ns: int) -> list[CallMoved]:
    """The press's effect on the box's open call, and the new call if one opens; empty when nothing changes."""
    moved = []
    current = txn.open_call(place.device_id)
    if current is not None and (call := advance(current, stimulus, received_ns)):
        txn.put(call.alert)
        moved.append(call)
        current = None if step_of(call.alert) is CallStep.CLOSED else call.alert
    if current is None and move_of(None, stimulus):
        opened = open_call(place, txn.owner, received_ns)
        txn.put(opened)
        moved.append(CallMoved(opened, None))
    return moved


def _latest(txn: LedgerTxn, callbox_id: str) -> list[CallMoved]:
    """Where the box's latest call stands, to be told again."""
    latest = txn.latest_call(callbox_id)
    return [] if latest is None else [CallMoved(latest, BOX_HEARS[step_of(latest)])]


def _advance_all(txn: LedgerTxn, alert_ids: Sequence[str], stimulus: Stimulus) -> list[CallMoved]:
    moved = []
    for alert_id in alert_ids:
        alert = txn.alert(alert_id)
        if alert is not None and (call := advance(alert, stimulus, txn.now_ns)):
            txn.put(call.alert)
            moved.append(call)
    return moved


def _awaits(alert: AlertV1 | None) -> tuple[CallStep, str] | None:
    """What a deadline was set for: it counts only while the call is still in this step at this site."""
    return None if alert is None or alert.call is None else (alert.call.step, alert.call.site_id)


def _is_call(row: OutboxRow) -> bool:
    return _kind_decoder.decode(row.message.value).kind is AlertKind.CALL
