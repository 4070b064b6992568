"""Which elements a path selects, and in which order: names, indexes, slices, unions, descent, parents, blanks."""

import pytest

from januskv.commands.jsonpath import Budget, PathTooCostly, compile, normalised

SITE = {"a": {"b": 1, "c": [10, 20]}, "a b": 2, "it's": 3, "ключ": 4, "0": 5, "": 6}
LIST = [10, 20, 30, 40]
BOOKS = {
    "store": {
        "book": [{"title": "One", "price": 8}, {"title": "Two", "price": 12}, {"price": 9}],
        "bicycle": {"price": 20},
    }
}


@pytest.mark.parametrize(
    ("path", "root", "want"),
    [
        pytest.param("$", SITE, ["$"], id="the root"),
        pytest.param("@", SITE, ["$"], id="the root by its other name"),
        pytest.param("$", None, ["$"], id="null is an element"),
        pytest.param("$", 7, ["$"], id="a scalar is a root too"),
        pytest.param("$.a.b", SITE, ["$['a']['b']"], id="members after dots"),
        pytest.param("@.a.b", SITE, ["$['a']['b']"], id="members after @"),
        pytest.param("""$['a']["b"]""", SITE, ["$['a']['b']"], id="members in brackets, with both quotes"),
        pytest.param("$.'a b'", SITE, ["$['a b']"], id="a quoted member after a dot"),
        pytest.param('$."a b"', SITE, ["$['a b']"], id="a member in double quotes after a dot"),
        pytest.param("$['it\\'s']", SITE, ["$['it\\'s']"], id="an escaped quote"),
        pytest.param('$["it\'s"]', SITE, ["$['it\\'s']"], id="the other quote needs no escape"),
        pytest.param("$.ключ", SITE, ["$['ключ']"], id="letters beyond ASCII"),
        pytest.param("$['\\u043a\\u043b\\u044e\\u0447']", SITE, ["$['ключ']"], id="letters as escapes"),
        pytest.param("$['\\ud83d\\ude00']", {"😀": 1}, ["$['😀']"], id="an escaped surrogate pair"),
        pytest.param("$['']", SITE, ["$['']"], id="the empty name"),
        pytest.param("$.0", SITE, ["$['0']"], id="digits name a member of an object"),
        pytest.param("$.c_1.2x", {"c_1": {"2x": 1}}, ["$['c_1']['2x']"], id="digits and _ in names"),
        pytest.param("$.1e5", {"1e5": 1}, ["$['1e5']"], id="a name that looks like a number"),
        pytest.param("$.true", {"true": 1}, ["$['true']"], id="a name that is a literal elsewhere"),
        pytest.param("$.length", {"length": "m"}, ["$['length']"], id="a member called length"),
        pytest.param("$.x", SITE, [], id="an absent member"),
        pytest.param("$.a.b.x", SITE, [], id="a member of a number"),
        pytest.param("$.v", 5, [], id="a member of a scalar root"),
        pytest.param("$.a", LIST, [], id="a member of an array"),
        pytest.param("$[0]", SITE, [], id="an index of an object"),
        pytest.param("$[0]", "text", [], id="an index of a string"),
        pytest.param("$[2]", LIST, ["$[2]"], id="an index"),
        pytest.param("$[-1]", LIST, ["$[3]"], id="an index from the end is given from the start"),
        pytest.param("$[-4]", LIST, ["$[0]"], id="the first, counted from the end"),
        pytest.param("$[4]", LIST, [], id="an index behind the end"),
        pytest.param("$[-5]", LIST, [], id="an index before the start"),
        pytest.param("$.2", LIST, ["$[2]"], id="an index after a dot"),
        pytest.param("$.a.c.1", SITE, ["$['a']['c'][1]"], id="an index after a dot, further in"),
        pytest.param("$['1']", LIST, ["$[1]"], id="an index as a string"),
        pytest.param("$['-1']", LIST, ["$[3]"], id="an index from the end as a string"),
        pytest.param("$ . a [ 'b' ] ", SITE, ["$['a']['b']"], id="blanks between everything"),
        pytest.param("\t$\n.a\r.b", SITE, ["$['a']['b']"], id="every kind of blank"),
    ],
)
def test_one_element(path, root, want):
    assert [normalised(location) for location, _ in compile(path).find(root)] == want


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("[1:3]", [1, 2], id="from and to, the last one excluded"),
        pytest.param("[1:]", [1, 2, 3], id="to the end"),
        pytest.param("[:2]", [0, 1], id="from the start"),
        pytest.param("[:]", [0, 1, 2, 3], id="all"),
        pytest.param("[::]", [0, 1, 2, 3], id="all, with both colons"),
        pytest.param("[::2]", [0, 2], id="every other one"),
        pytest.param("[-2:]", [2, 3], id="the last two"),
        pytest.param("[:-1]", [0, 1, 2], id="all but the last"),
        pytest.param("[-9:2]", [0, 1], id="from before the start"),
        pytest.param("[2:99]", [2, 3], id="to behind the end"),
        pytest.param("[3:1]", [], id="an empty range"),
        pytest.param("[::-1]", [3, 2, 1, 0], id="backwards, in visiting order"),
        pytest.param("[2:0:-1]", [2, 1], id="backwards between bounds"),
        pytest.param("[-1:-3:-1]", [3, 2], id="backwards between bounds from the end"),
        pytest.param("[99::-3]", [3, 0], id="backwards from behind the end"),
        pytest.param("[1::-9]", [1], id="a step that is larger than the array"),
        pytest.param("[ 1 : 3 : 1 ]", [1, 2], id="blanks in a slice"),
        pytest.param("[0,1]", [0, 1], id="a union of indexes"),
        pytest.param("[3,0]", [3, 0], id="a union in its own order"),
        pytest.param("[0,0,-4]", [0], id="the same place only once"),
        pytest.param("[1:3,0,::3]", [1, 2, 0, 3], id="a union of slices and indexes"),
        pytest.param("[9,1]", [1], id="a union with something absent"),
        pytest.param("[*,0]", [0, 1, 2, 3], id="a union with a wildcard"),
        pytest.param("[?@ > 15, 0]", [1, 2, 3, 0], id="a union with a filter"),
        pytest.param("[?(@ < 15), ?(@ > 35)]", [0, 3], id="a union of filters"),
        pytest.param("[*]", [0, 1, 2, 3], id="a wildcard"),
        pytest.param(".*", [0, 1, 2, 3], id="a wildcard after a dot"),
        pytest.param("[(1 + 1)]", [2], id="a computed index"),
        pytest.param("[(@.length - 1)]", [3], id="the last one, computed from the array"),
        pytest.param("[(@.length)]", [], id="a computed index behind the end"),
        pytest.param("[(0 - 1)]", [], id="a computed index does not count from the end"),
        pytest.param("[('1')]", [], id="a computed name is none of an array's"),
        pytest.param("[(sum(@) / 100.0 + 0.5)]", [], id="a computed index with a fraction"),
        pytest.param("[(starts_with(1, 2))]", [], id="an index that cannot be computed"),
    ],
)
def test_items_of_an_array(path, want):
    assert compile("$" + path).find(LIST) == [((index,), LIST[index]) for index in want]


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("$.*", ["a", "a b", "it's", "ключ", "0", ""], id="a wildcard, members in order"),
        pytest.param("$[*]", ["a", "a b", "it's", "ключ", "0", ""], id="a wildcard in brackets"),
        pytest.param("$['0','a']", ["0", "a"], id="a union of names, in its own order"),
        pytest.param("$['0', \"x\", 'a b']", ["0", "a b"], id="a union with an absent name"),
        pytest.param("$[1:3]", [], id="a slice"),
        pytest.param("$[?@ > 3]", ["ключ", "0", ""], id="a filter looks at the members' values"),
        pytest.param("$[('a')]", ["a"], id="a computed name"),
        pytest.param("$[(@['it\\'s'])]", [], id="a computed index is none of an object's"),
        pytest.param("$[('x')]", [], id="a computed name that is absent"),
    ],
)
def test_members_of_an_object(path, want):
    assert compile(path).find(SITE) == [((name,), SITE[name]) for name in want]


