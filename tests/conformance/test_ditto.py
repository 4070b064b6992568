"""The conformance cases of the Ditto API (ditto.json) over HTTP, against a server without keys and one with three.

A case is a list of requests, sent as they stand there, and what each is to be answered (specs: ditto.md, section 18). The cases write
series of their own; where one waits, the clock is moved.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ..http_api import Answer, Api
from ..http_port import HttpPort

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "ditto.json").read_text())
KEYS = {
    "key-rw": {"read": {"everything": True}, "write": {"everything": True}},
    "key-ro": {"read": {"everything": True}},
    "key-sensors": {"read": {"everything": True}, "write": {"everything": False, "timeseries": ["sensors-.*"]}},
}
_TYPES: dict[str, Any] = {
    "integer": int,
    "number": (int, float),
    "string": str,
    "object": dict,
    "array": list,
    "boolean": bool,
    "null": type(None),
}


def test_no_case_is_left_out() -> None:
    assert len(CASES) >= 186
    assert {feature for case in CASES for feature in case.get("requires", [])} <= {"auth", "store"}


# ---------------------------------------------------------------- matching


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


class Matching:
    """Compares answers with what a case describes, at a moment in Unix seconds."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s

    def fits(self, expected: Any, actual: Any, *, subset: bool = False) -> bool:
        """Whether a value is what is expected; with ``subset`` objects may have more members."""
        if isinstance(expected, dict) and expected and all(name.startswith("$") for name in expected):
            return all(self.passes(name, operand, actual, subset) for name, operand in expected.items())
        if isinstance(expected, dict):
            if not isinstance(actual, dict):
                return False
            absent = {name for name, each in expected.items() if each == {"$absent": True}}
            listed = expected.keys() - absent
            return (
                listed <= actual.keys()
                and not absent & actual.keys()
                and (subset or listed == actual.keys())
                and all(self.fits(expected[name], actual[name], subset=subset) for name in listed)
            )
        if isinstance(expected, list):
            return (
                isinstance(actual, list)
                and len(expected) == len(actual)
                and all(self.fits(one, other, subset=subset) for one, other in zip(expected, actual, strict=True))
            )
        if isinstance(expected, bool) or isinstance(actual, bool):
            return expected is actual
        return bool(expected == actual)

    def passes(self, name: str, operand: Any, actual: Any, subset: bool) -> bool:
        match name:
            case "$any":
                return True
            case "$type":
                return _is(actual, operand)
            case "$eq":
                return str(actual) == str(operand)
            case "$gt":
                return _is(actual, "number") and actual > float(operand)
            case "$ge":
                return _is(actual, "number") and actual >= float(operand)
            case "$regex":
                return isinstance(actual, str) and re.search(operand, actual) is not None
            case "$unordered":
                left = list(actual) if isinstance(actual, list) else []
                for each in operand:
                    place = next((i for i, other in enumerate(left) if self.fits(each, other, subset=subset)), None)
                    if place is None:
                        return False
                    del left[place]
                return not left
            case "$time_near":
                found = datetime.fromisoformat(actual).timestamp()
                return abs(found - self.now_s - operand["offset_s"]) <= float(operand["tolerance_s"])
        raise AssertionError(name)


def test_matching() -> None:
    fits = Matching(0).fits
    for expected, actual in (
        ({"a": {"$type": "integer"}, "b": [1.0]}, {"a": 1, "b": [1]}),
        ({"$unordered": [1, {"$gt": "4"}]}, [5, 1]),
        ({"$time_near": {"offset_s": 5, "tolerance_s": 1}}, "1970-01-01T00:00:05.5Z"),
        ({"a": {"$absent": True}}, {}),
        ({"$eq": "5"}, 5),
    ):
        assert fits(expected, actual)
    for expected, actual in (
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"$type": "integer"}}, {"a": True}),
        ({"$unordered": [1]}, [1, 1]),
        ([1], [1, 2]),
        (1, True),
        ({"a": {"$absent": True}}, {"a": None}),
        ({"$time_near": {"offset_s": 5, "tolerance_s": 1}}, "1970-01-01T00:00:07Z"),
        ({"$regex": "^a"}, "ba"),
        ({"$ge": 5}, 4),
    ):
        assert not fits(expected, actual)
    assert fits({"a": 1}, {"a": 1, "b": 2}, subset=True)


