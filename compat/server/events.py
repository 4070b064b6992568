"""Which changes of the feed are events to Redis, and of which class. The one place that says so."""

from __future__ import annotations

from typing import Final

_BY_CLASS: Final = {
    "g": "del rename_from rename_to copy_to move_from move_to restore expire persist sortstore ts.incrby ts.decrby",
    "$": "set setrange setbit pfadd append incrby incrbyfloat",
    "l": "lpush rpush lpop rpop linsert lset lrem ltrim",
    "s": "sadd srem spop sinterstore sunionstore sdiffstore",
    "h": "hset hincrby hincrbyfloat hdel hexpire hexpired hpersist",
    "z": (
        "zadd zincr zrem zremrangebyrank zremrangebyscore zremrangebylex zpopmin zpopmax zunionstore zinterstore "
        "zdiffstore zrangestore geosearchstore georadiusstore"
    ),
    "t": ("xadd xtrim xdel xsetid xgroup-create xgroup-createconsumer xgroup-setid xgroup-destroy xgroup-delconsumer"),
    "x": "expired",
    "e": "evicted",
    "d": (
        "ts.create ts.alter ts.add ts.add:dest ts.del ts.createrule:src ts.createrule:dest ts.deleterule:src ts.deleterule:dest"
    ),
    "m": "keymiss",
    "n": "new",
}
EVENTS: Final = {event: kind for kind, events in _BY_CLASS.items() for event in events.split()}
_ALL: Final = "g$lshzxetd"
_SHOWN: Final = "g$lshzxetdn"


def parse_events(text: str) -> str:
    """The setting in Redis' order, A spelt out. Raises ValueError for a character that means nothing."""
    chosen = set(text.replace("A", _ALL))
    if chosen - set("KEm" + _SHOWN):
        raise ValueError(text)
    return "".join(each for each in _SHOWN + "KEm" if each in chosen)


def show_events(setting: str) -> str:
    """The setting as CONFIG GET shows it: A for all classes."""
    if set(_ALL) <= set(setting):
        return "A" + "".join(each for each in setting if each in "KEm")
    return setting


# Events that change nothing: reported only while somebody wants them.
SILENT: Final = {"m": "keymiss", "n": "new"}
