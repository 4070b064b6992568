"""Random programs in which values grow and shrink over the limits of every form that they are kept in.

A value is kept in another form when it becomes longer: a small hash, a packed sorted set, a packed or long list, a set of
integers, a long string, packed entries of a stream, a JSON number. Every command has to see the same in each of them, so
equal programs run here and on redis-server, with equal replies. Native commands that only read run in between, here alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, SetReply

from .fuzzing import Talker, chance_of, seeds, shortened

pytestmark = pytest.mark.live

Words = list[str]


@dataclass(frozen=True)
class Step:
    """What JanusKV and redis-server get; ``compared`` tells whether the replies have to be equal."""

    ours: list[Words]
    theirs: list[Words]
    compared: bool = True


KINDS = "lhsztx"  # lists, hashes, sets, sorted sets, strings (texts), streams
SIZES = [1, 1, 1, 2, 3, 5, 7, 8, 9, 16, 17, 64, 65, 127, 128, 129, 300, 512, 513, 600]
LENGTHS = [1, 1, 2, 5, 19, 20, 63, 64, 65, 66, 300]
UNORDERED = ("HGETALL", "HKEYS", "HVALS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "SPOP", "HSCAN", "SSCAN", "ZSCAN")
COUNTED = ("SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "MEMORY")  # only how many there are, or that there is a number


class Writer:
    """Writes one program."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.next_id = 1
        self.focus = chance.choice(KINDS)

    # ------------------------------------------------------------ words

    def key(self, kind: str = "") -> str:
        """A key that mostly holds a value of a kind."""
        chance = self.chance
        if not kind or chance.random() < 0.02:
            kind = self.focus if chance.random() < 0.6 else chance.choice(KINDS)
        return kind + chance.choice("112")

    def member(self) -> str:
        chance = self.chance
        if chance.random() < 0.4:
            return str(chance.choice([0, 1, -1, 7, chance.randrange(700), 9223372036854775807]))
        if chance.random() < 0.1:
            return chance.choice(["", "1.5", "-0", "007", " ", "1e3", "é", "true"])
        return f"m{chance.randrange(700)}".ljust(chance.choice(LENGTHS), "x")

    def members(self) -> Words:
        chance = self.chance
        size, first = chance.choice(SIZES), chance.randrange(300)
        if chance.random() < 0.3:
            return [self.member() for _ in range(min(size, 20))]
        form = chance.choice(["{}", "m{}", "m{:063}", "m{:064}"])
        return [form.format(number) for number in range(first, first + size)]

    def index(self) -> str:
        chance = self.chance
        return str(chance.choice([0, 1, 2, -1, -2, 5, 63, 64, 128, -128, 511, 512, chance.randrange(-700, 700)]))

    def score(self) -> str:
        return str(self.chance.choice([0, 1, 2, 2.5, -3, self.chance.randrange(600), "inf", "-inf"]))

    def count(self) -> str:
        return str(self.chance.choice([*SIZES, 0, -1]))

    def maybe(self, *words: str) -> Words:
        return list(words) if self.chance.random() < 0.4 else []

    # ------------------------------------------------------------ lines of each kind

    def lines(self, kind: str) -> list[Callable[[], Words]]:
        return {
            "l": self.of_lists,
            "h": self.of_hashes,
            "s": self.of_sets,
            "z": self.of_sorted_sets,
            "t": self.of_strings,
            "x": self.of_streams,
        }[kind]()

    def of_lists(self) -> list[Callable[[], Words]]:
        key, side, maybe = partial(self.key, "l"), lambda: self.chance.choice(["LEFT", "RIGHT"]), self.maybe
        return [
            lambda: ["RPUSH", key(), *self.members()],
            lambda: ["LPUSH", key(), *self.members()],
            lambda: [self.chance.choice(["RPUSHX", "LPUSHX"]), key(), *self.members()],
            lambda: [self.chance.choice(["LPOP", "RPOP"]), key(), *maybe(self.count())],
            lambda: ["LTRIM", key(), self.index(), self.index()],
            lambda: ["LREM", key(), self.chance.choice(["0", "1", "-1", "3"]), self.member()],
            lambda: ["LSET", key(), self.index(), self.member()],
            lambda: ["LINSERT", key(), self.chance.choice(["BEFORE", "AFTER"]), self.member(), self.member()],
            lambda: ["LMOVE", key(), key(), side(), side()],
            lambda: ["LMPOP", "2", key(), key(), side(), "COUNT", self.chance.choice(["1", "8", "200"])],
            lambda: ["LRANGE", key(), self.index(), self.index()],
            lambda: ["LINDEX", key(), self.index()],
            lambda: ["LLEN", key()],
            lambda: ["LPOS", key(), self.member(), *maybe("RANK", "-1"), *maybe("COUNT", "0"), *maybe("MAXLEN", "99")],
            lambda: self.sort(key(), ordered=True),
        ]

    def sort(self, key: str, *, ordered: bool) -> Words:
        words = [self.chance.choice(["SORT", "SORT_RO"]), key]
        if ordered and self.chance.random() < 0.3:
            words += ["BY", "nosort"]
        elif self.chance.random() < 0.8:
            words += ["ALPHA"]
        words += [*self.maybe("DESC"), *self.maybe("LIMIT", self.index(), self.index())]
        if words[0] == "SORT" and self.chance.random() < 0.2:
            words += ["STORE", self.key("l")]
        return words

    def of_hashes(self) -> list[Callable[[], Words]]:
        key = partial(self.key, "h")
        return [
            lambda: ["HSET", key(), *[word for name in self.members() for word in (name, self.member())]],
            lambda: ["HSET", key(), *[word for name in self.members() for word in (name, name)]],
            lambda: ["HSETNX", key(), self.member(), self.member()],
            lambda: ["HDEL", key(), *self.members()],
            lambda: ["HDEL", key(), *self.members()],
            lambda: ["HGET", key(), self.member()],
            lambda: ["HMGET", key(), *self.members()],
            lambda: ["HGETALL", key()],
            lambda: [self.chance.choice(["HKEYS", "HVALS"]), key()],
            lambda: ["HLEN", key()],
            lambda: ["HEXISTS", key(), self.member()],
            lambda: ["HSTRLEN", key(), self.member()],
            lambda: ["HINCRBY", key(), self.member(), self.chance.choice(["1", "-5", "9223372036854775807"])],
            lambda: ["HINCRBYFLOAT", key(), self.member(), self.chance.choice(["1", "0.5"])],
            lambda: ["HRANDFIELD", key(), self.chance.choice(["-5", "-600", "1000"])],
            lambda: ["HSCAN", key(), "0", "COUNT", "100000"],
        ]

    def of_sets(self) -> list[Callable[[], Words]]:
        key = partial(self.key, "s")
        return [
            lambda: ["SADD", key(), *self.members()],
            lambda: ["SADD", key(), *self.members()],
            lambda: ["SREM", key(), *self.members()],
            lambda: ["SREM", key(), *self.members()],
            lambda: ["SCARD", key()],
            lambda: ["SISMEMBER", key(), self.member()],
            lambda: ["SMISMEMBER", key(), *self.members()],
            lambda: ["SMEMBERS", key()],
            lambda: [self.chance.choice(["SINTER", "SUNION", "SDIFF"]), key(), key()],
            lambda: [self.chance.choice(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), key(), key(), key()],
            lambda: ["SINTERCARD", "2", key(), key(), *self.maybe("LIMIT", "5")],
            lambda: ["SMOVE", key(), key(), self.member()],
            lambda: ["SRANDMEMBER", key(), self.chance.choice(["-5", "-600", "1000"])],
            lambda: ["SPOP", key(), "100000"],
            lambda: ["SSCAN", key(), "0", "COUNT", "100000"],
            lambda: self.sort(key(), ordered=False),
        ]

    def of_sorted_sets(self) -> list[Callable[[], Words]]:
        key, chance, maybe = partial(self.key, "z"), self.chance, self.maybe

        def scored() -> Words:
            same = chance.random() < 0.3
            return [word for name in self.members() for word in ("1" if same else self.score(), name)]

        def bound() -> str:
            return chance.choice(["", "("]) + self.score()

        return [
            lambda: ["ZADD", key(), *maybe(chance.choice(["NX", "XX", "GT", "LT"])), *maybe("CH"), *scored()],
            lambda: ["ZADD", key(), *scored()],
            lambda: ["ZREM", key(), *self.members()],
            lambda: ["ZREM", key(), *self.members()],
            lambda: ["ZINCRBY", key(), chance.choice(["1", "-2.5", "100"]), self.member()],
            lambda: ["ZSCORE", key(), self.member()],
            lambda: ["ZMSCORE", key(), *self.members()],
            lambda: [chance.choice(["ZRANK", "ZREVRANK"]), key(), self.member()],
            lambda: ["ZRANGE", key(), self.index(), self.index(), *maybe("REV"), *maybe("WITHSCORES")],
            lambda: ["ZRANGE", key(), bound(), bound(), "BYSCORE", *maybe("REV"), *maybe("LIMIT", "3", self.count())],
            lambda: ["ZCOUNT", key(), bound(), bound()],
            lambda: ["ZREMRANGEBYRANK", key(), self.index(), self.index()],
            lambda: ["ZREMRANGEBYSCORE", key(), bound(), bound()],
            lambda: [chance.choice(["ZPOPMIN", "ZPOPMAX"]), key(), self.chance.choice(["0", "1", "3", "64", "500"])],
            lambda: ["ZMPOP", "2", key(), key(), chance.choice(["MIN", "MAX"]), "COUNT", chance.choice(["1", "70"])],
            lambda: [chance.choice(["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"]), key(), "2", key(), self.key("zs")],
            lambda: [chance.choice(["ZUNION", "ZINTER", "ZDIFF"]), "2", key(), key(), *maybe("WITHSCORES")],
            lambda: ["ZRANGESTORE", key(), key(), self.index(), self.index()],
            lambda: ["ZINTERCARD", "2", key(), key()],
            lambda: ["ZRANDMEMBER", key(), chance.choice(["-5", "-600", "1000"])],
            lambda: ["ZSCAN", key(), "0", "COUNT", "100000"],
            lambda: self.sort(key(), ordered=True),
        ]

    def of_strings(self) -> list[Callable[[], Words]]:
        key, chance = partial(self.key, "t"), self.chance

        def edge() -> str:
            near = [0, 1, 3, 4095, 4096, 4097, 5000, -1, -2, -4097]
            return str(chance.choice([*near, chance.randrange(-9000, 9000)]))

        def place() -> str:
            return str(chance.choice([0, 1, 4095, 4096, 4097, 9000]))

        def bit() -> str:
            return str(chance.choice([0, 1, 7, 8, 63, 32767, 32768, 40000]))

        def unit() -> Words:
            return self.maybe(chance.choice(["BIT", "BYTE"]))

        def text() -> str:
            return self.member() * chance.choice([1, 1, 1, 70, 300])

        return [
            lambda: ["SET", key(), self.member()],
            lambda: ["SET", key(), text()],
            lambda: ["APPEND", key(), text()],
            lambda: ["SETRANGE", key(), place(), text()],
            lambda: ["SETBIT", key(), bit(), chance.choice("01")],
            lambda: ["GETBIT", key(), bit()],
            lambda: [chance.choice(["GETRANGE", "SUBSTR"]), key(), edge(), edge()],
            lambda: ["BITCOUNT", key(), edge(), edge(), *unit()],
            lambda: ["BITCOUNT", key()],
            lambda: ["BITPOS", key(), chance.choice("01"), edge(), edge(), *unit()],
            lambda: ["BITPOS", key(), chance.choice("01"), *self.maybe(edge())],
            lambda: ["BITFIELD", key(), "GET", chance.choice(["u8", "i16", "u63"]), bit(), "INCRBY", "i8", bit(), "3"],
            lambda: ["BITFIELD", key(), "GET", "u8", bit()],
            lambda: ["BITFIELD_RO", key(), "GET", "i64", bit()],
            lambda: ["BITOP", chance.choice(["AND", "OR", "XOR"]), key(), key(), key()],
            lambda: ["BITOP", "NOT", key(), key()],
            lambda: [chance.choice(["INCR", "DECR"]), key()],
            lambda: ["INCRBY", key(), chance.choice(["5", "-5", "9223372036854775807"])],
            lambda: ["INCRBYFLOAT", key(), chance.choice(["0.5", "1", "3"])],
            lambda: [chance.choice(["GET", "STRLEN", "GETDEL", "GETEX"]), key()],
            lambda: ["GETSET", key(), text()],
            lambda: ["MGET", key(), key(), self.key()],
            lambda: ["MSET", key(), text(), key(), self.member()],
            lambda: ["PFADD", key(), *self.members()],
            lambda: ["PFCOUNT", key()],
            lambda: ["PFMERGE", key(), key()],
            lambda: ["LCS", key(), key(), "LEN"],
        ]

    def of_streams(self) -> list[Callable[[], Words]]:
        key, chance = partial(self.key, "x"), self.chance

        def entry() -> str:
            self.next_id += chance.choice([1, 1, 1, 2])
            return f"{self.next_id}-1"

        def fields() -> Words:
            return chance.choice([["a", "1", "b", "2"], ["a", "3", "b", self.member()], [self.member(), self.member()]])

        def old() -> str:
            return f"{chance.randrange(self.next_id + 1)}-1"

        return [
            lambda: ["XADD", key(), entry(), *fields()],
            lambda: ["XADD", key(), entry(), *fields()],
            lambda: ["XADD", key(), "MAXLEN", self.chance.choice(["3", "100"]), entry(), *fields()],
            lambda: ["XTRIM", key(), "MINID", old()],
            lambda: ["XDEL", key(), old(), old()],
            lambda: ["XLEN", key()],
            lambda: ["XRANGE", key(), "-", "+"],
            lambda: ["XRANGE", key(), f"({old()}", old(), "COUNT", "5"],
            lambda: ["XREVRANGE", key(), "+", old(), "COUNT", "3"],
            lambda: ["XREAD", "COUNT", "4", "STREAMS", key(), old()],
            lambda: ["XGROUP", "CREATE", key(), "g", old()],
            lambda: ["XREADGROUP", "GROUP", "g", chance.choice("cd"), "COUNT", "4", "STREAMS", key(), ">"],
            lambda: ["XACK", key(), "g", old(), old()],
            lambda: ["XPENDING", key(), "g"],
            lambda: ["XSETID", key(), f"{self.next_id}-5"],
        ]

    def of_all(self) -> list[Callable[[], Words]]:
        key = self.key
        return [
            lambda: ["DEL", key()],
            lambda: ["UNLINK", key(), key()],
            lambda: ["COPY", key(), key(), *self.maybe("REPLACE")],
            lambda: ["COPY", key(), key(), "DB", "1", "REPLACE"],
            lambda: ["MOVE", key(), "1"],
            lambda: ["SWAPDB", "0", "1"],
            lambda: ["RENAME", key(), key()],
            lambda: ["RENAMENX", key(), key()],
            lambda: ["TYPE", key()],
            lambda: ["EXISTS", key(), key()],
            lambda: ["EXPIRE", key(), "1000"],
            lambda: ["PERSIST", key()],
            lambda: ["MEMORY", "USAGE", key(), *self.maybe("SAMPLES", "0")],
            lambda: ["DBSIZE"],
        ]

    # ------------------------------------------------------------ steps

    def native(self) -> Step:
        """A native command, which reads, or sets what a Redis verb can set as well."""
        chance = self.chance
        names = sorted({self.key() for _ in range(3)})
        if chance.random() < 0.6:
            request = chance.choice(
                [
                    {"KV_GET": {"keys": names}},
                    {"KV_CONTAINS": {"keys": names}},
                    {"KV_COUNT": {}},
                    {"KV_KEYS": {}},
                ]
            )
            return Step([[json.dumps(request)]], [], compared=False)
        kind = chance.choice("tlh")
        key = self.key(kind)
        scalars = {"5": 5, "-0.5": -0.5, "true": True, "null": None, "text": "text", "": "", "1e400 ": "1e400 "}
        texts = [chance.choice(list(scalars)) for _ in range(chance.choice([1, 3, 20, 600]))]
        drop = ["DEL", key]
        if kind == "t":
            value: Any = scalars[texts[0]]
            theirs = [drop, ["SET", key, texts[0]]]
        elif kind == "l":
            value = [scalars[text] for text in texts]
            theirs = [drop, ["RPUSH", key, *texts]]
        else:
            value = {f"f{at}": scalars[text] for at, text in enumerate(texts)}
            theirs = [drop, ["HSET", key, *[word for at, text in enumerate(texts) for word in (f"f{at}", text)]]]
        return Step([drop, [json.dumps({"KV_SET": {"keys": {key: value}}})]], theirs, compared=False)

    def step(self) -> Step:
        chance = self.chance
        dice = chance.random()
        if dice < 0.08:
            return self.native()
        if dice < 0.2:
            words = chance.choice(self.of_all())()
        else:
            words = chance.choice(self.lines(self.focus if dice < 0.8 else chance.choice(KINDS)))()
        return Step([words], [words])

    def program(self) -> list[Step]:
        return [self.step() for _ in range(self.chance.randrange(5, 60))]


