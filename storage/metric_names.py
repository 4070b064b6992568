"""Names of metrics, and keys and values of their tags, each list ascending and without what is no longer visible.

A label ``viz`` is not a tag. The lists do not depend on the caller's authorizations: names are not secret. Without an
age-off everything comes from the catalogue of labels. With one, a name is listed as long as one of its series has a
visible sample, or no samples at all; usually the first series examined does. With ``may_read``, which tells the keys that the
caller may read, it must be such a series. Generators (``_steps``) are for callers
that must give way; functions of the same name without ``_steps`` run to the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from .age_off import AgeOff
from .keyspace import Keyspace
from .labels import NAME_LABEL
from .samples import SampleSeries

T = TypeVar("T")
Steps = Generator[None, None, T]
Pair = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Sight:
    """What is visible: series that are not too old, whose keys may be read. None: all of them."""

    age_off: AgeOff | None = None
    may_read: Callable[[bytes], bool] | None = None

    @property
    def looks(self) -> bool:
        """Whether series have to be examined."""
        return self.age_off is not None or self.may_read is not None


ALL: Final = Sight()

_NAMES = 10_000  # examined in one step
_SERIES = 500


def metric_names_steps(
    keyspace: Keyspace, *, prefix: bytes = b"", containing: bytes = b"", most: int = -1, sight: Sight = ALL
) -> Steps[list[bytes]]:
    """The names of metrics, the first ``most`` of them; a negative number means all."""
    names = keyspace.labels.catalogue.metrics.in_order()
    found: list[bytes] = []
    for number, name in enumerate(names[bisect_left(names, prefix) :], 1):
        if not name.startswith(prefix) or len(found) == most:
            break
        if containing in name and (not sight.looks or (yield from _seen(keyspace, sight, name, None))):
            found.append(name)
        if number % (_SERIES if sight.looks else _NAMES) == 0:
            yield
    return found


def tag_keys_steps(
    keyspace: Keyspace, metric: bytes | None, *, most: int = -1, sight: Sight = ALL
) -> Steps[list[bytes]]:
    """The keys of a metric's tags, or of the tags of all metrics."""
    tags = keyspace.labels.catalogue.tags_of(metric)
    found: list[bytes] = []
    for key in sorted(tags):
        if len(found) == most:
            break
        for value in list(tags[key].counts) if key in tags else ():
            if not sight.looks or (yield from _seen(keyspace, sight, metric, (key, value))):
                found.append(key)
                break
        yield
    return found


def tag_values_steps(
    keyspace: Keyspace, metric: bytes | None, key: bytes, *, most: int = -1, sight: Sight = ALL
) -> Steps[list[bytes]]:
    """The values of a tag of a metric, or of all metrics."""
    values = keyspace.labels.catalogue.tags_of(metric).get(key)
    found: list[bytes] = []
    if values is None:
        return found
    for number, value in enumerate(list(values.in_order()), 1):
        if len(found) == most:
            break
        if not sight.looks or (yield from _seen(keyspace, sight, metric, (key, value))):
            found.append(value)
        if number % (_SERIES if sight.looks else _NAMES) == 0:
            yield
    return found


def tag_pairs_steps(keyspace: Keyspace, metric: bytes, *, sight: Sight = ALL) -> Steps[list[Pair]]:
    """All pairs of a tag key and a value of a metric, by key, then by value."""
    found: list[Pair] = []
    for key in sorted(keyspace.labels.catalogue.tags_of(metric)):
        values = yield from tag_values_steps(keyspace, metric, key, sight=sight)
        found += [(key, value) for value in values]
        yield
    return found


def all_metrics_steps(
    keyspace: Keyspace, most_values: int, *, sight: Sight = ALL
) -> Steps[list[tuple[bytes, list[Pair]]]]:
    """All metrics with their tag pairs, for each key the first ``most_values`` values."""
    found = []
    names = yield from metric_names_steps(keyspace, sight=sight)
    for name in names:
        pairs: list[Pair] = []
        for key in sorted(keyspace.labels.catalogue.tags_of(name)):
            values = yield from tag_values_steps(keyspace, name, key, most=most_values, sight=sight)
            pairs += [(key, value) for value in values]
        found.append((name, pairs))
        yield
    return found


def metric_names(
    keyspace: Keyspace, *, prefix: bytes = b"", containing: bytes = b"", most: int = -1, sight: Sight = ALL
) -> list[bytes]:
    """See ``metric_names_steps``."""
    return _done(metric_names_steps(keyspace, prefix=prefix, containing=containing, most=most, sight=sight))


def tag_keys(keyspace: Keyspace, metric: bytes | None, *, most: int = -1, sight: Sight = ALL) -> list[bytes]:
    """See ``tag_keys_steps``."""
    return _done(tag_keys_steps(keyspace, metric, most=most, sight=sight))


def tag_values(
    keyspace: Keyspace, metric: bytes | None, key: bytes, *, most: int = -1, sight: Sight = ALL
) -> list[bytes]:
    """See ``tag_values_steps``."""
    return _done(tag_values_steps(keyspace, metric, key, most=most, sight=sight))


def tag_pairs(keyspace: Keyspace, metric: bytes, *, sight: Sight = ALL) -> list[Pair]:
    """See ``tag_pairs_steps``."""
    return _done(tag_pairs_steps(keyspace, metric, sight=sight))


def all_metrics(keyspace: Keyspace, most_values: int, *, sight: Sight = ALL) -> list[tuple[bytes, list[Pair]]]:
    """See ``all_metrics_steps``."""
    return _done(all_metrics_steps(keyspace, most_values, sight=sight))


def _seen(keyspace: Keyspace, sight: Sight, metric: bytes | None, pair: Pair | None) -> Steps[bool]:
    """Whether a metric, or any (None), has a visible series, with a tag if one is given."""
    index, now_ms = keyspace.labels, keyspace.clock.now_ms
    owners = [] if metric is None else [index.keys_with(NAME_LABEL, metric)]
    if pair is not None:
        owners.append(index.keys_with(*pair))
    # The smaller one of two sets of keys is iterated over; it is copied only where one step is not enough.
    keys = min(owners, key=len)
    for key in islice(keys, _SERIES):
        if _is_visible(keyspace, sight, key, metric, pair, now_ms):
            return True
    for number, key in enumerate(list(keys)[_SERIES:] if len(keys) > _SERIES else ()):
        if number % _SERIES == 0:
            yield
        if _is_visible(keyspace, sight, key, metric, pair, now_ms):
            return True
    return False


def _is_visible(
    keyspace: Keyspace, sight: Sight, key: bytes, metric: bytes | None, pair: Pair | None, now_ms: int
) -> bool:
    series = keyspace.data.get(key)
    return (
        type(series) is SampleSeries
        and _is_of(series, metric, pair)
        and (sight.age_off is None or not sight.age_off.is_gone(series, now_ms))
        and (sight.may_read is None or sight.may_read(key))
    )


def _is_of(series: SampleSeries, metric: bytes | None, pair: Pair | None) -> bool:
    name = series.labels.get(NAME_LABEL)
    return (name is not None if metric is None else name == metric) and (
        pair is None or series.labels.get(pair[0]) == pair[1]
    )


def _done(steps: Steps[T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
