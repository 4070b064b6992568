"""Random users here and on redis-server: what each may run, with which keys and channels, as ACL DRYRUN says and as they really run.

A user is some rules in random order: commands, subcommands, first arguments, categories, patterns of keys to read and to write,
channels, selectors. Both servers get the same rules, and must then say the same of random command lines, in any spelling.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.compat.rights_examples import EXAMPLES
from tests.conftest import Process, encoded, words
from tests.transcripts.reading import in_older_words

from januskv.resp.replies import ErrorReply

from .fuzzing import Talker, chance_of, seeds, shortened

pytestmark = pytest.mark.live


def listed(text: str) -> tuple[str, ...]:
    """What stands between commas, on several lines."""
    return tuple(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())


CATEGORIES = listed(
    "keyspace, read, write, set, sortedset, list, hash, string, bitmap, hyperloglog, geo, stream, pubsub, admin, fast, slow,"
    " blocking, dangerous, connection, transaction, scripting"
)
PATTERNS = [*listed("*, r.*, w.*, rw.*, x.*, ?.str, *.set, r.str, w.none, [rw].*, r[^w].*, rw.[a-m]*"), "\\*", ""]
CHANNELS = [*listed("*, news, new*, n?ws, [n]ews, other"), ""]
# Commands that 7.0 does not have, or takes with other numbers of arguments, and those that would end the connection or the
# server, wait, or change what the other lines find.
_LEFT_OUT = listed("""
    TS., TIMESERIES., KV_, SH_, SV_, TS_, DEBUG, HEXPIRE, HPEXPIRE, HTTL, HPTTL, HPERSIST, HEXPIREAT, HEXPIRETIME, WAITAOF
    CLIENT SETINFO, CLIENT NO-TOUCH, CLIENT MAINT, ZRANK, ZREVRANK, COMMAND GETKEYS, MODULE, LOLWUT
    SHUTDOWN, QUIT, RESET, HELLO, AUTH, MONITOR, SYNC, PSYNC, REPLCONF, FAILOVER, SLAVEOF, REPLICAOF, SAVE, BGSAVE, BGREWRITEAOF
    CLIENT REPLY, CLIENT PAUSE, CLIENT KILL, CLIENT TRACKING, CLIENT CACHING, ACL DELUSER, ACL SETUSER, CONFIG SET, FUNCTION
    SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE, WAIT, MULTI, EXEC, DISCARD
    SELECT, SWAPDB, MOVE, ASKING, PFDEBUG, PFSELFTEST
""")
LINES = [
    line.removeprefix("! ").partition(" : " if line.startswith("! ") else " <- ")[0]
    for line in EXAMPLES.strip().splitlines()
    if not line.removeprefix("! ").startswith(_LEFT_OUT)
]
# Only asked for.
_ASKED_ONLY = listed("""
    SUBSCRIBE news, PSUBSCRIBE new*, SSUBSCRIBE news other, SUBSCRIBE a news, SELECT 1, SELECT 0, CONFIG SET a b, SWAPDB 0 1
    QUIT, RESET, AUTH x, HELLO 3, MULTI, EXEC, DISCARD, SHUTDOWN, CLIENT KILL ID 5, MONITOR, FAILOVER, BGSAVE
    ACL SETUSER x, ACL DELUSER x, FUNCTION FLUSH, NOSUCH a, GET, CONFIG, CONFIG X, MIGRATE
