"""Bodies of events, and what becomes of them in a series."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage import event_batches, event_blocks, event_writing
from januskv.storage.clock import ManualClock
from januskv.storage.errors import IndexExists, NoSuchIndex, WrongType
from januskv.storage.event_batches import (
    MOST_EVENT_BYTES,
    BadEvent,
    EventBatch,
    EventTooBig,
    deadline_of,
    depth_of,
    read_array,
    read_lines,
)
from januskv.storage.event_reading import view_of
from januskv.storage.event_text import elements, unix_time
from januskv.storage.event_writing import COLLECTION, Transactions, delete_events, drop_index, indexes_of
from januskv.storage.filters import parse_filter
from januskv.storage.instants import (
    FIRST_INSTANT,
    LAST_INSTANT,
    BadInstant,
    instant_text,
    parse_instant,
    unix_of_instant,
)
from januskv.storage.keyspace import Keyspace
from januskv.storage.store import Store

KEY = b"s"
T = TypeVar("T")


def last_of(steps: Generator[Any, None, T]) -> T:
    """What a generator returns."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        result: T = end.value
        return result


def lines(*events: Any) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)


def batch_of(*events: Any, now_ms: int = 0, ttl_ms: float | None = None) -> EventBatch:
    return last_of(read_lines(lines(*events), now_ms, ttl_ms))


@pytest.fixture
def store() -> Store:
    return Store(1, ManualClock(1_700_000_000_000))


@pytest.fixture
def transactions(store: Store) -> Transactions:
    return Transactions(store.databases[0])


def write_events(transactions: Transactions, key: bytes, batch: EventBatch) -> int:
    return last_of(event_writing.write_events(transactions, key, batch))


def create_index(keyspace: Keyspace, key: bytes, path: tuple[str, ...]) -> None:
    last_of(event_writing.create_index(keyspace, key, path))


def items(transactions: Transactions, key: bytes = KEY, **options: Any) -> list[Any]:
    """What a query of everything shows."""
    view = view_of(transactions.keyspace, key)
    text = b"".join(batch.lines() for batch in view.batches(FIRST_INSTANT, LAST_INSTANT, **options))
    return [json.loads(line)["item"] for line in text.splitlines()]


def test_lines_become_events(transactions: Transactions) -> None:
    body = (
        b"\xef\xbb\xbf \r\n"
        + '{"_time":"2024-01-01T00:00:02.5+01:00","a":[1,{"b":null}],"ü":"\\u2028"}\r\n\n'.encode()
        + b'{"a":1.0,"_time":"2023-12-31T23:00:00Z"}\n'
    )
    assert write_events(transactions, KEY, last_of(read_lines(body, 0, None))) == 1
    assert items(transactions) == [
        {"_time": "2023-12-31T23:00:00Z", "value": {"a": 1.0}},
        {"_time": "2023-12-31T23:00:02.500Z", "value": {"a": [1, {"b": None}], "ü": "\u2028"}},
    ]


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b'{"_time":"2024-01-01T00:00:00Z"}\n\n[1]', 3),
        (b"{}", 1),
        (b'{"_time":5}', 1),
        (b'{"_time":"2024-01-01"}', 1),
        (b'{"_time":"2023-02-29T00:00:00Z"}', 1),
        (b'{"_time":"2024-01-01T00:00:60Z"}', 1),
        (b'{"_time":"2024-01-01T00:00:00Z",\n"a":1}', 1),
        (b'{"_time":"2024-01-01T00:00:00Z"}{"_time":"2024-01-01T00:00:00Z"}', 1),
        (b'{"_time":"2024-01-01T00:00:00Z","_expiration":true}', 1),
        (b'{"_time":"2024-01-01T00:00:00Z","_expiration":"soon"}', 1),
        (b'{"_time":"2024-01-01T00:00:00Z","a":1e400}', 1),
        (b'{"_time":"2024-01-01T00:00:00Z","a":"\\ud800"}', 1),
        (b'{"_time":"2024-01-01T00:00:00Z","a":' + b"[" * 128 + b"]" * 128 + b"}", 1),
        (b"\x0b", 1),
        (b"\xff", 1),
    ],
)
def test_bad_lines(body: bytes, position: int) -> None:
    with pytest.raises(BadEvent) as caught:
        last_of(read_lines(body, 0, None))
    assert caught.value.position == position


