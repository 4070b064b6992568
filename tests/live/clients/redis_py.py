"""Typical use of redis-py, in the installed version; prints one JSON object. Arguments: port, protocol."""

import asyncio
import json
import sys

import redis
import redis.asyncio

port, protocol = int(sys.argv[1]), int(sys.argv[2])
found = {"version": redis.__version__}

r = redis.Redis(port=port, protocol=protocol, decode_responses=True, client_name="live-test", health_check_interval=1)
found["ping"] = r.ping()
r.flushall()
found["set"] = r.set("k", "v", ex=100, get=True)
found["get"] = r.get("k")
found["ttl"] = 95 < r.ttl("k") <= 100
found["mset"] = r.mset({"a": 1, "b": 2, "c": "drei"})
found["mget"] = r.mget("a", "missing", "c")
found["incr"] = [r.incr("n"), r.incrby("n", 5), r.decr("n"), r.incrbyfloat("f", 1.5)]
found["keys"] = sorted(r.scan_iter(match="[abc]"))
found["name"] = r.client_getname()
found["library"] = r.client_info().get("lib-name", "")
found["lcs"] = r.lcs("a", "b")
found["server"] = r.info("server")["server_name"]
found["config"] = r.config_get("maxclients")
found["echo"] = r.echo("ä€😀")
found["getex"] = r.getex("k", persist=True)
found["type"] = r.type("k")
found["commands"] = r.command_count() > 100
found["dbsize"] = r.dbsize()
found["clients"] = len(r.client_list()) >= 1

with r.pipeline(transaction=True) as pipe:
    pipe.set("p", 1).incr("p").get("p")
    found["transaction"] = pipe.execute()
with r.pipeline(transaction=False) as pipe:
    for i in range(1000):
        pipe.set(f"bulk:{i}", i)
    found["pipeline"] = all(pipe.execute())


def add_one(pipe):
    value = int(pipe.get("p"))
    pipe.multi()
    pipe.set("p", value + 1)


found["watch"] = r.transaction(add_one, "p")
with r.pipeline() as pipe:
    pipe.watch("p")
    r.set("p", 100)
    pipe.multi()
    pipe.set("p", 0)
    try:
        pipe.execute()
        found["watch error"] = False
    except redis.WatchError:
        found["watch error"] = True
try:
    r.execute_command("NOSUCH", "x")
except redis.ResponseError as error:
    found["unknown"] = str(error)[:24]
try:
    r.execute_command("KV_SET", '{"keys":{"h":{"f":1}}}')
    r.incr("h")
except redis.ResponseError as error:
    found["wrong type"] = str(error)[:9]

# a session is a database to redis-py
token = json.loads(r.execute_command('{"SH_NEW":{"name":"live"}}'))["SH_NEW_RSP"]["tkn"]
s = redis.Redis(port=port, protocol=protocol, db=token, decode_responses=True)
s.set("inside", "yes")
found["session"] = [s.get("inside"), r.get("inside"), s.dbsize()]
native = json.loads(r.execute_command("KV_GET", json.dumps({"tkn": token, "keys": ["inside"]})))
found["session natively"] = native["KV_GET_RSP"]["keys"]
try:
    redis.Redis(port=port, protocol=protocol, db=token - 1).get("x")
except redis.ResponseError as error:
    found["no session"] = str(error)

found["binary"] = redis.Redis(port=port, protocol=protocol).set(b"\x00\xff", b"\r\n\x80")
found["binary back"] = redis.Redis(port=port, protocol=protocol).get(b"\x00\xff") == b"\r\n\x80"
big = "x" * 5_000_000
r.set("big", big)
found["big"] = r.get("big") == big


async def with_asyncio():
    pool = redis.asyncio.Redis(port=port, protocol=protocol, decode_responses=True)
    await pool.set("async", "1")
    values = await asyncio.gather(*(pool.incr("async") for _ in range(50)))
    async with pool.pipeline(transaction=True) as pipe:
        replies = await pipe.get("async").delete("async").execute()
    close = getattr(pool, "aclose", pool.close)
    await close()
    return [max(values), replies]


found["asyncio"] = asyncio.run(with_asyncio())
found["monitor"] = None
with r.monitor() as watching:
    r.set("seen", "1")
    for line in watching.listen():
        if "seen" in line["command"]:
            found["monitor"] = line["command"].split(" ")[0]
            break
found["flushdb"] = r.flushdb()
print(json.dumps(found))
