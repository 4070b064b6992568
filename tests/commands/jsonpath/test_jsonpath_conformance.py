"""The path parts of the KV_FIND and KV_UPDATE conformance cases, and the examples of the specification."""

import pytest

from januskv.commands.jsonpath import PathError, compile, normalised

DONE = [
    {"from": "Rome", "km": 320},
    {"from": "Rome", "km": 45},
    {"from": "Bonn", "km": 45},
    {"from": "Rome", "km": 900},
]
FAILED = [{"from": "Kyiv", "km": 12}, {"from": "Rome", "km": 31}]
FLEET = [{"reg": "OY1", "seats": 9}, {"reg": "OY2", "seats": 40}]
SITE = {"pumps": [{"id": "p1"}, {"id": "p2"}]}
RIGS = [{"probes": [1, 2]}, {"probes": [1, 2, 3]}]
ACCOUNT = {
    "owner": "Mia",
    "home": {"town": "Cork"},
    "cards": [{"n": 1, "lvl": 1}, {"n": 2, "lvl": 3}, {"n": 3, "lvl": 5}],
}


@pytest.mark.parametrize(
    ("path", "value", "want"),
    [
        pytest.param("$[?(@.from == 'Rome')]", DONE, ["$[0]", "$[1]", "$[3]"], id="normalised paths of a filter"),
        pytest.param("$[0]", FAILED, ["$[0]"], id="the first item"),
        pytest.param(
            "$.pumps[*].id", SITE, ["$['pumps'][0]['id']", "$['pumps'][1]['id']"], id="members are quoted in brackets"
        ),
        pytest.param("$[?(@.km < 20)]", DONE, [], id="a key that does not match"),
        pytest.param("$[?(@.km < 20)]", FAILED, ["$[0]"], id="a key that matches"),
        pytest.param("$[?(@.from == 'Bonn' || @.km >= 900)]", DONE, ["$[2]", "$[3]"], id="or"),
        pytest.param("$[?(@.probes.length >= 3)]", RIGS, ["$[1]"], id="the length of an array in a filter"),
        pytest.param(
            "$..id", {"a": {"id": 1}, "b": [{"id": 2}]}, ["$['a']['id']", "$['b'][0]['id']"], id="recursive descent"
        ),
        pytest.param("$.v", 5, [], id="a member of a scalar"),
        pytest.param("$.v", {"v": 1}, ["$['v']"], id="a member of an object"),
        pytest.param("$[::2]", [10, 20, 30, 40], ["$[0]", "$[2]"], id="a slice"),
        pytest.param("$[-1]", [10, 20, 30, 40], ["$[3]"], id="a negative index"),
        pytest.param("$[?(@.m == null)]", [{"m": None}, {"n": 1}, {"m": 2}], ["$[0]", "$[1]"], id="absent is null"),
        pytest.param("$[?(@.m == 1)]", [{"m": 1}, {"m": "1"}, {"m": 1.0}], ["$[0]", "$[2]"], id="1 equals 1.0"),
        pytest.param("$[?(@.m =~ /thg/)]", [{"m": "Northgate"}, {"m": "south"}], ["$[0]"], id="a regular expression"),
        pytest.param("$[?(@.m =~ /^SOUTH$/i)]", [{"m": "Northgate"}, {"m": "south"}], ["$[1]"], id="without case"),
        pytest.param("$[?(@.seats > 10)].reg", FLEET, ["$[1]['reg']"], id="the example of KV_FIND"),
        pytest.param("$[?(@.seats > 10)].reg", [{"reg": "OY3", "seats": 40}], ["$[0]['reg']"], id="its other key"),
    ],
)
def test_find(path, value, want):
    assert [normalised(location) for location, _ in compile(path).find(value)] == want
    assert compile(path).matches(value) is bool(want)


@pytest.mark.parametrize(
    ("path", "value", "want", "count"),
    [
        pytest.param("$.home", {"zip": "T12"}, {**ACCOUNT, "home": {"zip": "T12"}}, 1, id="an object with another"),
        pytest.param(
            "$.cards[?(@.lvl > 2)].lvl",
            0,
            {**ACCOUNT, "cards": [{"n": 1, "lvl": 1}, {"n": 2, "lvl": 0}, {"n": 3, "lvl": 0}]},
            2,
            id="filtered elements, several of them",
        ),
        pytest.param("$.phone", "1", ACCOUNT, 0, id="nothing is created"),
        pytest.param("$", 1, 1, 1, id="the whole value"),
    ],
)
def test_update(path, value, want, count):
    assert compile(path).replace(ACCOUNT, value) == (want, count)


@pytest.mark.parametrize("path", ["$[", "$.", "$.a.", "$abc", "abc", "$.a-b", ""])
def test_invalid(path):
    with pytest.raises(PathError):
        compile(path)
