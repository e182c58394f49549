"""How each device of this process is, to `sharpeyes.device-state`: only changes, with the time they began.

`report` is called on the loop and only notes; `run` commits what changed to the ledger every `FLUSH_EVERY_S`, so a
device that flaps costs one message per round, the last state winning. What was told is remembered in the ledger: a
restart repeats nothing and keeps `since`. A device taken out of the registry leaves the topic by a tombstone. A
ledger that takes no commit keeps the changes waiting.
"""

from collections.abc import Collection

import msgspec

from alerts.cloudevents import device_removed_message, device_state_message
from alerts.contract import DeviceCondition, DeviceStateV1, Text
from alerts.ledger import Ledger
from alerts.ledger_txn import LedgerTxn
from devices.model import DeviceKind
from runtime.clock import Clock, utc
from runtime.errors import UnavailableError
from runtime.log import get_logger

FLUSH_EVERY_S = 0.5
SCOPE = "device-state"

_log = get_logger(__name__)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(DeviceStateV1)


class DeviceStates:
    """The states of the devices of one role."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._current: dict[str, DeviceStateV1] = {}
        self._changed: set[str] = set()

    async def restore(self) -> None:
        """Take up what was told before the restart; call before the first `report`."""
        remembered = await self._ledger.apply(lambda txn: txn.recall(SCOPE))
        self._current = {device_id: _decoder.decode(value) for device_id, value in remembered.items()}

    def known(self, device_id: str) -> DeviceStateV1 | None:
        """The state noted last; None for a device never reported."""
        return self._current.get(device_id)

    def report(self, device_id: str, kind: DeviceKind, condition: DeviceCondition, code: str, reason: Text) -> None:
        """Note how a device is now. The same condition and code again change nothing."""
        known = self._current.get(device_id)
        if known is not None and known.condition is condition and known.code == code:
            return
        self._current[device_id] = DeviceStateV1(
            device_id=device_id,
            device_kind=kind,
            condition=condition,
            code=code,
            reason=reason,
            since=utc(self._clock.now_ns()),
        )
        self._changed.add(device_id)

    def retain(self, device_ids: Collection[str]) -> None:
        """Forget every device that is not among these, and tell readers to: it was taken out of the registry.

        All devices of the registry that this role could report on, not only those it reports on now: a tombstone also
        removes what another process has told.
        """
        for device_id in self._current.keys() - set(device_ids):
            del self._current[device_id]
            self._changed.add(device_id)

    async def run(self) -> None:
        """Commit changes for ever."""
        while True:
            await self.flush()
            await self._clock.sleep(FLUSH_EVERY_S)

    async def flush(self) -> None:
        """Commit what has changed since the last time."""
        if not self._changed:
            return
        changed, self._changed = self._changed, set()
        states = {device_id: self._current.get(device_id) for device_id in changed}
        try:
            await self._ledger.apply(lambda txn: _tell(txn, states))
        except UnavailableError as error:
            self._changed |= changed
            _log.warning("device states wait for the ledger", waiting=len(self._changed), reason=str(error))


def _tell(txn: LedgerTxn, states: dict[str, DeviceStateV1 | None]) -> None:
    for device_id, state in states.items():
        if state is None:
            txn.forget(SCOPE, device_id)
            txn.publish(device_removed_message(device_id, txn.now_ns, txn.owner))
        else:
            txn.remember(SCOPE, device_id, _encoder.encode(state))
            txn.publish(device_state_message(state, txn.owner))
