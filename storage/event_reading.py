"""Reading series of events as the Ditto API does."""

from __future__ import annotations

from .event_views import EventView
from .event_writing import series_to_read
from .keyspace import Keyspace


def view_of(keyspace: Keyspace, key: bytes) -> EventView:
    """What the series of a key holds now; an empty one where there is no key. Raises WrongType."""
    series = series_to_read(keyspace, key)
    if series is None:
        return EventView([], [], {}, keyspace.clock.now_ms)
    return series.view(keyspace.clock.now_ms)
