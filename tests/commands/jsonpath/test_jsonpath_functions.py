"""What the functions of paths give, and what they do with arguments they do not take."""

import pytest

from januskv.commands.jsonpath import compile

ROOT = {
    "n": [3, 1.5, -2],
    "s": ["pear", "apple"],
    "mixed": [1, "a"],
    "none": [],
    "text": "one, two,three",
    "number": -7,
    "object": {"b": 1, "a": 2},
    "books": [{"price": 8}, {"price": 12}, {"title": "x"}],
    "one": [{"price": 4}],
    "flag": True,
}


@pytest.mark.parametrize(
    ("call", "want"),
    [
        pytest.param("contains($.text, 'two')", True, id="a part of a string"),
        pytest.param("contains($.text, 'four')", False, id="no part of a string"),
        pytest.param("contains($.s, 'apple')", True, id="an item of an array"),
        pytest.param("contains($.n, 3.0)", True, id="an item by value"),
        pytest.param("contains([1], true)", False, id="true is not 1"),
        pytest.param("contains($.books[*].price, 12)", True, id="among the elements of a path"),
        pytest.param("starts_with($.text, 'one')", True, id="a start"),
        pytest.param("starts_with($.text, 'two')", False, id="no start"),
        pytest.param("ends_with($.text, 'three')", True, id="an end"),
        pytest.param("ends_with($.text, '')", True, id="the empty end"),
        pytest.param("sum($.n)", 2.5, id="a sum"),
        pytest.param("sum($.none)", 0.0, id="a sum of nothing"),
        pytest.param("sum($.books[*].price)", 20.0, id="a sum of what a path selects"),
        pytest.param("sum($.one[*].price)", 4.0, id="a sum of what a path selects, just one"),
        pytest.param("prod($.n)", -9.0, id="a product"),
        pytest.param("avg($.n)", 2.5 / 3, id="a mean"),
        pytest.param("avg($.none)", None, id="a mean of nothing"),
        pytest.param("min($.n)", -2, id="the least number"),
        pytest.param("max($.n)", 3, id="the greatest number"),
        pytest.param("min($.s)", "apple", id="the least string"),
        pytest.param("max($.s)", "pear", id="the greatest string"),
        pytest.param("max($.none)", None, id="the greatest of nothing"),
        pytest.param("abs($.number)", 7, id="without the sign"),
        pytest.param("abs(1.5)", 1.5, id="without a sign already"),
        pytest.param("ceil(1.2)", 2.0, id="up"),
        pytest.param("ceil(-1.2)", -1.0, id="up, below zero"),
        pytest.param("floor(1.8)", 1.0, id="down"),
        pytest.param("floor($.number)", -7.0, id="an integer becomes a float"),
        pytest.param("to_number('12')", 12, id="an integer"),
        pytest.param("to_number('-1.5e1')", -15.0, id="a fraction with an exponent"),
        pytest.param("to_number('18446744073709551615')", 2**64 - 1, id="the largest integer"),
        pytest.param("to_number('18446744073709551616')", 2.0**64, id="a larger one is a float"),
        pytest.param("to_number(5)", 5, id="a number already"),
        pytest.param("to_number('1x')", None, id="no number"),
        pytest.param("to_number('1_000')", None, id="no number for JSON"),
        pytest.param("to_number('nan')", None, id="nor is nan"),
        pytest.param("to_number('1e999')", None, id="a number beyond floats"),
        pytest.param("keys($.object)", ["b", "a"], id="names in order"),
        pytest.param("length($.n)", 3, id="of an array"),
        pytest.param("length($.none)", 0, id="of an empty array"),
        pytest.param("length($.object)", 2, id="of an object"),
        pytest.param("length('зима')", 4, id="of a string, in characters"),
        pytest.param("length($..price)", 3, id="of what a path selects"),
        pytest.param("tokenize($.text, ',\\\\s*')", ["one", "two", "three"], id="pieces between matches"),
        pytest.param("tokenize(',a,,b,', ',')", ["", "a", "", "b"], id="empty pieces but the last"),
        pytest.param("tokenize('abc', 'x')", ["abc"], id="a single piece"),
        pytest.param("tokenize('', 'x')", [""], id="pieces of nothing"),
        pytest.param("tokenize('зима', 'и')", ["з", "ма"], id="pieces beyond ASCII"),
        pytest.param("tokenize('abc', '')", ["", "a", "b", "c"], id="between all characters"),
        pytest.param("length(keys($))", 10, id="a function in a function"),
        pytest.param("abs($.number + 2 * 3)", 1, id="an expression as an argument"),
        pytest.param("length ( @.n )", 3, id="@ is the root here, and blanks are allowed"),
        pytest.param("keys($.object)[1]", "a", id="a step into the result"),
        pytest.param("keys($.object).length", 2, id="the length of the result"),
    ],
)
def test_result_at_the_head_of_a_path(call, want):
    found = [value for _, value in compile(call).find(ROOT)]
    assert found == [want]
    assert type(found[0]) is type(want)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("contains($.number, 7)", id="contained in a number"),
        pytest.param("contains($.text, 1)", id="a number in a string"),
        pytest.param("starts_with($.absent, 'a')", id="the start of null"),
        pytest.param("ends_with($.text, null)", id="an end that is null"),
        pytest.param("sum($.number)", id="a sum of a number"),
        pytest.param("sum($.mixed)", id="a sum of strings"),
        pytest.param("sum([true])", id="a sum of bools"),
        pytest.param("prod($.none)", id="a product of nothing"),
        pytest.param("avg($.s)", id="a mean of strings"),
        pytest.param("min($.mixed)", id="the least of a mix"),
        pytest.param("max([[1]])", id="the greatest of arrays"),
        pytest.param("abs('1')", id="a string without a sign"),
        pytest.param("ceil(null)", id="null rounded"),
        pytest.param("floor($.flag)", id="a bool rounded"),
        pytest.param("to_number(true)", id="a bool as a number"),
        pytest.param("keys($.n)", id="names of an array"),
        pytest.param("length(5)", id="the length of a number"),
        pytest.param("tokenize($.n, ',')", id="pieces of an array"),
        pytest.param("tokenize($.text, '(')", id="a broken regular expression"),
        pytest.param("tokenize('a', '(?=a)')", id="one that re2 does not have"),
        pytest.param("length(abs('x'))", id="an argument that cannot be computed"),
    ],
)
def test_arguments_that_are_not_taken(call):
    assert compile(call).find(ROOT) == []
    assert compile(f"$.n[?{call} || true]").find(ROOT) == []
    assert compile(f"$.n[?!{call}]").find(ROOT) == []


def test_the_location_of_a_result_is_the_root():
    assert compile("length($.n)").find(ROOT) == [((), 3)]
    assert compile("keys($.object)[1]").find(ROOT) == [((1,), "a")]


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("$.books[?@.price > avg($.books[*].price)].price", [12], id="more than the mean"),
        pytest.param("$.books[?@.price == max($..price)].price", [12], id="the greatest"),
        pytest.param("$.books[?length(@) == 1].title", ["x"], id="by length"),
        pytest.param("$.s[?starts_with(@, 'p')]", ["pear"], id="by start"),
        pytest.param("$.s[?tokenize(@, 'p')[0] == 'a']", ["apple"], id="by a piece"),
        pytest.param("$.books[?contains(keys(@), 'title')].title", ["x"], id="by name of a member"),
        pytest.param("$[?contains(@, 'a')]", [["a"]], id="over members of all types"),
        pytest.param("$.n[?ceil(@) == 2]", [1.5], id="compared with an integer"),
    ],
)
def test_in_filters(path, want):
    root = {**ROOT, "mixed": ["a"], "object": 0, "text": 1}
    assert [value for _, value in compile(path).find(root)] == want
