"""What replacing does to a document, and that the given one stays as it is."""

import copy

import pytest

from januskv.commands.jsonpath import compile

ROOT = {"a": {"b": 1, "c": [10, 20, 30]}, "d": [{"k": 1}, {"k": 2}], "s": "text"}


@pytest.mark.parametrize(
    ("path", "want", "count"),
    [
        pytest.param("$", "NEW", 1, id="the root"),
        pytest.param("$.a.b", {**ROOT, "a": {"b": "NEW", "c": [10, 20, 30]}}, 1, id="a member"),
        pytest.param("$.a.c[-1]", {**ROOT, "a": {"b": 1, "c": [10, 20, "NEW"]}}, 1, id="an item from the end"),
        pytest.param("$.a.c.0", {**ROOT, "a": {"b": 1, "c": ["NEW", 20, 30]}}, 1, id="an item after a dot"),
        pytest.param("$.a.c[::2]", {**ROOT, "a": {"b": 1, "c": ["NEW", 20, "NEW"]}}, 2, id="a slice"),
        pytest.param("$.a.c[0,0]", {**ROOT, "a": {"b": 1, "c": ["NEW", 20, 30]}}, 1, id="one element named twice"),
        pytest.param("$.*", {"a": "NEW", "d": "NEW", "s": "NEW"}, 3, id="all members"),
        pytest.param("$.d[?@.k > 1].k", {**ROOT, "d": [{"k": 1}, {"k": "NEW"}]}, 1, id="behind a filter"),
        pytest.param("$..k", {**ROOT, "d": [{"k": "NEW"}, {"k": "NEW"}]}, 2, id="at every depth"),
        pytest.param("$.d[0].k^", {**ROOT, "d": ["NEW", {"k": 2}]}, 1, id="a parent"),
        pytest.param("$.a^", "NEW", 1, id="the root as a parent"),
        pytest.param("$..*", {"a": "NEW", "d": "NEW", "s": "NEW"}, 12, id="inner ones are counted, and gone with outer ones"),
        pytest.param("$.x", ROOT, 0, id="nothing is created"),
        pytest.param("$.a.c[3]", ROOT, 0, id="nothing is appended"),
        pytest.param("$.a.c.length", ROOT, 0, id="a length is not an element"),
        pytest.param("$.s.length", ROOT, 0, id="nor is the length of a string"),
        pytest.param("length($)", ROOT, 0, id="nor is the result of a function"),
        pytest.param("keys($)[0]", ROOT, 0, id="nor is a part of it"),
        pytest.param("$^", ROOT, 0, id="nor what is above the root"),
    ],
)  # fmt: skip
def test_replace(path, want, count):
    root = copy.deepcopy(ROOT)
    assert compile(path).replace(root, "NEW") == (want, count)
    assert root == ROOT


def test_any_value_may_come_in():
    for value in (None, 0, False, [], {"a": [1]}):
        assert compile("$.a").replace({"a": 1}, value) == ({"a": value}, 1)


def test_what_did_not_change_is_shared():
    root = copy.deepcopy(ROOT)
    changed, _ = compile("$.a.b").replace(root, 2)
    assert changed["d"] is root["d"]
    assert changed["a"] is not root["a"]
    assert changed["a"]["c"] is root["a"]["c"]


def test_a_container_that_is_held_twice_changes_in_one_place():
    shared = {"k": 1}
    changed, _ = compile("$[0].k").replace([shared, shared], 2)
    assert changed == [{"k": 2}, {"k": 1}]


def test_members_keep_their_order():
    changed, _ = compile("$['a','c']").replace({"a": 1, "b": 2, "c": 3}, 0)
    assert list(changed) == ["a", "b", "c"]