# ---------------------------------------------------------------- running


def instant(now_s: int) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Run:
    """One case on one server, and what it has learned."""

    def __init__(self, port: HttpPort, number: int) -> None:
        self.port = port
        self.now_s = port.house.clock.now_ms // 1000
        self.values = {"s": f"case-{number}", "s2": f"more-{number}"}

    def filled(self, value: Any, *, escaped: bool = False) -> Any:
        """A value of the case with what its variables stand for."""
        if isinstance(value, dict):
            return {self.filled(name): self.filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if not isinstance(value, str):
            return value

        def text(found: re.Match[str]) -> str:
            moment = re.fullmatch(r"now([+-]\d+)?s?", found[1])
            shown = self.values[found[1]] if moment is None else instant(self.now_s + int(moment[1] or 0))
            return quote(shown, safe=":") if escaped else shown

        return re.sub(r"\$\{([^}]+)\}", text, value)

    def step(self, step: dict[str, Any]) -> None:
        if "delay_ms" in step:
            self.port.house.advance(step["delay_ms"])
        body = step.get("body")
        data = None if body is None else self.filled(body).encode()
        if "body_base64" in step:
            data = base64.b64decode(step["body_base64"])
        headers = {name.replace("-", "_"): value for name, value in self.filled(step.get("headers") or {}).items()}
        answer = Api(self.port).ask(step["method"], self.filled(step["path"], escaped=True), data, **headers)
        self.check(self.filled(step["expect"]), answer)
        for name, place in step.get("capture", {}).items():
            self.values[name] = str(self.captured(place, answer))

    def captured(self, place: str, answer: Answer) -> Any:
        if place.startswith("header:"):
            return answer.headers[place.removeprefix("header:").lower()]
        value = answer.json
        for name in place.split("."):
            value = value[name]
        return value

    def check(self, expect: dict[str, Any], answer: Answer) -> None:
        matching = Matching(self.now_s)
        assert answer.status == expect["status"], answer
        for name, wanted in (expect.get("headers") or {}).items():
            found: Any = answer.headers[name.lower()]
            if name.lower() == "content-type":
                found = found.partition(";")[0]
            if re.fullmatch(r"\d+", found):
                found = int(found)
            assert matching.fits(wanted, found), (name, answer)
        if "ndjson" in expect or "ndjson_count" in expect:
            assert answer.body.endswith(b"\n") or not answer.body
            lines = [json.loads(line) for line in answer.body.split(b"\n")[:-1]]
            assert len(lines) == expect.get("ndjson_count", len(lines)), answer
            assert matching.fits(expect.get("ndjson", lines), lines), answer
        if "json_subset" in expect:
            assert matching.fits(expect["json_subset"], json.loads(answer.body), subset=True), answer
        assert not (expect.get("body_empty") and answer.body)


@pytest.fixture(scope="module")
def port() -> Iterator[HttpPort]:
    port = HttpPort()
    yield port
    port.close()


@pytest.fixture(scope="module")
def guarded_port() -> Iterator[HttpPort]:
    port = HttpPort(ditto_api_keys=json.dumps(KEYS))
    yield port
    port.close()


@pytest.mark.parametrize(
    ("number", "case"),
    [pytest.param(number, case, id=f"{number} {case['group']} {case['note']}") for number, case in enumerate(CASES)],
)
def test_case(number: int, case: dict[str, Any], request: pytest.FixtureRequest) -> None:
    name = "guarded_port" if "auth" in case.get("requires", []) else "port"
    run = Run(request.getfixturevalue(name), number)
    for step in case["steps"]:
        run.step(step)