def test_arrays(transactions: Transactions) -> None:
    one = {"_time": "2024-01-01T00:00:00Z", "a": 1}
    many = [{"_time": f"2024-01-01T00:{minute:02}:00Z", "n": minute} for minute in range(59, -1, -1)]
    for body, count in ((one, 1), ([], 0), (many, 60)):
        assert len(last_of(read_array(json.dumps(body).encode(), 0, None))) == count
    for bad, position in ((b"", None), (b"[1", None), (b"[1]", 1), (json.dumps([one, []]).encode(), 2), (b"5", 1)):
        with pytest.raises(BadEvent) as caught:
            last_of(read_array(bad, 0, None))
        assert caught.value.position == position
    deep = [one, {**one, "a": json.loads("[" * 128 + "]" * 128)}]
    with pytest.raises(BadEvent) as caught:
        last_of(read_array(json.dumps(deep).encode(), 0, None))
    assert caught.value.position == 2
    assert len(last_of(read_array(json.dumps([one] * 200).encode(), 0, None))) == 1


def test_long_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_batches, "_STEP_BYTES", 10)
    texts = [
        '{"_time":"2024-01-01T00:00:00Z","a":"]},{\\"","b":[[1,{"c":"\\\\"}]]}',
        '{ "_time" : "2024-01-02T00:00:00Z"}',
    ]
    batch = last_of(read_array((" [" + " , ".join(texts) + "\n]\n ").encode(), 0, None))
    assert [len(block) for block in batch.blocks] == [2]
    assert len(last_of(read_array(b"   [            ]   ", 0, None))) == 0
    for bad in (
        "[" + texts[0] + ",]",
        "[," + texts[0] + "]",
        "[" + texts[0] + texts[1] + "]",
        "[" + texts[0] + ",5]",
        "[" + texts[0],
        "[" + texts[0] + "]]",
        "[" + texts[0] + "] x",
        "[" + texts[0][:-1] + "]",
        '["' + texts[0],
    ):
        with pytest.raises(BadEvent):
            last_of(read_array(bad.encode(), 0, None))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(values, max_size=5), st.sampled_from(["", " ", "\n\t"]))
def test_elements_of_arrays(items: list[Any], blank: str) -> None:
    text = (blank + "[" + (blank + "," + blank).join(map(json.dumps, items)) + blank + "]" + blank).encode()
    spans = elements(text)
    assert spans is None or [json.loads(text[start:stop]) for start, stop in spans] == items


@given(st.text('[]{}",\\ a1'))
def test_what_is_no_array(text: str) -> None:
    spans = elements(text.encode())
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, list) and spans is not None:
        assert [json.loads(text[start:stop]) for start, stop in spans] == value


def test_big_events_are_refused() -> None:
    big = {"_time": "2024-01-01T00:00:00Z", "a": "x" * MOST_EVENT_BYTES}
    for read, body in ((read_lines, lines(big)), (read_array, lines(big)), (read_array, b"[" + lines(big) + b"]")):
        with pytest.raises(EventTooBig):
            last_of(read(body, 0, None))
    nearly = {"_time": "2024-01-01T00:00:00Z", "a": "x" * (MOST_EVENT_BYTES - 100)}
    assert len(batch_of(nearly, nearly | {"_time": "2024-01-02T00:00:00Z"})) == 2


def test_one_event_an_instant(transactions: Transactions) -> None:
    first = [{"_time": f"2024-01-01T00:00:{second:02}Z", "n": second} for second in range(60)]
    assert write_events(transactions, KEY, batch_of(*first)) == 1
    again = [
        {"_time": "2024-01-01T01:00:07.000+01:00", "again": True},
        {"_time": "2024-01-01T00:00:07Z", "again": "last"},
        {"_time": "2024-01-01T00:00:00.5Z"},
    ]
    write_events(transactions, KEY, batch_of(*again))
    found = items(transactions)
    assert len(found) == 61
    assert found[8] == {"_time": "2024-01-01T00:00:07Z", "value": {"again": "last"}}
    assert found[1] == {"_time": "2024-01-01T00:00:00.500Z", "value": {}}
    write_events(transactions, KEY, batch_of(*first))
    assert len(items(transactions)) == 61


