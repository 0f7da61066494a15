"""Points in time as the store keeps them: whole microseconds since 1970-01-01T00:00:00Z, in a 64-bit integer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Microseconds since the epoch. ``ValueError`` for a time without a zone: it would name no point in time."""
    if time.tzinfo is None:
        raise ValueError("a time without a zone names no point in time")
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The time in UTC. ``OverflowError`` outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=micros)


def micros_or_none(time: datetime | None) -> int | None:
    """As `to_micros`; None stays None."""
    return None if time is None else to_micros(time)


def time_or_none(micros: int | None) -> datetime | None:
    """As `from_micros`; None stays None."""
    return None if micros is None else from_micros(micros)
