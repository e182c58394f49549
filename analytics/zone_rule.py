"""The rules zone_entered and loitering: which stays in a zone are told, and when such an event has ended.

In go sightings and ticks, out come events started and ended. Runs in the inference thread; bounded by its stays.
"""

from dataclasses import replace

import numpy as np

from analytics.events import Event
from analytics.stays import NO_STAY, Stays
from analytics.track_slots import Rows, Sightings
from analytics.trigger import Trigger
from devices.scene import RuleKind
from runtime.clock import NS_PER_S

EVENT_WATCH_NS = 30 * NS_PER_S
"""An event asks for frames this long, so that it ends when its track leaves; a car that parks must not cost more."""


class ZoneRule:
    """One zone_entered or loitering rule. Each stay is told at most once.

    zone_entered tells a stay as soon as it begins, or at the next arming if it still goes on then; one that would be
    told in the cooldown is left out for good. loitering tells it after `dwell_s`, or when the cooldown is over if it
    still goes on then.
    """

    def __init__(self, trigger: Trigger, stays: Stays) -> None:
        self._trigger = trigger
        self._stays = stays
        self._dwell_ns = round(trigger.rule.dwell_s * NS_PER_S)
        self._ongoing: dict[int, Event] = {}

    def see(self, seen: Sightings) -> list[Event]:
        """Events that start with this frame; the time before it has been ticked."""
        at = self._stays.see(seen, self._trigger.admits(seen.detections))
        rows = seen.rows[at]
        due = at[~self._stays.told[rows] & (seen.t_ns - self._stays.start_ns[rows] >= self._dwell_ns)]
        if not len(due) or not self._trigger.is_armed(seen.t_ns):
            return []
        longest_first = due[np.argsort(self._stays.start_ns[seen.rows[due]], kind="stable")]
        return [event for place in longest_first.tolist() for event in self._tell(seen, place)]

    def tick(self, now_ns: int) -> list[Event]:
        """Events whose track has left the zone or was lost by `now_ns`."""
        return self.forget(self._stays.over(now_ns))

    def forget(self, rows: Rows) -> list[Event]:
        """End the stays of these rows; their events end when they were last seen inside."""
        ended = [self._end(row) for row in rows.tolist() if row in self._ongoing]
        self._stays.end(rows)
        return ended

    def wants_frames(self, now_ns: int) -> bool:
        """Whether a stay may still become loitering, or a young event goes on: both may stand still meanwhile."""
        if any(now_ns - event.start_ns < EVENT_WATCH_NS for event in self._ongoing.values()):
            return True
        if not self._dwell_ns or not self._trigger.is_armed(now_ns):
            return False
        untold = (self._stays.start_ns != NO_STAY) & ~self._stays.told
        return bool((untold & (now_ns - self._stays.start_ns <= self._dwell_ns + EVENT_WATCH_NS)).any())

    def _tell(self, seen: Sightings, at: int) -> list[Event]:
        row = int(seen.rows[at])
        is_loitering = self._trigger.rule.kind is RuleKind.LOITERING
        if self._trigger.is_cooling(seen.t_ns):
            self._stays.told[row] = not is_loitering
            return []
        self._stays.told[row] = True
        stay_start_ns = int(self._stays.start_ns[row])
        begins_now = stay_start_ns == seen.onset_ns[at]
        event = self._trigger.fire(
            seen,
            at,
            stay_start_ns if begins_now and not is_loitering else seen.t_ns,
            dwell_s=(seen.t_ns - stay_start_ns) / NS_PER_S if is_loitering else None,
        )
        self._ongoing[row] = event
        return [event]

    def _end(self, row: int) -> Event:
        event = self._ongoing.pop(row)
        end_ns = max(int(self._stays.inside_ns[row]), event.start_ns)
        return replace(event, end_ns=end_ns, dwell_s=(end_ns - int(self._stays.start_ns[row])) / NS_PER_S)
