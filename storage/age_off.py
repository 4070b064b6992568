"""Samples of metrics that are too old to be visible: by the clock, not by the newest sample as with a series' retention."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from .keyspace import Keyspace
from .labels import NAME_LABEL
from .samples import SampleSeries

# Series examined in one step.
_SERIES = 1000


class AgeOff:
    """For how long the samples of each metric are visible, in ms; 0: always. ``by_metric`` overrides the default."""

    __slots__ = ("by_metric", "default_ms")

    def __init__(self, default_ms: int = 0, by_metric: Mapping[bytes, int] | None = None) -> None:
        self.default_ms = default_ms
        self.by_metric: dict[bytes, int] = {} if by_metric is None else dict(by_metric)

    def retention_ms(self, metric: bytes) -> int:
        """For how long samples of a metric are visible, in ms; 0: always."""
        return self.by_metric.get(metric, self.default_ms)

    def oldest_ms(self, metric: bytes, now_ms: int) -> int:
        """Samples before this time are not visible."""
        retention_ms = self.retention_ms(metric)
        return max(0, now_ms - retention_ms) if retention_ms else 0

    def is_gone(self, series: SampleSeries, now_ms: int) -> bool:
        """Whether a metric's series has samples, none of them visible. It stays while samples are to come."""
        metric = series.labels.get(NAME_LABEL)
        return metric is not None and 0 <= series.last_time < self.oldest_ms(metric, now_ms)

    def sweep(self, keyspace: Keyspace) -> Generator[None, None, int]:
        """Remove the series that no longer have visible samples, in steps; return how many.

        Old samples of others are dropped by the retention of their series, if they have one.
        """
        removed = 0
        for metric in [each for each in keyspace.labels.catalogue.metrics.counts if self.retention_ms(each)]:
            for number, key in enumerate(list(keyspace.labels.keys_with(NAME_LABEL, metric)), 1):
                series = keyspace.get(key)
                if type(series) is SampleSeries and self.is_gone(series, keyspace.clock.now_ms):
                    keyspace.delete(key, "expired")
                    removed += 1
                if number % _SERIES == 0:
                    yield
            yield
        return removed
