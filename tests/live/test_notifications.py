"""Keyspace notifications of the same program on us and on redis-server: the same events in the same order."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from januskv.resp.decoder import ReplyReader

pytestmark = pytest.mark.live

PROGRAM = """
SET a 1 | SET a 2 EX 100 | SET a 3 KEEPTTL | SETNX a 4 | SETNX b 5 | SETEX c 100 x | GETSET a 5 | GETDEL b | GETEX a EX 50 | GETEX a PERSIST
MSET a 1 b 2 | MSETNX a 1 z 2 | MSETNX y 1 z 2 | APPEND a x | SETRANGE a 3 yy | SETRANGE none 0 "" | INCR n | DECRBY n 3 | INCRBYFLOAT n 1.5
DEL a b nokey | UNLINK y | EXPIRE z 100 | PERSIST z | PERSIST z | EXPIRE z -1 | PEXPIREAT c 1 | RENAME n m | RENAMENX m k | COPY k k2 | MOVE k2 1 | TOUCH k
RPUSH l a b c | LPUSH l x | LPUSHX l y | RPUSHX nolist y | LPOP l | RPOP l 2 | LINSERT l BEFORE a z | LSET l 0 q | LREM l 0 nothere | LREM l 0 q | LTRIM l 0 0
RPUSH l2 1 2 3 | LMOVE l2 l3 LEFT RIGHT | RPOPLPUSH l2 l2 | LMPOP 1 l2 LEFT COUNT 5 | LPOP l3 | BLPOP l 1 | LTRIM l3 1 0
SADD s a b c | SADD s a | SREM s a x | SMOVE s s2 b | SPOP s 5 | SADD t 1 2 3 | SADD u 2 3 4 | SINTERSTORE d t u | SUNIONSTORE d t u | SDIFFSTORE d t t | SMOVE s2 t b
HSET h f 1 g 2 | HSETNX h f 1 | HSETNX h x 1 | HMSET h f 2 | HINCRBY h f 5 | HINCRBYFLOAT h f 1.5 | HDEL h f g | HDEL h x nothing
ZADD z 1 a 2 b | ZADD z 1 a | ZADD z XX 5 nokey | ZADD z INCR 3 a | ZINCRBY z 1 b | ZREM z a q | ZADD z 1 c 2 d 3 e 4 f | ZPOPMIN z | ZPOPMAX z | ZREMRANGEBYRANK z 0 0
ZREMRANGEBYSCORE z 0 1 | ZREMRANGEBYLEX z [a [b | ZRANGESTORE zd z 0 -1 | ZUNIONSTORE zd 1 z | ZINTERSTORE zd 2 z nokey | ZMPOP 1 z MIN COUNT 9 | BZPOPMIN zd 0.01
XADD x 1-1 f v | XADD x MAXLEN 1 2-1 f v | XGROUP CREATE x g $ | XGROUP CREATECONSUMER x g c | XGROUP SETID x g 0 | XREADGROUP GROUP g c2 STREAMS x > | XACK x g 2-1
XTRIM x MAXLEN 0 | XSETID x 9-9 | XADD x 10-1 f v | XDEL x 10-1 | XGROUP DELCONSUMER x g c | XGROUP DESTROY x g | DEL x
RPUSH nums 3 1 2 | SORT nums STORE sorted | SORT nokey STORE sorted | SORT nokey STORE sorted
GEOADD geo 1 2 a | GEOADD geo 1 2 a | GEOSEARCHSTORE geo2 geo FROMLONLAT 1 2 BYRADIUS 1 km | GEORADIUS geo 1 2 1 km STORE geo3 | GEORADIUS geo 50 2 1 km STORE geo3
PFADD p a b | PFADD p a | PFADD p | PFADD empty | PFMERGE p2 p | PFCOUNT p | PFCOUNT p p2
SETBIT bits 3 1 | SETBIT bits 3 1 | SETBIT bits 3 0 | BITOP NOT bits2 bits | BITOP AND bits2 nokey | BITFIELD bits SET u8 0 5 | BITFIELD bits GET u8 0 | BITFIELD bits OVERFLOW FAIL SET u8 0 300
SET a 1 | FLUSHDB | SET q 1 | SWAPDB 0 1 | FLUSHALL
"""
LINES = [line.strip() for row in PROGRAM.strip().splitlines() for line in row.split(" | ")]


class Talker:
    """A connection that reads one reply at a time."""

    def __init__(self, port: int, encode: Callable[..., bytes]) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader, self.encode = ReplyReader(), encode

    def read(self) -> Any:
        while (reply := self.reader.gets()) is None:
            data = self.sock.recv(65536)
            assert data
            self.reader.feed(data)
        return reply[1]

    def ask(self, *argv: bytes) -> Any:
        self.sock.sendall(self.encode(*argv))
        return self.read()


def events(port: int, encode: Callable[..., bytes], split: Callable[[str], list[bytes]]) -> list[tuple[str, list[Any]]]:
    """Each line with the events that it brings."""
    worker, listener = Talker(port, encode), Talker(port, encode)
    worker.ask(b"FLUSHALL")
    worker.ask(b"CONFIG", b"SET", b"notify-keyspace-events", b"KEAn")
    listener.ask(b"PSUBSCRIBE", b"__key*", b"the end")
    listener.read()
    found = []
    try:
        for line in LINES:
            worker.ask(*split(line))
            worker.ask(b"PUBLISH", b"the end", b"")
            heard = []
            while (message := listener.read())[2] != b"the end":
                heard.append((message[2], message[3]))
            found.append((line, heard))
    finally:
        worker.ask(b"CONFIG", b"SET", b"notify-keyspace-events", b"")
        worker.sock.close()
        listener.sock.close()
    return found


def test_same_events(janus: Any, oracle: Any, encode_command: Any, split_line: Any) -> None:
    ours, theirs = (events(server.port, encode_command, split_line) for server in (janus, oracle))
    wrong = [
        f"{line}\n  ours   {mine}\n  theirs {his}"
        for (line, mine), (_, his) in zip(ours, theirs, strict=True)
        if mine != his
    ]
    assert not wrong, "\n" + "\n".join(wrong)
