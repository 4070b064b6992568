"""The setting of keyspace notifications: which classes of events (storage/event_table.py) are published."""

from __future__ import annotations

from typing import Final

_ALL: Final = "g$lshzxetd"
_SHOWN: Final = "g$lshzxetdn"


def parse_events(text: str) -> str:
    """The setting in Redis' order, A spelt out. Raises ValueError for an unknown character."""
    chosen = set(text.replace("A", _ALL))
    if chosen - set("KEm" + _SHOWN):
        raise ValueError(text)
    return "".join(each for each in _SHOWN + "KEm" if each in chosen)


def show_events(setting: str) -> str:
    """The setting as CONFIG GET shows it: A for all classes."""
    if set(_ALL) <= set(setting):
        return "A" + "".join(each for each in setting if each in "KEm")
    return setting