def test_leap_seconds(transactions: Transactions) -> None:
    texts = [
        "2016-12-31T23:59:59.999999999Z",
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:60.250Z",
        "2017-01-01T00:00:00Z",
    ]
    batch = batch_of(*({"_time": text, "n": number} for number, text in enumerate(texts[::-1])))
    write_events(transactions, KEY, batch)
    write_events(transactions, KEY, batch_of({"_time": "2016-12-31T23:59:60+00:00"}))
    assert [item["_time"] for item in items(transactions)] == texts
    assert items(transactions)[1]["value"] == {}
    view = view_of(transactions.keyspace, KEY)
    span = parse_instant(texts[1]), parse_instant(texts[2])
    assert [len(batch) for batch in view.batches(*span)] == [1]
    assert last_of(delete_events(transactions, KEY, *span)) == 3
    assert [item["_time"] for item in items(transactions)] == [texts[0], *texts[2:]]


def test_expiry(transactions: Transactions, store: Store) -> None:
    clock = store.clock
    assert isinstance(clock, ManualClock)
    now_ms = clock.now_ms
    events = [
        {"_time": "2024-01-01T00:00:00Z"},
        {"_time": "2024-01-01T00:00:01Z", "_expiration": None},
        {"_time": "2024-01-01T00:00:02Z", "_expiration": 1_700_000_010.0005},
        {"_time": "2024-01-01T00:00:03Z", "_expiration": "2001-01-01T00:00:00Z"},
    ]
    write_events(transactions, KEY, batch_of(*events, now_ms=now_ms, ttl_ms=500))
    assert [item["value"].get("_expiration") for item in items(transactions)] == [
        "2023-11-14T22:13:20.500Z",
        None,
        1_700_000_010.0005,
    ]
    clock.advance(499)
    assert len(items(transactions)) == 3
    clock.advance(1)
    assert len(items(transactions)) == 2
    clock.advance(9_500)
    assert len(items(transactions)) == 2
    clock.advance(1)
    assert len(items(transactions)) == 1
    transactions.keyspace.check()
    write_events(transactions, KEY, batch_of({**events[1], "_expiration": 1}))
    assert items(transactions) == []
    assert deadline_of(-(10**30)) == 1
    assert deadline_of(10**30) == (1 << 63) - 1
    assert len(batch_of(events[0], now_ms=now_ms, ttl_ms=1e300)) == 1


def test_transactions_go_on(store: Store) -> None:
    keyspace = store.databases[0]
    transactions = Transactions(keyspace)
    assert transactions.last() == 0
    assert [transactions.new() for _ in range(1500)] == list(range(1, 1501))
    later = Transactions(keyspace)
    assert 1500 <= later.last() < 3600
    assert later.new() > later.last() - 1 > 1500 - 1
    keyspace.clear()
    assert transactions.new() == 1501
    assert Transactions(keyspace).last() >= 1501
    keyspace.put(COLLECTION, b"a string")
    with pytest.raises(WrongType):
        transactions.new()


def test_deleting(transactions: Transactions) -> None:
    events = [{"_time": f"2024-01-01T00:00:{second:02}Z", "n": second} for second in range(60)]
    write_events(transactions, KEY, batch_of(*events))
    start, end = parse_instant("2024-01-01T00:00:10Z"), parse_instant("2024-01-01T00:00:20Z")
    assert last_of(delete_events(transactions, KEY, start, end, parse_filter("n > 14"), 2)) == 2
    assert [item["value"]["n"] for item in items(transactions)][14:18] == [14, 17, 18, 19]
    steps = delete_events(transactions, KEY, start, LAST_INSTANT)
    next(steps)
    write_events(transactions, KEY, batch_of({"_time": "2024-01-01T00:00:30.5Z"}))
    last_of(steps)
    assert len(items(transactions)) == 10
    last_of(delete_events(transactions, b"nothing", start, end))
    assert b"nothing" not in transactions.keyspace
    transactions.keyspace.put(b"t", b"text")
    for each in (
        lambda: write_events(transactions, b"t", batch_of(events[0])),
        lambda: last_of(delete_events(transactions, b"t", start, end)),
        lambda: view_of(transactions.keyspace, b"t"),
        lambda: create_index(transactions.keyspace, b"t", ("a",)),
    ):
        with pytest.raises(WrongType):
            each()


