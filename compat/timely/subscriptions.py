"""Subscriptions over WebSocket: points of metrics as they are stored and as they arrive, in batches.

    socket  Subscriber      one WebSocket: its subscriptions, its limits, whether it is still heard of
              id            a name of the client's for some streams
                metric  Stream   one metric with its tags, from one time on

All streams of a server together have one slice of one to two milliseconds a round of the event loop, in turn. A stream whose
socket has enough to send waits; what is stored is not read meanwhile, and what arrives is kept as far as the output limits
of the class pubsub allow. ``storage.following`` knows which points a stream still has to give.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from januskv.compat.server.json_text import dumps
from januskv.compat.server.stopwatch import now_ns
from januskv.storage.following import Cursor, Follower, Following
from januskv.storage.labels import NAME_LABEL, VISIBILITY_LABEL
from januskv.storage.timetable import NEVER, Timetable

if TYPE_CHECKING:
    from januskv.compat.server.client import Client
    from januskv.compat.server.process import Timer
    from januskv.compat.server.server import Server

log = logging.getLogger("januskv")

SLICE_NS: Final = 1_000_000
# What an element takes without its metric and tags: the names of its members, a time, a value. For the output limits.
_ELEMENT_BYTES: Final = 110
# So many points that have arrived and are not sent are nothing to worry about.
_FEW: Final = 10_000
# The clock may be set, and timers of many days overflow: it is looked at once in a while.
_LONGEST_S: Final = 600.0
# Subscriptions and streams that one socket may have.
MOST_STREAMS: Final = 1000

RIGHTS_CHANGED: Final = "the user of a subscription of this socket has changed"
TOO_SLOW: Final = "the subscriptions of this socket leave too much unread"
TOO_MANY_SERIES: Final = "the subscriptions of this socket follow too many series"


class Socket(Protocol):
    """What subscriptions need of a WebSocket."""

    client: Client
    heard_ms: int
    write_paused: bool
    closing: bool

    @property
    def unread_bytes(self) -> int: ...

    def send_text(self, message: bytes) -> None: ...
    def ping(self) -> None: ...
    def refuse_on(self, reason: str) -> None: ...
    def failed(self, error: Exception) -> None: ...


class Stream:
    """One metric of a subscription, on its way to a socket."""

    def __init__(
        self,
        subscriber: Subscriber,
        subscription: str,
        follower: Follower,
        delay_ms: int,
        allowed: Callable[[], bool],
    ) -> None:
        self.subscriber = subscriber
        self.hub = subscriber.hub
        self.subscription = dumps(subscription).decode()
        self.metric = dumps(text(follower.metric)).decode()
        self.follower = follower
        self.delay_ms = delay_ms
        self.allowed = allowed  # whether the user has the rights still that it had
        self.next_ms = 0  # no batch before this time, unless it is full
        self.elements: list[str] = []  # of a batch that is not full
        self.element_bytes = _ELEMENT_BYTES + len(self.subscription) + len(self.metric)
        self.most_series = 0  # that it has followed at a time
        self.ended = False
        follower.on_work = self.on_work
        follower.on_wait = self.on_wait

    # ------------------------------------------------------------ when

    def on_work(self) -> None:
        """There is something to be sent: soon, or when the delay is over."""
        hub, subscriber = self.hub, self.subscriber
        waiting = self.follower.waiting
        if waiting > _FEW:
            subscriber.look_at_backlog()
        if self.ended or self in hub.ready or subscriber.stalled:
            return
        now_ms = hub.server.store.clock.now_ms
        if now_ms < self.next_ms and waiting < hub.batch:
            hub.file(self, self.next_ms)
        else:
            hub.set_ready(self)

    def on_wait(self) -> None:
        """Points wait for their time."""
        due_ms = self.follower.due_ms
        if due_ms is not None and not self.ended:
            self.hub.file(self, due_ms)

    def run_cron(self, now_ms: int) -> None:
        """A time has come that was waited for."""
        self.follower.wake()
        if self.follower.busy:
            self.on_work()
        self.on_wait()

    # ------------------------------------------------------------ what

    def step(self) -> bool:
        """Do a little; whether there is more to do now."""
        hub, follower, elements = self.hub, self.follower, self.elements
        if not self.allowed():
            self.subscriber.socket.refuse_on(RIGHTS_CHANGED)
            return False
        hub.following.look(follower)
        for cursor, times, values in follower.take(hub.batch - len(elements)):
            self.word(cursor, times, values)
        if len(follower.cursors) > self.most_series:
            self.most_series = len(follower.cursors)
            if not self.subscriber.within_limits():
                return False
        if follower.busy and len(elements) < hub.batch:
            return True
        if elements:
            self.next_ms = hub.server.store.clock.now_ms + self.delay_ms
            self.send_batch()
        if follower.finished:
            self.subscriber.drop(self)
            self.complete()
        return follower.busy

    def word(self, cursor: Cursor, times: Sequence[int], values: Sequence[float]) -> None:
        """Add the points of one series to the batch."""
        note: tuple[str, str] | None = cursor.note
        if note is None:
            note = cursor.note = self.opening(cursor), self.ending(cursor)
            self.element_bytes = _ELEMENT_BYTES + len(note[0]) + len(note[1])
        opening, ending = note
        self.elements += [
            f'{opening}{time},"value":{number(value)}{ending}' for time, value in zip(times, values, strict=True)
        ]

    def opening(self, cursor: Cursor) -> str:
        """What an element says before its time."""
        metric = dumps(text(cursor.series.labels.get(NAME_LABEL, b""))).decode()
        return f'{{"metric":{metric},"timestamp":'

    def ending(self, cursor: Cursor) -> str:
        """What an element says after its value: a series' tags in order of their names, its visibility as the last one."""
        labels = cursor.series.labels
        names = sorted(name for name in labels if name not in (NAME_LABEL, VISIBILITY_LABEL))
        if labels.get(VISIBILITY_LABEL):
            names.append(VISIBILITY_LABEL)
        tags = dumps([{text(name): text(labels[name])} for name in names]).decode()
        return f',"tags":{tags},"subscriptionId":{self.subscription},"complete":false}}'

    def completion(self) -> str:
        """The element that says that there are no more."""
        return (
            f'{{"metric":{self.metric},"timestamp":0,"value":0.0,"tags":null,'
            f'"subscriptionId":{self.subscription},"complete":true}}'
        )

    def complete(self) -> None:
        """Say that there are no more."""
        self.elements = [self.completion()]
        self.send_batch()

    def send_batch(self) -> None:
        """Send what there is."""
        if self.elements:
            batch = f'{{"responses":[{",".join(self.elements)}]}}'
            self.elements.clear()
            self.subscriber.socket.send_text(batch.encode())


