"""Dramatiq with results, groups, pipelines and rate limits. Prints one JSON object. Argument: port."""

import json
import sys
import time
from importlib.metadata import version

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import Barrier, ConcurrentRateLimiter, WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as Limits
from dramatiq.results import ResultFailure, Results
from dramatiq.results.backends import RedisBackend

port = int(sys.argv[1])
broker = RedisBroker(port=port)
broker.add_middleware(Results(backend=RedisBackend(port=port)))
dramatiq.set_broker(broker)
found = {"version": version("dramatiq")}
tries = []


@dramatiq.actor(store_results=True)
def double(x):
    return x * 2


@dramatiq.actor(store_results=True, max_retries=1, min_backoff=20, max_backoff=20)
def fail():
    tries.append(1)
    raise ValueError("no")


@dramatiq.actor(max_retries=0)
def dead():
    raise ValueError("dead")


worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=2)
worker.start()
found["result"] = double.send(21).get_result(block=True, timeout=20_000)
asked = time.monotonic()
found["delay"] = [
    double.send_with_options(args=(5,), delay=300).get_result(block=True, timeout=20_000), time.monotonic() - asked >= 0.29
]  # fmt: skip
work = dramatiq.group([double.message(i) for i in range(4)]).run()
found["group"] = list(work.get_results(block=True, timeout=20_000))
found["pipeline"] = (
    (double.message(1) | double.message() | double.message()).run().get_result(block=True, timeout=20_000)
)
failed = fail.send()
try:
    failed.get_result(block=True, timeout=20_000)
except ResultFailure as error:
    found["failure"] = [error.orig_exc_type, len(tries)]
dead.send()
broker.join("default", timeout=20_000)
worker.join()
worker.stop()
found["dead letters"] = broker.client.zcard("dramatiq:default.XQ")
found["left"] = broker.client.hlen("dramatiq:default.msgs") + broker.client.llen("dramatiq:default")

limits = Limits(port=port)
mutex = ConcurrentRateLimiter(limits, "mutex", limit=1, ttl=60_000)
with mutex.acquire(), mutex.acquire(raise_on_failure=False) as second:
    found["mutex"] = second
window = WindowRateLimiter(limits, "window", limit=2, window=60)
found["window"] = []
for _ in range(3):
    with window.acquire(raise_on_failure=False) as allowed:
        found["window"].append(bool(allowed))
barrier = Barrier(limits, "barrier", ttl=60_000)
found["barrier"] = [barrier.create(parties=2), barrier.wait(block=False), barrier.wait(block=False)]
print(json.dumps(found))
