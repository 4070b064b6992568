"""Which series of a keyspace carry which labels, and the filters that select series by them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, Final

Labels = Mapping[bytes, bytes]

# The labels of a metric's series that are not tags: its name, and who may see it.
NAME_LABEL: Final = b"__name__"
VISIBILITY_LABEL: Final = b"viz"

_NO_LABELS: Final[Labels] = {}
_ALL: Final = None  # stands for all metrics


def labels_of(series: object) -> Labels:
    """The labels of a series; series of events have none."""
    return getattr(series, "labels", _NO_LABELS)


class Names:
    """Names, each with the number of series that have it. Sorted when first asked for."""

    __slots__ = ("_in_order", "counts")

    def __init__(self) -> None:
        self.counts: dict[bytes, int] = {}
        self._in_order: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.counts)

    def add(self, name: bytes) -> None:
        """One more series has it."""
        counts = self.counts
        if name in counts:
            counts[name] += 1
            return
        counts[name] = 1
        if self._in_order is not None:
            insort(self._in_order, name)

    def discard(self, name: bytes) -> None:
        """One series fewer has it."""
        if self.counts[name] > 1:
            self.counts[name] -= 1
            return
        del self.counts[name]
        if self._in_order is not None:
            del self._in_order[bisect_left(self._in_order, name)]

    def in_order(self) -> list[bytes]:
        """The names, ascending; not to be changed, and only valid until a series is created or removed."""
        if self._in_order is None:
            self._in_order = sorted(self.counts)
        return self._in_order


def label_values(labels: Labels, names: Sequence[bytes]) -> tuple[bytes, ...] | None:
    """The values of the labels that series are grouped by; None if one is missing."""
    found = [labels.get(name) for name in names]
    return None if None in found else tuple(found)  # type: ignore[arg-type]


class Catalogue:
    """The metrics of a keyspace with their tags: for each the keys, for each key the values."""

    __slots__ = ("metrics", "tags")

    def __init__(self) -> None:
        self.metrics = Names()
        # metric, or None for all of them -> key -> values
        self.tags: dict[bytes | None, dict[bytes, Names]] = {}

    def add(self, labels: Labels) -> None:
        """Note a new series with these labels."""
        metric = labels.get(NAME_LABEL)
        if metric is None:
            return
        self.metrics.add(metric)
        owners = self.tags.setdefault(metric, {}), self.tags.setdefault(_ALL, {})
        for key, value in labels.items():
            if key in (NAME_LABEL, VISIBILITY_LABEL):
                continue
            for tags in owners:
                values = tags.get(key)
                if values is None:
                    values = tags[key] = Names()
                values.add(value)

    def discard(self, labels: Labels) -> None:
        """Note that a series with these labels is gone."""
        metric = labels.get(NAME_LABEL)
        if metric is None:
            return
        self.metrics.discard(metric)
        for owner in (metric, _ALL):
            tags = self.tags[owner]
            for key, value in tags_of(labels):
                values = tags[key]
                values.discard(value)
                if not values:
                    del tags[key]
        if metric not in self.metrics.counts:
            del self.tags[metric]

    def tags_of(self, metric: bytes | None) -> Mapping[bytes, Names]:
        """The tag keys of a metric, or of all metrics (None), with their values."""
        return self.tags.get(metric, {})


def tags_of(labels: Labels) -> Iterator[tuple[bytes, bytes]]:
    """Those labels of a metric's series that are tags."""
    return (pair for pair in labels.items() if pair[0] != NAME_LABEL and pair[0] != VISIBILITY_LABEL)


class LabelIndex:
    """For each label and value the keys of the series that have it. Its keyspace keeps it up to date."""

    __slots__ = ("by_label", "catalogue", "keys")

    def __init__(self) -> None:
        self.keys: dict[bytes, None] = {}  # all series, labelled or not, in order of creation
        self.by_label: dict[bytes, dict[bytes, dict[bytes, None]]] = {}
        self.catalogue = Catalogue()

    def add(self, key: bytes, labels: Labels) -> None:
        """Note that a series has got these labels."""
        self.keys[key] = None
        for name, value in labels.items():
            self.by_label.setdefault(name, {}).setdefault(value, {})[key] = None
        self.catalogue.add(labels)

    def discard(self, key: bytes, labels: Labels) -> None:
        """Note that a series has lost these labels, or is gone."""
        self.keys.pop(key, None)
        self.catalogue.discard(labels)
        for name, value in labels.items():
            values = self.by_label[name]
            del values[value][key]
            if not values[value]:
                del values[value]
                if not values:
                    del self.by_label[name]

    def keys_with(self, name: bytes, value: bytes) -> Mapping[bytes, None]:
        """The keys of the series with a value of a label, in order of creation."""
        return self.by_label.get(name, {}).get(value, {})

    def choose(self, filters: Sequence[Filter]) -> list[bytes]:
        """Keys of the series that pass all filters, ascending."""
        chosen: Set[bytes] | None = None
        for each in filters:
            if each.needs_label:
                found = self._with(each)
                chosen = found if chosen is None else chosen & found
        if chosen is None:
            chosen = self.keys.keys()
        for each in filters:
            if not each.needs_label:
                chosen = chosen - self._refused(each)
        return sorted(chosen)

    def _with(self, wanted: Filter) -> Set[bytes]:
        """Keys whose label has one of the wanted values."""
        values = self.by_label.get(wanted.label, {})
        passing = wanted.values if wanted.matches is None else list(filter(wanted.matches, values))
        if len(passing) == 1:  # not copied: an intersection with a small set is cheap
            return values.get(passing[0], {}).keys()
        found: set[bytes] = set()
        for value in passing:
            found |= values.get(value, {}).keys()
        return found

    def _refused(self, wanted: Filter) -> set[bytes]:
        """Keys rejected by a filter that does not need its label: label=, label!=value, label!=(...), label!~regex."""
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
        again = Catalogue()
        for each in series.values():
            again.add(labels_of(each))
        assert self.catalogue.metrics.counts == again.metrics.counts
        for catalogue, other in ((self.catalogue, again), (again, self.catalogue)):
            for metric, tags in catalogue.tags.items():
                for key, values in tags.items():
                    assert values.counts == other.tags[metric][key].counts
                    assert values.in_order() == sorted(values.counts)


class Filter:
    """One condition on a label.

    With ``needs_label`` the label must exist, with one of ``values``, or one that ``matches``. Without,
    it must not have one of them; ``any_value`` rejects every value (``label=``).
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
