"""Keys and series of metrics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.clock import ManualClock
from januskv.storage.errors import WrongType
from januskv.storage.metrics import read_series_key, series_for, series_key
from januskv.storage.store import Store

TEXT = st.text(alphabet="ab{}\\,=", max_size=4).map(str.encode)
METRICS = st.tuples(TEXT, st.dictionaries(TEXT.filter(lambda name: name != b"viz"), TEXT, max_size=3), TEXT)


def test_key_names_tags_in_order():
    assert series_key(b"disk.used", {b"mnt": b"data", b"host": b"db7"}) == b"disk.used{host=db7,mnt=data}"
    assert series_key(b"up", {}) == b"up{}"
    assert series_key(b"a{b", {b"x": b"1=2"}, b"A&B") == rb"a\{b{x=1\=2,viz=A&B}"


@given(METRICS, METRICS)
def test_no_two_metrics_have_one_key(one, other):
    assert (series_key(*one) == series_key(*other)) == (one == other)


@given(METRICS)
def test_a_key_tells_its_metric(metric):
    assert read_series_key(series_key(*metric)) == metric


def test_a_series_is_created_once_with_its_labels():
    keyspace = Store(1, ManualClock()).databases[0]
    key, series = series_for(keyspace, b"cpu", {b"host": b"a"}, b"A", retention_ms=5000)
    assert series.labels == {b"__name__": b"cpu", b"host": b"a", b"viz": b"A"}
    assert (series.policy, series.retention_ms) == ("last", 5000)
    assert series_for(keyspace, b"cpu", {b"host": b"a"}, b"A") == (key, series)


def test_a_key_that_holds_something_else_is_left_alone():
    keyspace = Store(1, ManualClock()).databases[0]
    keyspace.put(b"cpu{host=a}", b"text")
    with pytest.raises(WrongType):
        series_for(keyspace, b"cpu", {b"host": b"a"})
    assert keyspace.get(b"cpu{host=a}") == b"text"
