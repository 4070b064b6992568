"""rdb_changes_since_last_save: what each command counts, on JanusKV and on redis-server."""

from __future__ import annotations

from typing import Any

import pytest
import redis

pytestmark = pytest.mark.live

# Several members, some of them there already; commands that change nothing; the last element of a collection; two keys
# in one command. XREADGROUP that finds nothing is left out: it makes its consumer since Redis 7.2.
LINES = """
SET a 1
SET a 1 EX 100
SET a 1 KEEPTTL
SET a 1 NX
SET b 1 PX 1000000 NX
SETNX c 1
SETNX c 1
SETEX d 100 v
PSETEX e 100000 v
GETSET a 2
GETDEL a
GETDEL a
SET a 1
GETEX a
GETEX a EX 100
GETEX a PERSIST
GETEX a PERSIST
APPEND a xyz
APPEND new x
SETRANGE a 1 yy
SETRANGE nokey 0 ""
SETBIT bits 7 1
SETBIT bits 7 1
BITFIELD bits SET u8 0 1 GET u8 0 SET u8 8 2 INCRBY u8 16 1
BITFIELD bits GET u8 0
BITOP AND dest bits a
BITOP AND dest nokey1 nokey2
BITOP AND dest nokey1 nokey2
INCR n
INCRBY n 5
DECR n
INCRBYFLOAT n 1.5
MSET m1 1 m2 2
MSET m1 1 m1 2 m3 3
MSETNX q1 1 q2 2 q3 3
MSETNX q1 1 q9 2
DEL m1 m2 m3
DEL m1 m2 m3
UNLINK q1 q2 nokey
EXPIRE b 100
EXPIRE b -1
EXPIRE nokey 100
PEXPIREAT c 99999999999999
EXPIRE c 100 NX
PERSIST c
PERSIST c
RENAME c c2
RENAMENX c2 n
RENAMENX c2 c3
COPY c3 c4
COPY c3 c4
COPY c3 c4 REPLACE
MOVE c4 1
MOVE c4 1
TOUCH c3
RPUSH l a b c
LPUSH l a b
LPUSHX l x y z
LPUSHX nokey x
RPUSHX l x y
LSET l 0 new
LINSERT l BEFORE new v
LINSERT l BEFORE nothing v
LREM l 0 a
LREM l 0 nothing
LTRIM l 0 3
LTRIM l 0 100
LTRIM l 0 -1
LPOP l
LPOP l 2
LPOP l 0
RPUSH l a b c d e
RPOP l 3
LMPOP 1 l LEFT COUNT 2
RPUSH l a b c d e f
LMOVE l l2 LEFT RIGHT
LMOVE l l LEFT RIGHT
RPOPLPUSH l l2
BLPOP l 1
BLMPOP 1 1 l LEFT COUNT 2
BLMOVE l l2 LEFT RIGHT 1
BRPOPLPUSH l l2 1
LPOP l2 100
LPOP l2
RPUSH unsorted c a b d
SORT unsorted ALPHA LIMIT 0 3 STORE sorted
LREM unsorted 0 nothing
SORT l STORE sorted
SORT nokey STORE sorted
SORT nokey STORE sorted
SADD s a b c
SADD s a b c
SADD s c d
SADD ints 1 2 3 4
SREM s a nothing
SREM s a
SMOVE s s2 b
SMOVE s s2 b
SPOP s
SADD s x y z v w
SPOP s 2
SPOP s 100
SPOP s
SPOP s 3
SADD s1 a b c
SADD s2 b c d
SINTERSTORE dst s1 s2
SINTERSTORE dst s1 nokey
SINTERSTORE dst s1 nokey
SUNIONSTORE dst s1 s2
SDIFFSTORE dst s1 s2
SDIFFSTORE dst s1 s1
HSET h a 1 b 2
HSET h a 1 c 3
HSET h a 1
HMSET h x 1 y 2
HSETNX h n 1
HSETNX h n 1
HINCRBY h n 5
HINCRBYFLOAT h n 1.5
HDEL h a b nothing
HDEL h nothing
HDEL h c x y n
ZADD z 1 a 2 b 3 c
ZADD z 1 a 2 b 4 c
ZADD z 1 a
ZADD z XX 1 nothing
ZADD z CH 5 a 6 b
ZADD z INCR 1 a
ZADD z INCR 0 a
ZINCRBY z 1 a
ZINCRBY z 0 a
ZREM z a nothing
ZREM z nothing
ZADD z 1 a 2 b 3 c 4 d 5 e
ZREMRANGEBYRANK z 0 1
ZREMRANGEBYSCORE z 100 200
ZREMRANGEBYSCORE z 4 4
ZREMRANGEBYLEX z [x [y
ZADD z 0 l1 0 l2
ZREMRANGEBYLEX z [l1 [l2
ZPOPMIN z
ZADD z 1 a 2 b 3 c 4 d 5 e
ZPOPMIN z 2
ZPOPMAX z 0
ZMPOP 1 z MIN COUNT 2
BZPOPMIN z 1
ZADD z 1 a 2 b 3 c 4 d 5 e
BZMPOP 1 1 z MAX COUNT 2
ZRANGESTORE zr z 0 1
ZRANGESTORE zr z 100 101
ZRANGESTORE zr z 100 101
ZUNIONSTORE zu 2 z s1
ZINTERSTORE zu 1 nokey
ZDIFFSTORE zu 1 z
ZDIFFSTORE zu 2 z z
GEOADD g 13.361389 38.115556 p 15.087269 37.502669 q
GEOADD g 13.361389 38.115556 p
GEOSEARCHSTORE gs g FROMLONLAT 15 37 BYRADIUS 200 km
GEOSEARCHSTORE gs g FROMLONLAT 0 0 BYRADIUS 1 km
GEORADIUS g 15 37 200 km STORE gs
PFADD hll a b c
PFADD hll a b c
PFADD hll2
PFADD hll2
PFADD hll2 x
PFCOUNT hll
PFCOUNT hll
PFMERGE hll3 hll hll2
PFCOUNT hll hll2
XADD x 1-1 a b
XADD x MAXLEN 2 1-2 a b
XADD x MAXLEN 1 1-3 a b
XADD nox NOMKSTREAM 1-1 a b
XGROUP CREATE x g 0
XGROUP CREATECONSUMER x g c1
XGROUP CREATECONSUMER x g c1
XREADGROUP GROUP g c1 COUNT 1 STREAMS x >
XREADGROUP GROUP g c1 COUNT 1 STREAMS x >
XADD x 2-1 a b
XADD x 2-2 a b
XADD x 2-3 a b
XREADGROUP GROUP g c3 STREAMS x >
XADD x 3-1 a b
XREADGROUP GROUP g c3 NOACK STREAMS x >
XREADGROUP GROUP g c3 STREAMS x 0
XCLAIM x g c1 0 2-1 2-2
XCLAIM x g c1 0 2-1 JUSTID
XAUTOCLAIM x g c1 0 0 COUNT 2
XACK x g 2-1 2-2
XACK x g 2-1
XDEL x 2-1 2-2 9-9
XDEL x 2-1
XTRIM x MAXLEN 1
XTRIM x MAXLEN 1
XSETID x 9-9
XGROUP SETID x g 0
XGROUP DELCONSUMER x g c1
XGROUP DELCONSUMER x g c9
XGROUP DESTROY x g
XGROUP DESTROY x g
SWAPDB 0 1
SWAPDB 0 1
PUBLISH ch m
MULTI
SET t 1
SADD t2 a b
EXEC
FLUSHDB
FLUSHDB
SET a 1
SET b 1
FLUSHALL
FLUSHALL
SUNIONSTORE d nokey
SET p 1 PX 20
DEBUG SLEEP 0.05
GET p
SET p 1 PXAT 1
SET p 1 PX 20
DEBUG SLEEP 0.05
PFADD d e f
"""


class Counter:
    """A server, and how many changed elements it says there are."""

    def __init__(self, server: Any) -> None:
        self.redis = redis.Redis(port=server.port)
        self.connection = redis.Connection(port=server.port)
        assert int(self.redis.info("server")["process_id"]) == server.pid
        self.redis.flushall()
        self.total = self.read()

    def read(self) -> int:
        """What INFO says."""
        return int(self.redis.info("persistence")["rdb_changes_since_last_save"])

    def count(self, words: list[bytes]) -> int:
        """What one command adds."""
        self.connection.send_command(*words)
        try:
            self.connection.read_response()
        except redis.ResponseError as error:
            pytest.fail(f"{words}: {error}")
        before, self.total = self.total, self.read()
        return self.total - before


def test_each_command_counts_what_redis_counts(janus: Any, oracle: Any, split_line: Any) -> None:
    ours, theirs = Counter(janus), Counter(oracle)
    counts = [
        (line, ours.count(split_line(line)), theirs.count(split_line(line))) for line in LINES.strip().splitlines()
    ]
    assert [each for each in counts if each[1] != each[2]] == []
    assert sum(count for _, _, count in counts) > 250
