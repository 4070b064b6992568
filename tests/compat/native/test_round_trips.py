"""What goes in through one face comes out exactly, through it and through the other."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
numbers = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)

# The fixture gives a class, of which each example makes an object of its own.
relaxed = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def alike(a: Any, b: Any) -> bool:
    """Equal in types and order too."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(alike(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(alike, a, b))
    return bool(a == b) and (not isinstance(a, float) or math.copysign(1, a) == math.copysign(1, b))


@relaxed
@given(st.dictionaries(texts, values, min_size=1, max_size=4))
def test_values_of_keys(make_house: Any, keys: dict[str, Any]) -> None:
    house = make_house()
    wire = house.connect()
    line = json.dumps({"KV_SET": {"keys": keys}}).encode() + b"\n"
    assert wire.send(line) == b'{"KV_SET_RSP":{"st":1}}\n'
    answer = wire.send(json.dumps({"KV_GET": {"keys": list(keys)}}, ensure_ascii=False).encode() + b"\n")
    assert alike(json.loads(answer), {"KV_GET_RSP": {"st": 1, "keys": keys}})
    # Finding every element and replacing nothing leaves it as it was.
    wire.send(json.dumps({"KV_FIND": {"rsp": "paths", "path": "$..*"}}).encode() + b"\n")
    house.store.databases[0].check()
    assert json.loads(wire.send(b'{"KV_KEYS":{}}\n'))["KV_KEYS_RSP"]["keys"] == list(keys)


@relaxed
@given(texts, texts)
def test_text_of_the_redis_face(make_house: Any, key: str, text: str) -> None:
    wire = make_house().connect()
    wire("SET", key.encode(), text.encode())
    answer = json.loads(wire.send(json.dumps({"KV_GET": {"keys": [key]}}).encode() + b"\n"))
    assert answer == {"KV_GET_RSP": {"st": 1, "keys": {key: text}}}
    wire.send(json.dumps({"KV_SET": {"keys": {key: text + "!"}}}).encode() + b"\n")
    assert wire("GET", key.encode()) == (text + "!").encode()


@relaxed
@given(
    st.dictionaries(st.sampled_from("abc"), values, min_size=1), st.sampled_from(["$.a", "$.*", "$", "$..a"]), values
)
def test_updates(make_house: Any, value: Any, path: str, new: Any) -> None:
    """A value that is read back after KV_UPDATE has the new value wherever the path selects."""
    wire = make_house().connect()

    def ask(command: str, **body: Any) -> Any:
        return next(iter(json.loads(wire.send(json.dumps({command: body}).encode() + b"\n")).values()))

    ask("KV_SET", keys={"k": value})
    count = ask("KV_UPDATE", key="k", path=path, value=new)["cnt"]
    found = ask("KV_GET", keys=["k"])["keys"]["k"]
    if path == "$":
        assert (count, alike(found, new)) == (1, True)
    elif path in ("$.a", "$.*"):
        want = {name: new if path == "$.*" or name == "a" else item for name, item in value.items()}
        assert alike(found, want)
        assert count == (len(value) if path == "$.*" else "a" in value)
    else:
        assert count > 0 or alike(found, value)
