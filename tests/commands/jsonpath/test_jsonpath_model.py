"""Paths of names, indexes, slices, wildcards and descents against a model that is too simple to be wrong."""

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from januskv.commands.jsonpath import PathError, compile, normalised

NAMES = st.sampled_from(["a", "b", "it's", "0", "длина", ""])
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)
BOUNDS = st.none() | st.integers(-6, 6)
STRIDES = st.none() | st.integers(-3, 3).filter(bool)

Found = list[tuple[tuple[str | int, ...], Any]]


def quoted(name: str) -> str:
    return "'" + name.replace("'", "\\'") + "'"


def parts(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def by_name(name: str, value: Any) -> list[str | int]:
    if isinstance(value, list) and name == "0" and value:
        return [0]
    return [name] if isinstance(value, dict) and name in value else []


def by_index(index: int, value: Any) -> list[str | int]:
    inside = isinstance(value, list) and -len(value) <= index < len(value)
    return [index % len(value)] if inside else []


def by_slice(bounds: slice, value: Any) -> list[str | int]:
    return list(range(len(value))[bounds]) if isinstance(value, list) else []


def slice_text(bounds: slice) -> str:
    return ":".join("" if bound is None else str(bound) for bound in (bounds.start, bounds.stop, bounds.step))


# (text in brackets, which parts of a value it selects)
SELECTORS = st.one_of(
    NAMES.map(lambda name: (quoted(name), lambda value: by_name(name, value))),
    st.integers(-5, 5).map(lambda index: (str(index), lambda value: by_index(index, value))),
    st.builds(slice, BOUNDS, BOUNDS, STRIDES).map(lambda s: (slice_text(s), lambda value: by_slice(s, value))),
    st.just(("*", lambda value: [part for part, _ in parts(value)])),
)
STEPS = st.lists(st.tuples(st.booleans(), st.lists(SELECTORS, min_size=1, max_size=3)), max_size=4)


def below(location: tuple[str | int, ...], value: Any) -> Found:
    """An element and all below it, outer ones first."""
    return [(location, value)] + [hit for part, item in parts(value) for hit in below((*location, part), item)]


def model(steps: Any, root: Any) -> Found:
    found: Found = [((), root)]
    for descends, selectors in steps:
        if descends:
            found = [hit for location, value in found for hit in below(location, value)]
        found = [
            ((*location, part), value[part])
            for location, value in found
            for _, select in selectors
            for part in select(value)
        ]
    return [hit for at, hit in enumerate(found) if hit[0] not in [location for location, _ in found[:at]]]


def text_of(steps: Any) -> str:
    return "$" + "".join(
        (".." if descends else "") + "[" + ",".join(text for text, _ in selectors) + "]"
        for descends, selectors in steps
    )


@given(STEPS, DOCUMENTS)
def test_same_as_the_model(steps, root):
    path, want = compile(text_of(steps)), model(steps, root)
    assert path.find(root) == want
    assert path.matches(root) is bool(want)
    for location, value in want:
        assert compile(normalised(location)).find(root) == [(location, value)]


@given(STEPS, DOCUMENTS)
def test_replacing_puts_the_value_at_every_outermost_hit(steps, root):
    before = repr(root)
    changed, count = compile(text_of(steps)).replace(root, "NEW")
    locations = {location for location, _ in model(steps, root)}
    assert repr(root) == before
    assert count == len(locations)
    for location in locations:
        if not any(location[:end] in locations for end in range(len(location))):
            assert compile(normalised(location)).find(changed) == [(location, "NEW")]


@given(st.text("$@.[]()?*'\"ab01=~/!<>&|+-%^,: {}\\", max_size=40))
def test_any_text_is_a_path_or_refused(text):
    with contextlib.suppress(PathError):
        compile(text).find({"a": [{"b": 0}, {"a": "01"}], "b": {"a": 1}})
