"""An example of every command, subcommands and native commands included, for the tests of rights.

The name of a key tells what the line does with it: ``r.`` reads, ``w.`` writes, ``rw.`` does both, ``x.`` asks no more than
whether, what or how long it is. The end of the name is the type: each exists four times. ``none`` does not exist.
Behind ``<-`` stands what the connection has done before. A line behind ``!`` fails whoever sends it, and tells why.
"""

from __future__ import annotations

from typing import Final

KINDS: Final = ("r", "w", "rw", "x")

# For each of the four.
DATA: Final = """
SET K.str hello
SET K.num 10
HSET K.hash f v g 2
HSET K.timed f v
HEXPIRE K.timed 100 FIELDS 1 f
RPUSH K.list a b c
SADD K.set a b c
ZADD K.zset 1 a 2 b 3 c
ZADD K.lex 0 a 0 b 0 c
XADD K.stream 1-1 f v
XADD K.stream 2-1 f v
XGROUP CREATE K.stream g 0
XREADGROUP GROUP g c COUNT 1 STREAMS K.stream >
PFADD K.hll a b
GEOADD K.geo 13.36 38.11 p 15.08 37.5 q
TS.CREATE K.ts LABELS kind K
TS.ADD K.ts 1000 1
TS_CREATE '{"name":"K.events","type":"Ordered"}'
TS_ADD_EVT '{"ts":"K.events","t":[1,2],"evt":[{"a":1},{"a":2}]}'
"""

LIBRARY: Final = (
    "#!lua name=lib\nredis.register_function('run', function(keys, args) return redis.pcall(unpack(args)) end)\n"
    "redis.register_function{function_name='one', callback=function() return 1 end, flags={'no-writes'}}"
)

