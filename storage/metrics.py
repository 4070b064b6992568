"""Metrics as Timely and OpenTSDB know them: a name with tags is a series of samples with labels.

The name is the label ``__name__``, each tag a label of its own, the visibility of the points the label ``viz``. A point goes
to the series under the key that ``series_key`` spells; queries find all series with a name label, whatever their keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .errors import WrongType
from .keyspace import Keyspace
from .labels import NAME_LABEL, VISIBILITY_LABEL
from .samples import SampleSeries

__all__ = ["NAME_LABEL", "NEW_POLICY", "VISIBILITY_LABEL", "read_series_key", "series_for", "series_key"]

# The policy of a series created by a point: the last value for a time counts.
NEW_POLICY: Final = "last"

# The separators of a key's parts; in names and values they are escaped by a backslash.
_SPECIAL = re.compile(rb"[\\{},=]")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_PART = re.compile(rb"((?:[^\\{},=]|\\.)*)(?:[{},=]|\Z)", re.DOTALL)


def series_key(metric: bytes, tags: Mapping[bytes, bytes], visibility: bytes = b"") -> bytes:
    """The key of a metric's series: ``disk.used{host=db7,mnt=data}``, tags in order of their names.

    The visibility is a last part, ``viz``; different series have different keys.
    """
    parts = [b"%b=%b" % (_escaped(name), _escaped(tags[name])) for name in sorted(tags)]
    if visibility:
        parts.append(b"%b=%b" % (VISIBILITY_LABEL, _escaped(visibility)))
    return b"%b{%b}" % (_escaped(metric), b",".join(parts))


def read_series_key(key: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Metric, tags and visibility of a key that ``series_key`` has made."""
    parts = [_ESCAPE.sub(rb"\1", part) for part in _PART.findall(key)]
    # The metric, then names and values in turn, or nothing between the brackets; and the end, which is empty.
    tags = dict(zip(parts[1:-1:2], parts[2:-1:2], strict=True)) if len(parts) > 3 else {}
    return parts[0], tags, tags.pop(VISIBILITY_LABEL, b"")


def _escaped(text: bytes) -> bytes:
    return _SPECIAL.sub(rb"\\\g<0>", text) if _SPECIAL.search(text) else text


def series_for(
    keyspace: Keyspace, metric: bytes, tags: Mapping[bytes, bytes], visibility: bytes = b"", *, retention_ms: int = 0
) -> tuple[bytes, SampleSeries]:
    """The key and the series of a metric's points, created with a retention if there is none. ``tags`` has no ``viz``.

    Raises WrongType where the key holds something that is not a series of samples.
    """
    key = series_key(metric, tags, visibility)
    held = keyspace.get(key)
    if held is not None:
        if type(held) is not SampleSeries:
            raise WrongType
        return key, held
    labels = {NAME_LABEL: metric, **dict(sorted(tags.items()))}
    if visibility:
        labels[VISIBILITY_LABEL] = visibility
    series = SampleSeries(labels=labels, policy=NEW_POLICY, retention_ms=retention_ms)
    keyspace.put_series(key, series, "ts.created")
    return key, series