class Subscriber:
    """The subscriptions of one socket, which is heard of as long as they are to go on."""

    def __init__(self, hub: Subscriptions, socket: Socket) -> None:
        self.hub = hub
        self.socket = socket
        self.streams: dict[str, dict[bytes, Stream]] = {}  # by subscription and metric
        self.pinged_ms = hub.server.store.clock.now_ms
        self.outrun = False  # it is to be closed: more arrives than it takes

    # ------------------------------------------------------------ operations

    def create(self, subscription: str) -> None:
        """Begin a subscription, in place of one with the same name: that ends silently, as its name means the new one."""
        for stream in self.streams.pop(subscription, {}).values():
            self.hub.end(stream)
        self.streams[subscription] = {}
        self.hub.file_ping(self)

    def add(
        self, subscription: str, follower: Follower, delay_ms: int, allowed: Callable[[], bool] = lambda: True
    ) -> None:
        """Follow a metric, instead of what was followed of it."""
        streams = self.streams[subscription]
        replaced = streams.pop(follower.metric, None)
        if replaced is not None:
            self.hub.end(replaced)
        stream = streams[follower.metric] = Stream(self, subscription, follower, delay_ms, allowed)
        stream.on_work()
        stream.on_wait()

    def remove(self, subscription: str, metric: bytes) -> None:
        """Follow a metric no longer, if it was followed, and say so."""
        stream = self.streams.get(subscription, {}).pop(metric, None)
        if stream is not None:
            self.hub.end(stream)
            stream.complete()

    def stop(self, subscription: str) -> None:
        """End a subscription, if there is one, and say so of each metric."""
        for stream in self.streams.pop(subscription, {}).values():
            self.hub.end(stream)
            stream.complete()
        if not self.streams:
            self.socket.client.streaming = False

    def stop_all(self) -> None:
        """End all subscriptions, and say so of each metric."""
        for subscription in list(self.streams):
            self.stop(subscription)

    def forget(self) -> None:
        """End all subscriptions of a socket that gets nothing more."""
        for streams in self.streams.values():
            for stream in streams.values():
                self.hub.end(stream)
        self.streams = {}
        self.hub.unfile(self)

    def drop(self, stream: Stream) -> None:
        """Forget a stream that has ended by itself."""
        self.hub.end(stream)
        for streams in self.streams.values():
            if streams.get(stream.follower.metric) is stream:
                del streams[stream.follower.metric]

    @property
    def stream_count(self) -> int:
        """How many streams and subscriptions there are."""
        return len(self.streams) + sum(map(len, self.streams.values()))

    # ------------------------------------------------------------ limits

    @property
    def stalled(self) -> bool:
        """Whether the socket has enough to send."""
        return self.socket.write_paused

    @property
    def backlog_bytes(self) -> int:
        """What has arrived and is not sent, in bytes as they will be sent."""
        return sum(
            stream.follower.waiting * stream.element_bytes
            for streams in self.streams.values()
            for stream in streams.values()
        )

    def look_at_backlog(self) -> None:
        """Close the socket if more arrives than it takes. The one who writes does not wait for that: it is done soon."""
        limit = self.hub.server.config.output_limit(self.socket.client)
        if limit and not self.outrun and self.socket.unread_bytes > limit:
            self.outrun = True
            self.hub.server.later(0, self.cut_off)

    def cut_off(self) -> None:
        """Close the socket, as more arrives than it takes."""
        socket, server = self.socket, self.hub.server
        if not socket.closing:
            server.accounts.stats.client_output_buffer_limit_disconnections += 1
            server.limited_log.note(
                "slow subscriber", f"client {socket.client.address} closed: its subscriptions leave too much unread"
            )
            socket.refuse_on(TOO_SLOW)

    def within_limits(self) -> bool:
        """Whether the socket's streams follow no more series than they may; it is closed if they do."""
        followed = sum(len(stream.follower.cursors) for streams in self.streams.values() for stream in streams.values())
        if followed <= self.hub.most_series:
            return True
        log.info("client %s closed: its subscriptions follow too many series", self.socket.client.address)
        self.socket.refuse_on(TOO_MANY_SERIES)
        return False

    def go_on(self) -> None:
        """The socket takes more."""
        for streams in self.streams.values():
            for stream in streams.values():
                if stream.follower.busy or stream.elements:
                    stream.on_work()

    # ------------------------------------------------------------ silence

    def run_cron(self, now_ms: int) -> None:
        """Ping the client; end its subscriptions where it has not been heard of for too long."""
        if not self.streams:
            return
        timeout_ms = self.hub.timeout_ms
        if now_ms - self.socket.heard_ms >= timeout_ms:
            log.info("client %s: its subscriptions have ended, it is silent", self.socket.client.address)
            self.stop_all()
            return
        if now_ms - self.pinged_ms >= timeout_ms // 2:
            self.pinged_ms = now_ms
            self.socket.ping()
        self.hub.file_ping(self)


