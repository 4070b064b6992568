"""Texts that are not paths, and where reading stops."""

import pytest

from januskv.commands.jsonpath import PathError, PathTooCostly, compile


@pytest.mark.parametrize(
    ("text", "position"),
    [
        pytest.param("", 0, id="nothing"),
        pytest.param("  ", 2, id="blanks"),
        pytest.param("a", 0, id="a bare name"),
        pytest.param("a.b", 0, id="names without a root"),
        pytest.param(".a", 0, id="a dot at the start"),
        pytest.param("['a']", 0, id="a bracket at the start"),
        pytest.param("$abc", 1, id="a name right behind the root"),
        pytest.param("$ a", 2, id="a name behind the root and a blank"),
        pytest.param("$$", 1, id="two roots"),
        pytest.param("$[", 2, id="a bracket that is not closed"),
        pytest.param("$]", 1, id="a bracket that was not opened"),
        pytest.param("$[]", 2, id="an empty bracket"),
        pytest.param("$['a'", 5, id="a name in a bracket that is not closed"),
        pytest.param("$[0", 3, id="an index in a bracket that is not closed"),
        pytest.param("$[a]", 2, id="a bare name in brackets"),
        pytest.param("$['a' 'b']", 6, id="names without a comma"),
        pytest.param("$[0,]", 4, id="a comma too many"),
        pytest.param("$[,0]", 2, id="a comma at the start"),
        pytest.param("$.", 2, id="a dot at the end"),
        pytest.param("$.a.", 4, id="a dot at the end, later"),
        pytest.param("$..", 3, id="a descent to nothing"),
        pytest.param("$...a", 3, id="three dots"),
        pytest.param("$. .a", 3, id="a descent with a blank in it"),
        pytest.param("$.a..", 5, id="a descent at the end"),
        pytest.param("$.['a']", 2, id="a dot before a bracket"),
        pytest.param("$.a-b", 3, id="a hyphen in a bare name"),
        pytest.param("$.a b", 4, id="a blank in a bare name"),
        pytest.param("$.a#", 3, id="a character that means nothing"),
        pytest.param("$.^", 2, id="a parent behind a dot"),
        pytest.param("$['a", 2, id="a quote that is not closed"),
        pytest.param("$[\"a']", 2, id="quotes that do not fit"),
        pytest.param("$['\\x']", 3, id="an escape that means nothing"),
        pytest.param("$['\\u12']", 3, id="an escape with too few digits"),
        pytest.param("$['\\ud800']", 3, id="half of an escaped surrogate pair"),
        pytest.param("$['\\udc00\\ud800']", 3, id="a surrogate pair the wrong way round"),
        pytest.param("$['\ud800']", 3, id="half of a surrogate pair"),
        pytest.param("$['a\\", 4, id="an escape at the end"),
        pytest.param("$[1.5]", 2, id="an index with a fraction"),
        pytest.param("$[1e2]", 2, id="an index with an exponent"),
        pytest.param("$[01]", 2, id="an index with a zero before it"),
        pytest.param("$[9223372036854775808]", 2, id="an index of more than 64 bits"),
        pytest.param("$[-]", 3, id="a sign without an index"),
        pytest.param("$[--1]", 3, id="two signs"),
        pytest.param("$[1:2:0]", 7, id="a slice with a step of zero"),
        pytest.param("$[1:2:3:4]", 7, id="a slice with a colon too many"),
        pytest.param("$[1:'a']", 4, id="a slice to a name"),
        pytest.param("$[?]", 3, id="an empty filter"),
        pytest.param("$[?()]", 4, id="an empty filter in parentheses"),
        pytest.param("$[?(@.a]", 7, id="parentheses that are not closed"),
        pytest.param("$[?@.a)]", 6, id="parentheses that were not opened"),
        pytest.param("$[?@.a = 1]", 7, id="a single equals sign"),
        pytest.param("$[?@.a === 1]", 9, id="three equals signs"),
        pytest.param("$[?@.a & @.b]", 7, id="a single ampersand"),
        pytest.param("$[?@.a | @.b]", 7, id="a single bar"),
        pytest.param("$[?@.a and @.b]", 7, id="and as a word"),
        pytest.param("$[?@.a ==]", 9, id="a comparison with nothing"),
        pytest.param("$[?== 1]", 3, id="a comparison of nothing"),
        pytest.param("$[?@.a == b]", 10, id="a bare word as a value"),
        pytest.param("$[?@.a == True]", 10, id="true with a capital"),
        pytest.param("$[?@.a == 01]", 10, id="a number with a zero before it"),
        pytest.param("$[?@.a == 1.]", 12, id="a number that ends in a dot"),
        pytest.param("$[?@.a == .5]", 10, id="a number that begins with a dot"),
        pytest.param("$[?@.a == 1e999]", 10, id="a number beyond floats"),
        pytest.param("$[?@.a == [1,]]", 13, id="a comma too many in an array"),
        pytest.param("$[?@.a == {a: 1}]", 11, id="a bare name in an object"),
        pytest.param("$[?@.a == {'a' 1}]", 15, id="an object without a colon"),
        pytest.param("$[?!]", 4, id="not of nothing"),
        pytest.param("$[?@.a =~ 'x']", 10, id="a string as a regular expression"),
        pytest.param("$[?@.a =~ /x]", 10, id="a regular expression that is not closed"),
        pytest.param("$[?@.a =~ /(/]", 10, id="a broken regular expression"),
        pytest.param("$[?@.a =~ /(?=x)/]", 10, id="a regular expression with a lookahead"),
        pytest.param(r"$[?@.a =~ /(x)\1/]", 10, id="a regular expression with a backreference"),
        pytest.param("$[?@.a =~ /x/g]", 13, id="a flag that means nothing"),
        pytest.param("$[?@.a =~ /((x{500}){500}){500}/]", 10, id="a regular expression that is too large"),
        pytest.param("$[(1]", 4, id="a computed index that is not closed"),
        pytest.param("$[(1)+1]", 5, id="arithmetic behind a computed index"),
        pytest.param("size($)", 0, id="an unknown function"),
        pytest.param("length", 6, id="a function without parentheses"),
        pytest.param("length(", 7, id="a function that is not closed"),
        pytest.param("length()", 7, id="a function without its argument"),
        pytest.param("length($, $)", 0, id="a function with an argument too many"),
        pytest.param("contains($)", 0, id="a function with an argument too few"),
        pytest.param("length($) + 1", 10, id="arithmetic behind a function at the head"),
        pytest.param("$.a.length()", 10, id="a function as a step"),
        pytest.param("length.a", 6, id="a function's name as a root"),
    ],
)
def test_refused(text, position):
    with pytest.raises(PathError) as caught:
        compile(text)
    assert caught.value.position == position
    assert caught.value.reason
    assert not isinstance(caught.value, PathTooCostly)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$" + ".a" * 4096, id="too many characters"),
        pytest.param("$[?" + "(" * 65 + "1" + ")" * 65 + "]", id="too many parentheses"),
        pytest.param("$[?" + "!" * 65 + "1]", id="too many signs"),
        pytest.param("$[?" + "[" * 65 + "]" * 65 + "]", id="too many brackets of a literal"),
        pytest.param("$[?" + '{"a":' * 65 + "1" + "}" * 65 + "]", id="too many braces of a literal"),
        pytest.param("length(" * 65 + "$" + ")" * 65, id="too many functions"),
        pytest.param("$" + "[?@" * 17 + "]" * 17, id="too many filters inside each other"),
        pytest.param("$" + "[(@" * 17 + ")]" * 17, id="too many computed indexes inside each other"),
        pytest.param("$[?" + "||".join(["@ =~ /a/"] * 17) + "]", id="too many regular expressions"),
        pytest.param("$[?@ =~ /" + "a" * 1025 + "/]", id="a regular expression of too many characters"),
    ],
)
def test_too_large(text):
    with pytest.raises(PathError):
        compile(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$" + ".a" * 4095, id="many characters"),
        pytest.param("$[?" + "(" * 63 + "1" + ")" * 63 + "]", id="many parentheses"),
        pytest.param("$[?" + "!" * 63 + "1]", id="many signs"),
        pytest.param("$" + "[?@" * 16 + "]" * 16, id="many filters inside each other"),
        pytest.param("$[?" + "||".join(["@ =~ /a/"] * 16) + "]", id="many regular expressions"),
        pytest.param("$[?" + "+".join(["1"] * 4000) + "]", id="many terms"),
        pytest.param("$[" + ",".join("0" * 4000) + "]", id="many items of a union"),
    ],
)
def test_just_small_enough(text):
    compile(text)
