"""RQ: a worker with a scheduler does jobs, each in a process of its own. Prints one JSON object. Argument: port."""

import json
import operator
import sys
from datetime import timedelta

import redis
import rq
from rq.registry import FinishedJobRegistry, ScheduledJobRegistry

r = redis.Redis(port=int(sys.argv[1]))
found = {"version": rq.VERSION}
queue = rq.Queue("work", connection=r)
plain = queue.enqueue(operator.add, 2, 3, result_ttl=100)
after = queue.enqueue(operator.neg, 7, depends_on=plain)
later = queue.enqueue_in(timedelta(seconds=1), operator.mul, 6, 7)
failing = queue.enqueue(operator.truediv, 1, 0, retry=rq.Retry(max=1))
first = queue.enqueue(operator.concat, "a", "b", at_front=True, meta={"who": "anna"})
unwanted = queue.enqueue(operator.add, 1, 1)
unwanted.cancel()
scheduled = ScheduledJobRegistry(queue=queue)
found["before"] = [queue.count, after.get_status(), scheduled.get_job_ids() == [later.id]]
worker = rq.Worker([queue], connection=r)
# The failing job is tried twice.
worker.work(max_jobs=6, with_scheduler=True, logging_level="CRITICAL", dequeue_strategy="default")

found["results"] = [job.return_value() for job in (plain, after, later, first)]
found["statuses"] = [job.get_status(refresh=True).value for job in (plain, after, later, first, unwanted, failing)]
found["at the front"] = first.latest_result().created_at < plain.latest_result().created_at
found["meta"] = first.get_meta()
found["ttl"] = 80 < r.ttl(plain.key) <= 100
found["failed"] = [failing.id in queue.failed_job_registry, "ZeroDivisionError" in failing.latest_result().exc_string]
found["finished"] = len(FinishedJobRegistry(queue=queue))
found["requeued"] = [queue.failed_job_registry.requeue(failing.id).get_status().value, queue.count]
found["emptied"] = [queue.empty(), queue.count, len(scheduled)]
worker.refresh()
found["worker"] = [rq.Worker.count(connection=r), worker.successful_job_count, worker.failed_job_count]
print(json.dumps(found))
