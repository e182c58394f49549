"""When a rule is armed: weekly windows of local time. In goes a UTC instant, out comes yes or no. Pure.

Windows are compared with the wall clock of their time zone, so a change to or from summer time needs no case of its
own: an hour that the clock skips is never armed, one that it repeats is armed both times.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from devices.scene import Schedule, TimeWindow
from runtime.clock import NS_PER_S

MINUTE_NS = 60 * NS_PER_S


class ArmedTimes:
    """The armed times of one rule; remembers the last minute's answer, as it is asked at every frame."""

    def __init__(self, schedule: Schedule) -> None:
        self._windows = schedule.windows
        self._zone = ZoneInfo(schedule.timezone)
        self._minute = -1
        self._armed = False

    def is_armed(self, t_ns: int) -> bool:
        """Whether UTC instant `t_ns` lies in a window; no windows at all means always."""
        if not self._windows:
            return True
        minute = t_ns // MINUTE_NS
        if minute != self._minute:
            local = datetime.fromtimestamp(minute * 60, self._zone)
            self._armed = any(_holds(window, local) for window in self._windows)
            self._minute = minute
        return self._armed


def _holds(window: TimeWindow, local: datetime) -> bool:
    """Whether the wall time is in the window; after midnight the window still belongs to the day it began."""
    minute = local.hour * 60 + local.minute
    today = local.weekday()
    if window.start_min < window.end_min:
        return today in window.weekdays and window.start_min <= minute < window.end_min
    begun_today = today in window.weekdays and minute >= window.start_min
    begun_yesterday = (today - 1) % 7 in window.weekdays and minute < window.end_min
    return begun_today or begun_yesterday
