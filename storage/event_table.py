"""Every event that the feed reports: its class in Redis' keyspace notifications, how the log has it, how that is done again.

Whoever adds an event declares it here; tests refuse one that is not. Nothing is looked up here while commands run,
except by those who listen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Logged(Enum):
    """How the log has an event. Each is an operation of durability/replay.py, which does it again.

    An event whose detail begins with the name of an effect is logged as that; the module with the operation that reports it
    has the function that does it again, in its EFFECTS.
    """

    VALUE = auto()  # as the value that the key has afterwards, or its removal if it has none
    PLAIN = auto()  # the same; the value is mostly a string or a number, which the collector of changes packs itself
    REMOVAL = auto()
    DEADLINE = auto()  # as the deadline that the key has afterwards
    RENAME = auto()
    RENAMED = auto()  # not at all: the event of the old name has said it
    COPY = auto()
    FLUSH = auto()
    SWAP = auto()
    SESSION = auto()
    END = auto()
    LIBRARY = auto()
    NOTHING = auto()  # not at all: it changes nothing, and is reported only while somebody wants it


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``notified``: its class letter in ``notify-keyspace-events``, "" for our own, which Redis does not publish.

    ``effects``: those that its detail may name. ``result``: it stores a result of a command over whatever the key held, and
    the result is of a kind that clients wait for.
    """

    name: str
    notified: str
    logged: Logged = Logged.VALUE
    effects: frozenset[str] = frozenset()
    result: bool = False


EVENTS: Final[dict[str, Event]] = {}
# The same by what listeners ask: class letters, and sets of names.
NOTIFIED: Final[dict[str, str]] = {}
SILENT: Final[set[str]] = set()
RESULTS: Final[set[str]] = set()
# What befalls all keys of a keyspace at once: the key is b"".
FLUSHES: Final[set[str]] = set()
SWAPS: Final[set[str]] = set()
OF_ALL_KEYS: Final[set[str]] = set()


def declare(
    names: str, notified: str = "", *, logged: Logged = Logged.VALUE, effects: str = "", result: bool = False
) -> None:
    """Declare events. Raises ValueError for one that is declared already."""
    for name in names.split():
        if name in EVENTS:
            raise ValueError(f"the event {name} is declared twice")
        EVENTS[name] = Event(name, notified, logged, frozenset(effects.split()), result)
        if notified:
            NOTIFIED[name] = notified
        for names_of, wanted in _KINDS:
            if wanted(EVENTS[name]):
                names_of.add(name)


_KINDS: Final[tuple[tuple[set[str], Callable[[Event], bool]], ...]] = (
    (SILENT, lambda event: event.logged is Logged.NOTHING),
    (RESULTS, lambda event: event.result),
    (FLUSHES, lambda event: event.logged is Logged.FLUSH),
    (SWAPS, lambda event: event.logged is Logged.SWAP),
    (OF_ALL_KEYS, lambda event: event.logged in (Logged.FLUSH, Logged.SWAP)),
)


# ---------------------------------------------------------------- keys

declare("del", "g", logged=Logged.REMOVAL)
declare("expired", "x", logged=Logged.REMOVAL)
declare("expire persist", "g", logged=Logged.DEADLINE)
declare("rename_from", "g", logged=Logged.RENAME)
declare("rename_to", "g", logged=Logged.RENAMED)
declare("copy_to", "g", logged=Logged.COPY)
declare("move_from move_to restore", "g")
declare("new", "n", logged=Logged.NOTHING)
declare("keymiss", "m", logged=Logged.NOTHING)
declare("flushdb", logged=Logged.FLUSH)
declare("swapdb", logged=Logged.SWAP)
declare("session_new", logged=Logged.SESSION)
declare("session_end", logged=Logged.END)
declare("library", logged=Logged.LIBRARY)

# ---------------------------------------------------------------- strings

declare("set incrby", "$", logged=Logged.PLAIN)
declare("incrbyfloat", "$")
declare("append setrange setbit pfadd", "$", effects="string.write")
declare("pfcount", effects="string.write")
declare("pfdebug")

# ---------------------------------------------------------------- lists

declare("lpush", "l", effects="list.push")
declare("rpush", "l", effects="list.push array.append")
declare("lpop rpop", "l", effects="list.pop")
declare("lset", "l", effects="list.set")
declare("linsert", "l", effects="list.insert")
declare("lrem", "l", effects="list.remove_equal")
declare("ltrim", "l", effects="list.keep")
declare("sortstore", "g", result=True)

# ---------------------------------------------------------------- sets and hashes

declare("sadd", "s", effects="set.add")
declare("srem spop", "s", effects="set.remove")
declare("sinterstore sunionstore sdiffstore", "s")
declare("hset", "h", effects="hash.put array.append")
declare("hincrby hincrbyfloat", "h", effects="hash.put hash.keep")
declare("hdel hexpired", "h", effects="hash.remove")
declare("hexpire hpersist", "h", effects="hash.time")

# ---------------------------------------------------------------- sorted sets

declare("zadd zincr", "z", effects="zset.put")
declare("zrem", "z", effects="zset.remove")
declare("zpopmin zpopmax", "z", effects="zset.remove zset.cut")
declare("zremrangebyrank zremrangebyscore zremrangebylex", "z", effects="zset.cut")
declare("zunionstore zinterstore zdiffstore zrangestore geosearchstore georadiusstore", "z", result=True)

# ---------------------------------------------------------------- streams

declare("xadd", "t", effects="stream.add")
declare("xtrim", "t", effects="stream.trim")
declare("xdel", "t", effects="stream.delete")
declare("xsetid", "t", effects="stream.setid")
declare("xgroup-create xgroup-setid", "t", effects="stream.group")
declare("xgroup-createconsumer", "t", effects="stream.consumer")
declare("xgroup-destroy", "t", effects="stream.group_gone")
declare("xgroup-delconsumer", "t", effects="stream.consumer_gone")
declare("xreadgroup", effects="stream.deliver stream.deliver_from stream.claim")
declare("xack", effects="stream.acknowledge")
declare("xclaim xautoclaim", effects="stream.claim")

# ---------------------------------------------------------------- series

declare("ts.create", "d")
declare("ts.created")
declare("ts.alter", "d", effects="samples.alter")
declare("ts.add ts.add:dest", "d", effects="samples.put")
declare("ts.corrected", effects="samples.put samples.told")
declare("ts.incrby ts.decrby", "g", effects="samples.put")
declare("ts.del", "d", effects="samples.cut")
declare("ts.createrule:src", "d", effects="samples.rule")
declare("ts.createrule:dest ts.deleterule:dest", "d", effects="samples.source")
declare("ts.deleterule:src", "d", effects="samples.unrule")
declare("ts.addevt", effects="events.append events.put")
declare("ts.delevt", effects="events.remove events.remove_rows")
declare("ts.evtexpired", effects="events.remove_rows")
declare("ts.createindex", effects="events.index")
declare("ts.dropindex", effects="events.unindex")


def wrong(event: str, detail: tuple[object, ...]) -> str:
    """What is wrong with an event that was reported, for tests; "" if nothing is."""
    declared = EVENTS.get(event)
    if declared is None:
        return f"the event {event} is not declared"
    named = detail[0] if detail else None
    if type(named) is str and named not in declared.effects:
        return f"the effect {named!r} is not declared for the event {event}"
    return ""
