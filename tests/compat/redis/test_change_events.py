"""What the change feed reports of each verb: once, under the name that Redis' notifications use.

The expected events are those that redis-server 7.0.15 publishes for the same lines with ``AKEnm``.
"""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def events(house: Any) -> list[str]:
    found: list[str] = []
    house.store.feed.want("test", ("new", "keymiss"))
    house.store.feed.subscribe(lambda keyspace, event, key, detail: found.append(f"{event} {key.decode()}".strip()))
    return found


@pytest.mark.parametrize(
    ("lines", "reported"),
    [
        ("SET k v", "new k, set k"),
        ("SET k v; SET k w", "new k, set k, set k"),
        ("SET k v EX 100", "new k, set k, expire k"),
        ("SET k v; SET k w KEEPTTL", "new k, set k, set k"),
        ("SET k v; SET k w EX 100 GET", "new k, set k, set k, expire k"),
        ("SET k v NX; SET k v NX", "new k, set k"),
        ("SET k v GET", "keymiss k, new k, set k"),
        ("SET k v XX", ""),
        ("SETNX k v; SETNX k v", "new k, set k"),
        ("SETEX k 10 v", "new k, set k, expire k"),
        ("PSETEX k 10000 v", "new k, set k, expire k"),
        ("GETSET k v; GETSET k w", "keymiss k, new k, set k, set k"),
        ("SET k v; GETDEL k; GETDEL k", "new k, set k, del k, keymiss k"),
        ("SET k v; GETEX k; GETEX k EX 10", "new k, set k, expire k"),
        ("SET k v EX 10; GETEX k PERSIST; GETEX k PERSIST", "new k, set k, expire k, persist k"),
        ("SET k v; GETEX k EXAT 1", "new k, set k, del k"),
        ("MSET a 1 b 2", "new a, set a, new b, set b"),
        ("MSETNX a 1 b 2; MSETNX a 1", "new a, set a, new b, set b"),
        ("APPEND k a; APPEND k b", "new k, append k, append k"),
        ('SETRANGE k 0 a; SETRANGE k 0 ""; SETRANGE k 3 b', "new k, setrange k, setrange k"),
        ("INCR k; DECR k; INCRBY k 3; DECRBY k 3", "new k, incrby k, incrby k, incrby k, incrby k"),
        ("INCRBYFLOAT k 1.5", "new k, incrbyfloat k"),
        ("SET k a; INCR k; INCRBYFLOAT k 1", "new k, set k"),
        ("MSET a 1 b 2; DEL a b c; UNLINK a", "new a, set a, new b, set b, del a, del b"),
        ("SET a 1; RENAME a b; RENAME b b", "new a, set a, new b, rename_from a, rename_to b"),
        ("MSET a 1 b 2; RENAMENX a b", "new a, set a, new b, set b"),
        ("SET a 1; COPY a b; COPY a b", "new a, set a, new b, copy_to b"),
        ("MSET a 1 b 2; COPY a b REPLACE", "new a, set a, new b, set b, new b, copy_to b"),
        ("SET a 1; MOVE a 1; MOVE a 1", "new a, set a, new a, move_from a, move_to a"),
        ("SET a 1; EXPIRE a 10; PEXPIRE a 9999", "new a, set a, expire a, expire a"),
        ("SET a 1; EXPIREAT a 4000000000; PEXPIREAT a 4000000000000", "new a, set a, expire a, expire a"),
        ("SET a 1; EXPIRE a 10; PERSIST a; PERSIST a; EXPIRE a 10 XX", "new a, set a, expire a, persist a"),
        ("SET a 1; EXPIRE a -1", "new a, set a, del a"),
        ("SET k v PX 10; wait; GET k", "new k, set k, expire k, expired k, keymiss k"),
        ("SET k v PX 10; wait; SET k w", "new k, set k, expire k, expired k, new k, set k"),
        ("SET k v PX 10; wait; INCR k", "new k, set k, expire k, expired k, new k, incrby k"),
        ("SET k v PX 10; wait; SETEX k 9 w", "new k, set k, expire k, expired k, new k, set k, expire k"),
        ("SET k v PX 10; wait; DEL k", "new k, set k, expire k, expired k"),
        ("SET k v PX 10; wait; TTL k", "new k, set k, expire k, expired k, keymiss k"),
        ("SET k v PX 10; wait; OBJECT ENCODING k", "new k, set k, expire k, expired k"),
        ("GET n; TTL n; TYPE n; EXISTS n; STRLEN n", "keymiss n, keymiss n, keymiss n, keymiss n, keymiss n"),
        ("MGET m n; LCS m n", "keymiss m, keymiss n, keymiss m, keymiss n"),
        ("COPY n x; GETEX n; GETDEL n; TOUCH n; GETRANGE n 0 1", ", ".join(["keymiss n"] * 5)),
        ("OBJECT ENCODING n; EXPIRE n 1; PERSIST n; DEL n; RENAME n x", ""),
        ("SET a 1; SWAPDB 0 1; SWAPDB 0 0", "new a, set a, swapdb, swapdb"),
        ("SET a 1; FLUSHDB; FLUSHDB; FLUSHALL", "new a, set a, flushdb"),
        ("MULTI; SET a 1; INCR a; EXEC", "new a, set a, incrby a"),
    ],
)
def test_events(house: Any, wire: Any, events: list[str], lines: str, reported: str) -> None:
    for line in lines.split("; "):
        if line == "wait":
            house.clock.advance(11)
        else:
            wire.line(line)
    assert ", ".join(events) == reported


def test_changes_are_counted_without_listeners(house: Any, wire: Any) -> None:
    before = house.store.feed.changes
    for line in ("SET a 1", "INCR a", "MSET b 1 c 2", "DEL a b", "GET c", "EXPIRE c 10", "FLUSHDB"):
        wire.line(line)
    assert house.store.feed.changes - before == 1 + 1 + 2 + 2 + 0 + 1 + 1
