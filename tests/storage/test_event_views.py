"""Filters over a series: what an index finds is what a look at every event finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage import event_blocks
from januskv.storage.events import EventSeries
from januskv.storage.filters import parse_filter
from januskv.storage.instants import instant_of_unix, parse_instant


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few events, so that small series have many."""
    monkeypatch.setattr(event_blocks, "MOST_ROWS", 8)


scalars = st.sampled_from(
    [
        None,
        False,
        True,
        0,
        1,
        1.0,
        2,
        -3,
        2.5,
        1 << 60,
        "",
        "a",
        "ab",
        "b",
        "2024-01-01T00:00:00Z",
        "2023-12-31T23:59:59Z",
    ]
)
members = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(st.sampled_from("pq"), scalars, max_size=2))
documents = st.lists(st.dictionaries(st.sampled_from("xyz"), members, max_size=3), min_size=20, max_size=60)
literals = scalars.map(
    lambda value: (
        repr(value)
        if isinstance(value, str)
        else {None: "null", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else repr(value)
    )
)
paths = st.sampled_from(["x", "y", "x.p", "['z']"])
conditions = st.one_of(
    st.builds("{} {} {}".format, paths, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), literals),
    st.builds("{1} {2} {0}".format, paths, literals, st.sampled_from(["==", "!=", "<", ">="])),
    st.builds(lambda path, some: f"{path} in [{', '.join(some)}]", paths, st.lists(literals, max_size=3)),
    st.builds("starts_with({}, '{}')".format, paths, st.sampled_from(["", "a", "2024"])),
)
filters = st.lists(conditions, min_size=1, max_size=3).map(" && ".join)
times = st.lists(st.integers(0, 40), min_size=60, max_size=60)


def found(series: EventSeries, start: int, end: int, text: str, **options: Any) -> list[Any]:
    view = series.view(0)
    batches = view.batches(instant_of_unix(start), instant_of_unix(end), filter=parse_filter(text), **options)
    return [pair for batch in batches for pair in zip(batch.times(), batch.documents(), strict=True)]


@settings(max_examples=400)
@given(
    documents,
    times,
    filters,
    st.integers(0, 40),
    st.integers(0, 45),
    st.one_of(st.none(), st.integers(0, 5)),
    st.booleans(),
)
def test_an_index_finds_what_a_scan_finds(
    events: list[Any], when: list[int], text: str, start: int, end: int, limit: int | None, descending: bool
) -> None:
    plain, indexed = EventSeries(), EventSeries()
    for series in (plain, indexed):
        series.add(when[: len(events)], events)
    for path in (("x",), ("y",), ("x", "p"), ("z",)):
        indexed.create_index(path)
    keeps = parse_filter(text).keeps
    rows = sorted(zip(when, events, strict=False), key=lambda row: row[0])
    if descending:
        wanted = [row for row in rows[::-1] if end < row[0] <= start and keeps(row[1], 0)]
    else:
        wanted = [row for row in rows if start <= row[0] < end and keeps(row[1], 0)]
    for series in (plain, indexed):
        assert found(series, start, end, text, descending=descending) == wanted
        assert found(series, start, end, text, descending=descending, limit=limit) == wanted[:limit]


def test_the_index_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    series = EventSeries()
    series.add(range(1000), [{"kind": f"k{number % 100}", "n": number} for number in range(1000)])
    series.create_index(("kind",))
    series.create_index(("n",))
    looked_at = []
    text = parse_filter("kind == 'k7'")
    keeps = text.keeps
    monkeypatch.setattr(text, "keeps", lambda document, instant: looked_at.append(document) or keeps(document, instant))
    assert sum(map(len, series.view(0).batches(0, 1 << 90, filter=text))) == 10
    assert len(looked_at) == 10
    for shown, count in (
        ("n >= 990 && kind != 'k7'", 10),
        ("kind in ['k1', 'k2']", 20),
        ("starts_with(kind, 'k9')", 110),
        ("n < 5", 5),
    ):
        assert sum(map(len, series.view(0).batches(0, 1 << 90, filter=parse_filter(shown)))) == count


def test_the_virtual_time() -> None:
    series = EventSeries()
    first = parse_instant("2024-01-01T00:00:00Z") - 37 * 10**9
    series.add([first, first + 1, first + 2], [{}, {"a": 1}, {}])
    assert len(found(series, first, first + 9, "_time > '2024-01-01T00:00:00.000000001Z'")) == 1
    assert len(found(series, first, first + 9, "_time == '2024-01-01T01:00:00.000000001+01:00' && a == 1")) == 1
