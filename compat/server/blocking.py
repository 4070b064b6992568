"""Blocking commands: a client is parked until a change of one of its keys gives it a reply, or its timeout passes.

    by_key   (keyspace, key) -> the clients that wait for it, in order of arrival
    ready    places that have changed; their waiting clients are tried when the command that changed them has ended
    covered  places that hold a string, or a result that was stored over another value: no client is tried there until
             the key is gone

A parked connection is halted, as in a pause: what its client sends meanwhile is kept and runs after the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from januskv.commands.table import Command
from januskv.resp.replies import NO_REPLY, NULL_ARRAY, Reply
from januskv.storage.event_table import OF_ALL_KEYS, RESULTS
from januskv.storage.keyspace import Keyspace
from januskv.storage.values import kind_of

from .client import Client
from .client_context import ClientContext
from .core import Core
from .faults import RespError
from .late_parts import run_part
from .pause import Pause
from .process import Timer
from .tracking import Tracking


class NotReady:
    """The result of an attempt that found nothing; there is one instance, ``NOT_READY``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_READY"


NOT_READY: Final[Any] = NotReady()

Place = tuple[Keyspace, bytes]
# Kinds of values that clients may wait for.
_KINDS = ("list", "zset", "stream")
_WHILE_PAUSED_S = 0.01


class Wait:
    """The result of a command that has no reply yet: what it waits for, and how it is retried.

    It is not a reply. The caller parks the client, or uses ``instead`` for one that cannot wait.
    """

    __slots__ = ("attempt", "instead", "keys", "on_timeout", "parked", "timeout_ms")

    def __init__(
        self,
        keys: Sequence[bytes],
        timeout_ms: int | None,
        attempt: Callable[[], Reply],
        on_timeout: Callable[[], Reply],
        instead: Callable[[], Reply] | None = None,
        parked: Callable[[Waiter], None] | None = None,
    ) -> None:
        self.keys = keys
        self.timeout_ms = timeout_ms
        self.attempt = attempt
        self.on_timeout = on_timeout
        self.instead = on_timeout if instead is None else instead  # the reply if the client cannot wait
        self.parked = parked  # called with the waiter


class Waiter:
    """A parked client, what it waits for, and how its command is retried."""

    __slots__ = ("attempt", "client", "command", "on_timeout", "places", "request", "silent", "spent_ns", "timer")

    def __init__(self, client: Client, keyspace: Keyspace, command: Command, request: list[bytes], waits: Wait) -> None:
        self.client = client
        self.command = command
        self.request = request  # for the slow log, which gets the command when it is answered
        self.places: list[Place] = [(keyspace, name) for name in dict.fromkeys(waits.keys)]
        self.attempt = waits.attempt
        self.on_timeout = waits.on_timeout
        self.silent = client.reply_mode in ("off", "skipping")  # CLIENT REPLY when the command came
        self.timer: Timer | None = None  # ends the waiting
        self.spent_ns = 0  # in attempts


