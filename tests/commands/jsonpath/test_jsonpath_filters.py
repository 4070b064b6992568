"""What filters let through: truth, comparisons, regular expressions, arithmetic and paths as values."""

import pytest

from januskv.commands.jsonpath import compile


def kept(expression, items, path="$[?{}]"):
    """The indexes of the items for which an expression holds."""
    return [location[0] for location, _ in compile(path.format(expression)).find(items)]


@pytest.mark.parametrize("form", ["$[?(@.m)]", "$[?@.m]", "$[ ? ( ( @.m ) ) ]", "$[?!!@.m]", "$[?(!(!@.m))]"])
@pytest.mark.parametrize(
    ("item", "want"),
    [
        pytest.param({}, False, id="absent"),
        pytest.param({"m": None}, False, id="null"),
        pytest.param({"m": False}, False, id="false"),
        pytest.param({"m": ""}, False, id="the empty string"),
        pytest.param({"m": []}, False, id="an empty array"),
        pytest.param({"m": {}}, False, id="an empty object"),
        pytest.param({"m": 0}, True, id="zero"),
        pytest.param({"m": 0.0}, True, id="zero with a point"),
        pytest.param({"m": True}, True, id="true"),
        pytest.param({"m": "x"}, True, id="a string"),
        pytest.param({"m": [None]}, True, id="an array"),
        pytest.param({"m": {"n": None}}, True, id="an object"),
        pytest.param("m", False, id="no object at all"),
    ],
)
def test_bare_path(form, item, want):
    assert compile(form).matches([item]) is want


VALUES = [None, True, False, 0, 1, 1.0, 2, 0.5, -1, "", "1", "a", "b", "B", [], [1], {}, {"a": 1}]


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        pytest.param("@ == 1", [1, 1.0], id="a number by value"),
        pytest.param("@ == 1.0", [1, 1.0], id="a number with a point"),
        pytest.param("@ == -1", [-1], id="a negative number"),
        pytest.param("@ == 5e-1", [0.5], id="a number with an exponent"),
        pytest.param("@ == '1'", ["1"], id="a string is not a number"),
        pytest.param('@ == "a"', ["a"], id="a string in double quotes"),
        pytest.param("@ == true", [True], id="true is not 1"),
        pytest.param("@ == false", [False], id="false is not 0"),
        pytest.param("@ == null", [None], id="null"),
        pytest.param("@ == []", [[]], id="an empty array"),
        pytest.param("@ == [1.0]", [[1]], id="an array, item by item"),
        pytest.param("@ == [true]", [], id="true is not 1 inside either"),
        pytest.param("@ == {}", [{}], id="an empty object"),
        pytest.param("@ == {\"a\": 1, 'a': 2}", [{"a": 1}], id="an object, the first of two members"),
        pytest.param("1 == @", [1, 1.0], id="the literal on the left"),
        pytest.param("@ != 1", [v for v in VALUES if v is True or v != 1], id="unequal"),
        pytest.param("@ < 1", [0, 0.5, -1], id="less, numbers only"),
        pytest.param("@ <= 1", [0, 1, 1.0, 0.5, -1], id="less or equal"),
        pytest.param("@ > 0", [1, 1.0, 2, 0.5], id="greater, and true is not a number"),
        pytest.param("@ >= 1", [1, 1.0, 2], id="greater or equal"),
        pytest.param("@ < 'a'", ["", "1", "B"], id="strings by code"),
        pytest.param("@ >= 'a'", ["a", "b"], id="strings by code, the other way"),
        pytest.param("@ < null", [], id="nothing is less than null"),
        pytest.param("@ <= null", [], id="nor equal in order"),
        pytest.param("@ >= true", [], id="bools have no order"),
        pytest.param("!(@ < 1)", [v for v in VALUES if v in (1, 2) or type(v) not in (int, float)], id="not in order"),
        pytest.param("(@ < 1) == false", [1, 1.0, 2], id="no order between types is null, not false"),
        pytest.param("@ == @", VALUES, id="everything equals itself"),
    ],
)
def test_comparison(expression, want):
    found = [value for _, value in compile(f"$[?({expression})]").find(VALUES)]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in want]


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        pytest.param("@.m == null", [0, 1], id="absent reads as null"),
        pytest.param("@.m != 5", [0, 1], id="absent is not 5"),
        pytest.param("@.m == 5", [2], id="present"),
        pytest.param("@.m.n.o == null", [0, 1, 2], id="absent further in"),
        pytest.param("@.m == @.n", [0, 2], id="two members, absent or equal"),
        pytest.param("@.m < 6", [2], id="absent has no order"),
        pytest.param("@.m + 1 == null", [0, 1], id="absent cannot be computed with"),
    ],
)
def test_absent(expression, want):
    assert kept(expression, [{}, {"m": None, "n": 1}, {"m": 5, "n": 5.0}]) == want


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        pytest.param("@.a && @.b", [3], id="and"),
        pytest.param("@.a || @.b", [1, 2, 3], id="or"),
        pytest.param("!@.a", [0, 2], id="not"),
        pytest.param("!@.a && @.b", [2], id="not binds tighter than and"),
        pytest.param("@.a || @.b && @.c", [1, 3], id="and binds tighter than or"),
        pytest.param("(@.a || @.b) && @.c", [], id="unless in parentheses"),
        pytest.param("!(@.a || @.b)", [0], id="not of parentheses"),
        pytest.param("@.a==1&&@.b==1", [3], id="comparisons bind tighter than and"),
        pytest.param("(@.a || @.b) == 1", [1, 2, 3], id="or gives its operand"),
        pytest.param("(@.a && 'x') == 'x'", [1, 3], id="and gives its operand"),
        pytest.param("@.a == 1 == true", [1, 3], id="equals from left to right"),
        pytest.param("@.b > 0 == true", [2, 3], id="order binds tighter than equality"),
        pytest.param("true", [0, 1, 2, 3], id="a literal"),
        pytest.param("'' || 0", [0, 1, 2, 3], id="zero is true"),
    ],
)
def test_logic(expression, want):
    assert kept(expression, [{}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}]) == want