EXAMPLES: Final = r"""
PING
ECHO a
AUTH u x
HELLO
SELECT 1
QUIT
RESET
CLIENT ID
CLIENT INFO
CLIENT GETNAME
CLIENT SETNAME a
CLIENT SETINFO lib-name a
CLIENT REPLY ON
CLIENT NO-EVICT on
CLIENT NO-TOUCH on
CLIENT MAINT_NOTIFICATIONS OFF
CLIENT TRACKING on <- HELLO 3
CLIENT CACHING yes <- HELLO 3 ; CLIENT TRACKING on OPTIN
CLIENT TRACKINGINFO
CLIENT GETREDIR
CLIENT LIST
CLIENT KILL ID 999
CLIENT PAUSE 0 WRITE
CLIENT UNPAUSE
CLIENT UNBLOCK 999
CLIENT HELP
DEL w.str w.list
UNLINK w.str
EXISTS x.str x.none
TOUCH x.str
TYPE x.str
RANDOMKEY
KEYS *
SCAN 0
RENAME rw.str w.none
RENAMENX rw.str w.none
COPY r.str w.none
MOVE rw.str 1
EXPIRE w.str 100
PEXPIRE w.str 100
EXPIREAT w.str 33177117420
PEXPIREAT w.str 33177117420000
PERSIST w.str
TTL r.str
PTTL r.str
EXPIRETIME r.str
PEXPIRETIME r.str
OBJECT ENCODING x.str
OBJECT REFCOUNT x.str
OBJECT IDLETIME x.str
! OBJECT FREQ x.str : no policy counts
OBJECT HELP
DBSIZE
FLUSHDB
FLUSHALL
SWAPDB 0 1
GET r.str
SET w.str 1
SETNX w.none 1
SETEX w.str 10 1
PSETEX w.str 10 1
GETSET rw.str 1
GETDEL rw.str
GETEX rw.str
MGET r.str r.list
MSET w.str 1 w.none 2
MSETNX w.none 1
STRLEN x.str
APPEND w.str x
GETRANGE r.str 0 1
SUBSTR r.str 0 1
SETRANGE w.str 1 x
INCR rw.num
DECR rw.num
INCRBY rw.num 2
DECRBY rw.num 2
INCRBYFLOAT rw.num 2
LCS r.str r.num
SETBIT rw.str 1 1
GETBIT r.str 1
BITCOUNT r.str
BITPOS r.str 1
BITOP AND w.none r.str r.num
BITFIELD rw.str SET u8 0 1
BITFIELD r.str GET u8 0
BITFIELD_RO r.str GET u8 0
PFADD w.hll c
PFCOUNT r.hll
PFMERGE rw.hll r.hll
PFDEBUG GETREG r.hll
PFSELFTEST
HSET w.hash f 1
HMSET w.hash f 1
HSETNX w.hash n 1
HDEL w.hash f
HINCRBY rw.hash g 1
HINCRBYFLOAT rw.hash g 1
HGET r.hash f
HMGET r.hash f
HGETALL r.hash
HKEYS r.hash
HVALS r.hash
HLEN x.hash
HEXISTS x.hash f
HSTRLEN x.hash f
HRANDFIELD r.hash
HSCAN r.hash 0
HEXPIRE w.hash 10 FIELDS 1 f
HPEXPIRE w.hash 10000 FIELDS 1 f
HEXPIREAT w.hash 33177117420 FIELDS 1 f
HPEXPIREAT w.hash 33177117420000 FIELDS 1 f
HTTL r.timed FIELDS 1 f
HPTTL r.timed FIELDS 1 f
HEXPIRETIME r.timed FIELDS 1 f
HPEXPIRETIME r.timed FIELDS 1 f
HPERSIST w.timed FIELDS 1 f
LPUSH w.list x
RPUSH w.list x
LPUSHX w.list x
RPUSHX w.list x
LPOP rw.list
RPOP rw.list
LLEN x.list
LINDEX r.list 0
LRANGE r.list 0 -1
LPOS r.list a
LSET w.list 0 x
LINSERT w.list BEFORE a x
LREM w.list 0 a
LTRIM w.list 0 1
LMOVE rw.list w.list LEFT LEFT
RPOPLPUSH rw.list w.list
LMPOP 2 rw.none rw.list LEFT
BLPOP rw.none rw.list 0
BRPOP rw.list 0
BLMOVE rw.list w.list LEFT LEFT 0
BRPOPLPUSH rw.list w.list 0
BLMPOP 0 1 rw.list LEFT
SADD w.set x
SREM w.set a
SISMEMBER x.set a
SMISMEMBER r.set a
SCARD x.set
SMEMBERS r.set
SMOVE rw.set w.set a
SPOP rw.set
SRANDMEMBER r.set
SINTER r.set r.none
SINTERSTORE w.none r.set
SUNION r.set
SUNIONSTORE w.none r.set
SDIFF r.set
SDIFFSTORE w.none r.set
SINTERCARD 1 r.set
SSCAN r.set 0
SORT r.num.none STORE w.none
SORT r.list ALPHA
SORT_RO r.list ALPHA
ZADD w.zset 1 x
ZINCRBY rw.zset 1 a
ZREM w.zset a
ZCARD x.zset
ZSCORE r.zset a
ZMSCORE r.zset a
ZRANK r.zset a
ZREVRANK r.zset a
ZCOUNT r.zset 0 9
ZLEXCOUNT r.lex - +
ZRANGE r.zset 0 -1
ZREVRANGE r.zset 0 -1
ZRANGEBYSCORE r.zset 0 9
ZREVRANGEBYSCORE r.zset 9 0
ZRANGEBYLEX r.lex - +
ZREVRANGEBYLEX r.lex + -
ZRANGESTORE w.none r.zset 0 -1
ZREMRANGEBYRANK w.zset 0 0
ZREMRANGEBYSCORE w.zset 0 1
ZREMRANGEBYLEX w.lex - +
ZPOPMIN rw.zset
ZPOPMAX rw.zset
ZMPOP 1 rw.zset MIN
ZRANDMEMBER r.zset
ZSCAN r.zset 0
ZUNION 1 r.zset
ZINTER 1 r.zset
ZDIFF 1 r.zset
ZUNIONSTORE w.none 2 r.zset r.none
ZINTERSTORE w.none 1 r.zset
ZDIFFSTORE w.none 1 r.zset
ZINTERCARD 1 r.zset
BZPOPMIN rw.zset 0
BZPOPMAX rw.zset 0
BZMPOP 0 1 rw.zset MIN
GEOADD w.geo 1 1 x
GEOPOS r.geo p
GEOHASH r.geo p
GEODIST r.geo p q
GEOSEARCH r.geo FROMMEMBER p BYRADIUS 1 km
GEOSEARCHSTORE w.none r.geo FROMMEMBER p BYRADIUS 1 km
GEORADIUS r.geo 15 37 200 km STORE w.none
GEORADIUS r.geo 15 37 200 km
GEORADIUS_RO r.geo 15 37 200 km
GEORADIUSBYMEMBER r.geo p 200 km STOREDIST w.none
GEORADIUSBYMEMBER_RO r.geo p 200 km
TS.CREATE w.none
TS.ALTER w.ts LABELS a b
TS.ADD w.ts 2000 1
TS.MADD w.ts 2000 1
TS.INCRBY w.ts 1
TS.DECRBY w.ts 1
TS.DEL w.ts 0 9
TS.CREATERULE w.ts w.ts2 AGGREGATION sum 10 <- TS.CREATE w.ts2
TS.DELETERULE w.ts w.ts2 <- TS.CREATE w.ts2 ; TS.CREATERULE w.ts w.ts2 AGGREGATION sum 10
TS.GET r.ts
TS.RANGE r.ts - +
TS.REVRANGE r.ts - +
TS.MGET FILTER kind=r
TS.MRANGE - + FILTER kind=r
TS.MREVRANGE - + FILTER kind=r
TS.QUERYINDEX kind=r
TS.INFO x.ts
TIMESERIES.REFRESHCLUSTER
TIMESERIES.INFOCLUSTER
XADD w.stream 9-1 f v
XLEN x.stream
XRANGE r.stream - +
XREVRANGE r.stream + -
XTRIM w.stream MAXLEN 1
XDEL w.stream 1-1
XSETID w.stream 9-9
XREAD STREAMS r.stream r.none 0 0
XGROUP CREATE w.stream h 0
XGROUP SETID w.stream g 0
XGROUP DESTROY w.stream g
XGROUP CREATECONSUMER w.stream g d
XGROUP DELCONSUMER w.stream g c
XGROUP HELP
XREADGROUP GROUP g c STREAMS r.stream >
XACK w.stream g 1-1
XPENDING r.stream g
XCLAIM w.stream g d 0 1-1
XAUTOCLAIM w.stream g d 0 0
XINFO STREAM r.stream
XINFO GROUPS r.stream
XINFO CONSUMERS r.stream g
XINFO HELP
MULTI
DISCARD <- MULTI
EXEC <- MULTI
WATCH x.str
UNWATCH
EVAL "return 1" 1 rw.str
EVAL_RO "return 1" 1 r.str
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 rw.str <- SCRIPT LOAD "return 1"
EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 r.str <- SCRIPT LOAD "return 1"
SCRIPT LOAD "return 1"
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
SCRIPT FLUSH
! SCRIPT KILL : nothing runs
SCRIPT DEBUG NO
SCRIPT HELP
FCALL one 1 rw.str
FCALL_RO one 1 r.str
FUNCTION LOAD "#!lua name=other\nredis.register_function('other', function() return 1 end)"
FUNCTION DELETE lib
FUNCTION FLUSH
FUNCTION LIST
FUNCTION STATS
FUNCTION DUMP
! FUNCTION RESTORE x : not a payload
! FUNCTION KILL : nothing runs
FUNCTION HELP
WAIT 0 0
WAITAOF 0 0 0
SUBSCRIBE news
UNSUBSCRIBE news
PSUBSCRIBE new*
PUNSUBSCRIBE new*
SSUBSCRIBE news
SUNSUBSCRIBE news
PUBLISH news x
SPUBLISH news x
PUBSUB CHANNELS
PUBSUB NUMPAT
PUBSUB NUMSUB news
PUBSUB SHARDCHANNELS
PUBSUB SHARDNUMSUB news
PUBSUB HELP
CONFIG GET maxclients
CONFIG SET maxclients 9999
CONFIG RESETSTAT
! CONFIG REWRITE : there is no file
CONFIG HELP
SLOWLOG GET
SLOWLOG LEN
SLOWLOG RESET
SLOWLOG HELP
TIME
MONITOR
ROLE
SLAVEOF NO ONE
REPLICAOF NO ONE
! FAILOVER : there are no replicas
! REPLCONF : there are no replicas
! PSYNC ? -1 : there are no replicas
! SYNC : there are no replicas
! SAVE : nothing is kept
! BGSAVE : nothing is kept
! BGREWRITEAOF : nothing is kept
MODULE LIST
! MODULE LOAD x : there are no modules
! MODULE LOADEX x : there are no modules
! MODULE UNLOAD x : there are no modules
MODULE HELP
LOLWUT
! SHUTDOWN ABORT : it does not end
LASTSAVE
ACL CAT
ACL DELUSER nobody
ACL DRYRUN default GET a
ACL GENPASS
ACL GETUSER default
ACL HELP
ACL LIST
ACL USERS
ACL WHOAMI
ACL LOG
! ACL LOAD : there is no file
! ACL SAVE : there is no file
ACL SETUSER other on
! CLUSTER INFO : this is no cluster
! CLUSTER MYID : this is no cluster
! CLUSTER SLOTS : this is no cluster
! CLUSTER NODES : this is no cluster
! CLUSTER SHARDS : this is no cluster
! CLUSTER KEYSLOT a : this is no cluster
! READONLY : this is no cluster
! READWRITE : this is no cluster
! ASKING : this is no cluster
LATENCY LATEST
LATENCY HISTORY a
LATENCY RESET
! LATENCY GRAPH a : there are no events
LATENCY DOCTOR
LATENCY HISTOGRAM
LATENCY HELP
MEMORY USAGE x.str
MEMORY STATS
MEMORY DOCTOR
MEMORY PURGE
MEMORY MALLOC-STATS
MEMORY HELP
INFO
COMMAND
COMMAND COUNT
COMMAND INFO get
COMMAND DOCS get
COMMAND LIST
COMMAND GETKEYS GET a
COMMAND GETKEYSANDFLAGS GET a
COMMAND HELP
DEBUG SLEEP 0
DEBUG OBJECT a <- SET a 1
DEBUG SET-ACTIVE-EXPIRE 1
DEBUG PAUSE-CRON 0
DEBUG RELOAD
! DEBUG LOADAOF : nothing is kept
DEBUG POPULATE 1
DEBUG REPLYBUFFER RESIZING 0
DEBUG QUICKLIST-PACKED-THRESHOLD 0
! DEBUG FASTFORWARD 0 : the clock stands still
DEBUG STRINGMATCH-LEN 5 a
! DEBUG ERROR text : it is its reply
DEBUG LOG text
! DEBUG CRASH-COMMAND : it fails
DEBUG PROTOCOL STRING
DEBUG DIGEST
DEBUG DIGEST-VALUE a
DEBUG HELP
KV_SET '{"keys":{"w.str":1,"w.none":2}}'
KV_SETQ '{"keys":{"w.str":1}}'
KV_ADD '{"keys":{"w.none":1}}'
KV_ADDQ '{"keys":{"w.none":1}}'
KV_RMV '{"keys":["w.str","w.none"]}'
KV_CLEAR
KV_CLEAR_SET '{"keys":{"w.str":1}}'
KV_GET '{"keys":["r.str","r.none"]}'
KV_CONTAINS '{"keys":["x.str"]}'
KV_COUNT
KV_KEYS
KV_FIND '{"path":"$","rsp":"keys"}'
KV_FIND '{"path":"$","rsp":"keys","keys":["r.str"]}'
KV_UPDATE '{"key":"rw.hash","path":"$.f","value":1}'
KV_ARR_APPEND '{"key":"w.list","items":[1]}'
SH_NEW '{"name":"other"}'
SH_OPEN '{"name":"shared"}'
SH_END '{"tkn":TOKEN}'
SH_END_ALL
SH_INFO '{"tkn":TOKEN}'
SH_INFO_ALL
SH_EXISTS '{"tkns":[TOKEN]}'
SV_EXPORT
SH_RESTORE '{"tkn":8589934593,"name":"back"}'
! KV_SAVE '{"name":"s"}' : saves are switched off
! SH_SAVE '{"name":"s"}' : saves are switched off
! KV_LOAD '{"name":"s"}' : there is no such save
! SH_LOAD '{"name":"s"}' : there is no such save
! TS_SAVE '{"name":"s"}' : saves are switched off
! TS_LOAD '{"name":"s"}' : there is no such save
TS_CREATE '{"name":"w.none","type":"Ordered"}'
TS_DELETE '{"name":"w.events"}'
TS_ADD_EVT '{"ts":"w.events","t":[3],"evt":[{"a":3}]}'
TS_CREATE_INDEX '{"ts":"w.events","key":"a"}'
TS_GET '{"ts":"r.events","rng":[]}'
TS_GET_MULTI '{"r.events":{"rng":[]}}'
TS_LIST
TS_INFO '{"ts":"r.events"}'
TS_DEL_EVT '{"ts":"w.events","rng":[]}'
SV_INFO
! SV_SUBSCRIBE '{"channels":["news"],"patterns":["new*"],"keys":["r.*"]}' : its messages go to JSON lines and WebSocket
! SV_UNSUBSCRIBE : as SV_SUBSCRIBE
SV_PUBLISH '{"channel":"news","message":"x"}'
! SV_AUTH '{"user":"nobody","password":"x"}' : there is no such user
SH_ENTER '{"tkn":TOKEN}'
"""

# Commands that name no keys, and still take the right to all of them: READ or WRITE. Also those that name some as well.
ALL_KEYS: Final = {
    **dict.fromkeys(
        (
            "KV_COUNT",
            "KV_KEYS",
            "KV_FIND",
            "TS_LIST",
            "SV_EXPORT",
            "SH_INFO",
            "SH_INFO_ALL",
            "KV_SAVE",
            "SH_SAVE",
            "TS_SAVE",
        ),
        "r",
    ),
    **dict.fromkeys(("KV_CLEAR", "KV_CLEAR_SET", "SH_END", "SH_END_ALL", "KV_LOAD", "SH_LOAD", "TS_LOAD"), "w"),
}
