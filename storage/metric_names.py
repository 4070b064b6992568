"""Names of metrics, and keys and values of their tags, each list ascending and without what is no longer visible.

A label ``viz`` is not a tag. The lists do not depend on the caller's authorizations: names are not secret. Without an
age-off everything comes from the catalogue of labels. With one, a name is listed as long as one of its series has a
visible sample, or no samples at all; usually the first series examined does. Generators (``_steps``) are for callers
that must give way; functions of the same name without ``_steps`` run to the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator
from typing import TypeVar

from .age_off import AgeOff
from .keyspace import Keyspace
from .labels import NAME_LABEL
from .samples import SampleSeries

T = TypeVar("T")
Steps = Generator[None, None, T]
Pair = tuple[bytes, bytes]

_NAMES = 10_000  # examined in one step
_SERIES = 500


def metric_names_steps(
    keyspace: Keyspace, *, prefix: bytes = b"", containing: bytes = b"", most: int = -1, age_off: AgeOff | None = None
) -> Steps[list[bytes]]:
    """The names of metrics, the first ``most`` of them; a negative number means all."""
    names = keyspace.labels.catalogue.metrics.in_order()
    found: list[bytes] = []
    for number, name in enumerate(names[bisect_left(names, prefix) :], 1):
        if not name.startswith(prefix) or len(found) == most:
            break
        if containing in name and _is_seen(keyspace, age_off, name, None):
            found.append(name)
        if number % (_SERIES if age_off else _NAMES) == 0:
            yield
    return found


def tag_keys_steps(
    keyspace: Keyspace, metric: bytes | None, *, most: int = -1, age_off: AgeOff | None = None
) -> Steps[list[bytes]]:
    """The keys of a metric's tags, or of the tags of all metrics."""
    tags = keyspace.labels.catalogue.tags_of(metric)
    found: list[bytes] = []
    for key in sorted(tags):
        if len(found) == most:
            break
        values = list(tags[key].counts) if key in tags else []
        if any(_is_seen(keyspace, age_off, metric, (key, value)) for value in values):
            found.append(key)
        yield
    return found


def tag_values_steps(
    keyspace: Keyspace, metric: bytes | None, key: bytes, *, most: int = -1, age_off: AgeOff | None = None
) -> Steps[list[bytes]]:
    """The values of a tag of a metric, or of all metrics."""
    values = keyspace.labels.catalogue.tags_of(metric).get(key)
    found: list[bytes] = []
    if values is None:
        return found
    for number, value in enumerate(list(values.in_order()), 1):
        if len(found) == most:
            break
        if _is_seen(keyspace, age_off, metric, (key, value)):
            found.append(value)
        if number % (_SERIES if age_off else _NAMES) == 0:
            yield
    return found


def tag_pairs_steps(keyspace: Keyspace, metric: bytes, *, age_off: AgeOff | None = None) -> Steps[list[Pair]]:
    """All pairs of a tag key and a value of a metric, by key, then by value."""
    found: list[Pair] = []
    for key in sorted(keyspace.labels.catalogue.tags_of(metric)):
        values = yield from tag_values_steps(keyspace, metric, key, age_off=age_off)
        found += [(key, value) for value in values]
        yield
    return found


def all_metrics_steps(
    keyspace: Keyspace, most_values: int, *, age_off: AgeOff | None = None
) -> Steps[list[tuple[bytes, list[Pair]]]]:
    """All metrics with their tag pairs, for each key the first ``most_values`` values."""
    found = []
    names = yield from metric_names_steps(keyspace, age_off=age_off)
    for name in names:
        pairs: list[Pair] = []
        for key in sorted(keyspace.labels.catalogue.tags_of(name)):
            values = yield from tag_values_steps(keyspace, name, key, most=most_values, age_off=age_off)
            pairs += [(key, value) for value in values]
        found.append((name, pairs))
        yield
    return found


def metric_names(
    keyspace: Keyspace, *, prefix: bytes = b"", containing: bytes = b"", most: int = -1, age_off: AgeOff | None = None
) -> list[bytes]:
    """See ``metric_names_steps``."""
    return _done(metric_names_steps(keyspace, prefix=prefix, containing=containing, most=most, age_off=age_off))


def tag_keys(keyspace: Keyspace, metric: bytes | None, *, most: int = -1, age_off: AgeOff | None = None) -> list[bytes]:
    """See ``tag_keys_steps``."""
    return _done(tag_keys_steps(keyspace, metric, most=most, age_off=age_off))


def tag_values(
    keyspace: Keyspace, metric: bytes | None, key: bytes, *, most: int = -1, age_off: AgeOff | None = None
) -> list[bytes]:
    """See ``tag_values_steps``."""
    return _done(tag_values_steps(keyspace, metric, key, most=most, age_off=age_off))


def tag_pairs(keyspace: Keyspace, metric: bytes, *, age_off: AgeOff | None = None) -> list[Pair]:
    """See ``tag_pairs_steps``."""
    return _done(tag_pairs_steps(keyspace, metric, age_off=age_off))


def all_metrics(
    keyspace: Keyspace, most_values: int, *, age_off: AgeOff | None = None
) -> list[tuple[bytes, list[Pair]]]:
    """See ``all_metrics_steps``."""
    return _done(all_metrics_steps(keyspace, most_values, age_off=age_off))


def _is_seen(keyspace: Keyspace, age_off: AgeOff | None, metric: bytes | None, pair: Pair | None) -> bool:
    """Whether a metric, or any (None), has a visible series, with a tag if one is given."""
    if age_off is None:
        return True
    index, now_ms = keyspace.labels, keyspace.clock.now_ms
    owners = [] if metric is None else [index.keys_with(NAME_LABEL, metric)]
    if pair is not None:
        owners.append(index.keys_with(*pair))
    # The smaller one of two sets of keys is iterated over.
    for key in min(owners, key=len):
        series = keyspace.data.get(key)
        if type(series) is SampleSeries and _is_of(series, metric, pair) and not age_off.is_gone(series, now_ms):
            return True
    return False


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
