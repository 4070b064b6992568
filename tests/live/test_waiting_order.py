"""Who is served first, with what: several waiting clients on JanusKV and on redis-server, with equal replies.

A scenario holds one step a line: ``w`` is the client that changes things, a number is one that may wait. Steps that
`` ; `` separates are sent in one write. A waiting client that nobody has served is unblocked in the end.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from januskv.resp.decoder import ReplyReader

from .fuzzing import chance_of, seeds

pytestmark = pytest.mark.live

SCENARIOS = {
    "first come, first served": """
        1 BLPOP l 0
        2 BRPOP l 0
        3 BLPOP l 0
        w RPUSH l a b c d
        w LRANGE l 0 -1""",
    "more clients than elements": """
        1 BLPOP l 0
        2 BLPOP l 0
        3 BLPOP l 0
        w RPUSH l a
        w LPUSH l b
        w EXISTS l""",
    "a transaction pushes to several keys": """
        1 BLPOP a b c 0
        2 BLPOP c b a 0
        3 BLPOP b 0
        w MULTI
        w RPUSH c 1
        w RPUSH b 2
        w RPUSH a 3
        w EXEC
        w EXISTS a b c""",
    "a key expires inside the transaction that fills it": """
        1 BLPOP l 0
        2 BZPOPMIN z 0
        3 XREAD BLOCK 0 STREAMS s $
        w MULTI
        w RPUSH l a
        w PEXPIRE l 10
        w ZADD z 1 a
        w PEXPIRE z 10
        w XADD s 1-1 f v
        w PEXPIRE s 10
        w DEBUG SLEEP 0.03
        w EXEC
        w EXISTS l z s
        w RPUSH l b
        w ZADD z 2 b
        w XADD s 2-1 f v""",
    "a key expires in the write that fills it": """
        1 BLPOP l 0
        w MULTI ; RPUSH l a ; PEXPIRE l 10 ; DEBUG SLEEP 0.03 ; EXEC ; RPUSH l b ; LRANGE l 0 -1
        w SET a 1 PX 10 ; DEBUG SLEEP 0.03 ; GET a
        w MULTI ; SET a 1 PX 10 ; DEBUG SLEEP 0.03 ; GET a ; EXEC ; GET a""",
    "a client that waits for two keys takes one": """
        1 BLPOP a b 0
        w RPUSH b 1
        w RPUSH a 2
        w LRANGE a 0 -1
        1 GET x
        1 BLPOP a b 0""",
    "pushed and deleted in a transaction": """
        1 BLPOP l 0
        w MULTI
        w RPUSH l a
        w DEL l
        w EXEC
        w RPUSH l b""",
    "pushed and deleted in one write": """
        1 BLPOP l 0
        2 BZPOPMIN z 0
        3 XREAD BLOCK 0 STREAMS s $
        w RPUSH l a ; DEL l ; ZADD z 1 m ; DEL z ; XADD s 1-1 f v ; DEL s
        w EXISTS l z s""",
    "read between push and push in one write": """
        1 BLPOP l 0
        2 BLPOP l 0
        w RPUSH l a ; LLEN l ; RPUSH l b c ; LRANGE l 0 -1 ; LPOP l""",
    "the pushing client takes before the waiting one in a transaction": """
        1 BLPOP l 0
        w MULTI
        w RPUSH l a b
        w LPOP l
        w EXEC
        w EXISTS l""",
    "another kind takes the key's place in a transaction": """
        1 BLPOP k 0
        2 BZPOPMIN k 0
        w MULTI
        w RPUSH k a
        w DEL k
        w ZADD k 1 m
        w EXEC
        w RPUSH k x""",
    "clients of several kinds at one key": """
        1 BZPOPMAX k 0
        2 BLPOP k 0
        3 XREAD BLOCK 0 STREAMS k 0
        w ZADD k 1 a 2 b
        w DEL k
        w RPUSH k c
        w XADD k 1-1 f v
        w TYPE k""",
    "a chain of moves": """
        1 BLMOVE a b LEFT RIGHT 0
        2 BLMOVE b c RIGHT LEFT 0
        3 BLPOP c 0
        w RPUSH a x
        w EXISTS a b c
        w RPUSH a y""",
    "a chain whose end waited first": """
        3 BLPOP c 0
        2 BLMOVE b c RIGHT LEFT 0
        1 BRPOPLPUSH a b 0
        w RPUSH a x y z
        w LRANGE a 0 -1""",
    "a move to its own list": """
        1 BLMOVE a a LEFT RIGHT 0
        2 BLPOP a 0
        w RPUSH a x y
        w LRANGE a 0 -1""",
    "a move whose destination is of another kind": """
        w SET d text
        1 BLMOVE a d LEFT RIGHT 0
        2 BLPOP a 0
        w RPUSH a x
        w EXISTS a""",
    "two moves in a circle": """
        1 BLMOVE a b LEFT RIGHT 0
        2 BLMOVE b a LEFT RIGHT 0
        w RPUSH a x
        w LRANGE a 0 -1
        w LRANGE b 0 -1""",
    "several elements at once": """
        1 BLMPOP 0 2 a b LEFT COUNT 2
        2 BLMPOP 0 2 b a RIGHT COUNT 10
        w RPUSH b 1 2 3 4
        w RPUSH a 5""",
    "sorted sets": """
        1 BZPOPMIN z y 0
        2 BZPOPMAX z 0
        3 BZMPOP 0 1 z MIN COUNT 2
        w ZADD z 1 a 2 b 3 c 4 d 5 e
        w ZRANGE z 0 -1 WITHSCORES""",
    "a sorted set that is stored": """
        1 BZPOPMIN d 0
        w ZADD a 1 x 2 y
        w ZUNIONSTORE d 1 a
        w ZRANGE d 0 -1""",
    "readers of a stream are all served": """
        1 XREAD BLOCK 0 STREAMS s $
        2 XREAD COUNT 1 BLOCK 0 STREAMS s 0
        3 XREAD BLOCK 0 STREAMS s 5-0
        w XADD s 1-1 a b
        w XADD s 5-0 c d
        w XADD s 6-0 e f""",
    "consumers of a group": """
        w XGROUP CREATE s g $ MKSTREAM
        1 XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        2 XREADGROUP GROUP g two COUNT 1 BLOCK 0 STREAMS s >
        3 XREAD BLOCK 0 STREAMS s $
        w XADD s 1-1 a b
        w XADD s 1-2 a b
        w XPENDING s g""",
    "two entries in a transaction": """
        w XGROUP CREATE s g $ MKSTREAM
        1 XREADGROUP GROUP g one COUNT 1 BLOCK 0 STREAMS s >
        2 XREADGROUP GROUP g two BLOCK 0 STREAMS s >
        3 XREAD BLOCK 0 STREAMS s $
        w MULTI
        w XADD s 1-1 a b
        w XADD s 1-2 a b
        w EXEC
        w XPENDING s g""",
    "CLIENT UNBLOCK": """
        1 BLPOP l 0
        2 BLPOP l 0
        3 BLPOP l 0
        w CLIENT UNBLOCK {1}
        w CLIENT UNBLOCK {2} ERROR
        w CLIENT UNBLOCK {2} ERROR
        w RPUSH l a
        w CLIENT UNBLOCK {3}
        1 BLPOP l 0
        w RPUSH l b""",
    "unblocked and pushed in one write": """
        1 BLPOP l 0
        w CLIENT UNBLOCK {1} ; RPUSH l a
        w LRANGE l 0 -1
        2 BLPOP m 0
        w RPUSH m a ; CLIENT UNBLOCK {2}""",
    "what a waiting client has sent behind": """
        1 BLPOP l 0 ; RPUSH m x ; BLPOP n 0
        2 BLPOP m 0
        w RPUSH l a
        w RPUSH n b
        w EXISTS l m n""",
    "a rename makes the key": """
        1 BLPOP l 0
        w RPUSH other a b
        w RENAME other l
        w LRANGE l 0 -1
        2 BLPOP c 0
        w COPY l c
        w EXISTS c
        3 BLPOP d 0
        w SORT l ALPHA STORE d""",
    "results that are stored over another value wake nobody": """
        w RPUSH l 2 1
        w ZADD z 1 m
        w GEOADD g 1 1 m
        1 BLPOP a 0
        2 BZPOPMIN b 0
        3 BZPOPMAX c 0
        w SET a x
        w SADD b x
        w HSET c f x
        w SORT l STORE a
        w ZUNIONSTORE b 1 z
        w GEOSEARCHSTORE c g FROMLONLAT 1 1 BYRADIUS 1000 km
        w RPUSH a 3
        w ZADD b 2 n
        w TYPE a ; TYPE b ; TYPE c
        w DEL a ; RENAME b d ; RENAME d b
        w RPUSH a 4""",
    "results that are stored in new keys": """
        w RPUSH l 2 1
        w ZADD z 1 m
        1 BLMOVE a e LEFT RIGHT 0
        2 BZMPOP 0 1 b MIN
        3 BZPOPMAX c 0
        w SORT l STORE a
        w ZRANGESTORE b z 0 -1
        w ZINTERSTORE c 2 z z""",
    "a value of another kind in between": """
        1 BLPOP a 0
        2 BZPOPMIN a 0
        3 XREAD BLOCK 0 STREAMS a 0
        w RPUSH l 1
        w SET a x
        w SORT l STORE a
        w COPY l a REPLACE
        w XADD s 1-1 f v
        w COPY s a REPLACE
        w DEL a
        w ZADD a 1 m""",
    "twenty elements at once": """
        1 BLMOVE a d LEFT RIGHT 0
        2 BRPOPLPUSH a d 0
        3 BLMPOP 0 1 a RIGHT COUNT 3
        w RPUSH a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
        w LRANGE a 0 -1
        w LRANGE d 0 -1""",
    "databases": """
        1 BLPOP l 0
        w SELECT 1
        w RPUSH l a
        w SELECT 0
        2 SELECT 1
        2 BLPOP m 0
        w RPUSH m b
        w MOVE m 1
        w SWAPDB 0 1
        w SELECT 0""",
    "a client that goes is passed over": """
        1 BLPOP l 0
        2 BLPOP l 0
        w CLIENT KILL ID {1}
        w RPUSH l a""",
}

# What redis-server does otherwise since 7.2, which tries the whole command again, as ours does: 7.0 takes from the key
# that was pushed to first, and reads that stream only.
AS_SINCE_7_2 = {"a transaction pushes to several keys"}


class Peer:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what comes behind must not wait for a reply
        self.reader = ReplyReader()
        self.replies: list[Any] = []
        self.owed = 0

    def send(self, data: bytes, count: int) -> None:
        self.sock.sendall(data)
        self.owed += count

    def receive(self, *, wait: bool) -> None:
        """Take what has arrived; with ``wait`` all replies that are owed."""
        self.sock.setblocking(wait)
        if wait:
            self.sock.settimeout(10)
        while self.owed:
            while self.owed and (reply := self.reader.gets()) is not None:
                self.replies.append(reply[1])
                self.owed -= 1
            if not self.owed:
                return
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            if not data:
                self.replies.append("closed")
                self.owed = 0
            self.reader.feed(data)


class Stage:
    """The clients of one scenario on one server."""

    def __init__(self, port: int, split_line: Callable[[str], list[bytes]], encode: Callable[..., bytes]) -> None:
        self.split_line, self.encode = split_line, encode
        self.peers = {name: Peer(port) for name in "w123"}
        self.eye = Peer(port)
        self.ids = {name: self.ask(peer, "CLIENT ID") for name, peer in self.peers.items()}
        self.ask(self.eye, "FLUSHALL")
        for peer in self.peers.values():
            peer.replies.clear()

    def ask(self, peer: Peer, *lines: str) -> Any:
        peer.send(b"".join(self.encode(*self.split_line(line)) for line in lines), len(lines))
        peer.receive(wait=True)
        return peer.replies[-1]

    def waits(self, name: str) -> bool:
        found = self.ask(self.eye, f"CLIENT LIST ID {self.ids[name]}").decode()
        return " flags=b" in found

    def step(self, text: str) -> None:
        name, _, rest = text.strip().partition(" ")
        lines = [line.format(*self.ids.values()) for line in rest.split(" ; ")]
        peer = self.peers[name]
        if name == "w":
            self.ask(peer, *lines)
            return
        peer.send(b"".join(self.encode(*self.split_line(line)) for line in lines), len(lines))
        deadline = time.monotonic() + 10
        while peer.owed and not self.waits(name):
            peer.receive(wait=False)
            assert time.monotonic() < deadline

    def end(self) -> dict[str, list[Any]]:
        """The replies of all, after those that still wait have been unblocked."""
        deadline = time.monotonic() + 10
        for name in "123":
            peer = self.peers[name]
            while peer.owed:
                if self.waits(name):
                    self.ask(self.eye, f"CLIENT UNBLOCK {self.ids[name]}")
                peer.receive(wait=False)
                assert time.monotonic() < deadline
        found = {name: peer.replies for name, peer in self.peers.items()}
        for peer in (*self.peers.values(), self.eye):
            peer.sock.close()
        return found


def played(port: int, steps: str, split_line: Any, encode_command: Any) -> dict[str, list[Any]]:
    stage = Stage(port, split_line, encode_command)
    for step in steps.strip().splitlines():
        stage.step(step)
    return stage.end()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios(janus: Any, oracle: Any, split_line: Any, encode_command: Any, name: str) -> None:
    ours, theirs = (played(server.port, SCENARIOS[name], split_line, encode_command) for server in (janus, oracle))
    assert (repr(ours) == repr(theirs)) == (name not in AS_SINCE_7_2), f"\n{ours}\n{theirs}"


WAITS = (
    "BLPOP {k} 0",
    "BRPOP {k} 0",
    "BLMOVE {k} {k} LEFT RIGHT 0",
    "BRPOPLPUSH {k} {k} 0",
    "BLMPOP 0 1 {k} LEFT COUNT 2",
    "BZPOPMIN {k} 0",
    "BZMPOP 0 1 {k} MAX COUNT 2",
    "XREAD BLOCK 0 STREAMS {k} $",
)
CHANGES = (
    "RPUSH {k} {v}",
    "LPUSH {k} {v} {v}{v}",
    "LPOP {k}",
    "LLEN {k}",
    "DEL {k}",
    "ZADD {k} {n} {v} 3 x",
    "ZPOPMIN {k}",
    "XADD {k} {n}-* f {v}",
    "XLEN {k}",
    "RENAME {k} {k}",
    "LMOVE {k} {k} LEFT LEFT",
    "LINSERT {k} BEFORE {v} y",
    "RPUSH {k} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    "SET {k} {v}",
    "SADD {k} {n}",
    "COPY {k} {k} REPLACE",
)
# Not within a transaction that gives a key values of several kinds: whether redis-server wakes somebody then depends on
# what other clients wait for.
RESULTS = ("SORT {k} ALPHA STORE {k}", "ZUNIONSTORE {k} 1 {k}", "ZRANGESTORE {k} {k} 0 -1")


def random_steps(chance: random.Random) -> str:
    """Clients that wait in turn, and changes alone, in one write, or in a transaction."""

    def line(kinds: tuple[str, ...]) -> str:
        text = chance.choice(kinds)
        while "{" in text:
            field = text[text.index("{") : text.index("{") + 3]
            text = text.replace(field, chance.choice({"{k}": "abc", "{v}": "uvw", "{n}": "12"}[field]), 1)
        return text

    steps = []
    for _ in range(chance.randrange(3, 8)):
        if chance.random() < 0.6:
            steps.append(f"{chance.choice('123')} {line(WAITS)}")
        kinds, first, last = (CHANGES, ["MULTI"], ["EXEC"]) if chance.random() < 0.4 else (CHANGES + RESULTS, [], [])
        lines = [*first, *[line(kinds) for _ in range(chance.randrange(1, 5))], *last]
        steps.append("w " + " ; ".join(lines))
    steps += [f"w {look}" for key in "abc" for look in (f"TYPE {key}", f"LRANGE {key} 0 -1", f"ZRANGE {key} 0 -1")]
    return "\n".join(steps)


def test_random_programs(janus: Any, oracle: Any, split_line: Any, encode_command: Any) -> None:
    for seed in seeds(40):
        steps = random_steps(chance_of("waiting", seed))
        ours, theirs = (played(server.port, steps, split_line, encode_command) for server in (janus, oracle))
        for name in ours:
            assert list(map(repr, ours[name])) == list(map(repr, theirs[name])), (
                f"JANUSKV_FUZZ_SEED={seed} {name}\n{steps}"
            )
