"""What filters keep, what is wrong with texts that are none, and limits."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.storage.filters import BadFilter, EventTime, parse_expression, parse_filter
from januskv.storage.instants import parse_instant

NOW = parse_instant("2023-03-05T08:00:01.5Z")
EVENT: dict[str, Any] = {
    "n": 12,
    "half": 0.5,
    "zero": 0,
    "big": (1 << 64) - 1,
    "text": "buoy",
    "empty": "",
    "yes": True,
    "no": False,
    "null": None,
    "list": [1, "b", None, True],
    "none": [],
    "nested": [[1, [2]], 3, [], None],
    "pos": {"lat": 54.1, "lon": 10, "_time": "x"},
    "bare": {},
    "legs": [{"to": "A", "h": [1, 2]}, {"to": "B", "h": [3]}, {"x": 1}, 7, None],
    "at": "2023-03-01T10:00:00+02:00",
    "odd key": 7,
    "length": 3,
    "and": 1,
    "emoji": "é😀",
}
ARGS: dict[str, Any] = {"k": "buoy", "odd key": 12, "list": [12, "x"], "o": {"p": [5]}, "pattern": "^b"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # paths
        ("n", 12),
        ("missing", None),
        ("pos.lat", 54.1),
        ("pos[lat]", 54.1),
        ("pos['lat']", 54.1),
        ('pos [ "lat" ]', 54.1),
        ("pos . lat", 54.1),
        ("text.x", None),
        ("null.x.y", None),
        ("['odd key']", 7),
        ("['pos']['lat']", 54.1),
        ("['pos'].lat", 54.1),
        ("list[0]", 1),
        ("list[-1]", True),
        ("list[-4]", 1),
        ("list[-5]", None),
        ("list[4]", None),
        ("list[001]", "b"),
        ("list[99999999999999999999999999]", None),
        ("pos[0]", None),
        ("text[0]", None),
        ("list.x", None),
        ("list[*]", [1, "b", True]),
        ("none[*]", []),
        ("text[*]", None),
        ("pos[*]", None),
        ("legs[*].to", ["A", "B"]),
        ("legs[*].h", [[1, 2], [3]]),
        ("legs[*].h[]", [[1, 2], [3]]),
        ("(legs[*].h)[]", [1, 2, 3]),
        ("legs[*].h[0]", [1, 3]),
        ("(legs[*].h)[0]", [1, 2]),
        ("legs[*].h[*]", [[1, 2], [3]]),
        ("nested[]", [1, [2], 3, None]),
        ("nested[][]", [1, 2, 3, None]),
        ("text[]", None),
        ("legs[].to", None),
        ("legs[? to == 'B'].h", [[3]]),
        ("legs[? h]", [{"to": "A", "h": [1, 2]}, {"to": "B", "h": [3]}]),
        ("legs[? h[? _time]]", []),
        ("legs[? ['to'] == 'A'].to", ["A"]),
        ("text[? true]", None),
        ("list[? true]", [1, "b", True]),
        ("(pos).lat", 54.1),
        ("length", 3),
        ("and", 1),
        # literals
        ("true", True),
        ("false", False),
        ("null", None),
        ("-0.5e1", -5.0),
        ("18446744073709551615", (1 << 64) - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63)),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
        (r"'it\'s \\ \d\n'", r"it's \ \d\n"),
        (r'"\"\\\/\b\f\n\r\té😀"', '"\\/\b\f\n\r\té😀'),
        ("'a\nb'", "a\nb"),
        ("[]", []),
        ("[1, n, ['a']]", [1, 12, ["a"]]),
        ("[1, ['a', 'b']]", [1, ["a", "b"]]),
        ("[n]", [12]),
        ("['a', 'b'][1]", "b"),
        ("1 .x", None),
        ("$args.k", "buoy"),
        ("$args['odd key']", 12),
        ("$args.o.p[0]", 5),
        ("$args.list[? true]", [12, "x"]),
        # truth
        ("!zero", False),
        ("!missing", True),
        ("!empty", True),
        ("!none", True),
        ("!bare", True),
        ("!!text", True),
        ("!!!text", False),
        ("n && text", True),
        ("n && null", False),
        ("null || empty || n", True),
        ("null || empty || no", False),
        ("n && text && none", False),
        # comparisons
        ("n == 12.0", True),
        ("n == '12'", False),
        ("zero == false", False),
        ("zero == 0", True),
        ("yes == 1", False),
        ("yes != 1", True),
        ("no == 0", False),
        ("1 == yes", False),
        ("yes == true", True),
        ("missing == null", True),
        ("missing != 1", True),
        ("missing != null", False),
        ("null == null", True),
        ("n > 11", True),
        ("n >= 12", True),
        ("n < 12", False),
        ("n <= 12.5", True),
        ("11 < n", True),
        ("12 < n", False),
        ("12 <= n", True),
        ("12 > n", False),
        ("12 >= n", True),
        ("'buoy' < text", False),
        ("'buoy' >= text", True),
        ("big > 18446744073709551614", True),
        ("big < 18446744073709551616", True),
        ("yes > 0", None),
        ("0 < yes", None),
        ("text > 1", None),
        ("n > 'a'", None),
        ("n < true", None),
        ("n < null", None),
        ("!(n < null)", True),
        ("text > 'bun'", True),
        ("text <= 'buoy'", True),
        ("missing < 'a'", None),
        ("list < list", None),
        ("pos.lat > pos.lon", True),
        ("list == [1, 'b', null, true]", True),
        ("list == [1, 'b', null, 1]", False),
        ("list == [1, 'b', null]", False),
        ("bare == none", False),
        ("pos == pos", True),
        ("pos == $args.o", False),
        ("!no == true", True),
        ("n == 12 == true", BadFilter),
        # times
        ("at == '2023-03-01T08:00:00Z'", False),
        ("at >= '2023-03-01T08:00:00Z'", True),
        ("at <= '2023-03-01T08:00:00.000Z'", True),
        ("at < '2023-03-01T08:00:00.1Z'", True),
        ("at < '2023-03-01T09'", False),
        ("at < [][0]", None),
        ("'2023-03-01T09:00:00Z' > at", True),
        ("at > text", False),
        ("_time == '2023-03-05T08:00:01.500Z'", True),
        ("_time == '2023-03-05T10:00:01.5+02:00'", True),
        ("_time != '2023-03-05T08:00:01.5Z'", False),
        ("_time > '2023-03-05T08:00:01Z'", True),
        ("'2023-03-05T08:00:01Z' < _time", True),
        ("_time >= at", True),
        ("at < _time", True),
        ("_time == at", False),
        ("_time == _time", True),
        ("_time <= _time", True),
        ("_time == 'soon'", False),
        ("_time != 'soon'", True),
        ("_time < 'soon'", None),
        ("_time < 5", None),
        ("_time == n", False),
        ("_time in ['2023-03-05T08:00:01.5Z']", True),
        ("contains(['soon', at], _time)", False),
        ("[_time] == ['2023-03-05T08:00:01.5Z']", True),
        ("['_time'] == '2023-03-05T08:00:01.5Z'", True),
        ("!_time", False),
        ("_time.x", None),
        ("pos._time", "x"),
        ("starts_with(_time, '2023-03-05T08:00:01.5')", True),
        ("length(_time)", 24),
        # in
        ("n in [1, 12]", True),
        ("n in [1, 12.0]", True),
        ("n in []", False),
        ("yes in [1]", False),
        ("yes in [true]", True),
        ("null in [null]", True),
        ("missing in [1, null]", True),
        ("missing in [1]", False),
        ("list in [[1, 'b', null, true]]", True),
        ("n in list", False),
        ("1 in list", True),
        ("'b' in list", True),
        ("'b' in ['b']", True),
        ("'b' in 'abc'", None),
        ("n in $args.list", True),
        ("n in $args.k", None),
        ("[1, 2] in nested", False),
        ("[1, [2]] in nested", True),
        # functions
        ("contains(list, 'b')", True),
        ("contains(list, 1.0)", True),
        ("contains(none, 1)", False),
        ("contains(list, missing)", True),
        ("contains(text, 'uo')", True),
        ("contains(text, 1)", False),
        ("contains(n, 1)", None),
        ("contains(['buoy', n], text)", True),
        ("contains(['buoy'], text)", True),
        ("starts_with(text, 'bu')", True),
        ("beginsWith(text, 'uo')", False),
        ("starts_with(n, 'bu')", None),
        ("starts_with(text, n)", None),
        ("ends_with(text, 'oy') && endsWith(text, '')", True),
        ("ends_with(list, 'oy')", None),
        ("regex(text, 'uo')", True),
        ("regex(text, '^uo')", False),
        ("regex(text, '(?i)^B[A-Z]{2}y$')", True),
        ("regex(emoji, '^..$')", True),
        ("regex(n, '1')", None),
        ("regex(text, $args.pattern)", True),
        ("regex(text, missing)", None),
        ("regex(text, at)", False),
        ("regex(text, ['('][0])", None),
        ("regex(text, ['(', ''][0])", BadFilter),
        ("regex(text, n)", None),
        ("length(list)", 4),
        ("length(emoji)", 2),
        ("length(pos)", 3),
        ("length(n)", None),
        ("length (text)", 4),
        ("sum([1, n, half])", 13.5),
        ("sum(none)", 0),
        ("sum(list)", None),
        ("sum([yes])", None),
        ("sum(n)", None),
        ("sum([big, 1])", 2.0**64),
        ("sum([1e308, 1e308])", None),
        ("sum([0.1, 0.2, 0.3, -0.6])", pytest.approx(0, abs=1e-16)),
        # ["x"]: a member or an array
        ("['odd key'] == 7", True),
        ("text == ['text']", False),
        ("list[1] in ['b']", True),
        ("['text'] == ['text']", False),
        ("!['none']", True),
        ("(['text'])", "buoy"),
        ("text == (['text'])", True),
        ("text == ['text'].x", False),
        ("length(['text'])", 1),
        ("length(['text'] )", 1),
        ("length((['text']))", 4),
        ("length(['pos'].lat)", None),
        ("contains(list, ['text'] == 'buoy')", True),
        ("[['text']]", [["text"]]),
        ("[['text'] == 'buoy']", [True]),
        ("['text', 'x']", ["text", "x"]),
        ("legs[? ['to']].to", ["A", "B"]),
    ],
)
def test_values(text: str, value: Any) -> None:
    if value is BadFilter:
        with pytest.raises(BadFilter):
            parse_expression(text, ARGS)
        return
    filter = parse_expression(text, ARGS)
    found = filter.value(EVENT, NOW)
    assert (type(found), found) == (type(value), value) or (isinstance(found, float) and found == value)
    assert filter.keeps(EVENT, NOW) is parse_filter(f"!!({text})", ARGS).value(EVENT, NOW)
    assert filter.keeps(EVENT, NOW) is (value not in ("", [], {}) and value is not None and value is not False)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        pytest.param("", 0, id="nothing"),
        pytest.param("  ", 2, id="blanks"),
        pytest.param("a == ", 5, id="nothing on the right"),
        pytest.param("== 1", 0, id="nothing on the left"),
        pytest.param("a && ", 5, id="nothing after &&"),
        pytest.param("a = 1", 2, id="a single equals sign"),
        pytest.param("a & b", 2, id="a single ampersand"),
        pytest.param("a | b", 2, id="a single bar"),
        pytest.param("a and b", 2, id="and in letters"),
        pytest.param("a or b", 2, id="or in letters"),
        pytest.param("not a", 4, id="not in letters"),
        pytest.param("a < b < c", 6, id="comparisons do not chain"),
        pytest.param("a == b != c", 7, id="nor do equalities"),
        pytest.param("a in b in c", 7, id="nor does in"),
        pytest.param("a + 1", 2, id="no sums"),
        pytest.param("a -1", 2, id="no differences"),
        pytest.param("a * b", 2, id="no products"),
        pytest.param("a ? b", 2, id="no conditions"),
        pytest.param("{a: 1}", 0, id="no objects"),
        pytest.param("a # x", 2, id="no comments"),
        pytest.param("a == 'x", 5, id="an open string"),
        pytest.param('a == "x', 5, id="another open string"),
        pytest.param("a == 'x\\'", 5, id="the quote is escaped"),
        pytest.param('a == "\\x"', 6, id="no such escape"),
        pytest.param('"ab\\ud800"', 3, id="half of a surrogate pair"),
        pytest.param('"\\udc00\\ud800"', 1, id="halves in the wrong order"),
        pytest.param('"\\u12g4"', 1, id="digits that are not"),
        pytest.param("$foo", 0, id="no such variable"),
        pytest.param("$args", 5, id="no name of an argument"),
        pytest.param("$args[0]", 6, id="an argument by number"),
        pytest.param("$args.nobody", 0, id="an argument that is missing"),
        pytest.param("$argsx", 0, id="another variable"),
        pytest.param("01 == a", 0, id="a leading zero"),
        pytest.param("-01 == a", 0, id="a leading zero after a sign"),
        pytest.param("1e999", 0, id="infinity"),
        pytest.param("9" * 5000, 0, id="infinity in digits"),
        pytest.param("1e", 0, id="no exponent"),
        pytest.param("- 1", 0, id="a sign by itself"),
        pytest.param(".5", 0, id="no digit before the point"),
        pytest.param("a[1st]", 2, id="an index with letters"),
        pytest.param("a[1.0]", 2, id="an index with a fraction"),
        pytest.param("a[1e1]", 2, id="an index with an exponent"),
        pytest.param("b[foo$]", 5, id="a sign in a name"),
        pytest.param('a["foo"]b', 8, id="a name without a dot"),
        pytest.param("a.in", 2, id="in is no name"),
        pytest.param("a[true]", 2, id="true is no name"),
        pytest.param("a.'x'", 2, id="a string after a dot"),
        pytest.param("a.", 2, id="a dot at the end"),
        pytest.param("a..b", 2, id="two dots"),
        pytest.param("a[", 2, id="an open bracket"),
        pytest.param("a['x', 'y']", 5, id="two names in brackets"),
        pytest.param("a[?]", 3, id="no test"),
        pytest.param("[*]", 1, id="a projection of nothing"),
        pytest.param("[? a]", 1, id="a test of nothing"),
        pytest.param("[1, ]", 4, id="a comma at the end"),
        pytest.param("(a", 2, id="an open parenthesis"),
        pytest.param("a)", 1, id="a parenthesis that closes nothing"),
        pytest.param("()", 1, id="empty parentheses"),
        pytest.param("nosuch(a)", 0, id="no such function"),
        pytest.param("a.length(b)", 8, id="a function of a value"),
        pytest.param("length()", 0, id="an argument too few"),
        pytest.param("n == length(a, b)", 5, id="an argument too many"),
        pytest.param("regex(a, '(')", 0, id="no pattern"),
        pytest.param("regex(a, '(a)\\1')", 0, id="a back-reference"),
        pytest.param("regex(a, '(?=a)')", 0, id="a look-ahead"),
        pytest.param("regex(a, $args.bad)", 0, id="no pattern in an argument"),
        pytest.param("regex(a, '" + "x" * 1025 + "')", 0, id="a long pattern"),
        pytest.param("a\u00a0== 1", 1, id="another blank"),
        pytest.param("é == 1", 0, id="a letter beyond ASCII"),
        pytest.param("a == '\ud800'", 6, id="half of a surrogate pair as it is"),
        pytest.param("x" * (16 * 1024 + 1), None, id="too long"),
        pytest.param("'" + "é" * 8192 + "'", None, id="too many bytes"),
        pytest.param("(" * 65 + "a" + ")" * 65, 64, id="parentheses too deep"),
        pytest.param("[" * 65 + "1", 64, id="arrays too deep"),
        pytest.param("length(" * 65 + "1", 454, id="calls too deep"),
        pytest.param("a" + "[? a" * 65, 258, id="tests too deep"),
        pytest.param("a" + "[*]" * 65, 196, id="projections too deep"),
        pytest.param("(" * 8000, 64, id="far too deep"),
        pytest.param("||".join(["regex(a, 'b')"] * 33), 480, id="too many patterns"),
    ],
)
def test_no_filters(text: str, offset: int | None) -> None:
    with pytest.raises(BadFilter) as raised:
        parse_filter(text, {"bad": "(", "known": 1})
    assert raised.value.offset == offset
    assert raised.value.message
    assert str(raised.value) == raised.value.message


def test_arguments_need_args() -> None:
    with pytest.raises(BadFilter):
        parse_filter("a == $args.k")


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("(" * 64 + "a" + ")" * 64, True, id="parentheses"),
        pytest.param("!" * 16_001 + "a", False, id="negations"),
        pytest.param("[" * 64 + "a" + "]" * 64, True, id="arrays"),
        pytest.param("a" + "[]" * 5000, False, id="flattened"),
        pytest.param("a" + "[*]" * 64, True, id="projections"),
        pytest.param("a" + "[? [0] == 0 || !!($args.deep" * 21 + ")]" * 21, True, id="tests"),
        pytest.param("a" + ".b" * 8000, False, id="members"),
        pytest.param("&&".join(["a"] * 5000), True, id="conditions"),
        pytest.param("||".join(["a.b"] * 3000), False, id="alternatives"),
        pytest.param("[" + "a," * 8000 + "a]", True, id="elements"),
        pytest.param("a == $args.deep", False, id="equality of what is deep"),
        pytest.param("$args.deep == $args.deep && $args.deep in [$args.deep]", True, id="and with itself"),
        pytest.param("length(" * 64 + "a" + ")" * 64, False, id="calls"),
        pytest.param("contains(" * 64 + "a" + ", a)" * 64, False, id="calls of two"),
    ],
)
def test_what_is_long_or_deep_is_no_problem(text: str, kept: bool) -> None:
    assert parse_filter(text, {"deep": deep(5000)}).keeps({"a": deep(3000)}, NOW) is kept


def test_computed_patterns_may_be_wrong() -> None:
    filter = parse_expression("regex(text, pattern)")
    assert filter.value({"text": "ab", "pattern": "^a.$"}, NOW) is True
    assert filter.value({"text": "ab", "pattern": "("}, NOW) is None
    assert filter.value({"text": "ab", "pattern": "x" * 1025}, NOW) is None
    assert filter.value({"text": "x" * 2000, "pattern": "x" * 1024}, NOW) is True


def test_the_end_is_that_of_the_text() -> None:
    filter = parse_filter("regex(text, 'a$')")
    assert filter.keeps({"text": "ba"}, NOW)
    assert not filter.keeps({"text": "ba\n"}, NOW)


@pytest.mark.parametrize(
    ("text", "roots", "uses_time"),
    [
        ("a == 1 && pos.lat > b[0]", {"a", "pos", "b"}, False),
        ("['odd key'] == 1", {"odd key"}, False),
        ("a == ['b']", {"a"}, False),
        ("legs[? h > 1 && _time].x", {"legs"}, False),
        ("legs[? h > 1].x == _time", {"legs"}, True),
        ("['_time'] > '2023'", set(), True),
        ("contains(a, [b, $args.k])", {"a", "b"}, False),
        ("true", set(), False),
    ],
)
def test_what_is_looked_at(text: str, roots: set[str], uses_time: bool) -> None:
    filter = parse_filter(text, ARGS)
    assert (filter.roots, filter.uses_time) == (roots, uses_time)


def test_the_value_of_the_time_is_an_instant() -> None:
    value = parse_expression("_time").value({}, NOW)
    assert isinstance(value, EventTime)
    assert value.instant == NOW
    assert value.text() == "2023-03-05T08:00:01.500Z"
