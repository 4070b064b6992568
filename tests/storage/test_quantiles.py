"""Quantiles: of many groups at once and of one big group bit by bit, both against the definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage import quantiles
from januskv.storage.quantiles import between, legacy, nearest, of_groups, of_one


def one(values: list[float], share: float, place: Any) -> float:
    steps = of_one(np.array(values), share, place)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: float = end.value
            return found


@pytest.mark.parametrize(
    ("share", "place", "expected"),
    [
        pytest.param(0.5, legacy, 25.0, id="type 6, the middle"),
        pytest.param(0.75, legacy, 37.5, id="type 6"),
        pytest.param(0.99, legacy, 40.0, id="type 6, the end"),
        pytest.param(0.1, legacy, 10.0, id="type 6, the beginning"),
        pytest.param(0.5, nearest, 20.0, id="type 3"),
        pytest.param(0.6, nearest, 20.0, id="type 3, below"),
        pytest.param(0.625, nearest, 20.0, id="type 3, of two the even one"),
        pytest.param(0.875, nearest, 40.0, id="type 3, of two the even one above"),
        pytest.param(0.01, nearest, 10.0, id="type 3, the beginning"),
        pytest.param(0.5, between, 25.0, id="type 7, the middle"),
        pytest.param(0.75, between, 32.5, id="type 7"),
        pytest.param(0.999, between, 39.97, id="type 7, near the end"),
    ],
)
def test_definitions(share: float, place: Any, expected: float) -> None:
    values = [30.0, 10.0, 40.0, 20.0]
    assert of_groups(np.array(values), np.array([4]), share, place).tolist() == pytest.approx([expected])
    assert one(values, share, place) == pytest.approx(expected)


def test_groups_of_different_sizes() -> None:
    values = np.array([3.0, 1.0, 2.0, 9.0, 5.0, 7.0])
    assert of_groups(values, np.array([3, 1, 2]), 0.5, between).tolist() == [2.0, 9.0, 6.0]
    assert of_groups(values, np.array([2, 2, 2]), 0.5, between).tolist() == [2.0, 5.5, 6.0]


NUMBERS = st.one_of(
    st.floats(allow_nan=False), st.integers(-5, 5).map(float), st.sampled_from([math.nan, math.inf, -math.inf, -0.0])
)


@given(
    st.lists(NUMBERS, min_size=1, max_size=80),
    st.sampled_from([0.5, 0.9, 0.999]),
    st.sampled_from([legacy, nearest, between]),
)
def test_a_big_group_is_treated_like_small_ones(values: list[float], share: float, place: Any) -> None:
    run, quantiles._RUN = quantiles._RUN, 7  # type: ignore[misc]
    try:
        found = one(values, share, place)
    finally:
        quantiles._RUN = run  # type: ignore[misc]
    [expected] = of_groups(np.array(values), np.array([len(values)]), share, place).tolist()
    assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)
