"""Entries of streams are encoded as arrays of their ids and fields."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from januskv.resp.encoder import encode
from januskv.resp.replies import Entries
from januskv.storage.streams import make_id

parts = st.integers(0, (1 << 64) - 1)
fields = st.lists(st.binary(max_size=200)).map(tuple)


@given(st.lists(st.tuples(parts, parts, fields)))
def test_the_bytes_are_those_of_the_arrays(rows: list[tuple[int, int, tuple[bytes, ...]]]) -> None:
    wanted = encode([[b"%d-%d" % (ms, seq), each] for ms, seq, each in rows])
    assert encode(Entries([(make_id(ms, seq), each) for ms, seq, each in rows])) == wanted
