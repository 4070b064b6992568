"""Keyspace notifications: events of keys, published to channels, by the setting ``notify-keyspace-events``.

A session's keyspace publishes as database ``session``, and only to clients inside this session: its token is secret.
"""

from __future__ import annotations

from januskv.storage.event_table import NOTIFIED, SILENT
from januskv.storage.feed import Feed
from januskv.storage.keyspace import Keyspace

from .pubsub import PubSub


class Notifier:
    """Publishes the changes of the feed that the setting selects. Listens only while it selects any."""

    def __init__(self, feed: Feed, pubsub: PubSub) -> None:
        self.feed, self.pubsub = feed, pubsub
        self.setting = ""
        self.by_key = self.by_event = False

    def configure(self, setting: str) -> None:
        """Apply a setting that ``parse_events`` made."""
        self.setting = setting
        self.by_key, self.by_event = "K" in setting, "E" in setting
        feed = self.feed
        published = self.by_key or self.by_event
        feed.want("notifications", [name for name in SILENT if NOTIFIED[name] in setting] if published else ())
        if published and setting.strip("KE"):
            feed.subscribe(self.on_change)
        else:
            feed.unsubscribe(self.on_change)

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Publish one change."""
        kind = NOTIFIED.get(event)
        if kind is None or kind not in self.setting:
            return
        pubsub = self.pubsub
        if not pubsub.clients:
            return
        name = b"session" if keyspace.index < 0 else b"%d" % keyspace.index
        within = keyspace if keyspace.index < 0 else None
        if self.by_key:
            pubsub.publish(b"__keyspace@%b__:%b" % (name, key), event.encode(), within=within)
        if self.by_event:
            pubsub.publish(b"__keyevent@%b__:%b" % (name, event.encode()), key, within=within)
