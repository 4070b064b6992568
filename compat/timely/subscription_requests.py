"""Requests about subscriptions as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from januskv.storage.chunks import MOST_TIME
from januskv.storage.labels import VISIBILITY_LABEL
from januskv.storage.metric_queries import TagFilter

from .errors import BadRequest
from .filters import by_pattern, encoded, from_text
from .properties import Properties
from .requests import pair_of

Labels = Mapping[bytes, bytes]

_ENVELOPE: Final = ("operation", "sessionId")
_ADD: Final = ("subscriptionId", "metric", "tags", "startTime", "endTime", "delayTime")
# Longer names of subscriptions are refused: each point that is sent repeats them.
_MOST_CHARACTERS: Final = 1024
_LONGEST_DELAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What a subscription is to follow besides. ``end_ms`` None: what arrives; ``delay_ms`` None: not given."""

    subscription: str
    metric: bytes
    filters: tuple[TagFilter, ...]
    start_ms: int
    end_ms: int | None
    delay_ms: int | None

    def accepts(self, may_see: Callable[[bytes], bool]) -> Callable[[Labels], bool]:
        """Whether a series of the metric is meant, by its labels, for somebody who may see some visibilities."""
        filters = self.filters

        def accepted(labels: Labels) -> bool:
            return all(each.passes(labels.get(each.key)) for each in filters) and may_see(
                labels.get(VISIBILITY_LABEL, b"")
            )

        return accepted


def read_subscription(document: Mapping[str, Any], *, strict: bool) -> str:
    """The name of the subscription that is created or closed. Raises BadRequest."""
    return _name(Properties(document, "the request", ("subscriptionId",), _ENVELOPE), strict)


def read_remove(document: Mapping[str, Any], *, strict: bool) -> tuple[str, bytes]:
    """Subscription and metric that are to be parted. Raises BadRequest."""
    given = Properties(document, "the request", ("subscriptionId", "metric"), _ENVELOPE)
    return _name(given, strict), encoded(given.text("metric") or "")


def read_add(document: Mapping[str, Any], *, strict: bool) -> AddRequest:
    """What a subscription is to follow besides. Raises BadRequest and ApiError (a bad pattern)."""
    given = Properties(document, "the request", _ADD, _ENVELOPE)
    name = _name(given, strict)
    metric = given.text("metric")
    if not metric:
        raise BadRequest("Metric name cannot be null in add subscription")
    start_ms, end_ms = given.integer("startTime"), given.integer("endTime")
    pattern = by_pattern if strict else from_text
    return AddRequest(
        name,
        encoded(metric),
        tuple(pattern(key, text, grouped=True) for key, text in _tags(given)),
        min(max(start_ms, 0), MOST_TIME),
        min(end_ms, MOST_TIME) if end_ms > 0 else None,
        min(max(given.integer("delayTime"), 0), _LONGEST_DELAY_MS) if given.has("delayTime") else None,
    )


def _tags(given: Properties) -> list[tuple[str, str]]:
    """Keys and patterns: an object of them, or an array of tags."""
    held = given.get("tags")
    return list(map(pair_of, held)) if isinstance(held, list) else list(given.texts("tags").items())


def _name(given: Properties, strict: bool) -> str:
    """The name of a subscription. Timely 0.0.2 had one for each session, which was its name."""
    name = given.text("subscriptionId") or ("" if strict else given.text("sessionId"))
    if not name:
        raise BadRequest("Subscription ID is required.")
    if len(name) > _MOST_CHARACTERS:
        raise BadRequest(f"Subscription IDs have up to {_MOST_CHARACTERS} characters")
    return name
