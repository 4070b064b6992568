"""The clients of the data port's fuzzers: each has a role besides sending arbitrary input."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.conftest import encoded

from .documents import a_line_of_json
from .driver import PASSWORD, UNAUTHENTICATED, DataPortClient, FuzzHouse, Step
from .verbs import a_key, a_line, any_line, data_to_work_on, session_entry

# The client that sends JSON lines alone.
JSON_LINES = "listening for JSON"
JSON_LINES_ID = 3  # after the bystander and the maker of the data

STEPS = 50  # in an episode

# What each client sends when it connects.
GREETINGS: dict[str, bytes] = {
    "plain": b"",
    "other": encoded("HELLO", "3"),
    "blocking": b"",
    "subscribed": b"",
    "subscribed in RESP3": encoded("HELLO", "3") + encoded("SUBSCRIBE", "news", "__redis__:invalidate"),
    "tracking": encoded("HELLO", "3") + encoded("CLIENT", "TRACKING", "ON"),
    "tracking prefixes": encoded("HELLO", "3") + encoded("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "t"),
    "in a transaction": b"",
    "in a session": session_entry(),
    "monitoring": encoded("MONITOR"),
    "slow": b"",
    "redirecting": encoded("CLIENT", "TRACKING", "ON", "REDIRECT", JSON_LINES_ID, "BCAST"),
    JSON_LINES: b'{"SV_SUBSCRIBE":{"channels":["news","__redis__:invalidate"],"patterns":["n*"],"keys":["*"]}}\n',
    UNAUTHENTICATED: b"",
}

_WAITING = [
    "BLPOP",
    "BRPOP",
    "BLMOVE",
    "BRPOPLPUSH",
    "BLMPOP",
    "BZPOPMIN",
    "BZPOPMAX",
    "BZMPOP",
    "XREAD",
    "XREADGROUP",
    "WAIT",
    "WAITAOF",
]
_LISTENING = ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "PING", "PUBLISH"]
_BIG = ("LRANGE list:long 0 -1", "HGETALL hash:long", "ZRANGE zset:long 0 -1 WITHSCORES", "SMEMBERS set:long", "KEYS *")


def part_of(name: str, chance: random.Random) -> list[list[bytes]]:
    """Some command lines for a client's role; none for most."""
    if name == "blocking":
        line = a_line(chance, chance.choice(_WAITING), hostile=0.05)
        return [[*line, b"BLOCK", b"5"] if line[0].upper() == b"XREAD" and chance.random() < 0.1 else line]
    if name.startswith("subscribed"):
        return [a_line(chance, chance.choice(_LISTENING), hostile=0.05)]
    if name == "in a transaction":
        lines = [any_line(chance) for _ in range(chance.randrange(4))]
        watch = [[b"WATCH", a_key(chance, "string")]] if chance.random() < 0.3 else []
        return [*watch, [b"MULTI"], *lines, [chance.choice((b"EXEC", b"EXEC", b"EXEC", b"DISCARD"))]]
    if name == "redirecting" and chance.random() < 0.3:
        client_id = b"%d" % chance.choice((JSON_LINES_ID, chance.randrange(1, 20)))
        bcast = [b"BCAST"] if chance.random() < 0.7 else []
        return [[b"CLIENT", b"TRACKING", b"OFF"], [b"CLIENT", b"TRACKING", b"ON", b"REDIRECT", client_id, *bcast]]
    if name.startswith("tracking") and chance.random() < 0.2:
        return [a_line(chance, "CLIENT|TRACKING", hostile=0.05)]
    if name == "slow":
        return [line.encode().split() for line in chance.sample(_BIG, 2)]
    return []


class DataPort:
    """A fuzzer of the data port; ``requests`` makes what a client sends in one step."""

    def __init__(self, name: str, requests: Callable[[random.Random, str], list[bytes]]) -> None:
        self.name = name
        self.requests = requests

    def connect(self, house: FuzzHouse, name: str) -> DataPortClient:
        """A connection of the data port."""
        authenticated = name != UNAUTHENTICATED or not house.server.config.requirepass
        return DataPortClient(house, authenticated=authenticated, only_json=name == JSON_LINES)

    def login(self, name: str) -> bytes:
        """The first input of a client if there is a password."""
        return (
            b'{"SV_AUTH":{"password":"%s"}}\n' % PASSWORD.encode() if name == JSON_LINES else encoded("AUTH", PASSWORD)
        )

    def greeting(self, name: str) -> bytes:
        """The next input of a client."""
        return GREETINGS.get(name, b"")

    def steps(self, chance: random.Random) -> list[Step]:
        """An episode: data to work on, then any client's requests, in any pieces."""
        made = [Step("maker", data_to_work_on()), Step(JSON_LINES, ())]
        names = list(GREETINGS)
        for number in range(STEPS):
            if number % 12 == 11:  # much of it has been deleted meanwhile
                made.append(Step("maker", data_to_work_on()))
            name = chance.choice(names)
            cuts = tuple(chance.random() for _ in range(chance.choice((0, 0, 0, 1, 3))))
            then = ""
            if name == "slow":
                then = chance.choice(("stop reading", "read on", "read on", ""))
            elif chance.random() < 0.03:
                then = "hang up"
            advance_ms = chance.choice((0, 0, 0, 0, 1, 20, 150, 2000, 120_000))
            sent = [a_line_of_json(chance)] if name == JSON_LINES else self.requests(chance, name)
            made.append(Step(name, tuple(sent), cuts, then, advance_ms))
        return made
