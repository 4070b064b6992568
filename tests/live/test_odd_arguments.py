"""Lines of the transcripts with something changed in them, here and on redis-server: odd numbers, options twice, words left out.

A number may be changed in every position that a transcript has one in: to `1_0`, ` 1`, `+1`, `0x10`, `1e1000`, `nan`, an
empty text, one with a zero byte, an Arabic digit, and to the greatest and smallest of its kind and what lies beyond.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.transcripts.reading import Line, canonical, cases

from januskv.resp.replies import ErrorReply

from .fuzzing import Talker, chance_of, seeds

pytestmark = pytest.mark.live

ODD = [
    *(
        "1_0",
        " 1",
        "1 ",
        "+1",
        "\u0661",
        "0x10",
        "1e1000",
        "nan",
        "inf",
        "-inf",
        "-0",
        "",
        "1\0",
        "1e5",
        "1.5",
        "0",
        "-1",
    ),
    *("1", "2", "-2", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615"),
    *("99999999999999999999", "01", "infinity", ".5", "1.", "1e-400", "0x1p-3", "-", "+", "(1", "1e308"),
]
# Transcripts of the other commands are about the server or its clients.
NOT_FOR_THIS = {"acl", "connection", "pubsub", "replication", "server", "tracking", "wait"}
# Commands that wait, draw lots, tell the time, or are about the server.
# fmt: off
SKIPPED = {
    "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "DEBUG", "CONFIG",
    "SUBSCRIBE", "MULTI", "EXEC", "WATCH", "CLIENT", "HELLO", "FLUSHALL", "SCAN", "HSCAN", "SSCAN", "ZSCAN",
    "RANDOMKEY", "SPOP", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "DUMP", "RESTORE", "OBJECT", "MEMORY",
    "SELECT", "SWAPDB", "PFSELFTEST", "HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT", "HTTL", "HPTTL", "HPERSIST",
    "HEXPIRETIME", "HPEXPIRETIME", "WAIT",
}
# fmt: on
# Replies with idle times, or with what Redis 7.4 counts otherwise: only their shape is compared.
SHAPED = {"XINFO", "XPENDING", "XCLAIM", "XAUTOCLAIM", "TTL", "PTTL", "XGROUP"}
_NUMBER = re.compile(rb"[-+(]?[0-9.]+(e[0-9]+)?(-[0-9*]+)?|[-+$]|inf|nan|0x10")
_NEWER_TEXTS = (
    b"ERR Unbalanced 'xread",
    b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
)
_NO_DOUBLE = ErrorReply("ERR One or more scores can't be converted into double")


def changed(words: list[bytes], chance: random.Random) -> list[bytes]:
    """A line with one or two changes."""
    words = list(words)
    for _ in range(chance.choice([1, 1, 1, 2])):
        if len(words) < 2:
            return words
        dice, size = chance.random(), len(words)
        numbers = [at for at in range(1, size) if _NUMBER.fullmatch(words[at])]
        start = chance.randrange(1, size)
        if dice < 0.6 and numbers:
            words[chance.choice(numbers)] = chance.choice(ODD).encode()
        elif dice < 0.78:
            words += words[start : start + chance.choice([1, 2, 3])]
        elif dice < 0.85:
            other = chance.randrange(1, size)
            words[start], words[other] = words[other], words[start]
        elif dice < 0.93:
            del words[start]
        else:
            words[start] = chance.choice(ODD).encode()
    return words


def is_left_out(words: list[bytes]) -> bool:
    """Whether a line is not for this test: it waits, or takes hundreds of megabytes, or its effect is over soon."""
    verb = words[0].upper().decode(errors="replace")
    rest = [word.upper() for word in words[1:]]
    if verb in SKIPPED or b"BLOCK" in rest or (verb == "XADD" and any(b"*" in word for word in rest)):
        return True
    if verb in ("SETRANGE", "SETBIT", "BITFIELD"):
        return any(re.fullmatch(rb"#?[0-9]{8,}", word) for word in rest)
    if verb in ("XCLAIM", "XAUTOCLAIM", "XPENDING") and len(words) > 4:
        return re.fullmatch(rb"0*[1-9][0-9]{0,3}|0x.*|1e.*", words[4]) is not None  # idle for so long, or not
    if verb in ("EXPIRE", "PEXPIRE", "SETEX", "PSETEX") or {b"EX", b"PX"} & set(rest):
        return any(re.fullmatch(rb"[0-9]{1,4}", word) for word in rest)
    return False


def shape(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(shape, value))
    return 0 if isinstance(value, int) else value


def plain(value: Any) -> Any:
    """A reply in which doubles have one spelling (Redis 7.0 shows 17 digits), and errors name words without the zero byte that ends them in C."""
    if isinstance(value, ErrorReply):
        return ("error", value.text.replace(b"\0", b""))
    if isinstance(value, list):
        return list(map(plain, value))
    if isinstance(value, bytes) and (len(value) > 15 or b"e" in value):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def is_explained(words: list[bytes], mine: Any, his: Any) -> bool:
    """Whether docs/differences.md has a reason for a difference, or Redis has none for its answer."""
    verb, rest = words[0].upper(), [word.upper() for word in words[1:]]
    both = not isinstance(mine, ErrorReply) and not isinstance(his, ErrorReply)
    return bool(
        (verb in (b"ZRANK", b"ZREVRANK") and len(words) == 4)  # WITHSCORE, since 7.2
        or (verb in (b"XREAD", b"XREADGROUP") and b"+" in rest)  # since 7.4
        or (isinstance(mine, ErrorReply) and mine.text.startswith(_NEWER_TEXTS))  # since 7.4
        or (verb in (b"BITCOUNT", b"BITPOS") and isinstance(mine, ErrorReply))  # arguments before the key since 7.4
        or (verb in (b"MOVE", b"COPY") and any(len(word) > 18 for word in rest))  # a session's token
        or (verb == b"LPOS" and b"-9223372036854775808" in rest)
        or (verb.startswith(b"SORT") and his == _NO_DOUBLE)  # of an earlier command's errno
        or (verb.startswith(b"SORT") and b"LIMIT" in rest and both)  # equal weights in any order
        or ((b"LEX" in verb or b"BYLEX" in rest) and both)  # arbitrary where scores differ
        or (verb == b"XADD" and b"LIMIT" in rest)  # which of two errors
    )


@pytest.fixture
def talkers(janus: Any, oracle: Any, encode_command: Callable[..., bytes]) -> list[Talker]:
    return [Talker(server.port, encode_command) for server in (janus, oracle)]


def difference(talkers: list[Talker], lines: list[Line], split_line: Any, chance: random.Random) -> str:
    """Where the servers differ in the lines of a case and in changed ones between them; "" if they do not."""
    for talker in talkers:
        talker("FLUSHALL")
    run = []
    for line in lines:
        words = split_line(line.command)
        if line.only or is_left_out(words):
            continue
        loose = bool(line.relaxations) and not line.relaxed("unordered")
        for number in range(chance.choice([1, 2, 3])):
            now = words if number == 0 else changed(words, chance)
            if is_left_out(now):
                continue
            mine, his = (talker(*now) for talker in talkers)
            run.append(now)
            verb = now[0].upper().decode(errors="replace")
            first, second = (canonical(plain(shape(reply) if verb in SHAPED else reply)) for reply in (mine, his))
            if repr(first) != repr(second):
                if loose or is_explained(now, mine, his):
                    return ""  # they do not hold the same any more
                return f"{now}\n  ours   {mine!r:.500}\n  theirs {his!r:.500}\nafter {run[-9:-1]}"
    return ""


def test_same_replies(talkers: list[Talker], split_line: Any) -> None:
    programs = [case.lines for case in cases() if case.stem not in NOT_FOR_THIS]
    for seed in seeds(80):
        chance = chance_of("odd arguments", seed)
        found = difference(talkers, chance.choice(programs), split_line, chance)
        assert not found, f"JANUSKV_FUZZ_SEED={seed}\n{found}"
