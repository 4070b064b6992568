"""Streams against a plain list of entries, and their state, copies and blocks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from januskv.storage import streams
from januskv.storage.errors import IdsExhausted, IdTooSmall
from januskv.storage.stream_ids import distance_bytes, element_bytes, id_text, ids_of, integer_bytes, parts_of
from januskv.storage.streams import (
    MAX_ID,
    Stream,
    id_of_text,
    make_id,
)


def filled(count: int, most_entries: int = 4) -> Stream:
    stream = Stream()
    for number in range(1, count + 1):
        stream.add(make_id(number, 0), (b"f", b"%d" % number), 4096, most_entries)
    return stream


def ids(stream: Stream) -> list[int]:
    return [entry_id >> 64 for entry_id, _ in stream.range(0, MAX_ID)]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"", 2),
        (b"a", 3),
        (b"0", 2),
        (b"127", 2),
        (b"128", 3),
        (b"-1", 3),
        (b"-4096", 3),
        (b"4096", 4),
        (b"32768", 5),
        (b"8388608", 6),
        (b"2147483648", 10),
        (b"-9223372036854775808", 10),
        (b"9223372036854775808", 21),
        (b"007", 5),
        (b"-", 3),
        (b"-0", 4),
        (b"x" * 63, 65),
        (b"x" * 64, 67),
        (b"x" * 126, 130),
        (b"x" * 4096, 4103),
    ],
)
def test_elements_take_what_they_take_in_a_listpack(text: bytes, size: int) -> None:
    assert element_bytes(text) == size


def test_ids_have_a_text() -> None:
    assert id_text(make_id(5, 7)) == b"5-7"
    assert id_text(MAX_ID) == b"18446744073709551615-18446744073709551615"
    assert id_of_text(b"5-7") == make_id(5, 7)


def test_next_id_follows_the_clock_and_never_goes_back() -> None:
    stream = Stream()
    stream.add(stream.next_id(1000), (b"f", b"v"))
    assert id_text(stream.next_id(1000)) == b"1000-1"
    assert id_text(stream.next_id(999)) == b"1000-1"
    assert id_text(stream.next_id(1001)) == b"1001-0"


def test_the_greatest_id_is_the_last() -> None:
    stream = Stream()
    stream.add(MAX_ID, (b"f", b"v"))
    with pytest.raises(IdsExhausted):
        stream.next_id(1)
    with pytest.raises(IdsExhausted):
        stream.next_id_at((1 << 64) - 1)
    with pytest.raises(IdsExhausted):
        stream.add(5, (b"f", b"v"))
    stream.check()


def test_an_id_that_is_not_greater_is_refused_and_changes_nothing() -> None:
    stream = filled(3)
    before = stream.to_state()
    for entry_id in (make_id(3, 0), make_id(2, 9)):
        with pytest.raises(IdTooSmall):
            stream.add(entry_id, (b"f", b"v"))
    assert stream.to_state() == before


def test_entries_in_many_blocks_are_found() -> None:
    stream = filled(1000)
    assert len(stream.blocks) == 250
    assert ids(stream) == list(range(1, 1001))
    assert [each >> 64 for each, _ in stream.range(make_id(500, 0), make_id(503, 0))] == [500, 501, 502, 503]
    assert [each >> 64 for each, _ in stream.range_reversed(0, make_id(503, 0), 2)] == [503, 502]
    assert stream.get(make_id(777, 0)) == (b"f", b"777")
    assert stream.get(make_id(777, 1)) is None
    stream.check()


def test_only_one_full_block_is_unpacked_at_a_time() -> None:
    stream = filled(40)
    for number in (3, 17, 30, 9):
        stream.get(make_id(number, 0))
    assert sum(block.ids is not None for block in stream.blocks) == 2  # that one and the last
    stream.check()


def test_a_block_that_became_the_last_takes_entries_again() -> None:
    stream = filled(9)
    assert stream.delete(make_id(9, 0))
    assert len(stream.blocks) == 2
    stream.add(make_id(10, 0), (b"f", b"v"), 4096, 10)
    assert len(stream.blocks) == 2
    assert ids(stream) == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    stream.check()


def test_blocks_may_be_unlimited() -> None:
    stream = Stream()
    for number in range(1, 500):
        stream.add(number, (b"f", b"v" * 100), 0, 0)
    assert len(stream.blocks) == 1


def test_big_entries_have_blocks_of_their_own() -> None:
    stream = Stream()
    for number in range(1, 4):
        stream.add(number, (b"f", b"v" * 5000), 4096, 100)
    assert len(stream.blocks) == 3


def test_fields_of_every_shape_come_back_from_a_packed_block() -> None:
    shapes: list[tuple[bytes, ...]] = [
        (b"a", b"1"),
        (b"a", b"2", b"b", b"3"),
        (b"", b""),
        (b"a", b"1", b"a", b"2", b"a", b"3"),
        (b"\x00\xff", b"\r\n"),
    ]
    stream = Stream()
    for number, shape in enumerate(shapes * 4, 1):
        stream.add(number, shape, 4096, 5)
    assert [fields for _, fields in stream.range(0, MAX_ID)] == shapes * 4


@pytest.mark.parametrize(
    ("most", "limit", "gone"),
    [(9, 0, 0), (8, 0, 0), (6, 0, 4), (1, 0, 8), (0, 0, 10), (0, 3, 0), (0, 4, 4), (0, 9, 8), (20, 0, 0)],
)
def test_rough_trimming_takes_whole_blocks(most: int, limit: int, gone: int) -> None:
    stream = filled(10)
    assert stream.trim_length(most, True, limit) == gone
    assert ids(stream) == list(range(gone + 1, 11))
    stream.check()


@pytest.mark.parametrize(
    ("least", "rough", "gone"), [(1, False, 0), (3, False, 2), (6, False, 5), (6, True, 4), (99, True, 10)]
)
def test_trimming_up_to_an_id(least: int, rough: bool, gone: int) -> None:
    stream = filled(10)
    assert stream.trim_before(make_id(least, 0), rough) == gone
    assert ids(stream) == list(range(gone + 1, 11))
    stream.check()


def test_trimming_up_to_an_id_behind_deleted_entries_empties_the_block() -> None:
    stream = filled(4)
    stream.delete(make_id(4, 0))
    assert stream.trim_before(make_id(4, 0)) == 3
    assert not stream.blocks
    stream.check()


def test_a_copy_is_independent() -> None:
    stream = filled(10)
    copied = stream.copy()
    assert copied.to_state() == stream.to_state()
    stream.delete(make_id(2, 0))
    stream.delete(make_id(10, 0))
    stream.add(make_id(11, 0), (b"f", b"v"))
    assert ids(copied) == list(range(1, 11))
    copied.check()
    stream.check()


def test_json_form() -> None:
    stream = Stream()
    stream.add(make_id(1, 1), (b"name", b"Ann", b"bin", b"\xff"))
    stream.add(make_id(1, 2), (b"a", b"1", b"a", b"2"))
    assert stream.to_json() == [["1-1", {"name": "Ann", "bin": {"$base64": "/w=="}}], ["1-2", ["a", "1", "a", "2"]]]


def test_memory_is_estimated_from_samples() -> None:
    stream = filled(4000, 100)
    assert 0.5 < stream.size_bytes(5) / stream.size_bytes(0) < 2


# ---------------------------------------------------------------- model

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3), st.sampled_from([(b"f",), (b"f", b"g"), (b"h",)])),
        st.tuples(st.just("add"), st.just(1), st.just((b"f",))),
        st.tuples(st.just("add"), st.just(1), st.just((b"f",))),
        st.tuples(st.just("delete"), st.integers(0, 60)),
        st.tuples(st.just("trim"), st.integers(0, 20)),
        st.tuples(st.just("before"), st.integers(0, 60)),
        st.tuples(st.just("range"), st.integers(0, 60), st.integers(0, 60), st.integers(-1, 5)),
        st.tuples(st.just("reversed"), st.integers(0, 60), st.integers(0, 60), st.integers(-1, 5)),
        st.tuples(st.just("get"), st.integers(0, 60)),
        st.tuples(st.just("look")),
        st.tuples(st.just("state")),
        st.tuples(st.just("copy")),
    ),
    max_size=60,
)


@pytest.fixture(params=[1, 2, 16])
def short_runs(request: pytest.FixtureRequest) -> Any:
    """Entries are packed so many at a time."""
    before = streams.RUN
    streams.RUN = request.param  # type: ignore[misc]
    yield
    streams.RUN = before  # type: ignore[misc]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS, st.integers(1, 12))
def test_a_stream_is_a_list_of_entries(short_runs: None, operations: list[Any], most_entries: int) -> None:
    stream, model, last = Stream(), {}, 0
    for name, *operands in operations:
        if name == "add":
            last += operands[0]
            fields = tuple(part for field in operands[1] for part in (field, b"%d" % last))
            stream.add(last, fields, 4096, most_entries)
            model[last] = fields
        elif name == "delete":
            assert stream.delete(operands[0]) == (model.pop(operands[0], None) is not None)
        elif name == "trim":
            gone = sorted(model)[: max(len(model) - operands[0], 0)]
            assert stream.trim_length(operands[0]) == len(gone)
            for each in gone:
                del model[each]
        elif name == "before":
            gone = [each for each in model if each < operands[0]]
            assert stream.trim_before(operands[0]) == len(gone)
            for each in gone:
                del model[each]
        elif name in ("range", "reversed"):
            start, end, most = operands
            expected = sorted((each, model[each]) for each in model if start <= each <= end)
            expected = expected[::-1] if name == "reversed" else expected
            found = (stream.range_reversed if name == "reversed" else stream.range)(start, end, most)
            assert found == (expected if most < 0 else expected[:most])
        elif name == "state":
            before = stream.to_state()
            stream = Stream.from_state(before)
            assert stream.to_state() == before
        elif name == "get":
            assert stream.get(operands[0]) == model.get(operands[0])
        elif name == "copy":
            stream = stream.copy()
        else:  # unpacks the blocks, so not each time
            stream.check()
            assert stream.first_id() == min(model, default=0)
        assert stream.length == len(model)
        assert stream.greatest_id() == max(model, default=0)
    assert dict(stream.range(0, MAX_ID)) == model
    stream.check()


def test_the_newest_entries_are_read_without_unpacking_the_others() -> None:
    stream = filled(90, 100)
    (block,) = stream.blocks
    assert block.ids is not None
    assert len(block.ids) < 2 * streams.RUN
    assert [each >> 64 for each, _ in stream.range(make_id(85, 0), MAX_ID)] == [85, 86, 87, 88, 89, 90]
    assert stream.get(make_id(90, 0)) == (b"f", b"90")
    assert len(block.ids) < 2 * streams.RUN
    assert ids(stream) == list(range(1, 91))
    stream.add(make_id(91, 0), (b"f", b"91"), 4096, 100)
    assert ids(stream) == list(range(1, 92))
    stream.check()


def plain_integer_bytes(value: int) -> int:
    for size, bits in ((3, 12), (4, 15), (5, 23), (6, 31)):
        if -(1 << bits) <= value < 1 << bits:
            return 2 if 0 <= value <= 127 else size
    return 10


parts = st.one_of(
    st.integers(0, (1 << 64) - 1), *(st.integers((1 << bits) - 2, (1 << bits) + 2) for bits in (7, 12, 31))
)


@given(st.lists(st.tuples(parts, parts), min_size=1))
def test_ids_and_their_parts(pairs: list[tuple[int, int]]) -> None:
    ids = sorted(make_id(*pair) for pair in pairs)
    base = ids[0]
    ms, seqs = parts_of(ids, base)
    assert ids_of(ms, seqs, base) == ids
    for entry_id, ahead, seq in zip(ids, ms, seqs, strict=True):
        assert id_text(entry_id) == b"%d-%d" % ((base >> 64) + ahead, seq)
        assert id_of_text(id_text(entry_id)) == entry_id
        back = seq - base % (1 << 64)
        assert distance_bytes(entry_id, base) == plain_integer_bytes(ahead) + plain_integer_bytes(back)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_the_bytes_of_integers(value: int) -> None:
    assert integer_bytes(value) == element_bytes(b"%d" % value) == plain_integer_bytes(value)