def comparable(words: Words, reply: Any) -> Any:
    """A reply without what is nobody's promise."""
    verb = words[0].upper()
    if isinstance(reply, SetReply):
        reply = list(reply.items)
    if verb in COUNTED:
        return len(reply) if isinstance(reply, list) else type(reply)
    if isinstance(reply, list) and verb in UNORDERED:
        if verb.endswith("SCAN"):
            cursor, reply = reply
            assert cursor == b"0", words
        if verb in ("HGETALL", "HSCAN", "ZSCAN"):
            return sorted(zip(reply[::2], reply[1::2], strict=True))
        return sorted(reply)
    return reply


class Pair:
    """Connections to both servers."""

    def __init__(self, janus: Any, oracle: Any, encode: Callable[..., bytes]) -> None:
        self.ours, self.theirs = Talker(janus.port, encode), Talker(oracle.port, encode)

    def difference(self, program: list[Step], *, flush: bool = True) -> str:
        """Where the servers answer otherwise; an empty text if they do not."""
        if flush:
            for talker in (self.ours, self.theirs):
                talker("FLUSHALL")
        for step in program:
            mine = [comparable(words, self.ours(*words)) for words in step.ours]
            his = [comparable(words, self.theirs(*words)) for words in step.theirs]
            if step.compared and repr(mine) != repr(his):
                return f"{step.ours}\n  ours   {mine!r:.900}\n  theirs {his!r:.900}"
            if any(isinstance(reply, ErrorReply) and b"internal" in reply.text for reply in mine):
                return f"{step.ours}: {mine}"
        return self.state_difference()

    def state_difference(self) -> str:
        """Where both servers hold something else."""
        for database in "01":
            for talker in (self.ours, self.theirs):
                talker("SELECT", database)
            found = []
            for talker in (self.ours, self.theirs):
                names = sorted(name.decode() for name in talker("KEYS", "*"))
                found.append({name: self.value(talker, name) for name in names})
            for talker in (self.ours, self.theirs):
                talker("SELECT", "0")
            mine, his = found
            for name in mine.keys() | his.keys():
                if repr(mine.get(name)) != repr(his.get(name)):
                    return f"database {database}, {name}\n  ours   {mine.get(name)!r:.900}\n  theirs {his.get(name)!r:.900}"
        return ""

    @staticmethod
    def value(talker: Talker, name: str) -> Any:
        kind = talker("TYPE", name).text.decode()
        words = {
            "string": ["GET", name],
            "list": ["LRANGE", name, "0", "-1"],
            "hash": ["HGETALL", name],
            "set": ["SMEMBERS", name],
            "zset": ["ZRANGE", name, "0", "-1", "WITHSCORES"],
            "stream": ["XRANGE", name, "-", "+"],
        }[kind]
        ttl = talker("TTL", name)
        return kind, comparable(words, talker(*words)), ttl if ttl < 0 else "expires"

    def check(self, seed: int, program: list[Step]) -> None:
        """Fail with the shortest program that differs."""
        if self.difference(program):
            short = shortened(program, lambda steps: bool(self.difference(steps)))
            text = "\n".join(f"{step.ours!r:.300}" for step in short)
            pytest.fail(f"JANUSKV_FUZZ_SEED={seed}\n{text}\n--\n{self.difference(short)}")


def test_same_replies(janus: Any, oracle: Any, encode_command: Callable[..., bytes]) -> None:
    pair = Pair(janus, oracle, encode_command)
    for seed in seeds(60):
        pair.check(seed, Writer(chance_of("forms", seed)).program())


def test_same_values_after_a_start(
    start_januskv: Any, oracle: Any, encode_command: Callable[..., bytes], tmp_path: Any
) -> None:
    """Several programs one after the other, and the server ended and started after each."""
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--appendfsync", "no")
    first = True
    for seed in seeds(2):
        chance = chance_of("forms and starts", seed)
        server = start_januskv(*options)
        pair = Pair(server, oracle, encode_command)
        if first:
            pair.theirs("FLUSHALL")
        assert not pair.state_difference(), f"JANUSKV_FUZZ_SEED={seed}: after the start"
        difference = pair.difference([step for _ in range(5) for step in Writer(chance).program()], flush=False)
        assert not difference, f"JANUSKV_FUZZ_SEED={seed}: {difference}"
        server.stop()
        first = False
