"""For schemathesis: bodies of JSON lines, which it cannot make from the schema of a text. Half of them have nothing but events."""

from __future__ import annotations

import json

import schemathesis
from hypothesis import strategies as st

ALIASES = ("application/jsonl", "application/x-ndjson", "application/ndjson", "application/x-jsonlines")

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | numbers | names,
    lambda inside: st.lists(inside) | st.dictionaries(names, inside),
    max_leaves=8,
)
times = st.datetimes().map(lambda each: each.isoformat() + "Z")
events = st.builds(
    lambda members, own: json.dumps({**members, **own}),
    st.dictionaries(names, values),
    st.fixed_dictionaries({"_time": times}, optional={"_expiration": st.none() | times}),
)
others = st.text() | values.map(json.dumps) | st.fixed_dictionaries({"_time": st.text()}).map(json.dumps)
bodies = st.lists(events, max_size=30) | st.lists(events | others, max_size=10)
schemathesis.openapi.media_type(
    "application/json-l",
    bodies.map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")),
    aliases=list(ALIASES),
)
