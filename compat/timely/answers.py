"""Answers of the API as JSON text, in pieces: a long one is made some rows at a time, so that others are served in between.

Values are JSON doubles; what JSON has no number for is a text: ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import orjson

from januskv.compat.server.stopwatch import now_ns
from januskv.storage.metric_queries import MetricGroup

from .requests import QueryRequest, SubQuery

# Rows, or elements of a list, that are spelt in one go: about a millisecond.
_ROWS: Final = 4096
_ELEMENTS: Final = 1024
_SLICE_NS: Final = 1_000_000
# A piece is as long as what is there when it exceeds this.
PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Dps:
    """The points of one series: times in ms (arrays of the engine) and values."""

    times: Any
    values: Any
    in_ms: bool
    as_arrays: bool
    nan_as_null: bool = False


def series_of(asked: SubQuery, group: MetricGroup, request: QueryRequest, number: int) -> dict[str, Any]:
    """One series of a query's answer. With an outer aggregator its tags are the patterns that were asked for."""
    tags = {text_of(key): text_of(value) for key, value in group.tags.items()}
    found: dict[str, Any] = {
        "metric": text_of(asked.query.metric),
        "tags": tags or asked.echo,
        # Timely's spelling, always empty, and OpenTSDB's.
        "aggregatedTags": [],
        "aggregateTags": [text_of(key) for key in group.aggregated_tags],
    }
    if request.with_query:
        found["query"] = {**asked.asked, "index": number}
    downsample = asked.query.downsample
    null = downsample is not None and downsample.fill == "null"
    found["dps"] = Dps(group.times, group.values, request.in_ms, request.as_arrays, null)
    return found


def text_of(data: bytes) -> str:
    """A name or value as text; JSON has no other."""
    return data.decode(errors="replace")


# ---------------------------------------------------------------- JSON


def pieces(value: Any) -> Generator[bytes, None, None]:
    """A value as JSON text, in pieces of some 64 KB that take a millisecond or two each; empty ones only give way."""
    piece = bytearray()
    began = now_ns()
    for part in _parts(value):
        piece += part
        if len(piece) > PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
            began = now_ns()
        elif now_ns() - began > _SLICE_NS:
            yield b""
            began = now_ns()
    yield bytes(piece)


def whole(value: Any) -> Generator[None, None, bytes]:
    """A value as JSON text, made in steps."""
    found = []
    for piece in pieces(value):
        found.append(piece)
        yield
    return b"".join(found)


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, Dps):
        yield from _dps(value)
    elif isinstance(value, list) and (len(value) > _ELEMENTS or any(isinstance(each, dict | Dps) for each in value)):
        yield from _list(value)
    elif isinstance(value, dict) and any(isinstance(each, dict | list | Dps) for each in value.values()):
        mark = b"{"
        for name, member in value.items():
            yield mark + orjson.dumps(name) + b":"
            yield from _parts(member)
            mark = b","
        yield b"}"
    else:
        yield orjson.dumps(value)


def _list(value: list[Any]) -> Iterator[bytes]:
    """A long list of plain elements by slices; other ones element by element."""
    mark = b"["
    if any(_holds_dps(each) for each in value[:1]):
        for each in value:
            yield mark
            yield from _parts(each)
            mark = b","
        yield b"]" if value else b"[]"
        return
    for at in range(0, len(value), _ELEMENTS):
        yield mark + orjson.dumps(value[at : at + _ELEMENTS])[1:-1]
        mark = b","
    yield b"]" if value else b"[]"


def _holds_dps(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(each, Dps) for each in value.values())


def _dps(dps: Dps) -> Iterator[bytes]:
    """An object of texts of times, or pairs, in order of time. Of rows of the same second the last one counts."""
    begin, end = (b"[", b"]") if dps.as_arrays else (b"{", b"}")
    times = dps.times if dps.in_ms else dps.times // 1000
    mark = begin
    for at in range(0, len(times), _ROWS):
        keys, values = times[at : at + _ROWS], dps.values[at : at + _ROWS]
        if not dps.in_ms:
            keys, values = _last_of_each(keys, values, times[at + 1 : at + _ROWS + 1])
        rows = dict(zip(keys.tolist(), _numbers(values.tolist(), dps.nan_as_null), strict=True))
        if rows:
            yield (
                mark + orjson.dumps(list(rows.items()) if dps.as_arrays else rows, option=orjson.OPT_NON_STR_KEYS)[1:-1]
            )
            mark = b","
        else:
            yield b""
    yield end if mark == b"," else begin + end


def _last_of_each(keys: Any, values: Any, following: Any) -> tuple[Any, Any]:
    """The rows behind which another time follows, or nothing."""
    if len(following) < len(keys):  # at the end of all
        following = following.copy()
        following.resize(len(keys), refcheck=False)
        following[-1] = keys[-1] + 1
    kept = keys != following
    return keys[kept], values[kept]


def _numbers(values: list[float], nan_as_null: bool) -> list[Any]:
    """Values as they are spelt; what is not a number as text, or as null."""
    if nan_as_null or math.isfinite(sum(values)):
        return values  # orjson makes null of all that JSON has no number for
    return [each if math.isfinite(each) else _NAMES.get(each, "NaN") for each in values]


_NAMES: Final[dict[float, str]] = {math.inf: "Infinity", -math.inf: "-Infinity"}


# ---------------------------------------------------------------- the page of metrics


def metrics_page(metrics: Iterable[dict[str, Any]]) -> Generator[bytes, None, None]:
    """The list of metrics as HTML, in pieces: what ``metrics`` holds as JSON."""
    piece = bytearray(_HEAD)
    for each in metrics:
        tags = "".join(f"{tag['key']}={tag['value']} " for tag in each["tags"])
        piece += f"<tr><td>{escape(each['metric'])}</td>\n<td>{escape(tags)}</td></tr>\n".encode(errors="replace")
        if len(piece) > PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + b"</table>\n</body></html>\n")


_HEAD: Final = (
    b"<!DOCTYPE html>\n"
    b'<html lang="en"><head><meta charset="utf-8"><title>Timely Metric Information</title></head><body>\n'
    b"<h1>Timely Metric Information</h1>\n<table>\n<tr><th>Metric</th><th>Available Tags</th></tr>\n"
)
