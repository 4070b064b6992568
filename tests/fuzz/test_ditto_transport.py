"""Random requests of the Ditto API: none fails on the server's side, refused ones change nothing, and nothing is left over."""

from __future__ import annotations

import gzip
import json
import random
import re
from typing import Any
from urllib.parse import quote

import pytest
from tests.http_port import request

from .web import SECONDS, Arena, damaged, fuzz

pytestmark = pytest.mark.timeout(SECONDS * 2 + 120)

_PATHS = (
    *("/api/v1/timeseries/a/events",) * 6,
    *("/api/v1/timeseries/b%2Fc/events", "//api/v1//timeseries/a/events/", "/api/v1/timeseries/a/events/query"),
    *("/api/v2/timeseries/a/distinct_values", "/api/v1/timeseries/a/distinct_values", "/api/v1/timeseries/a/indexes"),
    *("/api/v4/store/write", "/api/v1/store", "/api/v1/swagger.json", "/api/v9/x", "/api/v1/timeseries/__a/events"),
    "/123e4567-e89b-12d3-a456-426614174000/api/v1/timeseries/a/events",
)
_METHODS = (*("GET", "POST") * 4, "DELETE", "QUERY", "HEAD", "OPTIONS", "PUT")
_TIMES = (
    "2023-03-05T08:00:00Z",
    "1969-12-31T23:59:60Z",
    "2016-12-31T23:59:60.5Z",
    "0000-01-01T00:00:00-01:00",
    "x",
    "",
)
_FILTERS = (
    "n > 1",
    "tags[? @ ",
    "length(tags) == 2",
    "n in [1,2]",
    "regex(s, '(')",
    "!(a.b == null)",
    "_time < $args.t",
    "",
)
_HEADERS = (
    *("X-DITTO-TXN-ID: 0", "X-DITTO-TXN-ID: 5", "X-DITTO-TXN-ID: x", "X-EVENT-TTL-SECONDS: 0.001", "Accept: text/html"),
    *(
        "Accept: application/json",
        "Accept: application/problem+json, */*",
        "Accept-Encoding: gzip",
        "Content-Type: a/b",
    ),
    *("Content-Type: application/json", "Content-Type: application/json-l", "Expect: 100-continue", "Expect: x"),
    *("Authorization: Bearer secret", "Origin: http://evil", "Content-Encoding: gzip", "X-Request-Id: 1"),
)
_FAULT = re.compile(rb"HTTP/1\.[01] 500 ")


def value(chance: random.Random, depth: int = 0) -> Any:
    """A JSON value."""
    kind = chance.randrange(9 if depth < 3 else 7)
    if kind == 7:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    if kind == 8:
        return {chance.choice("nabs"): value(chance, depth + 1) for _ in range(chance.randrange(3))}
    return chance.choice((None, True, 0, 1, -1, 2**63, 10**25, 1.5, "", "x", "é\U0001f600", *_TIMES))


def event(chance: random.Random) -> dict[str, Any]:
    members = {chance.choice(("n", "s", "tags", "a", "_expiration")): value(chance) for _ in range(chance.randrange(4))}
    return {"_time": f"2023-03-05T08:00:{chance.randrange(60):02}Z", **members}


def parameters(chance: random.Random) -> dict[str, Any]:
    """Some parameters, most of them with values that they may have."""
    fitting: dict[str, Any] = {
        "start": chance.choice(_TIMES),
        "end": chance.choice(_TIMES),
        "limit": chance.choice((0, 1, 5, 10**9)),
        "filter": chance.choice(_FILTERS),
        "args": {"t": chance.choice(_TIMES)},
        "timeout_millis": chance.choice((0, 1000, 10**18)),
        "describe": chance.random() < 0.5,
        "order_by": [[chance.choice(("n", "_time", "a.b", "")), chance.choice((1, -1, 0))]],
        "fill_template": {"n": "$PREVIOUS", "a": {"b": value(chance)}},
        "paths": [chance.choice(("n", "tags[*]", "_time", "a.b", "["))],
        "path": chance.choice(("n", "a.b", "_time", "x[*]")),
        "commands": [
            {
                "method": "upsert",
                "collection": "__timeseries",
                "id": "a",
                "value": {"default_ttl_seconds": value(chance)},
            },
            {"method": "remove", "collection": "__timeseries", "query": chance.choice(_FILTERS)},
        ],
    }
    names = chance.sample(sorted(fitting), chance.choice((0, 1, 1, 2, 4)))
    return {name: value(chance) if chance.random() < 0.1 else fitting[name] for name in names}


def one_request(chance: random.Random) -> bytes:
    headers = chance.choices(_HEADERS, k=chance.choice((0, 0, 1, 2)))
    target = chance.choice(_PATHS)
    if chance.random() < 0.3:
        pairs = parameters(chance).items()
        target += "?" + "&".join(
            f"{name}={quote(each if isinstance(each, str) else json.dumps(each))}" for name, each in pairs
        )
    kind = chance.randrange(4)
    if kind == 0:
        body = b"\n".join(json.dumps(event(chance)).encode() for _ in range(chance.randrange(8)))
    elif kind == 1:
        body = json.dumps([event(chance) for _ in range(chance.randrange(8))]).encode()
    elif kind == 2:
        body = json.dumps(parameters(chance)).encode()
    else:
        body = b""
    if chance.random() < 0.3:
        body = damaged(chance, body)
    if "Content-Encoding: gzip" in headers and chance.random() < 0.8:
        body = gzip.compress(body)
    if body:
        headers.append(f"Content-Length: {len(body)}")
    return request(target, *headers, method=chance.choice(_METHODS)) + body


def one_step(arena: Arena) -> None:
    chance = arena.chance
    visitor = arena.visitor()
    if chance.random() < 0.2:
        arena.disturb(visitor)
        return
    answer = arena.send(visitor, one_request(chance))
    assert not _FAULT.search(answer), answer
    if chance.random() < 0.1:
        for keyspace in arena.port.house.store.keyspaces():
            keyspace.check()


def test_requests() -> None:
    fuzz("ditto", one_step)
