"""Huey with its plain store and the one with priorities and expiry. Prints one JSON object. Argument: port."""

import json
import sys
import time

import huey

port = int(sys.argv[1])


def work_with(kind, priorities):
    """What a consumer of one thread does, and what is left."""
    queue = kind(f"work-{kind.__name__}", port=port)
    order, tries, told = [], [], []

    @queue.task()
    def note(name):
        order.append(name)
        return name * 2

    @queue.task(retries=1)
    def fail():
        tries.append(1)
        raise ValueError(f"try {len(tries)}")

    note("low", priority=1 if priorities else None)
    note("high", priority=9 if priorities else None)
    middle = note("middle", priority=5 if priorities else None)
    asked = time.monotonic()
    later = note.schedule(args=("later",), delay=1)
    revoked = note("revoked")
    revoked.revoke()
    before = [queue.pending_count(), queue.scheduled_count()]
    failing = fail()
    consumer = queue.create_consumer(
        workers=1, initial_delay=0.01, max_delay=0.01, scheduler_interval=1, periodic=False
    )
    consumer.start()
    try:
        failing.get(blocking=True, timeout=20)
    except huey.exceptions.TaskException as error:
        told.append(error.metadata["error"])
    told += [later.get(blocking=True, timeout=20), time.monotonic() - asked >= 0.9, middle.get()]
    pipeline = queue.enqueue(note.s("a").then(note))
    told.append(pipeline.get(blocking=True, timeout=20))
    consumer.stop(graceful=True)
    with queue.lock_task("lock"):
        told.append(queue.is_locked("lock"))
        try:
            with queue.lock_task("lock"):
                pass
        except huey.exceptions.TaskLockedException:
            told.append("locked")
    told.append(queue.is_locked("lock"))
    queue.put("key", {"a": 1})
    told += [queue.get("key"), queue.get("key"), queue.pending_count(), queue.scheduled_count()]
    return [before, order, told]


found = {
    "version": huey.__version__,
    "plain": work_with(huey.RedisHuey, priorities=False),
    "priorities and expiry": work_with(huey.PriorityRedisExpireHuey, priorities=True),
}
print(json.dumps(found))
