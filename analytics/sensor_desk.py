"""From readings to sensor alerts: trips and silence open one, return to normal or removal from the registry resolves
it. One per sensor and cause.

Runs on the loop; `run` is the task that lets time pass for dwells and silence. What stood before a restart is kept in
the ledger, in the same commit as the alert, so nothing is told twice and nothing forgotten. `reading` raises
`UnavailableError` when the ledger takes no commit: the finding is kept and committed with the next.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from alerts import wording
from alerts.contract import (
    AlertKind,
    AlertStatus,
    AlertV1,
    Change,
    DeviceCondition,
    Reading,
    SiteRef,
    Text,
)
from alerts.ledger import Ledger
from alerts.ledger_txn import LedgerTxn
from alerts.revision import new_alert_id, revise
from analytics.sensor_watch import FindingKind, SensorFinding, SensorWatch
from devices.model import Crossing, DeviceKind, Sensor, Severity
from ingest import device_words
from ingest.device_states import DeviceStates
from ingest.known_devices import Known
from runtime.clock import NS_PER_S, Clock, utc
from runtime.errors import UnavailableError
from runtime.log import get_logger

TICK_S = 1.0
SCOPE = "sensor-watch"

_log = get_logger(__name__)


class Standing(msgspec.Struct, frozen=True):
    """What of a sensor outlives a restart."""

    tripped: tuple[str, ...] = ()
    missing: bool = False


_decoder = msgspec.json.Decoder(Standing)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class _Noted:
    """A finding on its way to the ledger, its UTC time, and what the sensor stands at after it."""

    sensor: Sensor
    sites: tuple[SiteRef, ...]
    finding: SensorFinding
    t_ns: int
    standing: Standing


@dataclass(slots=True)
class SensorDesk:
    """`restore` first, then `sensors_changed` at each change of the registry."""

    ledger: Ledger
    states: DeviceStates
    clock: Clock
    _watches: dict[str, SensorWatch] = field(default_factory=dict)
    _standing: dict[str, Standing] = field(default_factory=dict)
    _noted: list[_Noted | Known] = field(default_factory=list)
    _committing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _known: Known = field(default_factory=Known)

    async def restore(self) -> None:
        """Take up what stood before the restart."""
        remembered = await self.ledger.apply(lambda txn: txn.recall(SCOPE))
        self._standing = {sensor_id: _decoder.decode(value) for sensor_id, value in remembered.items()}

    def sensors_changed(self, known: Known) -> None:
        """Watch these sensors from now on; what stood tripped under the same name stays so.

        What is not among them any more is forgotten and its alerts are resolved, with the next commit.
        """
        self._known = known
        all_stood = self._standing | {sensor_id: _standing_of(watch) for sensor_id, watch in self._watches.items()}
        self._standing = {sensor_id: one for sensor_id, one in all_stood.items() if sensor_id in known.sensors}
        watches = {}
        for sensor_id, sensor in known.sensors.items():
            watch = self._watches.get(sensor_id)
            if watch is None or watch.sensor != sensor:
                stood = self._standing.get(sensor_id, Standing())
                watch = SensorWatch(
                    sensor, started_ns=self._monotonic_ns(), tripped=stood.tripped, missing=stood.missing
                )
            watches[sensor_id] = watch
        self._watches = watches
        self._noted.append(known)

    async def reading(self, sensor: Sensor, value: float) -> None:
        """Take a reading; what it means is in the ledger when this returns."""
        watch = self._watches.get(sensor.sensor_id)
        if watch is not None:
            self._note(watch, watch.reading(value, self._monotonic_ns()))
            await self._commit()

    async def run(self) -> None:
        """Let time pass for ever: dwells run out, silence becomes missing data."""
        while True:
            try:
                await self.let_time_pass()
            except UnavailableError as error:
                _log.warning("sensor alerts wait for the ledger", waiting=len(self._noted), reason=str(error))
            await self.clock.sleep(TICK_S)

    async def let_time_pass(self) -> None:
        """Look at every sensor now; raises as `reading` does."""
        for watch in self._watches.values():
            self._note(watch, watch.tick(self._monotonic_ns()))
        await self._commit()

    def _monotonic_ns(self) -> int:
        """What dwells and silence are measured by: the wall clock may be set while they run."""
        return round(self.clock.monotonic_s() * NS_PER_S)

    def _note(self, watch: SensorWatch, findings: list[SensorFinding]) -> None:
        sensor, now_ns = watch.sensor, self.clock.now_ns()
        for finding in findings:
            sites = self._known.site_path(sensor.site_id)
            self._noted.append(_Noted(sensor, sites, finding, now_ns, _standing_of(watch)))
            if finding.kind is FindingKind.MISSING:
                self.states.report(
                    sensor.sensor_id,
                    DeviceKind.SENSOR,
                    DeviceCondition.OFFLINE,
                    "data_missing",
                    device_words.DATA_MISSING,
                )

    async def _commit(self) -> None:
        async with self._committing:  # one at a time: findings that have to be tried again keep their order
            await self._commit_noted()

    async def _commit_noted(self) -> None:
        if not self._noted:
            return
        noted, self._noted = self._noted, []

        def change(txn: LedgerTxn) -> None:
            for one in noted:
                if isinstance(one, Known):
                    _forget_what_is_gone(txn, one)
                    continue
                _CARRY_OUT[one.finding.kind](txn, one)
                txn.remember(SCOPE, one.sensor.sensor_id, _encoder.encode(one.standing))

        try:
            await self.ledger.apply(change)
        except UnavailableError:
            self._noted = noted + self._noted
            raise


def _standing_of(watch: SensorWatch) -> Standing:
    return Standing(tuple(sorted(watch.tripped)), watch.is_missing)


# Below here: on the ledger's writer thread, inside a change.


def _trip(txn: LedgerTxn, noted: _Noted) -> None:
    sensor, threshold, value = noted.sensor, noted.finding.threshold, noted.finding.value
    if threshold is None or value is None:
        return
    words = wording.sensor_above if threshold.crossing is Crossing.ABOVE else wording.sensor_below
    summary = words(sensor.name, sensor.metric, value, threshold.trip, sensor.unit)
    reading = Reading(
        metric=sensor.metric, unit=sensor.unit, value=value, threshold=threshold.name, limit=threshold.trip
    )
    txn.put(_opened(txn, noted, AlertKind.SENSOR_THRESHOLD, threshold.severity, summary, reading))


def _miss(txn: LedgerTxn, noted: _Noted) -> None:
    sensor = noted.sensor
    silent_s = (noted.finding.t_ns - noted.finding.since_ns) / NS_PER_S
    summary = wording.sensor_missing(sensor.name, sensor.metric, silent_s)
    reading = Reading(metric=sensor.metric, unit=sensor.unit)
    txn.put(_opened(txn, noted, AlertKind.SENSOR_MISSING, Severity.WARNING, summary, reading))


def _clear(txn: LedgerTxn, noted: _Noted) -> None:
    name = noted.finding.threshold.name if noted.finding.threshold else None
    for alert in txn.unfinished(AlertKind.SENSOR_THRESHOLD):
        is_ours = alert.device_id == noted.sensor.sensor_id
        if is_ours and alert.reading is not None and alert.reading.threshold == name:
            _back_to_normal(txn, alert, noted)


def _back(txn: LedgerTxn, noted: _Noted) -> None:
    for alert in txn.unfinished(AlertKind.SENSOR_MISSING):
        if alert.device_id == noted.sensor.sensor_id:
            _back_to_normal(txn, alert, noted)


_CARRY_OUT: Mapping[FindingKind, Callable[[LedgerTxn, _Noted], None]] = {
    FindingKind.TRIPPED: _trip,
    FindingKind.CLEARED: _clear,
    FindingKind.MISSING: _miss,
    FindingKind.BACK: _back,
}


def _forget_what_is_gone(txn: LedgerTxn, known: Known) -> None:
    """Sensors and thresholds that nobody watches any more: nothing would ever clear them."""
    thresholds = {sensor.sensor_id: {one.name for one in sensor.thresholds} for sensor in known.sensors.values()}
    for alert in txn.unfinished(AlertKind.SENSOR_THRESHOLD):
        name = alert.reading.threshold if alert.reading else None
        if name not in thresholds.get(alert.device_id, set()):
            _removed(txn, alert)
    for alert in txn.unfinished(AlertKind.SENSOR_MISSING):
        if alert.device_id not in thresholds:
            _removed(txn, alert)
    for sensor_id, value in txn.recall(SCOPE).items():
        if sensor_id not in thresholds:
            txn.forget(SCOPE, sensor_id)
            continue
        stood = _decoder.decode(value)
        kept = tuple(name for name in stood.tripped if name in thresholds[sensor_id])
        if kept != stood.tripped:
            txn.remember(SCOPE, sensor_id, _encoder.encode(msgspec.structs.replace(stood, tripped=kept)))


def _removed(txn: LedgerTxn, alert: AlertV1) -> None:
    """Resolve an alert that nobody has taken; whoever has taken it is told once, and ends it."""
    summary = wording.sensor_removed(alert.device_name, alert.reading.metric if alert.reading else "")
    if alert.summary == summary:
        return
    is_taken = alert.status is not AlertStatus.OPEN
    change = Change.UPDATED if is_taken else Change.RESOLVED
    status = alert.status if is_taken else AlertStatus.RESOLVED
    txn.put(revise(alert, change, txn.now_ns, status=status, summary=summary))


def _back_to_normal(txn: LedgerTxn, alert: AlertV1, noted: _Noted) -> None:
    """Resolve an alert that nobody has taken; one that somebody has taken is theirs to end, and hears the value."""
    sensor, value = noted.sensor, noted.finding.value
    reading = msgspec.structs.replace(alert.reading, value=value) if alert.reading else None
    is_taken = alert.status is not AlertStatus.OPEN
    txn.put(
        revise(
            alert,
            Change.UPDATED if is_taken else Change.RESOLVED,
            txn.now_ns,
            status=alert.status if is_taken else AlertStatus.RESOLVED,
            reading=reading,
            summary=wording.sensor_normal(sensor.name, sensor.metric, value, sensor.unit),
        )
    )


def _opened(
    txn: LedgerTxn, noted: _Noted, kind: AlertKind, severity: Severity, summary: Text, reading: Reading
) -> AlertV1:
    now = utc(noted.t_ns)
    return AlertV1(
        alert_id=new_alert_id(noted.t_ns),
        revision=1,
        change=Change.OPENED,
        status=AlertStatus.OPEN,
        kind=kind,
        severity=severity,
        device_id=noted.sensor.sensor_id,
        device_kind=DeviceKind.SENSOR,
        device_name=noted.sensor.name,
        sites=noted.sites,
        owner=txn.owner,
        summary=summary,
        opened_at=now,
        updated_at=now,
        reading=reading,
    )
