"""Celery with broker and results: a worker process of two children does the tasks. Prints one JSON object. Argument: port."""

import json
import os
import subprocess
import sys
import time

import celery
from celery.exceptions import TaskRevokedError

base = os.environ.get("SERVER") or f"redis://127.0.0.1:{sys.argv[1]}"
app = celery.Celery("celery_tasks", broker=f"{base}/1", backend=f"{base}/2")
app.conf.update(result_expires=100, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="total")
def total(numbers):
    return sum(numbers)


@app.task(name="fail", bind=True, max_retries=2)
def fail(self):
    raise self.retry(exc=ValueError(f"try {self.request.retries}"), countdown=0)


def ask(question):
    """The worker's answer to a control command. It hears of none before it has subscribed, so it is asked until it answers."""
    for _ in range(20):
        if answers := getattr(app.control.inspect(timeout=1, limit=1), question)():
            return next(iter(answers.values()))
    return None


def jobs():
    found = {"version": celery.__version__}
    done = add.delay(2, 3)
    found["add"] = done.get(timeout=20)
    found["state"] = [done.state, 90 < app.backend.client.ttl(f"celery-task-meta-{done.id}") <= 100]
    found["group"] = celery.group(add.s(i, 1) for i in range(4))().get(timeout=20)
    found["chord"] = celery.chord([add.s(i, i) for i in range(5)])(total.s()).get(timeout=20)
    found["chain"] = celery.chain(add.s(1, 2), add.s(10), add.s(100))().get(timeout=20)
    found["worker"] = [ask("ping"), sorted(ask("registered"))]
    asked = time.monotonic()
    later = add.apply_async((4, 4), countdown=1)
    found["countdown"] = [later.get(timeout=20), time.monotonic() - asked >= 0.9]
    failed = fail.delay()
    try:
        failed.get(timeout=20)
    except ValueError as error:
        found["fail"] = [str(error), failed.state]
    never = add.apply_async((1, 1), countdown=3600)
    never.revoke()
    try:
        never.get(timeout=20)
    except TaskRevokedError:
        found["revoked"] = never.state
    done.forget()
    found["forgotten"] = app.AsyncResult(done.id).state
    app.send_task("add", (1, 1), queue="nobody")
    with app.connection_for_write() as connection:
        found["purged"] = connection.default_channel.queue_purge("nobody")
    return found


if __name__ == "__main__":
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-q", "-A", "celery_tasks", "worker", "-c", "2", "-l", "ERROR"],
        cwd=os.path.dirname(__file__), env=os.environ | {"SERVER": base}, stdout=sys.stderr,
    )  # fmt: skip
    try:
        print(json.dumps(jobs()))
    finally:
        worker.terminate()
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
