"""Parts of commands that run outside their connection's read loop: the retry of a blocked client, a slice of a long command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from januskv.storage.feed import Feed

from .client import Client
from .stopwatch import now_ns
from .tracking import Tracking

Result = TypeVar("Result")


def run_part(feed: Feed, tracking: Tracking, client: Client, part: Callable[[], Result]) -> tuple[Result, int]:
    """Run a part of a client's command; return its result, and the ns that it took. ``part`` must not raise.

    Client-side caching attributes the changes to the client, whose replies wait until the log has them.
    """
    changes = feed.changes
    started = now_ns()
    if client.tracking is not None:
        tracking.began(client)
    result = part()
    tracking.stopped()
    if feed.changes != changes:
        client.connection.changed = feed.changes
    return result, now_ns() - started
