"""limits' strategies, sync and asyncio, and Flask-Limiter on Flask's test client. Prints one JSON object. Argument: port."""

import asyncio
import json
import sys
from importlib.metadata import version

import flask
import limits
import redis
from flask_limiter import Limiter
from limits import strategies
from limits.aio import strategies as aio

url = f"redis://127.0.0.1:{sys.argv[1]}"
found = {"version": limits.__version__, "Flask-Limiter version": version("flask-limiter")}
three = limits.parse("3/year")
second = limits.parse("2/second")
store = limits.storage.storage_from_string(url)
STRATEGIES = ("FixedWindowRateLimiter", "MovingWindowRateLimiter", "SlidingWindowCounterRateLimiter")
for name in STRATEGIES:
    limiter = getattr(strategies, name)(store)
    tried = [limiter.hit(three, name) for _ in range(4)]
    tried += [
        limiter.test(three, name),
        limiter.hit(three, name, "other", cost=2),
        limiter.get_window_stats(three, name)[1],
    ]
    limiter.clear(three, name)
    tried.append(limiter.test(three, name))
    # A short window passes: hits until one is refused, then tests until one is allowed.
    refused = next(n for n in range(1000) if not limiter.hit(second, name))
    tried += [refused >= 2, any(limiter.test(second, name) for _ in range(1_000_000))]
    found[name] = tried
found["check"] = store.check()
found["reset"] = [store.reset() > 0, redis.Redis.from_url(url).dbsize()]


async def asynchronous():
    limiter = aio.MovingWindowRateLimiter(limits.storage.storage_from_string(f"async+{url}", implementation="redispy"))
    return [await limiter.hit(three, "aio") for _ in range(4)]


found["asyncio"] = asyncio.run(asynchronous())

for strategy in ("fixed-window", "moving-window", "sliding-window-counter"):
    app = flask.Flask("app")
    limiter = Limiter(
        lambda: "anna", app=app, storage_uri=url, strategy=strategy, headers_enabled=True, key_prefix=strategy
    )  # fmt: skip

    @app.get("/")
    @limiter.limit("2/year")
    def page():
        return "hello"

    client = app.test_client()
    answers = [client.get("/") for _ in range(3)]
    found[f"Flask-Limiter {strategy}"] = [[a.status_code, a.headers["X-RateLimit-Remaining"]] for a in answers]
print(json.dumps(found))
