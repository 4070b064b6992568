"""Which series of a keyspace carry which labels, and the filters that choose series by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Labels = Mapping[bytes, bytes]

_NO_LABELS: Final[Labels] = {}


def labels_of(series: object) -> Labels:
    """The labels of a series; series of events have none."""
    return getattr(series, "labels", _NO_LABELS)


class LabelIndex:
    """For each label and value the keys of the series that have it. Its keyspace keeps it in step."""

    __slots__ = ("by_label", "keys")

    def __init__(self) -> None:
        self.keys: dict[bytes, None] = {}  # all labelled or not, in order of creation
        self.by_label: dict[bytes, dict[bytes, dict[bytes, None]]] = {}

    def add(self, key: bytes, labels: Labels) -> None:
        """A series has got these labels."""
        self.keys[key] = None
        for name, value in labels.items():
            self.by_label.setdefault(name, {}).setdefault(value, {})[key] = None

    def discard(self, key: bytes, labels: Labels) -> None:
        """A series has lost these labels, or is gone."""
        self.keys.pop(key, None)
        for name, value in labels.items():
            values = self.by_label[name]
            del values[value][key]
            if not values[value]:
                del values[value]
                if not values:
                    del self.by_label[name]

    def choose(self, filters: Sequence[Filter]) -> list[bytes]:
        """Keys of the series that pass all filters, ascending."""
        chosen: set[bytes] | None = None
        for each in filters:
            if each.needs_label:
                found = self._with(each)
                chosen = found if chosen is None else chosen & found
        if chosen is None:
            chosen = set(self.keys)
        for each in filters:
            if not each.needs_label:
                chosen -= self._refused(each)
        return sorted(chosen)

    def _with(self, wanted: Filter) -> set[bytes]:
        """Keys whose label has one of the wanted values."""
        found: set[bytes] = set()
        values = self.by_label.get(wanted.label, {})
        for value in wanted.values if wanted.matches is None else filter(wanted.matches, values):
            found |= values.get(value, {}).keys()
        return found

    def _refused(self, wanted: Filter) -> set[bytes]:
        """Keys that a filter without a needed label refuses: label=, label!=value, label!=(...), label!~regex."""
        values = self.by_label.get(wanted.label, {})
        refused: set[bytes] = set()
        unwanted = (
            values if wanted.any_value else wanted.values if wanted.matches is None else filter(wanted.matches, values)
        )
        for value in unwanted:
            refused |= values.get(value, {}).keys()
        return refused

    def check(self, series: Mapping[bytes, Any]) -> None:
        """Assert that exactly these series are indexed, with their labels; for tests."""
        assert self.keys.keys() == series.keys()
        found = {(n, v, key) for n, values in self.by_label.items() for v, keys in values.items() for key in keys}
        assert found == {(n, v, key) for key, each in series.items() for n, v in labels_of(each).items()}


class Filter:
    """One condition on a label.

    With ``needs_label`` the label must be there, with one of ``values``, or one that ``matches``. Without,
    it must not have one of them; ``any_value`` refuses every value (``label=``).
    """

    __slots__ = ("any_value", "label", "matches", "needs_label", "values")

    def __init__(
        self,
        label: bytes,
        values: Sequence[bytes] = (),
        *,
        needs_label: bool = True,
        any_value: bool = False,
        matches: Callable[[bytes], bool] | None = None,
    ) -> None:
        self.label = label
        self.values = values
        self.needs_label = needs_label
        self.any_value = any_value
        self.matches = (lambda value: True) if needs_label and any_value else matches
