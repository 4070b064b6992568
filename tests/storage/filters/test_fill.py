"""Filling gaps: the worked example, each rule by itself, and all together against the rule as it is written."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.filters import naive

from januskv.storage.filters import BadTemplate, Fill

PREVIOUS = "$PREVIOUS"


@pytest.mark.parametrize(
    ("template", "documents", "filled"),
    [
        pytest.param(
            {"k": -9, "m": {"r": PREVIOUS}},
            [{"r": 4}, {"q": 3, "m": {"k": 8, "r": 6}}, {"k": 2}, {"k": 2, "m": None}, {}],
            [
                {"k": -9, "r": 4, "m": {"r": None}},
                {"k": -9, "q": 3, "m": {"k": 8, "r": 6}},
                {"k": 2, "m": {"r": 6}},
                {"k": 2, "m": None},
                {"k": -9, "m": {"r": None}},
            ],
            id="the worked example",
        ),
        pytest.param(
            {"v": PREVIOUS}, [{"v": 5}, {}, {}, {"v": 7}, {}], [{"v": 5}] * 3 + [{"v": 7}] * 2, id="runs of gaps"
        ),
        pytest.param(
            {"v": PREVIOUS}, [{"v": 5}, {"v": None}, {}], [{"v": 5}, {"v": None}, {"v": None}], id="null is present"
        ),
        pytest.param(
            {"m": {"r": PREVIOUS}},
            [{"m": {"r": 1}}, {"m": None}, {}],
            [{"m": {"r": 1}}, {"m": None}, {"m": {"r": None}}],
            id="an ancestor that is null ends the chain",
        ),
        pytest.param(
            {"m": {"r": 0}},
            [{"m": 3}, {"m": [1]}, {"m": {}}],
            [{"m": 3}, {"m": [1]}, {"m": {"r": 0}}],
            id="only objects are filled",
        ),
        pytest.param(
            {"a": PREVIOUS}, [{"a": [1, {"z": 2}]}, {}], [{"a": [1, {"z": 2}]}] * 2, id="whole values are carried"
        ),
        pytest.param({"a": [PREVIOUS, 1]}, [{}], [{"a": [PREVIOUS, 1]}], id="arrays are literal"),
        pytest.param({"a": {}}, [{}, {"a": 1}], [{"a": {}}, {"a": 1}], id="an empty object"),
        pytest.param({}, [{}, {"a": 1}], [{}, {"a": 1}], id="an empty template"),
        pytest.param(
            {"a": {"b": {"c": PREVIOUS}}},
            [{}, {"a": {"b": {"c": 1}}}, {"a": {}}],
            [{"a": {"b": {"c": None}}}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1}}}],
            id="deep",
        ),
        pytest.param({"a.b": 1}, [{"a": {}}], [{"a": {}, "a.b": 1}], id="names are not paths"),
    ],
)
def test_documents(template: dict[str, Any], documents: list[dict[str, Any]], filled: list[dict[str, Any]]) -> None:
    before = deepcopy(documents)
    fill = Fill(template)
    assert [fill.apply(document) for document in documents] == filled
    assert documents == before


NOTHING = object()


def as_written(document: dict[str, Any], template: dict[str, Any], previous: Any) -> dict[str, Any]:
    for name, wanted in template.items():
        before = previous[name] if isinstance(previous, dict) and name in previous else NOTHING
        if name not in document:
            if isinstance(wanted, dict):
                document[name] = as_written({}, wanted, before)
            elif wanted == PREVIOUS:
                document[name] = None if before is NOTHING else deepcopy(before)
            else:
                document[name] = deepcopy(wanted)
        elif isinstance(wanted, dict) and isinstance(document[name], dict):
            as_written(document[name], wanted, before)
    return document


_templates = st.dictionaries(
    st.sampled_from(naive.NAMES),
    st.recursive(
        st.just(PREVIOUS) | naive.scalars | st.just([PREVIOUS]),
        lambda inner: st.dictionaries(st.sampled_from(naive.NAMES), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@settings(max_examples=500, deadline=None)
@given(_templates, st.lists(naive.documents, max_size=6))
def test_the_rule_as_it_is_written(template: dict[str, Any], documents: list[dict[str, Any]]) -> None:
    given_documents, given_template = deepcopy(documents), deepcopy(template)
    fill = Fill(template)
    found = [fill.apply(document) for document in documents]
    previous: Any = NOTHING
    for document, filled in zip(given_documents, found, strict=True):
        previous = as_written(deepcopy(document), template, previous)
        assert filled == previous
    assert documents == given_documents
    assert template == given_template


def test_a_document_without_gaps_is_given_back() -> None:
    document = {"a": {"b": 1}}
    assert Fill({"a": {"b": 2}}).apply(document) is document


def nested(levels: int) -> dict[str, Any]:
    template: dict[str, Any] = {}
    for _ in range(levels - 1):
        template = {"a": template}
    return template


def test_templates_have_up_to_128_levels() -> None:
    assert Fill(nested(128)).apply({}) == nested(128)
    for levels in (129, 5000):
        with pytest.raises(BadTemplate):
            Fill(nested(levels))
