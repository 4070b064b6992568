"""Timeouts of blocking commands that count in seconds."""

from __future__ import annotations

import pytest

from januskv.compat.redis.timeouts import blocking_timeout
from januskv.compat.server.faults import RespError


@pytest.mark.parametrize(
    ("text", "timeout_ms"),
    [(b"0", None), (b"0.0", None), (b"1", 1000), (b"0.001", 1), (b"0.0001", 1), (b"2.5", 2500), (b"1e3", 1_000_000)],
)
def test_seconds_become_milliseconds(text: bytes, timeout_ms: int | None) -> None:
    assert blocking_timeout(text) == timeout_ms


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "ERR timeout is not a float or out of range"),
        (b"abc", "ERR timeout is not a float or out of range"),
        (b"nan", "ERR timeout is not a float or out of range"),
        (b" 1", "ERR timeout is not a float or out of range"),
        (b"-1", "ERR timeout is negative"),
        (b"-0.5", "ERR timeout is negative"),
        (b"1e300", "ERR timeout is out of range"),
        (b"inf", "ERR timeout is out of range"),
    ],
)
def test_refused(text: bytes, error: str) -> None:
    with pytest.raises(RespError) as caught:
        blocking_timeout(text)
    assert caught.value.text == error