def test_what_is_not_needed_is_not_evaluated():
    items = [{}, {"m": "Rome"}, {"m": "Bonn"}]
    assert kept("!@.m || starts_with(@.m, 'R')", items) == [0, 1]
    assert kept("@.m && !starts_with(@.m, 'R')", items) == [2]


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        pytest.param("@ =~ /thg/", [0], id="anywhere in the text"),
        pytest.param("@ =~ /^south$/", [1], id="anchored"),
        pytest.param("@ =~ /SOUTH/", [], id="case matters"),
        pytest.param("@ =~ /SOUTH/i", [1], id="unless told otherwise"),
        pytest.param("@ =~ /SOUTH/ii", [1], id="also if told twice"),
        pytest.param(r"@ =~ /a\/b/", [2], id="an escaped slash"),
        pytest.param(r"@ =~ /\d+/", [4], id="a class"),
        pytest.param("@ =~ /юг/", [5], id="letters beyond ASCII"),
        pytest.param("@ =~ /^.$/", [6], id="a dot is a character, not a byte"),
        pytest.param("@ =~ //", [0, 1, 2, 4, 5, 6], id="an empty expression, and strings only"),
        pytest.param("!(@ =~ /o/)", [2, 3, 4, 5, 6], id="not, in parentheses"),
        pytest.param("!@ =~ /o/", [], id="not alone binds tighter, and true is not a string"),
        pytest.param("@ =~ /o/ && @ =~ /th/", [0, 1], id="two of them"),
        pytest.param("(@ =~ /o/) == null", [3], id="null for what is not a string"),
        pytest.param("'abc' =~ /b/", [0, 1, 2, 3, 4, 5, 6], id="on a literal"),
        pytest.param("@ =~\n /gate/", [0], id="blanks before it"),
    ],
)
def test_regular_expression(expression, want):
    assert kept(expression, ["Northgate", "south", "a/b", 7, "x7", "юг", "ю"]) == want


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        pytest.param("1 + 2 * 3", "7", id="products first"),
        pytest.param("(1 + 2) * 3", "9", id="unless in parentheses"),
        pytest.param("7 - 2 - 1", "4", id="from left to right"),
        pytest.param("1-1", "0", id="without blanks"),
        pytest.param("2 - -3", "5", id="a sign behind a minus"),
        pytest.param("-(2 + 3)", "-5", id="a sign before parentheses"),
        pytest.param("--5", "5", id="two signs"),
        pytest.param("-2 * 3", "-6", id="a sign binds tighter"),
        pytest.param("7 / 2", "3", id="integers divide to an integer"),
        pytest.param("-7 / 2", "-3", id="towards zero"),
        pytest.param("7 / -2", "-3", id="towards zero, the other way"),
        pytest.param("7 / 2.0", "3.5", id="with a fraction if one side has a point"),
        pytest.param("7 % 3", "1", id="remainder"),
        pytest.param("-7 % 3", "-1", id="remainder with the sign of the left side"),
        pytest.param("7 % -3", "1", id="whatever the sign of the right side"),
        pytest.param("7.5 % 2", "1.5", id="remainder of a fraction"),
        pytest.param("1 / 0", "null", id="division by zero"),
        pytest.param("1.5 / 0", "null", id="division by zero with a point"),
        pytest.param("1 % 0", "null", id="remainder by zero"),
        pytest.param("1.5 % 0.0", "null", id="remainder by zero with a point"),
        pytest.param("9223372036854775807 + 1", "9223372036854775808", id="up to unsigned 64 bits"),
        pytest.param("18446744073709551615 + 1", "1.8446744073709552e19", id="then a float"),
        pytest.param("-9223372036854775807 - 2", "-9.2233720368547758e18", id="below signed 64 bits a float"),
        pytest.param("9223372036854775807 * 9223372036854775807 > 1e37", "true", id="a large product"),
        pytest.param("1e308 * 10", "null", id="beyond floats null"),
        pytest.param("1 + '1'", "null", id="a string is not a number"),
        pytest.param("true + 1", "null", id="true is not a number"),
        pytest.param("-true", "null", id="not with a sign either"),
        pytest.param("null * 2", "null", id="null is not a number"),
        pytest.param("1 + null * 2 - 3", "null", id="null stays null"),
        pytest.param("1 + 1 == 2", "true", id="sums before comparisons"),
        pytest.param("2 * 2 > 3", "true", id="products before comparisons"),
    ],
)
def test_arithmetic(expression, value):
    assert kept(f"({expression}) == {value}", [0]) == [0]


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("$.list[?@.n > $.least].n", [2, 3], id="an absolute path"),
        pytest.param("$.list[?@.n == $.list[0].n].n", [1], id="an absolute path with an index"),
        pytest.param("$.list[?@.n-1 == 1].n", [2], id="a minus behind a name"),
        pytest.param("$.list[?@.n*2 >= 4].n", [2, 3], id="a product behind a name"),
        pytest.param("$.list[?@['n'] == 2].n", [2], id="a member in brackets"),
        pytest.param("$.list[?@.t[0] == 'x'].n", [1, 3], id="an index"),
        pytest.param("$.list[?@.t.length == 2].n", [1], id="a length"),
        pytest.param("$.list[?@.t.length == 0].n", [2], id="the length of an empty array"),
        pytest.param("$.list[?@.t[*] == ['x']].n", [3], id="several elements are an array"),
        pytest.param("$.list[?@.t[*]].n", [1, 3], id="which is true unless it is empty"),
        pytest.param("$.list[?@.t[0:1] == 'x'].n", [], id="an array even if there is one"),
        pytest.param("$.list[?@.t[0:1] == ['x']].n", [1, 3], id="a slice as an array"),
        pytest.param("$.list[?@['n','t'] == [2,[]]].n", [2], id="a union as an array"),
        pytest.param("$.list[?@..n == [3]].n", [3], id="a descent as an array"),
        pytest.param("$.list[?@.t[?@ == 'y']].n", [1], id="a filter in a filter"),
        pytest.param("$.list[?@.t[?@ == $.letter]].n", [1], id="an absolute path in a filter in a filter"),
        pytest.param("$.list[?@^.length == 3].n", [1, 2, 3], id="the parent of the element"),
        pytest.param("$.list[?@^^.letter == 'y'].n", [1, 2, 3], id="the parent of the parent"),
        pytest.param("$.list[?@.t.x].n", [], id="a member of an array"),
        pytest.param("$[?@.length == 3].*.n", [1, 2, 3], id="a filter over members of an object"),
        pytest.param("$.list[?(@.n) == 1].n", [1], id="parentheses around a part only"),
        pytest.param("$.list[?(@.t)[0] == 'x'].n", [1, 3], id="steps behind parentheses"),
        pytest.param("$.list[?@.n == [3,2,1][1]].n", [2], id="steps behind a literal"),
    ],
)
def test_paths_in_filters(path, want):
    root = {
        "list": [{"n": 1, "t": ["x", "y"]}, {"n": 2, "t": []}, {"n": 3, "t": ["x"]}],
        "least": 1.5,
        "letter": "y",
    }
    assert [value for _, value in compile(path).find(root)] == want
