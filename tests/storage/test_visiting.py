"""The walk over values: every kind in every form, each to the method of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import pytest

from januskv.compat.redis.debug_verbs import _CANONICAL
from januskv.storage.durability.codec import pack, unpack, value_classes
from januskv.storage.events import EventSeries
from januskv.storage.long_lists import LongList
from januskv.storage.long_text import LongString
from januskv.storage.null import NULL
from januskv.storage.samples import SampleSeries
from januskv.storage.sizes import SIZES
from januskv.storage.small_hashes import small
from januskv.storage.sorted_sets import SortedSet
from januskv.storage.streams import Stream
from januskv.storage.timed_hashes import TimedHash
from januskv.storage.values import KINDS, copied, kind_of, to_json
from januskv.storage.visiting import WALKS, Visitor, visit


class Teller(Visitor[tuple[str, Any]]):
    """Tells which kind it was shown, and what."""

    def text(self, text: bytes) -> tuple[str, Any]:
        return "string", text

    def scalar(self, value: Any) -> tuple[str, Any]:
        return "string", value

    def fields(self, fields: Iterable[tuple[bytes, Any]], deadlines: Mapping[bytes, int]) -> tuple[str, Any]:
        return "hash", (dict(fields), dict(deadlines)) if deadlines else dict(fields)

    def elements(self, elements: Iterable[Any]) -> tuple[str, Any]:
        return "list", list(elements)

    def members(self, members: Iterable[bytes]) -> tuple[str, Any]:
        return "set", set(members)

    def scores(self, pairs: Iterable[tuple[bytes, float]]) -> tuple[str, Any]:
        return "zset", list(pairs)

    def stream(self, stream: Stream) -> tuple[str, Any]:
        return "stream", stream

    def samples(self, series: SampleSeries) -> tuple[str, Any]:
        return "TSDB-TYPE", series

    def events(self, series: EventSeries) -> tuple[str, Any]:
        return "ts-events", series


FORMS: list[tuple[Any, Any]] = [
    (b"text", b"text"),
    (LongString(b"x" * 5000), b"x" * 5000),
    (5, 5),
    (0.5, 0.5),
    (True, True),
    (NULL, NULL),
    ({b"f": [1]}, {b"f": [1]}),
    (small({b"f": b"v", b"n": 1}), {b"f": b"v", b"n": 1}),
    (TimedHash({b"f": b"v"}, {b"f": 9}), ({b"f": b"v"}, {b"f": 9})),
    ([b"a", 1], [b"a", 1]),
    (LongList([b"%d" % number for number in range(3000)]), [b"%d" % number for number in range(3000)]),
    ({b"a", b"b"}, {b"a", b"b"}),
    (SortedSet({b"b": 2.0, b"a": 1.0}), [(b"a", 1.0), (b"b", 2.0)]),
]


@pytest.mark.parametrize(("value", "shown"), FORMS, ids=lambda value: type(value).__name__)
def test_each_form_is_shown_as_its_kind(value: Any, shown: Any) -> None:
    assert visit(value, Teller()) == (kind_of(value), shown)


@pytest.mark.parametrize("value", [Stream(), EventSeries()], ids=lambda value: type(value).__name__)
def test_streams_and_series_are_shown_as_they_are(value: Any) -> None:
    assert visit(value, Teller()) == (value.kind, value)


def test_every_form_of_a_value_has_a_walk() -> None:
    assert {*KINDS, *value_classes().values()} <= WALKS.keys()


def test_every_form_of_a_value_has_a_size() -> None:
    assert WALKS.keys() <= SIZES.keys()


def forms() -> list[Any]:
    """A value in every form, series with something in them."""
    samples, events = SampleSeries(), EventSeries()
    samples.append(5, 1.5)
    events.add([1], [{"a": 1}])
    stream = Stream()
    stream.add(5, (b"f", b"v"))
    return [*(value for value, _ in FORMS), stream, samples, events]


def test_these_are_all_forms() -> None:
    assert {type(value) for value in forms()} == WALKS.keys()


@pytest.mark.parametrize("value", forms(), ids=lambda value: type(value).__name__)
def test_each_form_is_packed_copied_and_json(value: Any) -> None:
    shown, json = visit(value, _CANONICAL), to_json(value)
    for again in (unpack(pack(value)), copied(value)):
        assert kind_of(again) == kind_of(value)
        assert visit(again, _CANONICAL) == shown
    assert orjson.dumps(json)