""")
# Not the empty name, which `*` matches here (docs/differences.md).
NAMES = listed("r.str, w.str, rw.set, x.none, w.none, r.none, other, *, R.STR")


def word_of_command(chance: random.Random) -> str:
    """The name of a command or subcommand, or a command with a first argument."""
    argv = [word.decode() for word in words(chance.choice([*LINES, *_ASKED_ONLY[:20]]))]
    dice = chance.random()
    if dice < 0.4 or len(argv) == 1:
        return argv[0].lower() if dice < 0.2 else argv[0]
    return f"{argv[0].lower()}|{argv[1] if dice < 0.7 else argv[1].lower()}"


def right(chance: random.Random) -> str:
    """A rule that can stand in a selector."""
    dice = chance.random()
    if dice < 0.3:
        return chance.choice("+++-") + word_of_command(chance)
    if dice < 0.5:
        return chance.choice(["+@", "+@", "-@"]) + chance.choice(CATEGORIES)
    if dice < 0.8:
        marks = chance.choice(["~", "~", "%R~", "%W~", "%RW~", "%r~", "%wr~"])
        return marks + chance.choice(PATTERNS)
    if dice < 0.9:
        return "&" + chance.choice(CHANNELS)
    return chance.choice(
        ["allcommands", "nocommands", "+@all", "-@all", "allkeys", "resetkeys", "allchannels", "resetchannels"]
    )


def rule(chance: random.Random) -> str:
    dice = chance.random()
    if dice < 0.15:
        return "(" + " ".join(right(chance) for _ in range(chance.randrange(1, 5))) + ")"
    return chance.choice(["clearselectors", "on", "reset on nopass"]) if dice > 0.97 else right(chance)


def line(chance: random.Random) -> list[bytes]:
    """A command line, sometimes with other keys than its example has, too short, or too long."""
    argv = words(chance.choice(LINES))
    if argv[0].startswith((b"BL", b"BR", b"BZ")):  # they wait, but not long
        argv = [b"0.01" if word == b"0" else word for word in argv]
    for at in range(1, len(argv)):
        if argv[at][:2] in (b"r.", b"w.", b"x.", b"rw") and chance.random() < 0.3:
            argv[at] = chance.choice(NAMES).encode()
    if chance.random() < 0.1:
        argv = (
            argv[: chance.randrange(1, len(argv) + 1)]
            if chance.random() < 0.5
            else [*argv, chance.choice(NAMES).encode()]
        )
    if chance.random() < 0.2:
        argv[0] = argv[0].lower()
    return argv


def said(reply: Any) -> str:
    """A denial in the words of 7.0; what else commands reply is compared by other tests."""
    text = in_older_words(reply) if isinstance(reply, ErrorReply) else ""
    return text if text.startswith("NOPERM") else "allowed"


def verdict(reply: Any) -> Any:
    """What DRYRUN says."""
    if isinstance(reply, ErrorReply):
        return "error"
    return in_older_words(reply) if isinstance(reply, bytes) else "OK"


class Side:
    """One of the servers: somebody who may do everything, and the user."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.admin = Talker(port, encoded)

    def outcome(self, rules: list[str], lines: list[list[bytes]]) -> list[Any]:
        """What the rules are taken for, what is said of the lines, and what becomes of them."""
        self.admin("ACL", "DELUSER", "u")
        self.admin("FLUSHALL")
        self.admin("ACL", "SETUSER", "u", "reset", "on", "nopass")
        taken = [type(self.admin("ACL", "SETUSER", "u", *each.split())) is ErrorReply for each in rules]
        self.admin("ACL", "SETUSER", "u", "on", "nopass")
        found: list[Any] = [taken]
        for argv in [*lines, *map(words, _ASKED_ONLY)]:
            found.append((argv, verdict(self.admin("ACL", "DRYRUN", "u", *argv))))
        user = Talker(self.port, encoded)
        user("AUTH", "u", "x")
        for argv in lines:
            found.append((argv, said(user(*argv))))
        user.close()
        return found


@pytest.fixture
def servers(start_januskv: Callable[..., Process], start_redis: Callable[..., Process]) -> Iterator[tuple[Side, Side]]:
    """Both, with somebody who reads redis-server's log: it waits when nobody does."""
    ours, theirs = start_januskv(), start_redis()
    assert theirs.process.stdout is not None
    reader = threading.Thread(target=deque, args=(theirs.process.stdout, 0))
    reader.start()
    yield Side(ours.port), Side(theirs.port)
    theirs.process.terminate()
    reader.join()


def test_random_users(servers: tuple[Side, Side]) -> None:
    ours, theirs = servers
    for seed in seeds(150):
        chance = chance_of("users", seed)
        rules = [rule(chance) for _ in range(chance.randrange(1, 9))]
        lines = [line(chance) for _ in range(20)]

        def differs(some: list[str], lines: list[list[bytes]] = lines) -> bool:
            return ours.outcome(some, lines) != theirs.outcome(some, lines)

        if differs(rules):
            rules = shortened(rules, differs)
            lines = shortened(lines, lambda some, rules=rules: differs(rules, some))  # type: ignore[misc]
            both = zip(ours.outcome(rules, lines), theirs.outcome(rules, lines), strict=True)
            pytest.fail(f"seed {seed}\n{rules}\n" + "\n".join(f"{a}\n{b}" for a, b in both if a != b))
