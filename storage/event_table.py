"""Every event that the feed reports: its class in Redis' keyspace notifications, how the log has it, how that is done again.

Whoever adds an event declares it here; tests refuse one that is not. Nothing is looked up here while commands run,
except by those who listen.
"""

from __future__ import annotations

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


def _declare(
    names: str, notified: str = "", *, logged: Logged = Logged.VALUE, effects: str = "", result: bool = False
) -> None:
    for name in names.split():
        if name in EVENTS:
            raise ValueError(f"the event {name} is declared twice")
        EVENTS[name] = Event(name, notified, logged, frozenset(effects.split()), result)


# ---------------------------------------------------------------- keys

_declare("del", "g", logged=Logged.REMOVAL)
_declare("expired", "x", logged=Logged.REMOVAL)
_declare("expire persist", "g", logged=Logged.DEADLINE)
_declare("rename_from", "g", logged=Logged.RENAME)
_declare("rename_to", "g", logged=Logged.RENAMED)
_declare("copy_to", "g", logged=Logged.COPY)
_declare("move_from move_to restore", "g")
_declare("new", "n", logged=Logged.NOTHING)
_declare("keymiss", "m", logged=Logged.NOTHING)
_declare("flushdb", logged=Logged.FLUSH)
_declare("swapdb", logged=Logged.SWAP)
_declare("session_new", logged=Logged.SESSION)
_declare("session_end", logged=Logged.END)

# ---------------------------------------------------------------- strings

_declare("set incrby", "$", logged=Logged.PLAIN)
_declare("incrbyfloat", "$")
_declare("append setrange setbit pfadd", "$", effects="string.write")
_declare("pfcount", effects="string.write")
_declare("pfdebug")

# ---------------------------------------------------------------- lists

_declare("lpush", "l", effects="list.push")
_declare("rpush", "l", effects="list.push array.append")
_declare("lpop rpop", "l", effects="list.pop")
_declare("lset", "l", effects="list.set")
_declare("linsert", "l", effects="list.insert")
_declare("lrem", "l", effects="list.remove_equal")
_declare("ltrim", "l", effects="list.keep")
_declare("sortstore", "g", result=True)

# ---------------------------------------------------------------- sets and hashes

_declare("sadd", "s", effects="set.add")
_declare("srem spop", "s", effects="set.remove")
_declare("sinterstore sunionstore sdiffstore", "s")
_declare("hset", "h", effects="hash.put array.append")
_declare("hincrby hincrbyfloat", "h", effects="hash.put hash.keep")
_declare("hdel hexpired", "h", effects="hash.remove")
_declare("hexpire hpersist", "h", effects="hash.time")

# ---------------------------------------------------------------- sorted sets

_declare("zadd zincr", "z", effects="zset.put")
_declare("zrem", "z", effects="zset.remove")
_declare("zpopmin zpopmax", "z", effects="zset.remove zset.cut")
_declare("zremrangebyrank zremrangebyscore zremrangebylex", "z", effects="zset.cut")
_declare("zunionstore zinterstore zdiffstore zrangestore geosearchstore georadiusstore", "z", result=True)

# ---------------------------------------------------------------- streams

_declare("xadd", "t", effects="stream.add")
_declare("xtrim", "t", effects="stream.trim")
_declare("xdel", "t", effects="stream.delete")
_declare("xsetid", "t", effects="stream.setid")
_declare("xgroup-create xgroup-setid", "t", effects="stream.group")
_declare("xgroup-createconsumer", "t", effects="stream.consumer")
_declare("xgroup-destroy", "t", effects="stream.group_gone")
_declare("xgroup-delconsumer", "t", effects="stream.consumer_gone")
_declare("xreadgroup", effects="stream.deliver stream.deliver_from stream.claim")
_declare("xack", effects="stream.acknowledge")
_declare("xclaim xautoclaim", effects="stream.claim")

# ---------------------------------------------------------------- series

_declare("ts.create", "d")
_declare("ts.created")
_declare("ts.alter", "d", effects="samples.alter")
_declare("ts.add ts.add:dest", "d", effects="samples.put")
_declare("ts.corrected", effects="samples.put samples.told")
_declare("ts.incrby ts.decrby", "g", effects="samples.put")
_declare("ts.del", "d", effects="samples.cut")
_declare("ts.createrule:src", "d", effects="samples.rule")
_declare("ts.createrule:dest ts.deleterule:dest", "d", effects="samples.source")
_declare("ts.deleterule:src", "d", effects="samples.unrule")
_declare("ts.addevt", effects="events.add")
_declare("ts.delevt", effects="events.remove")
_declare("ts.createindex", effects="events.index")

# ----------------------------------------------------------------

NOTIFIED: Final = {name: event.notified for name, event in EVENTS.items() if event.notified}
SILENT: Final = frozenset(name for name, event in EVENTS.items() if event.logged is Logged.NOTHING)
RESULTS: Final = frozenset(name for name, event in EVENTS.items() if event.result)
# What befalls all keys of a keyspace at once: the key is b"".
FLUSHES: Final = frozenset(name for name, event in EVENTS.items() if event.logged is Logged.FLUSH)
SWAPS: Final = frozenset(name for name, event in EVENTS.items() if event.logged is Logged.SWAP)
OF_ALL_KEYS: Final = FLUSHES | SWAPS


def wrong(event: str, detail: tuple[object, ...]) -> str:
    """What is wrong with an event that was reported, for tests; "" if nothing is."""
    declared = EVENTS.get(event)
    if declared is None:
        return f"the event {event} is not declared"
    named = detail[0] if detail else None
    if type(named) is str and named not in declared.effects:
        return f"the effect {named!r} is not declared for the event {event}"
    return ""