class Subscriptions:
    """The subscriptions of all sockets of a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ready: dict[Stream, None] = {}  # whose turn it is comes first
        self.called = False
        self.times = Timetable(1, {})  # of streams and subscribers that wait for a time
        self._timer: Timer | None = None
        self._timer_ms = NEVER

    @cached_property
    def following(self) -> Following:
        """Who follows what in the database of metrics."""
        return Following(self.server.store.databases[self.server.config.timely_database])

    @property
    def batch(self) -> int:
        """Most elements of a batch."""
        return int(self.server.config.timely_subscription_batch)

    @property
    def most_series(self) -> int:
        """Most series that the streams of one socket may follow."""
        return int(self.server.config.timely_subscription_series)

    @property
    def timeout_ms(self) -> int:
        """How long a client may be silent."""
        return int(self.server.config.timely_websocket_timeout) * 1000

    def follower(
        self,
        metric: bytes,
        accepts: Callable[[Mapping[bytes, bytes]], bool],
        *,
        start_ms: int,
        end_ms: int | None,
        may_read: Callable[[bytes], bool] | None = None,
    ) -> Follower:
        """A follower of a metric under the settings of the server."""
        return Follower(
            metric,
            accepts,
            clock=self.server.store.clock,
            start_ms=start_ms,
            end_ms=end_ms,
            lag_ms=self.server.config.timely_subscription_lag * 1000,
            may_read=may_read,
        )

    def end(self, stream: Stream) -> None:
        """Let a stream give nothing more."""
        stream.ended = True
        stream.elements = []
        self.ready.pop(stream, None)
        self.times.remove(stream)
        self.following.remove(stream.follower)

    # ------------------------------------------------------------ turns

    def set_ready(self, stream: Stream) -> None:
        """Let a stream have its turn."""
        self.ready[stream] = None
        self.call()

    def call(self) -> None:
        """Have the next slice done soon, once."""
        if not self.called:
            self.called = True
            self.server.later(0, self.go_on)

    def go_on(self) -> None:
        """Do a slice: a step of each stream in turn, until the time is over."""
        self.called = False
        self.server.store.clock.tick()
        until_ns = now_ns() + SLICE_NS
        ready = self.ready
        while ready:
            stream = next(iter(ready))
            del ready[stream]
            if stream.subscriber.stalled:
                continue
            try:
                more = stream.step()
            except Exception as error:  # the others are to go on all the same
                stream.subscriber.socket.failed(error)
                continue
            if more and not stream.ended:
                ready[stream] = None
            if now_ns() >= until_ns:
                break
        if ready:
            self.call()

    # ------------------------------------------------------------ times

    def file(self, item: Stream | Subscriber, due_ms: int) -> None:
        """Let something be looked after at a time, or earlier if it was to be."""
        held = self.times.deadlines.get(item)
        if held is None or due_ms < held:
            self.times.file(item, due_ms)
            self.set_timer(due_ms)

    def unfile(self, item: Stream | Subscriber) -> None:
        """Look after something no longer."""
        self.times.remove(item)

    def file_ping(self, subscriber: Subscriber) -> None:
        """Let a subscriber be looked after when it is to be pinged, or has been silent for too long."""
        due_ms = min(subscriber.pinged_ms + self.timeout_ms // 2, subscriber.socket.heard_ms + self.timeout_ms)
        self.times.remove(subscriber)
        self.file(subscriber, due_ms)

    def set_timer(self, due_ms: int) -> None:
        """Have the times looked at then, or earlier."""
        if self._timer is not None:
            if self._timer_ms <= due_ms:
                return
            self._timer.cancel()
        self._timer_ms = due_ms
        delay_s = (due_ms - self.server.store.clock.now_ms) / 1000
        self._timer = self.server.later(min(max(delay_s, 0.001), _LONGEST_S), self.look)

    def look(self) -> None:
        """Look after what is due."""
        self._timer = None
        now_ms = self.server.store.clock.tick()
        for item in self.times.look(1000, now_ms + 1):
            self.times.remove(item)
            item.run_cron(now_ms)
        following_ms = self.times.next_ms()
        if following_ms != NEVER:
            self.set_timer(following_ms)


def text(name: bytes) -> str:
    """A name as JSON has it; what is not UTF-8 in it is replaced."""
    return name.decode("utf-8", "replace")


def number(value: float) -> str:
    """A value as JSON has it; what JSON has no number for is a string, as Timely writes it."""
    spelt = repr(value)
    return spelt if spelt[-1] not in "nf" else _NO_NUMBERS[spelt]


_NO_NUMBERS: Final = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
