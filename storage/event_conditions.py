"""Places of JSON values in their order, and what conditions ask of them (specs: nemesis.md 7.6)."""

from __future__ import annotations

from typing import Any, Final

# The place of a JSON value among all JSON values; see order_of.
Order = tuple[Any, ...]


def order_of(value: Any) -> Order:
    """Where a JSON value stands: null < bool < number < string < array < object (specs: nemesis.md 7.6).

    Within a kind: numbers by value, strings by their bytes, arrays item by item and then by length, objects
    member by member in the order in which they are written.
    """
    kind = type(value)
    if kind is int or kind is float:
        return (2, value)
    if kind is str:
        return (3, value.encode())
    if value is None:
        return (0,)
    if kind is bool:
        return (1, value)
    if kind is list:
        return (4, *map(order_of, value))
    return (5, *((name.encode(), order_of(item)) for name, item in value.items()))


class Between:
    """Values from one place in the order to another: what one operator of ``where`` asks for.

    ``low`` and ``high`` are places, None where that side is open; ``with_ends`` says which ends belong to it.
    """

    __slots__ = ("high", "low", "with_high", "with_low")

    def __init__(
        self, low: Order | None = None, high: Order | None = None, *, with_low: bool = True, with_high: bool = True
    ) -> None:
        self.low = low
        self.high = high
        self.with_low = with_low
        self.with_high = with_high

    def holds(self, place: Order) -> bool:
        """Whether a value in this place is meant."""
        low, high = self.low, self.high
        if low is not None and (place < low or (place == low and not self.with_low)):
            return False
        return not (high is not None and (place > high or (place == high and not self.with_high)))


NOTHING: Final = Between((6,), (6,))

# Member -> what its value must be; all must hold.
Where = dict[str, Between]
