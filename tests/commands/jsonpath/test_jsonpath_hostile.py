"""Paths and documents made to hurt: they end soon, by an answer or by PathTooCostly, and never by anything else."""

import contextlib
import time

import pytest

from januskv.commands.jsonpath import Budget, PathError, PathTooCostly, compile

WORK = 100_000  # a tenth of the usual budget, for fast tests


def nested(depth, value=1):
    for _ in range(depth):
        value = [value]
    return value


ROOT = {
    "rows": [{"a": i, "s": "ab" * 20} for i in range(2_000)],
    "deep": nested(120),
    "text": "ab" * 100_000,
    "patterns": [f"x{{{i}}}y" for i in range(300)],
    "numbers": list(range(20_000)),
}


def seconds(act):
    start = time.process_time()
    act()
    return time.process_time() - start


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("$..*..*..*", id="descents after descents"),
        pytest.param("$" + "..*^" * 1500, id="down and up again"),
        pytest.param("$.rows[*]" + "[*,*,*,*,*]^^" * 20, id="wildcards that repeat everything"),
        pytest.param("$" + "[$.rows[*],$.rows[*]]" * 5, id="paths in brackets that repeat everything"),
        pytest.param("$.rows[?" + "||".join(["@.z"] * 1600) + "]", id="a long row of alternatives"),
        pytest.param("$.rows[?" + "*".join(["9223372036854775807"] * 400) + " > @.a]", id="a long product"),
        pytest.param("$.rows[?@" + ".a" * 4000 + "]", id="a long path in a filter"),
        pytest.param("$..[?@ == $ || @ == $.rows || @ == $.numbers]", id="comparing large containers"),
        pytest.param("$..[?@ == [" + ",".join("1" * 3900) + "]]", id="comparing with a large literal"),
        pytest.param("$.rows[?@^[?@^[?@]]]", id="filters over the whole array in filters"),
        pytest.param("$.rows[?@^..z]", id="descents that find nothing"),
        pytest.param("$.rows[?@^^.numbers == $.numbers]", id="comparing two large arrays for each element"),
        pytest.param("$.rows[?contains($.numbers, @.a + 0.5)]", id="searching a large array for each element"),
        pytest.param("$.rows[?sum($.rows)]", id="a function that fails again for each element"),
        pytest.param("$.rows[?$.text =~ /(a?){300}a{300}c/]", id="a slow expression on a long text"),
        pytest.param("$.rows[?@.s =~ /(a?){300}a{300}c/]", id="a slow expression on many texts"),
        pytest.param("tokenize($.text, 'b.*z|b')", id="a split that reads the rest each time"),
        pytest.param("$.patterns[?tokenize('abc', @)]", id="an expression to compile for each element"),
    ],
)
def test_too_costly(path):
    def find():
        with pytest.raises(PathTooCostly):
            compile(path).find(ROOT, Budget(WORK))

    assert seconds(find) < 2


def test_the_usual_budget_ends_soon_too():
    def find():
        with pytest.raises(PathTooCostly):
            compile("$..*..*..*..*").matches(ROOT)

    assert seconds(find) < 10


def test_replacing_has_a_budget():
    with pytest.raises(PathTooCostly):
        compile("$..*..*..*").replace(ROOT, 1, Budget(WORK))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("$..*", id="everything"),
        pytest.param("$.rows[?@.a > avg($.rows[*].a)]", id="a mean over all rows for each row"),
        pytest.param("$.numbers[?@ < max($.numbers)]", id="the greatest of all for each number"),
        pytest.param("$.rows[?contains(@.s, 'ba')].s", id="a part of each text"),
        pytest.param("$.rows[?@.s =~ /ba.*ab/i].a", id="an expression on each text"),
        pytest.param("$.deep" + "[0]" * 120, id="the bottom of a deep document"),
        pytest.param("$.deep..[?@ == 1]", id="a filter at every depth"),
        pytest.param("$[?@ == $.deep]", id="comparing deep arrays"),
    ],
)
def test_honest_work_is_done(path):
    assert compile(path).find(ROOT)


HOSTILE_TEXTS = {
    "brackets": "$" + "[" * 8000,
    "parentheses": "$[?" + "(" * 8000,
    "signs": "$[?" + "!" * 8000,
    "filters": "$" + "[?@" * 2000,
    "escapes": "$['" + "\\u" * 4000,
    "braces": "$[?" + '{"a":' * 1500,
    "digits": "$[?" + "9" * 8000 + "]",
    "digits of an index": "$[" + "9" * 8000 + "]",
    "a nested repetition": "$[?@ =~ /" + "(" * 500 + "a*" + ")*" * 500 + "/]",
    "many names": "$" + ".a" * 4095,
    "many terms": "$[?" + "-".join(["@"] * 4000) + "]",
    "many steps of all kinds": "$" + "..[*,0,:,?1][(0)]^" * 300,
    "a million characters": "$" + " " * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS.keys())
def test_compiling_ends_soon(text):
    def compiled():
        with contextlib.suppress(PathError):
            compile(text)

    assert seconds(compiled) < 2


def with_frames_below(frames, act):
    return act() if frames == 0 else with_frames_below(frames - 1, act)


SIDES = "*1+1<1==1&&1||1"  # an operator of every rank, so that a level is as many calls as it can be
DEEPEST = {
    "filters": "$.deep" + "..[0,?@" * 16 + (SIDES + "]") * 16,
    "functions": "$[?" + "length(" * 63 + "@" + (")" + SIDES) * 63 + "]",
    "parentheses on the right": "$[?" + "1||1&&1==1<1+1*(" * 63 + "@" + ")" * 63 + "]",
    "signs": "$[?" + "-!" * 31 + "@]",
    "a literal": "$[?@ == " + "[" * 63 + "]" * 63 + "]",
    "both": "$.deep" + "[?@" * 15 + "[?" + "abs(" * 45 + "1" + (")" + SIDES) * 45 + "]" + "]" * 15,
}


@pytest.mark.parametrize("text", DEEPEST.values(), ids=DEEPEST.keys())
def test_the_deepest_paths_fit_python_s_stack(text):
    def find():
        with contextlib.suppress(PathTooCostly):
            compile.__wrapped__(text).find(ROOT, Budget(WORK))

    with_frames_below(150, find)