@pytest.mark.parametrize("root", [None, True, 5, 0.5, "text", [], {}])
@pytest.mark.parametrize("path", ["$.*", "$[*]", "$[:]", "$[?@ == @]", "$..*", "$[0,'a']"])
def test_nothing_in_scalars_and_empty_containers(path, root):
    assert compile(path).find(root) == []


@pytest.mark.parametrize(
    ("path", "root", "want"),
    [
        pytest.param("$..id", {"a": {"id": 1}, "b": [{"id": 2}]}, ["$['a']['id']", "$['b'][0]['id']"], id="a name"),
        pytest.param(
            "$..id",
            {"x": {"id": {"id": 1}}, "id": 2},
            ["$['id']", "$['x']['id']", "$['x']['id']['id']"],
            id="outer ones first, and inside of hits",
        ),
        pytest.param(
            "$..*",
            {"a": {"b": 1, "c": [2]}, "d": 3},
            ["$['a']", "$['d']", "$['a']['b']", "$['a']['c']", "$['a']['c'][0]"],
            id="everything, children before grandchildren",
        ),
        pytest.param("$..[0]", [[1, [2]], 3], ["$[0]", "$[0][0]", "$[0][1][0]"], id="an index at every depth"),
        pytest.param("$..[-1:]", [1, [2, 3]], ["$[1]", "$[1][1]"], id="a slice at every depth"),
        pytest.param("$..['b','a']", {"a": 1, "c": {"b": 2}}, ["$['a']", "$['c']['b']"], id="a union at every depth"),
        pytest.param("$..'a b'", {"x": {"a b": 1}}, ["$['x']['a b']"], id="a quoted name"),
        pytest.param("$.. id", {"x": {"id": 1}}, ["$['x']['id']"], id="blanks behind the dots"),
        pytest.param("$..[?@.k == 1]", [{"k": 1}, [{"k": 1}]], ["$[0]", "$[1][0]"], id="a filter at every depth"),
        pytest.param("$..a..b", {"a": {"a": {"b": 1}}}, ["$['a']['a']['b']"], id="two descents, each place once"),
        pytest.param("$..book.length", BOOKS, ["$['store']['book']['length']"], id="a length below a descent"),
        pytest.param(
            "$..book[(@.length-1)].price", BOOKS, ["$['store']['book'][2]['price']"], id="the last book, the old way"
        ),
        pytest.param("$.a..x", {"a": 1}, [], id="a descent into a scalar"),
    ],
)
def test_descent(path, root, want):
    assert [normalised(location) for location, _ in compile(path).find(root)] == want


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("$[0]^", ["$"], id="of an item"),
        pytest.param("$[0].k^", ["$[0]"], id="of a member"),
        pytest.param("$[0].k^^", ["$"], id="of a parent"),
        pytest.param("$[0].k ^ ^", ["$"], id="blanks between"),
        pytest.param("$^", [], id="the root has none"),
        pytest.param("$[0]^^", [], id="above the root"),
        pytest.param("$[9]^", [], id="of what is absent"),
        pytest.param("$[*]^", ["$"], id="one of several children, only once"),
        pytest.param("$[0].k^.l", ["$[0]['l']"], id="and down again"),
        pytest.param("$[?@.k == 1].k^", ["$[0]"], id="behind a filter"),
        pytest.param("$..k^", ["$[0]", "$[1]"], id="behind a descent"),
        pytest.param("$[0].l.length^", ["$[0]['l']"], id="of a length"),
    ],
)
def test_parent(path, want):
    root = [{"k": 1, "l": [1, 2]}, {"k": 2}]
    assert [normalised(location) for location, _ in compile(path).find(root)] == want


