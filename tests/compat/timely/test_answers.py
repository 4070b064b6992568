"""Answers as JSON text: numbers, times, pieces."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from januskv.compat.timely.answers import PIECE_BYTES, Dps, metrics_page, pieces, whole

T = 1_893_456_000_000


def text(value: Any) -> bytes:
    return b"".join(pieces(value))


def dps(rows: dict[int, float], *, in_ms: bool = True, as_arrays: bool = False, nan_as_null: bool = False) -> Dps:
    return Dps(np.array(list(rows), np.int64), np.array(list(rows.values()), np.float64), in_ms, as_arrays, nan_as_null)


def test_doubles_and_what_is_no_number() -> None:
    found = dps({T: 5, T + 1: -0.25, T + 2: math.nan, T + 3: math.inf, T + 4: -math.inf, T + 5: 0.1})
    assert text(found) == (
        b'{"1893456000000":5.0,"1893456000001":-0.25,"1893456000002":"NaN","1893456000003":"Infinity",'
        b'"1893456000004":"-Infinity","1893456000005":0.1}'
    )


def test_a_sum_beyond_doubles_of_numbers_that_are_none() -> None:
    assert json.loads(text(dps({1: 1e308, 2: 1e308}))) == {"1": 1e308, "2": 1e308}


def test_null_in_place_of_what_is_no_number() -> None:
    assert text(dps({1: math.nan, 2: 1}, nan_as_null=True)) == b'{"1":null,"2":1.0}'


def test_no_rows() -> None:
    assert text(dps({})) == b"{}"
    assert text(dps({}, as_arrays=True)) == b"[]"
    assert text([]) == b"[]"
    assert text({}) == b"{}"


def test_arrays() -> None:
    assert text(dps({1: 2, 3: math.nan}, as_arrays=True)) == b'[[1,2.0],[3,"NaN"]]'


@pytest.mark.parametrize("as_arrays", [False, True])
def test_of_rows_in_one_second_the_last_one_counts(as_arrays: bool) -> None:
    found = json.loads(text(dps({T: 1, T + 500: 3, T + 999: 4, T + 1000: 5}, in_ms=False, as_arrays=as_arrays)))
    expected = {"1893456000": 4.0, "1893456001": 5.0}
    assert found == ([[int(key), value] for key, value in expected.items()] if as_arrays else expected)


@pytest.mark.parametrize("begin", [0, 1, 5, 9])
def test_seconds_over_the_borders_of_slices(begin: int) -> None:
    rows = {begin + 100 * number: float(number) for number in range(20_000)}
    expected: dict[str, float] = {}
    for time_ms, value in rows.items():
        expected[str(time_ms // 1000)] = value
    assert json.loads(text(dps(rows, in_ms=False))) == expected


def test_long_answers_come_in_pieces() -> None:
    count = 300_000
    series = {"metric": "m", "dps": Dps(np.arange(count, dtype=np.int64), np.arange(count) / 7, True, False)}
    made = list(pieces([series, series]))
    assert len(made) > 50
    assert max(map(len, made)) < 4 * PIECE_BYTES
    found = json.loads(b"".join(made))
    assert [len(each["dps"]) for each in found] == [count, count]
    assert found[0]["dps"]["299999"] == 299_999 / 7


def test_long_lists_come_in_pieces() -> None:
    names = [f"metric.{number}" for number in range(50_000)]
    made = list(pieces(names))
    assert len(made) > 5
    assert json.loads(b"".join(made)) == names
    document = {"results": [{"tags": {"host": name}, "metric": None} for name in names], "limit": 5}
    made = list(pieces(document))
    assert len(made) > 5
    assert json.loads(b"".join(made)) == document


@pytest.mark.parametrize(
    "value", ["2.2.1", None, 7, [1, "a"], {"a": {"b": [1, {"c": []}]}}, [{"a": 1}, {"b": [2]}], [[{"x": {}}]], ['"\\']]
)
def test_other_values(value: Any) -> None:
    assert json.loads(text(value)) == value


def test_whole_gives_way() -> None:
    value = list(range(100_000))
    made: list[bytes] = []

    def steps() -> Generator[None, None, None]:
        made.append((yield from whole(value)))

    assert len(list(steps())) > 3
    assert json.loads(made[0]) == value


def test_the_page_of_metrics_shows_names_as_they_are() -> None:
    tags = [{"key": "host", "value": "db1"}, {"key": "mnt", "value": "<script>&\"'"}]
    page = b"".join(metrics_page([{"metric": "a<b>", "tags": tags}])).decode()
    assert "<title>Timely Metric Information</title>" in page
    assert "<td>a&lt;b&gt;</td>\n<td>host=db1 mnt=&lt;script&gt;&amp;&quot;&#x27; </td>" in page
    assert "<script>" not in page
