"""Random filters on random documents, compared with a plain evaluation of the same trees."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.filters import naive

from januskv.storage.filters import BadFilter, EventTime, Terms, parse_expression, parse_filter
from januskv.storage.instants import parse_instant

NOW = parse_instant(naive.NOW.isoformat())


def spelled(value: Any) -> Any:
    """A value with its types, so that 1, 1.0 and true differ, and with times as text."""
    if isinstance(value, list):
        return [spelled(each) for each in value]
    if isinstance(value, dict):
        return {name: spelled(each) for name, each in value.items()}
    if isinstance(value, EventTime):
        return ("time", value.instant)
    if isinstance(value, datetime):
        return ("time", parse_instant(value.isoformat()))
    return (type(value), value)


@settings(max_examples=1500, deadline=None)
@given(naive.trees, st.lists(naive.documents, min_size=1, max_size=4))
def test_filters_give_what_the_plain_evaluation_gives(tree: naive.Tree, documents: list[dict[str, Any]]) -> None:
    filter = parse_expression(naive.text_of(tree), naive.ARGS)
    for document in documents:
        wanted = naive.evaluate(tree, document)
        assert spelled(filter.value(document, NOW)) == spelled(wanted)
        assert filter.keeps(document, NOW) is naive.truth(wanted)


@settings(max_examples=500, deadline=None)
@given(naive.trees, naive.documents)
def test_nothing_else_is_looked_at(tree: naive.Tree, document: dict[str, Any]) -> None:
    filter = parse_filter(naive.text_of(tree), naive.ARGS)
    assert filter.roots is not None
    wanted = {name: value for name, value in document.items() if name in filter.roots}
    assert spelled(filter.value(wanted, NOW)) == spelled(filter.value(document, NOW))
    if not filter.uses_time:
        assert spelled(filter.value(document, NOW + 10**18)) == spelled(filter.value(document, NOW))


_names = st.sampled_from(("a", "b.c", "['in']"))
_literals = naive.scalars.map(lambda value: naive.text_of(("literal", value)))
_conditions = st.one_of(
    st.tuples(_names, st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), _literals).map(" ".join),
    st.tuples(_literals, st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), _names).map(" ".join),
    st.tuples(_names, st.lists(_literals, max_size=3).map(", ".join)).map(lambda pair: f"{pair[0]} in [{pair[1]}]"),
    st.tuples(_names, _literals).map(lambda pair: f"starts_with({pair[0]}, {pair[1]})"),
    st.tuples(_names, _names).map("{0[0]} == {0[1]}".format),
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(_conditions, min_size=1, max_size=4), st.lists(naive.documents, min_size=1, max_size=4))
def test_indexes_give_at_least_what_is_kept(conditions: list[str], documents: list[dict[str, Any]]) -> None:
    filter = parse_filter(" && ".join(conditions))
    plan = filter.plan
    if plan.path is None or plan.terms is None:
        assert plan.to_json() == {"full_scan": {}}
        return
    assert set(plan.to_json()) == {"index_scan"}
    for document in documents:
        value: Any = naive.follow(document, [("member", name) for name in plan.path])
        assert is_asked_for(plan.terms, value) or not filter.keeps(document, NOW)


def is_asked_for(terms: Terms, value: Any) -> bool:
    """Whether an index gives the events with a value."""
    match terms.kind:
        case "eq" | "in":
            return any(naive.same(value, each) for each in terms.values)
        case "ne":
            return not naive.same(value, terms.values[0])
        case "prefix":
            return isinstance(value, str) and value.startswith(str(terms.values[0]))
        case "range":
            ends = [end for end in (terms.lower, terms.upper) if end is not None]
            assert len({isinstance(end.value, str) for end in ends}) == 1
            if isinstance(value, str) != isinstance(ends[0].value, str) or not (
                naive.is_number(value) or isinstance(value, str)
            ):
                return False
            lower, upper = terms.lower, terms.upper
            return (lower is None or lower.value < value or (lower.included and lower.value == value)) and (
                upper is None or value < upper.value or (upper.included and value == upper.value)
            )


@settings(max_examples=1000, deadline=None)
@given(st.text(alphabet="ab.[]()'\"!=<>&|*?, 01-e$args\\né", max_size=30))
def test_any_text_is_read_or_is_bad(text: str) -> None:
    try:
        filter = parse_filter(text, naive.ARGS)
    except BadFilter as error:
        offset = error.offset
    else:
        assert isinstance(filter.keeps({"a": [{"b": 1}]}, NOW), bool)
        return
    assert offset is not None
    assert 0 <= offset <= len(text)
