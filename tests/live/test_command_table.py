"""COMMAND on JanusKV and on redis-server: what both have is declared alike, or the difference is named here."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import Simple

pytestmark = pytest.mark.live

# (command, element) -> why ours differs from redis-server 7.0's.
SINCE_7_2 = "as Redis since 7.2"
NAMED = {
    ("acl|deluser", "tips"): SINCE_7_2,
    ("acl|save", "tips"): SINCE_7_2,
    ("acl|setuser", "tips"): SINCE_7_2,
    ("client|setname", "tips"): SINCE_7_2,
    ("command|getkeys", "arity"): SINCE_7_2,
    ("command|getkeysandflags", "arity"): SINCE_7_2,
    ("config|resetstat", "tips"): SINCE_7_2,
    ("config|rewrite", "tips"): SINCE_7_2,
    ("latency|reset", "tips"): SINCE_7_2,
    ("msetnx", "tips"): SINCE_7_2,
    ("scan", "tips"): SINCE_7_2,
    **{
        (verb, "flags"): SINCE_7_2
        for verb in ("blmove", "blpop", "brpop", "brpoplpush", "bzpopmax", "bzpopmin", "wait")
    },
    ("wait", "categories"): SINCE_7_2,
    ("zrank", "arity"): SINCE_7_2,
    ("zrevrank", "arity"): SINCE_7_2,
    ("move", "specs"): "a key that is moved away is deleted, not updated",
}
# DEBUG's subcommands are commands of their own (docs/differences.md); CLIENT has newer ones; the rest is ours.
NEWER = ("waitaof", "hexpire", "hpexpire", "httl", "hpttl", "hpersist")
OURS = (
    *NEWER,
    "debug|",
    "kv_",
    "sh_",
    "sv_",
    "ts_",
    "timeseries.",
    "ts.",
    "client|setinfo",
    "client|no-touch",
    "client|maint_notifications",
)


def ask(port: int, request: bytes) -> Any:
    reader = ReplyReader()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(request)
        while (reply := reader.gets()) is None:
            data = sock.recv(1 << 20)
            assert data
            reader.feed(data)
    return reply[1]


def plain(value: Any) -> Any:
    """Simple strings as bytes."""
    if isinstance(value, Simple):
        return value.text
    return [plain(item) for item in value] if isinstance(value, list) else value


def pairs(flat: list[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def spec(flat: list[Any]) -> Any:
    found = pairs(flat)
    searches = [(search[b"type"], pairs(search[b"spec"])) for search in map(pairs, flat_searches(found))]
    return sorted(found[b"flags"]), searches


def flat_searches(found: dict[bytes, Any]) -> Iterator[list[Any]]:
    yield found[b"begin_search"]
    yield found[b"find_keys"]


def entries(raw: list[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, arity, flags, first, last, step, categories, tips, specs, subcommands in raw:
        yield (
            name.decode(),
            {
                "arity": arity,
                "flags": sorted(flags),
                "keys": (first, last, step),
                "categories": sorted(categories),
                "tips": sorted(tips),
                "specs": [spec(each) for each in specs],
            },
        )
        yield from entries(subcommands)


def test_declared_alike(janus: Any, oracle: Any, encode_command: Callable[..., bytes]) -> None:
    ours = dict(entries(plain(ask(janus.port, encode_command("COMMAND")))))
    theirs = dict(entries(plain(ask(oracle.port, encode_command("COMMAND")))))
    assert not {name for name in ours.keys() - theirs.keys() if not name.startswith(OURS)}
    differing = {
        (name, element)
        for name in ours.keys() & theirs.keys()
        for element, value in ours[name].items()
        if value != theirs[name][element]
    }
    assert differing == NAMED.keys()