class Waiting:
    """All parked clients of a server. Listens to the feed while there are any."""

    def __init__(self, core: Core, pause: Pause, tracking: Tracking) -> None:
        self.core, self.pause, self.tracking = core, pause, tracking
        self.by_client: dict[Client, Waiter] = {}
        self.by_key: dict[Place, dict[Waiter, None]] = {}
        self.ready: dict[Place, bool] = {}  # and whether the key was new
        self.covered: set[Place] = set()
        self.for_log: dict[Waiter, None] = {}  # those that WAITAOF has parked; see wait_verbs.py
        self.looking_at_log = False  # a timer will try those
        self.called = False

    # ------------------------------------------------------------ parking

    def wait(self, context: ClientContext, command: Command, request: list[bytes], waits: Wait) -> Reply:
        """Park the calling client; the reply if it cannot wait."""
        client = context.client
        if client is None or context.in_transaction:
            return waits.instead()
        waiter = Waiter(client, context.keyspace, command, request, waits)
        self.park(waiter, waits.timeout_ms)
        if waits.parked is not None:
            waits.parked(waiter)
        return NO_REPLY

    def park(self, waiter: Waiter, timeout_ms: int | None) -> None:
        """Park a client; a timeout of None means for ever."""
        client = waiter.client
        self.by_client[client] = waiter
        for place in waiter.places:
            self.by_key.setdefault(place, {})[waiter] = None
        client.connection.halted = True
        self.core.store.feed.subscribe(self.on_change)
        self.core.store.feed.want("waiting", ("new",))
        if timeout_ms is not None:
            waiter.timer = self.core.later(timeout_ms / 1000, partial(self.time_out, waiter))

    def keys_of(self, name: str) -> int:
        """How many keys clients wait for with this command."""
        return sum(any(each.command.name == name for each in waiters) for waiters in self.by_key.values())

    def forget(self, client: Client) -> None:
        """Stop a client's waiting; no error if it did not wait."""
        waiter = self.by_client.pop(client, None)
        if waiter is None:
            return
        if waiter.timer is not None:
            waiter.timer.cancel()  # or it would keep the client, and its request, until it fires
            waiter.timer = None
        self.for_log.pop(waiter, None)
        for place in waiter.places:
            waiters = self.by_key[place]
            del waiters[waiter]
            if not waiters:
                del self.by_key[place]
                self.covered.discard(place)
        if not self.by_client:
            self.ready.clear()
            self.core.store.feed.unsubscribe(self.on_change)
            self.core.store.feed.want("waiting", ())

    # ------------------------------------------------------------ waking

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Note that a key that clients wait for has changed."""
        place = (keyspace, key)
        if event in OF_ALL_KEYS:
            places = [each for each in self.by_key if each[0] is keyspace]
            self.covered.difference_update(places)
            self.ready.update(dict.fromkeys(places, True))
        elif place in self.by_key:
            self.note(place, event)
        if self.ready:
            self.core.outbox.wake = True
            self.call(0)

    def note(self, place: Place, event: str) -> None:
        """Note a change of a key that clients wait for."""
        keyspace, key = place
        value = keyspace.data.get(key)
        serves = value is not None and kind_of(value) in _KINDS
        if event == "new" and serves:
            self.covered.discard(place)
            self.ready[place] = True
        elif event == "new":
            self.covered.add(place)
        elif event in RESULTS and value is not None:  # wakes no client, as in Redis: only a new key does
            if not self.ready.get(place):
                self.ready.pop(place, None)
                self.covered.add(place)
        elif place not in self.covered or value is None or (event == "set" and serves):
            self.covered.discard(place)
            self.ready.setdefault(place, False)

    def call(self, delay_s: float) -> None:
        """Schedule one attempt for the waiting clients: keys may be changed by something other than a client's command."""
        if not self.called:
            self.called = True
            self.core.later(delay_s, self.serve_soon)

    def serve_soon(self) -> None:
        """Try the clients that were not tried at the end of a command."""
        self.called = False
        if self.ready:
            self.serve()

    def serve(self) -> None:
        """Try the clients whose keys have changed, in order of arrival."""
        self.core.outbox.wake = False
        self.tracking.send_flushed()
        if self.pause.until_ms:
            self.call(_WHILE_PAUSED_S)
            return
        if self.ready:
            self.core.store.clock.tick()  # what was pushed may have expired since the command began
        while self.ready:
            place = next(iter(self.ready))
            del self.ready[place]
            for waiter in list(self.by_key.get(place, ())):
                if self.by_client.get(waiter.client) is waiter:
                    self.retry(waiter)

    def retry(self, waiter: Waiter) -> None:
        """Retry one client's command; errors become its reply. A closing client gets nothing."""
        connection = waiter.client.connection
        if connection.closing:
            self.forget(waiter.client)
            return
        denied = waiter.client.user.refusal(waiter.command, waiter.request)
        if denied is not None:  # the right was taken away meanwhile
            text = self.core.users.denied(denied, "toplevel", waiter.client.user_name, waiter.client)
            self.give_up(waiter.client, text)
            if not connection.running:
                connection.write_behind()
            return
        connection.retrying = True
        reply, spent_ns = run_part(self.core.store.feed, self.tracking, waiter.client, partial(self.tried, waiter))
        connection.retrying = False
        waiter.spent_ns += spent_ns
        if reply is not NOT_READY:
            self.answer(waiter, reply, [name for _, name in waiter.places])
        if not connection.running:
            connection.write_behind()

    def tried(self, waiter: Waiter) -> Reply:
        """The result of an attempt; an error becomes the reply."""
        try:
            return waiter.attempt()
        except Exception as error:
            return self.failure(waiter, error)

    def failure(self, waiter: Waiter, error: Exception) -> Reply:
        """The reply to a command that failed while waiting; it is counted."""
        return self.core.accounts.failure(waiter.command, error)

    def time_out(self, waiter: Waiter) -> None:
        """The timeout of a client, which may still wait for the same."""
        if self.by_client.get(waiter.client) is waiter:
            self.answer(waiter, waiter.on_timeout())

    def unblock(self, client: Client, error: bool) -> bool:
        """CLIENT UNBLOCK: end a client's waiting as if it had timed out, or with an error; False if it does not wait."""
        waiter = self.by_client.get(client)
        if waiter is None:
            return False
        if error:
            self.give_up(client, "UNBLOCKED client unblocked via CLIENT UNBLOCK")
        else:
            self.answer(waiter, waiter.on_timeout())
        return True

    def give_up(self, client: Client, text: str) -> None:
        """End a client's waiting, if it waits, with an error."""
        waiter = self.by_client.get(client)
        if waiter is not None:
            self.answer(waiter, self.failure(waiter, RespError(text)))

    def answer(self, waiter: Waiter, reply: Reply, read: Sequence[bytes] = ()) -> None:
        """Reply to a client, from the keys that were read for it, and let it continue."""
        client = waiter.client
        self.forget(client)
        if client.tracking is not None:
            self.tracking.answered(client, waiter.command, list(read))
        self.core.accounts.ended(waiter.command, waiter.spent_ns, waiter.request, client)
        if not waiter.silent:
            client.connection.reply_late(reply)
        self.core.later(0, client.connection.resume)


def no_array() -> Reply:
    """The reply of most commands on timeout."""
    return NULL_ARRAY


def no_value() -> Reply:
    """The reply of commands with a single value on timeout."""
    return None


def block(
    keys: Sequence[bytes],
    timeout_ms: int | None,
    attempt: Callable[[], Reply],
    on_timeout: Callable[[], Reply] = no_array,
    instead: Callable[[], Reply] | None = None,
    parked: Callable[[Waiter], None] | None = None,
) -> Reply | Wait:
    """Reply by ``attempt``, now or after a change of one of the keys, in the selected keyspace.

    An attempt returns NOT_READY as long as there is no reply; errors that it raises become the reply. ``on_timeout`` gives
    the reply on timeout, ``instead`` a different one if waiting is not possible.
    """
    reply = attempt()
    if reply is not NOT_READY:
        return reply
    return Wait(keys, timeout_ms, attempt, on_timeout, instead, parked)
