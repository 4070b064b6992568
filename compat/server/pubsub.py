"""Pub/Sub: subscriptions, and the delivery of messages.

A message is encoded once per protocol, however many clients receive it. Native clients (JSON lines, WebSocket) get it as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from januskv.resp.encoder import encode
from januskv.resp.replies import Push, RawReply
from januskv.storage.event_table import NOTIFIED
from januskv.storage.feed import Feed
from januskv.storage.glob import matcher
from januskv.storage.keyspace import Keyspace
from januskv.storage.values import text_from_bytes

from .client import Client
from .subscriptions import CHANNELS, PATTERNS, SHARDS, Subscriptions

Subscribers = dict[Client, None]


class PubSub:
    """All subscriptions of a server."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.channels: dict[bytes, Subscribers] = {}
        self.patterns: dict[bytes, Subscribers] = {}
        self.shards: dict[bytes, Subscribers] = {}
        self.matchers: dict[bytes, Callable[[bytes], Any]] = {}
        self.clients: Subscribers = {}
        self.watching: Subscribers = {}  # native clients that are notified of keys

    def of(self, kind: str) -> dict[bytes, Subscribers]:
        """The subscribers of one kind by name."""
        if kind == SHARDS:
            return self.shards
        return self.patterns if kind == PATTERNS else self.channels

    # ------------------------------------------------------------ subscribing

    def subscribe(self, client: Client, kind: str, name: bytes, *, native: bool = False) -> int:
        """Subscribe a client; return its number of subscriptions of this sort."""
        if client.subscriptions is None:
            client.subscriptions = Subscriptions()
        client.subscriptions.native = native
        client.subscriptions.of(kind)[name] = None
        self.of(kind).setdefault(name, {})[client] = None
        self.clients[client] = None
        if kind == PATTERNS and name not in self.matchers:
            self.matchers[name] = matcher(name)
        return client.subscriptions.count(kind)

    def unsubscribe(self, client: Client, kind: str, name: bytes) -> int:
        """Unsubscribe a client, if it was subscribed; return how many subscriptions of this sort are left."""
        subscriptions = client.subscriptions
        if subscriptions is None:
            return 0
        if name in subscriptions.of(kind):
            del subscriptions.of(kind)[name]
            subscribers = self.of(kind)[name]
            del subscribers[client]
            if not subscribers:
                del self.of(kind)[name]
                if kind == PATTERNS:
                    del self.matchers[name]
        left = subscriptions.count(kind)
        self._drop_empty(client)
        return left

    def _drop_empty(self, client: Client) -> None:
        if not client.subscriptions:
            client.subscriptions = None
            self.clients.pop(client, None)

    def forget(self, client: Client) -> None:
        """Drop the subscriptions of a client that is gone or was reset."""
        subscriptions = client.subscriptions
        if subscriptions is not None:
            for kind in (CHANNELS, PATTERNS, SHARDS):
                for name in list(subscriptions.of(kind)):
                    self.unsubscribe(client, kind, name)
            for pattern in list(subscriptions.keys):
                self.unwatch(client, pattern)

    # ------------------------------------------------------------ keys, for native clients

    def watch(self, client: Client, pattern: bytes) -> None:
        """Notify a native client of changes to matching keys, in its selected keyspace."""
        if client.subscriptions is None:
            client.subscriptions = Subscriptions()
        client.subscriptions.native = True
        client.subscriptions.keys[pattern] = matcher(pattern)
        self.clients[client] = self.watching[client] = None
        self.feed.subscribe(self.on_change)

    def unwatch(self, client: Client, pattern: bytes) -> None:
        """Stop notifying a native client of these keys, if it was."""
        subscriptions = client.subscriptions
        if subscriptions is None or subscriptions.keys.pop(pattern, None) is None:
            return
        if not subscriptions.keys:
            del self.watching[client]
            if not self.watching:
                self.feed.unsubscribe(self.on_change)
        self._drop_empty(client)

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Notify the native clients that subscribed to this key."""
        if event not in NOTIFIED:
            return
        for client in list(self.watching):
            held = client.subscriptions
            if held is not None and client.keyspace is keyspace and any(fits(key) for fits in held.keys.values()):
                body = {"key": text_from_bytes(key), "event": event}
                client.connection.push_native({"SV_KEY_EVENT": body})
                client.connection.check_output()

    # ------------------------------------------------------------ messages

    def publish(self, channel: bytes, message: bytes, *, within: Keyspace | None = None) -> int:
        """Send a message to a channel's subscribers and those of matching patterns; return how many got it.

        ``within`` limits it to clients that have selected this keyspace.
        """
        sent = self._send(self.channels.get(channel), [b"message", channel, message], within)
        for pattern, fits in self.matchers.items():
            if fits(channel):
                sent += self._send(self.patterns[pattern], [b"pmessage", pattern, channel, message], within)
        return sent

    def publish_shard(self, channel: bytes, message: bytes) -> int:
        """Send a message to a shard channel's subscribers; return how many got it."""
        return self._send(self.shards.get(channel), [b"smessage", channel, message], None)

    def _send(self, subscribers: Subscribers | None, parts: list[bytes], within: Keyspace | None) -> int:
        if not subscribers:
            return 0
        wires: dict[int, RawReply] = {}
        sent = 0
        for client in list(subscribers):
            if within is not None and client.keyspace is not within:
                continue
            sent += 1
            subscriptions = client.subscriptions
            try:
                if subscriptions is not None and subscriptions.native:
                    client.connection.push_native(as_json(parts))
                else:
                    protocol = client.protocol
                    if protocol not in wires:
                        wires[protocol] = RawReply(encode(Push(parts), protocol))
                    client.push(wires[protocol])
                client.connection.check_output()
            except Exception as error:  # the others must get the message nonetheless
                client.connection.failed(error)
        return sent


def as_json(parts: list[bytes]) -> dict[str, Any]:
    """A message as JSON for native clients: ``{"SV_MESSAGE": {...}}``."""
    names = ("pattern", "channel", "message") if len(parts) == 4 else ("channel", "message")
    return {"SV_MESSAGE": {name: text_from_bytes(part) for name, part in zip(names, parts[1:], strict=True)}}
