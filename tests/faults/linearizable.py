"""Whether a recorded history of one register could have happened one operation after the other.

The check goes through the history in order of time and keeps every pair (value, concurrent operations that have already
taken effect) that is consistent with the replies so far. When an operation ends, it must have taken effect: pairs in
which it has not are extended by effects of concurrent operations until it has. No pair left: not linearizable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Value = bytes | None


@dataclass(slots=True, eq=False)
class Operation:
    """One operation: ``verb`` is "get", "set" or "swap" (GETSET).

    ``end`` is None where no reply came: it may have taken effect at any time since, or never. ``found`` is what
    "get" and "swap" were answered.
    """

    verb: str
    start: float
    end: float | None = None
    written: Value = None
    found: Value = None


def is_linearizable(operations: Iterable[Operation], first: Value = None) -> bool:
    """Check a history; times have to come from one clock. Exponential only in the number of concurrent operations."""
    history = [each for each in operations if each.end is not None or each.verb != "get"]
    moments = [(each.start, 0, number) for number, each in enumerate(history)]
    moments += [(each.end, 1, number) for number, each in enumerate(history) if each.end is not None]
    under_way: set[int] = set()
    held: set[tuple[Value, frozenset[int]]] = {(first, frozenset())}
    for _, is_end, number in sorted(moments):
        if not is_end:
            under_way.add(number)
            continue
        reached: set[tuple[Value, frozenset[int]]] = set()
        seen = set(held)
        ahead = list(held)
        while ahead:
            value, done = ahead.pop()
            if number in done:
                reached.add((value, done - {number}))
                continue
            for each in under_way - done:
                operation = history[each]
                if operation.verb != "set" and operation.end is not None and operation.found != value:
                    continue
                after = value if operation.verb == "get" else operation.written
                pair = (after, done | {each})
                if pair not in seen:
                    seen.add(pair)
                    ahead.append(pair)
        under_way.discard(number)
        held = reached
        if not held:
            return False
    return True
