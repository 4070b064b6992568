"""Lines of the transcripts on values in their big forms, with the greatest and smallest numbers: no command fails unexpectedly.

That small values answer as redis-server's do is the business of tests/live/test_odd_arguments.py.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply

FOLDER = Path(__file__).parent.parent / "transcripts"
ODD = [
    *("9223372036854775807", "-9223372036854775808", "-9223372036854775807", "9223372036854775808", "4294967296"),
    *("-4294967297", "18446744073709551615", "99999999999999999999", "0", "-1", "1e308", "-inf", "nan", ""),
]
SIZE = 1500  # more than any packed form holds
FILLS = {
    "lists": "RPUSH {} " + " ".join(f"e{number % 700}" for number in range(SIZE)),
    "hashes": "HSET {} " + " ".join(f"f{number} {number}" for number in range(SIZE)),
    "sets": "SADD {} " + " ".join(f"m{number}" for number in range(SIZE)),
    "sorted_sets": "ZADD {} " + " ".join(f"{number} m{number}" for number in range(SIZE)),
    "geo": "GEOADD {} " + " ".join(f"{number % 180} {number % 80} m{number}" for number in range(SIZE)),
    "strings": "SET {} " + "x" * 100_000,
    "bitmaps": "SET {} " + "x" * 100_000,
}
# What takes as much memory or time as it is told to, waits, or is about the server.
LEFT_OUT = {
    *("SETRANGE", "SETBIT", "BITFIELD", "LCS", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "DEBUG", "CONFIG", "CLIENT"),
    *("BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"),
    *("FLUSHALL", "FLUSHDB", "HELLO", "SELECT", "SWAPDB", "MOVE", "MULTI", "EXEC", "RESET", "QUIT", "SAVE", "BGSAVE"),
}
NUMBER = re.compile(r"[-+(]?[0-9.]+|[-+]?inf")


def lines(family: str) -> list[str]:
    """The command lines of a transcript that may run here."""
    text = (FOLDER / f"{family}.txt").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        line = re.sub(r"^(@\d |redis> |janus> )", "", line.partition(" ## ")[0])
        if line and line[0] not in "-#" and line.split()[0].upper() not in LEFT_OUT:
            found.append(line)
    return found


@pytest.mark.parametrize("family", FILLS)
def test_big_values_take_odd_numbers(wire: Any, split_line: Any, family: str) -> None:
    chance = random.Random(family)
    wire.line(FILLS[family].format("big"))
    failed = []
    for line in lines(family):
        words = split_line(line)
        if len(words) < 2:
            continue
        places = [at for at in range(1, len(words)) if NUMBER.fullmatch(words[at].decode(errors="replace"))]
        for _ in range(4):
            now = list(words)
            now[1] = b"work" if not words[1].isdigit() else now[1]
            for at in chance.sample(places, min(len(places), chance.choice([1, 1, 2]))):
                now[at] = chance.choice(ODD).encode()
            wire("COPY", "big", "work", "REPLACE")
            if wire(*now) == ErrorReply("ERR internal error"):
                failed.append(b" ".join(now)[:200])
    assert not failed
