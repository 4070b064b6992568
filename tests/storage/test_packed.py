"""Rows of byte strings and small sorted sets in one string, against lists and dicts; sizes around the limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.packed_scores import (
    LONGEST,
    MOST_MEMBERS,
    count_in,
    cut_out,
    names_in,
    packed,
    pairs_in,
    rank_in,
    score_in,
    with_score,
    without,
)
from januskv.storage.packed_texts import MOST_BYTES, framed, joined, row_of

rows = st.lists(st.one_of(st.binary(max_size=5), st.integers(0, 40_000).map(lambda size: b"x" * size)), min_size=1)


@given(rows, st.data())
def test_rows_read_like_lists(items: list[bytes], data: st.DataObject) -> None:
    row = row_of(items)
    if sum(map(len, items)) > MOST_BYTES:
        assert row is None
        return
    assert row is not None
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(items))] * 2)))
    assert row[start:stop] == items[start:stop]
    assert list(reversed(row)) == items[::-1]
    whole = b"".join([b"+%d;%b;" % (len(item), item) for item in items[start:stop]])
    assert row.framed(start, stop, b"+", b";") == framed(items[start:stop], b"+", b";") == whole
    index = data.draw(st.integers(0, len(items) - 1))
    assert row[index] == items[index]
    other = data.draw(st.sampled_from([b"", b"abc", b"y" * 30_000, items[index]]))
    changed = [*items[:index], other, *items[index + 1 :]]
    replaced = row.replaced(index, other)
    assert (replaced is None) == (sum(map(len, changed)) > MOST_BYTES)
    if replaced is not None:
        assert list(replaced) == changed
    two = joined(row, row)
    assert (two is None) == (2 * sum(map(len, items)) > MOST_BYTES)
    assert two is None or list(two) == items + items
    assert list(row) == items


def test_only_byte_strings_make_a_row() -> None:
    row = row_of([b"a", b"b"])
    assert row is not None
    assert row.replaced(0, 5) is None
    assert row_of([b"a", 5]) is None
    assert row_of([]) is None


def test_a_small_set_ends_at_its_limits() -> None:
    full = packed({b"%d" % number: float(number) for number in range(MOST_MEMBERS)})
    assert full is not None
    assert with_score(full, b"new", 1.0) is None
    moved = with_score(full, b"0", 1000.0)
    assert moved is not None
    assert pairs_in(moved, MOST_MEMBERS - 1, MOST_MEMBERS) == [(b"0", 1000.0)]
    assert packed({b"%d" % number: 1.0 for number in range(MOST_MEMBERS + 1)}) is None
    assert packed({b"n" * (LONGEST + 1): 1.0}) is None
    longest = packed({b"n" * LONGEST: 1.0})
    assert longest is not None
    assert with_score(longest, b"n" * (LONGEST + 1), 2.0) is None
    assert without(longest, b"n") is None


@given(
    st.dictionaries(st.binary(max_size=3), st.sampled_from([0.0, -0.0, 1.0, -1.5, float("inf")]), max_size=12),
    st.binary(max_size=3),
    st.sampled_from([0.0, 1.0, float("-inf")]),
)
def test_members_move_to_their_places(scores: dict[bytes, float], member: bytes, score: float) -> None:
    text = packed(scores)
    assert text is not None
    ordered = sorted((value, name) for name, value in scores.items())
    assert rank_in(text, score, member) == sum(pair < (score, member) for pair in ordered)
    new = with_score(text, member, score)
    assert new is not None
    scores = scores | {member: score}
    assert pairs_in(new, 0, 99) == [(name, value) for value, name in sorted((v, n) for n, v in scores.items())]
    assert score_in(new, member) == score
    less = without(new, member)
    assert less is not None
    assert count_in(less) == count_in(new) - 1 == len(scores) - 1
    assert score_in(less, member) is None
    for start, stop in ((0, 1), (1, 3), (0, 99), (2, 2), (99, 99)):
        cut = cut_out(new, start, stop)
        names = names_in(new, 0, 99)
        del names[start:stop]
        assert names_in(cut, 0, 99) == names
        assert count_in(cut) == len(names)
        assert [score_in(cut, name) for name in names] == [scores[name] for name in names]
    # None of this has changed what it was made from.
    assert [(score, name) for name, score in pairs_in(text, 0, 99)] == ordered
