"""uuid(), now() and its relatives, conversions between times, floor()."""

import os
import struct
import threading
import uuid

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.functions.arithmetic import add_duration
from stores.cassandra.functions.registry import register, strict
from stores.cassandra.types import BIGINT, DATE, DURATION, TIME, TIMESTAMP, TIMEUUID, UUID, Duration, calendar
from stores.cassandra.types.plain import time_of

GREGORIAN = 0x01B21DD213814000  # 100 ns between 1582-10-15, where UUIDs begin to count, and 1970


class TimeUuids:
    """Makes UUIDs of version 1, each one later than the one before, whatever the clock that it is given says."""

    def __init__(self):
        self._lock = threading.Lock()
        self._node = os.urandom(6)
        self._last = 0
        self._sequence = int.from_bytes(os.urandom(2), "big") & 0x3FFF

    def make(self, seconds):
        """Return 16 bytes for a time in seconds since 1970."""
        time = int(seconds * 10_000_000) + GREGORIAN
        with self._lock:
            if self._last - 10_000 < time <= self._last:  # several in one tick of the clock
                time = self._last + 1
            elif time <= self._last:  # the clock went back: another sequence keeps the UUIDs apart
                self._sequence = (self._sequence + 1) & 0x3FFF
            self._last = time
            return timeuuid(time, struct.pack(">H", self._sequence | 0x8000) + self._node)


def timeuuid(time, rest):
    """Return the UUID of a time in 100 ns since 1582 and 8 bytes: 16 bytes."""
    return struct.pack(">IHH", time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 & 0x0FFF | 0x1000) + rest


_uuids = TimeUuids()


def _milliseconds(cql_type, data):
    """Return a time of any type as milliseconds since 1970."""
    if cql_type is TIMEUUID:
        return (time_of(data) - GREGORIAN) // 10_000
    return cql_type.deserialize(data) * (calendar.DAY_MS if cql_type is DATE else 1)


def _from_milliseconds(cql_type, milliseconds):
    return cql_type.serialize(milliseconds // calendar.DAY_MS if cql_type is DATE else milliseconds)


def convert_time(source, target):
    """Return the function from serialised times of one type to another; bigint is milliseconds."""

    def call(data):
        return _from_milliseconds(target, _milliseconds(source, data)) if data else None

    return call


def _limit_of_millisecond(ticks, rest):
    """Return the function that gives the first or last UUID of a timestamp."""

    def call(data):
        if not data:
            return None
        return timeuuid(TIMESTAMP.deserialize(data) * 10_000 + GREGORIAN + ticks & (1 << 60) - 1, rest)

    return call


def _of_now(cql_type):
    return lambda now: _from_milliseconds(cql_type, int(now * 1000))


register("uuid", [], UUID, lambda: uuid.uuid4().bytes)
register("now current_timeuuid currenttimeuuid", [], TIMEUUID, _uuids.make, needs_now=True)
register("current_timestamp currenttimestamp", [], TIMESTAMP, _of_now(TIMESTAMP), needs_now=True)
register("current_date currentdate", [], DATE, _of_now(DATE), needs_now=True)
register(
    "current_time currenttime",
    [],
    TIME,
    lambda now: TIME.serialize(int(now * 1_000_000_000) % calendar.DAY_NS),
    needs_now=True,
)
register("min_timeuuid mintimeuuid", [TIMESTAMP], TIMEUUID, _limit_of_millisecond(0, b"\x80" * 8))
register("max_timeuuid maxtimeuuid", [TIMESTAMP], TIMEUUID, _limit_of_millisecond(9_999, b"\x7f" * 8))
for _target, _names, _sources in (
    (DATE, "to_date todate", (TIMEUUID, TIMESTAMP)),
    (TIMESTAMP, "to_timestamp totimestamp", (TIMEUUID, DATE)),
    (BIGINT, "to_unix_timestamp tounixtimestamp", (TIMEUUID, TIMESTAMP, DATE)),
):
    for _source in _sources:
        register(_names, [_source], _target, convert_time(_source, _target))


# --- floor --------------------------------------------------------------------------------------------------------------------


def floor_milliseconds(time, duration, start):
    """Return the last of start, start + duration, start + 2 durations … that is not after `time` (milliseconds)."""
    if start > time:
        raise InvalidRequest("The floor function starting time is greater than the provided time")
    if min(duration) < 0:
        raise InvalidRequest("Negative durations are not supported by the floor function")
    whole = duration.days * calendar.DAY_MS + duration.nanoseconds // 1_000_000
    if not duration.months:
        return time - (time - start) % whole if whole else time
    if not whole:  # Cassandra counts months of the calendar here, whatever their days: the result may be after `time`
        steps = (_month(time) - _month(start)) // duration.months
        return _stepped(start, duration, steps)
    steps = (time - start) // (duration.months * 28 * calendar.DAY_MS + whole)  # no month is shorter: never too few
    while steps and _stepped(start, duration, steps) > time:
        steps -= 1
    return _stepped(start, duration, steps)


def _month(milliseconds):
    year, month, _ = calendar.date_of(milliseconds // calendar.DAY_MS)
    return year * 12 + month


def _stepped(start, duration, steps):
    return add_duration(start, Duration(*(part * steps for part in duration)))


def _floor(source, target):
    def call(time, duration, start=None):
        duration = DURATION.deserialize(duration)
        if target is DATE and duration.nanoseconds % calendar.DAY_NS:
            raise InvalidRequest(
                f"The floor on {source} values cannot be computed for the {duration} duration as precision is below 1 day"
            )
        if duration.nanoseconds % 1_000_000:
            raise InvalidRequest(f"The floor cannot be computed for the {duration} duration as precision is below 1 millisecond")
        origin = 0 if start is None else _milliseconds(target, start)
        return _from_milliseconds(target, floor_milliseconds(_milliseconds(source, time), duration, origin))

    return strict(call)


def _floor_time(time, duration):
    duration = DURATION.deserialize(duration)
    if min(duration) < 0:
        raise InvalidRequest("Negative durations are not supported by the floor function")
    if duration.months or duration.days or duration.nanoseconds > calendar.DAY_NS:
        raise InvalidRequest("For time values, the floor can only be computed for durations smaller that a day")
    value = TIME.deserialize(time)
    return TIME.serialize(value - value % duration.nanoseconds if duration.nanoseconds else value)


for _source, _target in ((TIMESTAMP, TIMESTAMP), (TIMEUUID, TIMESTAMP), (DATE, DATE)):
    register("floor", [_source, DURATION], _target, _floor(_source, _target))
    register("floor", [_source, DURATION, _target], _target, _floor(_source, _target))
register("floor", [TIME, DURATION], TIME, strict(_floor_time))