@pytest.mark.parametrize(
    ("path", "root", "want"),
    [
        pytest.param("$.length", [1, 2, 3], 3, id="of an array"),
        pytest.param("$.length", [], 0, id="of an empty array"),
        pytest.param("$.length", "зима", 4, id="of a string, in characters"),
        pytest.param("$['length']", [1], 1, id="in brackets"),
    ],
)
def test_length(path, root, want):
    assert compile(path).find(root) == [(("length",), want)]


@pytest.mark.parametrize("root", [None, 1, True, {"a": 1}], ids=repr)
def test_no_length(root):
    assert compile("$.length").find(root) == []


@pytest.mark.parametrize(
    ("path", "want"),
    [
        pytest.param("$[@.a.x, @.b]", ["$['a']['x']", "$['b']"], id="relative paths in a union"),
        pytest.param("$.a['x', $.b]", ["$['a']['x']", "$['b']"], id="an absolute path in a union"),
        pytest.param("$[@.a.*]", ["$['a']['x']", "$['a']['y']"], id="a path that selects several"),
    ],
)
def test_paths_in_brackets(path, want):
    root = {"a": {"x": 1, "y": 2}, "b": 3}
    assert [normalised(location) for location, _ in compile(path).find(root)] == want


@pytest.mark.parametrize(
    ("location", "want"),
    [
        pytest.param((), "$", id="the root"),
        pytest.param(("a", 0, "b"), "$['a'][0]['b']", id="members and indexes"),
        pytest.param(("it's",), "$['it\\'s']", id="a quote"),
        pytest.param(("a\\b",), "$['a\\\\b']", id="a backslash"),
        pytest.param(('say "x"',), "$['say \"x\"']", id="double quotes stay"),
        pytest.param(("a\nb\t",), "$['a\\nb\\t']", id="control characters with a letter of their own"),
        pytest.param(("0",), "$['0']", id="a member that looks like an index"),
    ],
)
def test_normalised(location, want):
    assert normalised(location) == want
    root: object = "here"
    for part in reversed(location):
        root = {part: root} if isinstance(part, str) else [root]
    assert compile(want).find(root) == [(location, "here")]


def test_matches_agrees_with_find():
    assert compile("$.a.c[1]").matches(SITE)
    assert not compile("$.a.c[2]").matches(SITE)
    assert compile("$..c[?@ == 20]").matches(SITE)
    assert not compile("$..c[?@ == 21]").matches(SITE)


def test_a_path_is_compiled_once():
    assert compile("$.once") is compile("$.once")


def test_several_documents_may_share_a_budget():
    budget, path = Budget(10), compile("$[*]")
    path.find([1, 2, 3], budget)
    path.find([1, 2, 3], budget)
    with pytest.raises(PathTooCostly):
        path.find([1, 2, 3], budget)
