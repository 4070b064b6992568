"""Flask-Session on Flask's test client; aiocache with its locks. Prints one JSON object. Argument: port."""

import asyncio
import json
import sys
from importlib.metadata import version

import aiocache
import aiocache.lock
import aiocache.serializers
import flask
import flask_session
import redis

port = int(sys.argv[1])
r = redis.Redis(port=port)
found = {"Flask-Session version": version("flask-session"), "aiocache version": version("aiocache")}

app = flask.Flask("app")
app.config.update(SESSION_TYPE="redis", SESSION_REDIS=r, PERMANENT_SESSION_LIFETIME=100, SESSION_ID_LENGTH=16)
flask_session.Session(app)


@app.get("/count")
def count():
    flask.session["visits"] = flask.session.get("visits", 0) + 1
    return str(flask.session["visits"])


@app.get("/leave")
def leave():
    flask.session.clear()
    return "left"


anna, berta = app.test_client(), app.test_client()
found["visits"] = [client.get("/count").text for client in (anna, anna, berta, anna)]
found["sessions"] = [len(r.keys("session:*")), all(90 < r.ttl(key) <= 100 for key in r.keys("session:*"))]
found["left"] = [anna.get("/leave").text, len(r.keys("session:*")), anna.get("/count").text]


async def cached():
    cache = aiocache.RedisCache(port=port, namespace="c", serializer=aiocache.serializers.PickleSerializer())
    calls = []

    @aiocache.cached(cache=aiocache.RedisCache, port=port, namespace="d", ttl=50, key="slow")
    async def slow():
        calls.append(1)
        return "slow"

    told = {"set": await cache.set("k", {"deep": [1, None]}, ttl=50), "get": await cache.get("k")}
    told["add"] = await cache.add("n", 1)
    try:
        await cache.add("n", 1)
    except ValueError:
        told["added twice"] = True
    told["multi"] = [await cache.multi_set([("a", 1), ("b", 2)], ttl=50), await cache.multi_get(["a", "b", "x"])]
    told["expire"] = [await cache.expire("a", 30), await cache.exists("a")]
    told["delete"] = [await cache.delete("a"), await cache.exists("a")]
    text = aiocache.RedisCache(port=port, serializer=aiocache.serializers.StringSerializer())
    told["increment"] = [await text.increment("i"), await text.increment("i", 5), await text.get("i")]
    told["raw"] = 40 < await text.raw("ttl", "c:k") <= 50
    told["cached"] = [await slow(), await slow(), len(calls)]

    running = []

    async def build(name):
        async with aiocache.lock.RedLock(cache, "built", lease=20):
            if (value := await cache.get("built")) is None:
                running.append(name)
                value = name
                await cache.set("built", value)
            return value

    told["RedLock"] = [len(set(await asyncio.gather(*map(build, "abc")))), len(running)]
    await text.set("edited", "old")
    async with aiocache.lock.OptimisticLock(text, "edited") as lock:
        told["cas"] = await lock.cas("new")
        try:
            await lock.cas("newer")
        except aiocache.lock.OptimisticLockError:
            told["cas again"] = "refused"
    await cache.clear(namespace="c")
    told["cleared"] = await cache.get("k")
    await cache.close()
    await text.close()
    return told


found["aiocache"] = asyncio.run(cached())
print(json.dumps(found))
