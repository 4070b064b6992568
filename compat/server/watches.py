"""WATCH: which clients watch which keys."""

from __future__ import annotations

from typing import cast

from januskv.storage.event_table import FLUSHES, SWAPS
from januskv.storage.feed import Feed
from januskv.storage.keyspace import Keyspace

from .client import Client


class Watches:
    """The watched keys of all clients. Listens to the feed while there are any."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.by_key: dict[tuple[Keyspace, bytes], set[Client]] = {}

    def add(self, client: Client, keyspace: Keyspace, key: bytes) -> None:
        """Let the client's next EXEC fail if the key changes before."""
        place = (keyspace, key)
        self.by_key.setdefault(place, set()).add(client)
        client.watched.add(place)
        self.feed.subscribe(self.on_change)

    def forget(self, client: Client) -> None:
        """Drop all watches of the client and their results."""
        for place in client.watched:
            watchers = self.by_key[place]
            watchers.discard(client)
            if not watchers:
                del self.by_key[place]
        client.watched = set()
        client.watch_broken = False
        if not self.by_key:
            self.feed.unsubscribe(self.on_change)

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Break the watches that a change touches; emptying or swapping touches the keys that exist(ed)."""
        if event in FLUSHES:
            self._break_existing(keyspace, cast("dict[bytes, object]", detail[0]))
        elif event in SWAPS:
            self._break_existing(keyspace, keyspace.data)
            self._break_existing(keyspace, cast(Keyspace, detail[0]).data)
        else:
            for client in self.by_key.get((keyspace, key), ()):
                client.watch_broken = True

    def before_swap(self, first: Keyspace, second: Keyspace) -> None:
        """Remove expired keys of one keyspace that are watched in the other: an expired key does not replace anything."""
        other = {first: second, second: first}
        for place, key in list(self.by_key):
            if place in other:
                other[place].get(key)

    def _break_existing(self, keyspace: Keyspace, data: dict[bytes, object]) -> None:
        for (place, key), watchers in self.by_key.items():
            if place is keyspace and key in data:
                for client in watchers:
                    client.watch_broken = True
