"""redis-py's Lock, in the installed version, and its scripts; pottery's Redlock. Prints one JSON object. Argument: port."""

import json
import sys
import threading
from importlib.metadata import version

import pottery
import pottery.exceptions
import redis
import redis.lock

r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
found = {"version": redis.__version__}


def refused(call):
    try:
        call()
    except (redis.lock.LockError, pottery.exceptions.PrimitiveError) as error:
        return type(error).__name__
    return None


lock = r.lock("lock", timeout=60)
other = r.lock("lock", timeout=60)
found["acquire"] = [lock.acquire(blocking=False), lock.locked(), lock.owned(), 59_000 < r.pttl("lock") <= 60_000]
found["second"] = [other.acquire(blocking=False), other.owned(), refused(other.release)]
found["extend"] = [lock.extend(60), r.ttl("lock") > 110, lock.extend(30, replace_ttl=True), r.ttl("lock") <= 30]
found["reacquire"] = [lock.reacquire(), 50 < r.ttl("lock") <= 60]
other.local.token = "of nobody"
found["of others"] = [refused(call) for call in (other.release, lambda: other.extend(5), other.reacquire)]
found["still"] = [lock.owned(), lock.release(), r.exists("lock"), refused(lock.release)]

lock.acquire()
taken = threading.Event()
thread = threading.Thread(target=lambda: (other.acquire(blocking=True, blocking_timeout=20), taken.set()), daemon=True)
other.local.token = None
thread.start()
found["waits"] = [taken.is_set(), lock.release(), taken.wait(20)]
thread.join(20)
r.lock("short", timeout=0.05).acquire()
found["after expiry"] = r.lock("short", timeout=60, sleep=0.01).acquire(blocking_timeout=20)

key = pottery.Redlock(key="shared", masters={r}, auto_release_time=30)
rival = pottery.Redlock(key="shared", masters={r}, auto_release_time=30)
found["pottery version"] = version("pottery")
found["pottery acquire"] = [key.acquire(), 0 < key.locked() <= 30, rival.acquire(blocking=False), rival.locked()]
found["pottery extend"] = [key.extend(), refused(rival.extend), refused(rival.release)]
found["pottery release"] = [key.release(), key.locked(), rival.acquire(blocking=False), rival.release()]
ids = pottery.NextID(key="ids", masters={r})
found["pottery ids"] = [next(ids), next(ids), next(ids)]
print(json.dumps(found))