@settings(max_examples=150)
@given(
    st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=6),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_many_writers_at_a_time(
    batches: list[list[int]], deletions: list[tuple[int, int]], indexed: bool, chance: random.Random
) -> None:
    """Whatever is in progress at the same time: at the end there is what one after the other gives, in the order of the ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_blocks, "MOST_ROWS", 4)
        patch.setattr(event_writing, "_FEW", 3)
        keyspace = Store(1, ManualClock(0)).databases[0]
        transactions = Transactions(keyspace)
        create_index(keyspace, KEY, ("n",))
        if not indexed:
            drop_index(keyspace, KEY, ("n",))
        model: dict[int, Any] = {}
        running: list[tuple[Any, Callable[[], None]]] = []

        def store(number: int, batch: list[int]) -> None:
            model.update({second: {"n": second % 3, "batch": number} for second in batch})

        def delete(start: int, end: int, n: int) -> None:
            for second in [each for each in model if start <= each < end and model[each]["n"] == n]:
                del model[second]

        for number, batch in enumerate(batches):
            events = [{"_time": f"2024-01-01T00:00:{second:02}Z", "n": second % 3, "batch": number} for second in batch]
            steps = event_writing.write_events(transactions, KEY, batch_of(*events))
            running.append((steps, partial(store, number, batch)))
        for start, end in deletions:
            span = (parse_instant(f"2024-01-01T00:00:{second:02}Z") for second in (start, end))
            steps = delete_events(transactions, KEY, *span, parse_filter("n == 1"))
            running.append((steps, partial(delete, start, end, 1)))
        while running:
            steps, done = chance.choice(running)
            try:
                next(steps)
            except StopIteration:
                running.remove((steps, done))
                done()
                keyspace.data[KEY].check()  # type: ignore[attr-defined]
        assert {item["_time"][17:19]: item["value"] for item in items(transactions)} == {
            f"{second:02}": document for second, document in model.items()
        }
        keyspace.check()


def test_indexes(transactions: Transactions) -> None:
    keyspace = transactions.keyspace
    assert indexes_of(keyspace, KEY) == []
    create_index(keyspace, KEY, ("a", "b"))
    assert indexes_of(keyspace, KEY) == [("a", "b")]
    with pytest.raises(IndexExists):
        create_index(keyspace, KEY, ("a", "b"))
    drop_index(keyspace, KEY, ("a", "b"))
    for key in (KEY, b"nothing"):
        with pytest.raises(NoSuchIndex):
            drop_index(keyspace, key, ("a", "b"))


def test_an_empty_batch_makes_no_series(transactions: Transactions) -> None:
    assert write_events(transactions, KEY, batch_of()) == 1
    assert KEY not in transactions.keyspace


@given(st.integers(FIRST_INSTANT, LAST_INSTANT), st.sampled_from(["", "Z", "+00:00", "z"]))
def test_plain_times_are_read_as_others_are(instant: int, offset: str) -> None:
    text = instant_text(instant)[:-1] + offset
    unix_ns = unix_time(text)
    assert unix_ns is None or (unix_ns, -1) == unix_of_instant(parse_instant(text))


@given(st.text("0123456789-:TZ. +", min_size=17, max_size=32), st.data())
def test_what_is_no_time_is_not_plain(noise: str, data: st.DataObject) -> None:
    text = "2024-01-31T12:34:56.789Z"
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.sampled_from(noise)) + text[at + data.draw(st.integers(0, 1)) :]
    try:
        wanted: int | None = unix_of_instant(parse_instant(text))[0]
    except BadInstant:
        wanted = None
    assert unix_time(text) in (None, wanted)


def test_depth() -> None:
    for value, depth in ((1, 0), ({}, 1), ([[], {"a": [1]}], 3)):
        assert depth_of(value, 128) == depth
    assert depth_of([[[[]]]], 2) == 3
