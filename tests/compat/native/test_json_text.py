"""Reading JSON with the rules of the native face."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.compat.server.json_scan import written_members
from januskv.compat.server.json_text import JsonError, dumps, fault_text, loads


def nested(depth: int, inner: str = "1") -> bytes:
    return b"[" * depth + inner.encode() + b"]" * depth


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a":1,"a":2}', {"a": 1}, id="the first of two members counts"),
        pytest.param('{"a":1,"b":2,"a":3}', {"a": 1, "b": 2}, id="also with another between"),
        pytest.param('{"a" :1,"a":":"}', {"a": 1}, id="a blank before the colon, a colon in the other"),
        pytest.param('{"a\\":":1,"a\\":":2}', {'a":': 1}, id="names that end in a quote and a colon"),
        pytest.param('{"\\u0061":1,"a":2}', {"a": 1}, id="one written with an escape"),
        pytest.param('{"":1,"":2}', {"": 1}, id="empty names"),
        pytest.param('{"x":{"a":1,"a":[{"b":1,"b":2}]}}', {"x": {"a": 1}}, id="the lost one is not looked at"),
        pytest.param('[{"a":{"b":1,"b":2}}]', [{"a": {"b": 1}}], id="deep inside"),
        pytest.param('{"a":"x:y","k:":":","l":[":"]}', {"a": "x:y", "k:": ":", "l": [":"]}, id="colons in strings"),
        pytest.param('{"a\\\\":1,"b":"\\\\\\":"}', {"a\\": 1, "b": '\\":'}, id="backslashes before quotes"),
        pytest.param('{ "a" : 1 ,\t"b"\n:\r2 }', {"a": 1, "b": 2}, id="white space"),
        pytest.param('\ufeff{"a":1}', {"a": 1}, id="a byte order mark"),
        pytest.param("-9223372036854775808", -(1 << 63), id="the least integer"),
        pytest.param("18446744073709551615", (1 << 64) - 1, id="the greatest integer"),
        pytest.param("1e19", 1e19, id="a great number with exponent is a float"),
        pytest.param("18446744073709551616.0", 18446744073709551616.0, id="and one with fraction"),
        pytest.param("1e308", 1e308, id="a great double"),
        pytest.param("1e-400", 0.0, id="too near to zero"),
        pytest.param("1.0", 1.0, id="a whole float"),
        pytest.param("1e3", 1000.0, id="an exponent makes a float"),
        pytest.param("-0", 0, id="minus zero is an integer"),
        pytest.param('"\\u0000"', "\0", id="a null character"),
        pytest.param('"\\ud83d\\ude00"', "😀", id="a surrogate pair"),
        pytest.param(nested(128).decode(), json.loads(nested(128)), id="nested 128 deep"),
    ],
)
def test_read(text: str, value: object) -> None:
    found = loads(text.encode())
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" ", id="blanks"),
        pytest.param(b'{"a":1,}', id="comma before the end"),
        pytest.param(b"[1,]", id="comma before the end of an array"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b"{a:1}", id="a bare name"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b"[Infinity]", id="Infinity"),
        pytest.param(b"[1e400,NaN]", id="NaN behind a number beyond doubles"),
        pytest.param(b"-Infinity", id="minus Infinity"),
        pytest.param(b"007", id="leading zeros"),
        pytest.param(b"+1", id="a plus"),
        pytest.param(b".5", id="no digit before the point"),
        pytest.param(b"5.", id="no digit behind the point"),
        pytest.param(b"{} x", id="text behind"),
        pytest.param(b"{}{}", id="a second object"),
        pytest.param(b"/* */ {}", id="a comment"),
        pytest.param(b'"a\nb"', id="a raw line feed in a string"),
        pytest.param(b'{"a":1,"a":"\t"}', id="a raw tab in a member that is there twice"),
        pytest.param(b'"\\ud800"', id="a lone surrogate"),
        pytest.param(b'{"a":"\\ud800","b":1e400}', id="a lone surrogate beside a number beyond doubles"),
        pytest.param(b'"\\x41"', id="an unknown escape"),
        pytest.param(b'"\xff"', id="no UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', id="a surrogate in UTF-8"),
        pytest.param(b'"\xc0\x80"', id="overlong UTF-8"),
        pytest.param(b'["\xff",1e400]', id="no UTF-8 beside a number beyond doubles"),
        pytest.param("\ufeff\ufeff{}".encode(), id="two byte order marks"),
        pytest.param("\ufeff".encode() * 100_000, id="very many byte order marks"),
        pytest.param(b"18446744073709551616", id="an integer of 65 bits"),
        pytest.param(b"-9223372036854775809", id="a negative integer of 65 bits"),
        pytest.param(b"[1" + b"0" * 100_000 + b"]", id="an integer of 100,000 digits"),
        pytest.param(b"1e400", id="beyond doubles"),
        pytest.param(b"[-1e400,1]", id="beyond doubles, negative"),
        pytest.param(b'{"a":1e400,"a":1}', id="beyond doubles, and twice"),
        pytest.param(b'{"a":1,"a":1e400}', id="beyond doubles, as the second of two"),
        pytest.param(nested(129), id="nested 129 deep"),
        pytest.param(b'{"a":' * 129 + b"1" + b"}" * 129, id="objects nested 129 deep"),
        pytest.param(nested(1500), id="nested 1500 deep"),
        pytest.param(b"[" * 1_000_000, id="a million brackets"),
        pytest.param(b"[1e400," + b"[" * 1_000_000, id="a million brackets behind a number beyond doubles"),
        pytest.param(b"[1e400," + nested(129) + b"]", id="too deep behind a number beyond doubles"),
        pytest.param(b'{"a":' + nested(128) + b',"a":1}', id="the first of two members is too deep"),
        pytest.param(b'{"a":1,"a":' + nested(128) + b"}", id="the second of two members is too deep"),
    ],
)
def test_refused(text: bytes) -> None:
    with pytest.raises(JsonError):
        loads(text)


def test_many_shallow_arrays_are_not_deep() -> None:
    assert loads(b"[" + b",".join([b"[[]]"] * 1000) + b"]") == [[[]]] * 1000


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b"1", 0),
        (b"{}", 0),
        (b'{"a":1,"b":{"c":2}}', 3),
        (b'{"a":1,"a":2}', 2),
        (b'{"a" : 1, "b"\n:"x:y"}', 2),
        (b'["a:b", {"\\\\" :1}]', 1),
        (b'["\\"" , {"a" :":"}]', 1),
    ],
    ids=str,
)
def test_members_as_written(text: bytes, count: int) -> None:
    assert written_members(text) == count


# ---------------------------------------------------------------- against the standard library

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | st.text(':"\\ {}[]a', max_size=6)
numbers = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])


def exactly_equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(exactly_equal(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(exactly_equal, a, b))
    return bool(a == b) and (not isinstance(a, float) or math.copysign(1, a) == math.copysign(1, b))


@given(values, separators, st.booleans())
def test_reads_what_the_standard_library_wrote(value: Any, separators: tuple[str, str], ascii_only: bool) -> None:
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
    assert exactly_equal(loads(text), value)
    assert loads(dumps(value)) == value


def written(pairs: list[tuple[str, Any]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)} :{json.dumps(value)}" for name, value in pairs) + "}"


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ":", '"', "\\", '":']), values), max_size=6), st.booleans())
def test_the_first_of_equal_names_counts(pairs: list[tuple[str, Any]], spaced: bool) -> None:
    text = written(pairs) if spaced else written(pairs).replace(" :", ":")
    assert exactly_equal(loads(text.encode()), _first_of_each(text))


def _first_of_each(text: str) -> Any:
    def hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, value in pairs:
            members.setdefault(name, value)
        return members

    return json.loads(text, object_pairs_hook=hook)


@given(st.text('{}[]:,"\\ab1.e-+0 \n', max_size=24) | st.binary(max_size=12))
def test_takes_and_refuses_what_the_standard_library_does(source: str | bytes) -> None:
    text = source.encode() if isinstance(source, str) else source
    try:
        want = _first_of_each(text.decode())
        refused = (
            text.startswith(b"\xef\xbb\xbf") or any(name in text for name in (b"NaN", b"Infinity")) or _infinite(want)
        )
    except ValueError:
        refused = not text.startswith(b"\xef\xbb\xbf")
        if not refused:
            return
    if refused:
        with pytest.raises(JsonError):
            loads(text)
    else:
        assert want == loads(text)


def _infinite(value: Any) -> bool:
    """Whether a number in a value does not fit into a double; a name that stands twice cannot hide one here."""
    if isinstance(value, list | dict):
        return any(_infinite(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and math.isinf(value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(b"1e400", "a number does not fit into a double", id="beyond doubles"),
        pytest.param(b"18446744073709551616", "an integer does not fit into 64 bits", id="beyond 64 bits"),
        pytest.param(nested(129), "nested deeper than 128", id="too deep"),
        pytest.param(nested(5000), "nested deeper than 128", id="too deep for the parser"),
        pytest.param(
            b"[1e400" + b"," + nested(5000) + b"]", "a number does not fit into a double", id="which is told first"
        ),
        pytest.param(b"{bad", "", id="no JSON, which NemesisDB has no words for"),
    ],
)
def test_what_a_refusal_says(text: bytes, wanted: str) -> None:
    with pytest.raises(JsonError) as refused:
        loads(text)
    assert fault_text(refused.value) == wanted
